"""The two folds: records of one partition into block partials, partials of all partitions into closed buckets.

Both are functions of their logs alone: no clock, no randomness, no I/O. See docs/architecture.md.
"""

STATE_VERSION = 4
"""Changes whenever what the second fold keeps in a snapshot is laid out or meant otherwise."""
