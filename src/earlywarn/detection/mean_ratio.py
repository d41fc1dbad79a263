"""From the median to the mean: how much is seen, on average, of what a log-linear model predicts.

A regression of logarithms predicts the median exp(m). The mean is larger, the more so the wider the errors are, and
smaller where days without any payment have no logarithm. Totals are sums of means. For each series the ratio of what
was seen to what was predicted is kept, exponentially weighted,

    r = sum_j l^(n-j) w_j exp(m_j + clip(e_j, -c s_j, c s_j)) / sum_j l^(n-j) w_j exp(m_j),

over the days j that were heard; e is the innovation, s its predictive sd, w the share that the variance of a usual
observation has in s^2: days that were hardly known beforehand (special ones, the first ones) say little. A day without
a logarithm (nothing seen where little is expected) counts as 0. A series begins at 1 with the weight of `start_days`
days. (The mean of y / exp(m) would be biased, since m errs as well.)

Reference: Duan (1983), Smearing estimate: a nonparametric retransformation method, JASA 78.

Example:
    >>> ratio = MeanRatio(memory=0.99, clip=4.0, start_days=1.0, size=2)
    >>> for seen in [0.5, 2.0] * 100:
    ...     ratio.learn(np.zeros(2), np.log([seen, 1.0]), np.ones(2), seen=np.array([True, seen > 1]),
    ...                 heard=np.ones(2, bool), weight=np.ones(2))
    >>> ratio.get().round(2).tolist()
    [1.25, 0.5]
"""

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats
from earlywarn.detection.learned_arrays import SeriesArrays


class MeanRatio(SeriesArrays):
    """The ratios of M series.

    Args:
        memory: l, weight of the past per day heard (0..1).
        clip: c, standard deviations.
        start_days: days that the ratio 1 is worth at first.
        size: M.

    Attributes:
        weighted, weight: float64[M], numerator and denominator of r; 0 before the first day.
    """

    arrays = ("weighted", "weight")

    def __init__(self, *, memory: float, clip: float, start_days: float, size: int = 0) -> None:
        self.memory, self.clip, self.start_days = memory, clip, start_days
        self._allocate(size)

    def _allocate(self, size: int) -> None:
        self.weighted, self.weight = np.zeros(size), np.zeros(size)

    def get(self) -> Floats:
        """Return r, float64[M]."""
        known = self.weight > 0
        return np.where(known, self.weighted / np.where(known, self.weight, 1.0), 1.0)

    def learn(self, mean: Floats, error: Floats, sd: Floats, *, seen: Flags, heard: Flags, weight: Floats) -> None:
        """Take a day in.

        Args:
            mean: float64[M], log predictions.
            error: float64[M], innovations (log units), read where `seen`.
            sd: float64[M], predictive standard deviations.
            seen: bool[M], series with a logarithm today.
            heard: bool[M], series that were heard and of which something was expected.
            weight: float64[M], w, 0..1.
        """
        usual = weight * np.exp(mean)
        relative = np.where(seen, np.exp(np.clip(error, -self.clip * sd, self.clip * sd)), 0.0)
        beginning = np.where(heard & (self.weight == 0), self.start_days * usual, 0.0)
        self.weighted = np.where(heard, self.memory * self.weighted + usual * relative, self.weighted) + beginning
        self.weight = np.where(heard, self.memory * self.weight + usual, self.weight) + beginning

    def set(self, series: Flags, ratio: Floats | float) -> None:
        """Take `ratio` [M] as that of the flagged series, with the weight of what they have learned."""
        self.weighted = np.where(series, ratio * self.weight, self.weighted)

    def restart(self, series: Flags) -> None:
        """Let the flagged series begin at 1."""
        self.weighted[series] = self.weight[series] = 0.0
