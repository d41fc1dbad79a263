"""From scores to few, explained alerts: threshold, grouping, episodes, severity, text. No I/O, no clock."""
