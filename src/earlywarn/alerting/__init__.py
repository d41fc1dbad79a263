"""From scores to few, explained alerts: threshold, grouping, episodes, severity, text. No I/O, no clock."""

STATE_VERSION = 7
"""Changes whenever what a desk keeps in a snapshot is laid out or meant otherwise."""
