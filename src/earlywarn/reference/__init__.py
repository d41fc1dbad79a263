"""Packaged tables and their loaders: NUTS, crosswalks, classifications, mappings, holidays, zones."""
