"""Redis: the live state of a run, a projection of its aggregates and alerts topics."""
