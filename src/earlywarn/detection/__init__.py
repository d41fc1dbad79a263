"""From the closed days of a panel to a score per node and direction. No thresholds, no I/O, no clock."""

MODEL_VERSION = "7"
"""Changes whenever the same input would be scored otherwise: part of every fingerprint and alert."""

STATE_VERSION = 6
"""Changes whenever what the models keep in a snapshot is laid out or meant otherwise."""
