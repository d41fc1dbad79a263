MODEL_VERSION = "1"
"""Changes whenever the same input would be scored otherwise: part of every fingerprint and alert."""
