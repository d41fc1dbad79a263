"""A control chart: the exponentially weighted mean of a node's deviations from its weekday's mean.

Of the log amount x on weekday j, with mean m_j and variance s2 that are exponentially weighted themselves,

    z' = (1 - l) z + l (x - m_j) / s,      evidence = |z| / sqrt(l / (2 - l)).

Reference: Roberts (1959), Technometrics 1; Lucas and Saccucci (1990), Technometrics 32.
"""

from datetime import date

import numpy as np

from track_record.contestants.contestant import ArrayState, Totals
from track_record.sample import Flags, Floats, Integers, Sample

SMOOTHING = 0.2
MEAN_RATE = 0.15
"""Weight of a new day in its weekday's mean."""
VARIANCE_RATE = 0.02
CLIP = 4.0
START_DAYS = 28


class EwmaChart(ArrayState):
    """One chart for each node.

    Args:
        sample: what it will see.
    """

    learned = ("_mean", "_variance", "_chart", "_days")

    def __init__(self, sample: Sample) -> None:
        nodes = len(sample.tree.nodes)
        self._totals = Totals(sample)
        self._mean, self._variance = np.full((7, nodes), np.nan), np.full(nodes, 0.04)
        self._chart, self._days = np.zeros(nodes), 0

    def step(self, day: date, _counts: Integers, amounts: Integers) -> Floats:
        """Return how far the chart stands from nothing, by its direction."""
        sums = self._totals.sums(amounts)
        value, seen = np.log(np.maximum(sums, 1.0)), sums > 0
        mean = self._mean[day.weekday()]
        known = seen & np.isfinite(mean)
        error = np.where(known, value - np.where(known, mean, 0.0), 0.0)
        z = np.clip(error / np.sqrt(self._variance), -CLIP, CLIP)
        self._days += 1
        if self._days > START_DAYS:
            self._chart = np.where(known, (1 - SMOOTHING) * self._chart + SMOOTHING * z, self._chart)
        small = np.minimum(error**2, CLIP**2 * self._variance)
        learned = (1 - VARIANCE_RATE) * self._variance + VARIANCE_RATE * small
        self._variance = np.where(known, np.maximum(learned, 1e-4), self._variance)
        self._mean[day.weekday()] = np.where(known, mean + MEAN_RATE * error, np.where(seen, value, mean))
        size = self._chart / np.sqrt(SMOOTHING / (2 - SMOOTHING))
        evidence: Floats = np.maximum(np.stack([-size, size]), 0.0)
        return evidence

    def accept(self, nodes: Flags) -> None:
        """Move the means of all weekdays by what the chart says, and begin it anew."""
        self._mean += np.where(nodes, self._chart * np.sqrt(self._variance), 0.0)
        self._chart = np.where(nodes, 0.0, self._chart)
