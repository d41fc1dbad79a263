"""Pieces of a track record of the detection: shocks injected into the sample, and contestants beside the product."""
