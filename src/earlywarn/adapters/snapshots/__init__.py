"""Where snapshots of the second fold are kept."""
