"""How wide a forecast's interval must be to hold what it says, learned from the errors of past forecasts.

Let u be the log error of a forecast in standard deviations as one day ahead has them. Its scale is taken as

    scale[l, m, h] = c[h] d[l, m],

c of the horizon h, smoothed over its neighbours, d of the level l of the node and of the measure m: what forecasts err
together does not cancel out in a total as innovations of one day do. Both are exponentially weighted mean squares of
u / scale, clipped, every level and measure counting alike. The shape is pooled over everything: a
histogram of |u| / scale, exponentially weighted as well, whose quantiles are the half widths of the intervals. It
begins as that of the normal distribution, and c and d at 1, worth a few days each.

Quantiles that follow past errors hold their probability on average over time, whatever the distribution, as long as it
changes slowly (Gibbs and Candes 2021, NeurIPS, adaptive conformal inference).

Example:
    >>> scale = HorizonScale(ForecastParameters(horizon_days=20))
    >>> rng, levels = np.random.default_rng(1), np.zeros(50, dtype=np.int64)
    >>> for _ in range(400):
    ...     scale.learn(np.array([1, 20]), rng.standard_normal((2, 3, 50)) * [[[1.0]], [[2.0]]], levels)
    >>> (scale.reach(0.95) * scale.get(levels)[0, 0, [0, 19]]).round().tolist()
    [2.0, 4.0]
"""

from statistics import NormalDist

import numpy as np

from earlywarn.detection.day_scores import MEASURES, Floats, Integers
from earlywarn.detection.forecast_parameters import ForecastParameters
from earlywarn.detection.hierarchy import LEVELS
from earlywarn.detection.learned_arrays import LearnedArrays

_NEIGHBOUR_DAYS = 3.0
"""Standard deviation of the smoothing over horizons."""
_EDGES = np.exp(np.linspace(np.log(0.05), np.log(12.0), 80))
"""Bounds of the histogram, in scales; what is beyond counts in the outermost cells."""


class HorizonScale(LearnedArrays):
    """The scale of errors by horizon, level and measure, and their common shape.

    Args:
        parameters: see `ForecastParameters`.

    Attributes:
        squares, weights: float64[H], sums behind c. class_squares, class_weights: float64[4, 3], behind d.
        sizes: float64[81], histogram of |u| / scale.
    """

    arrays = ("squares", "weights", "class_squares", "class_weights", "sizes")

    def __init__(self, parameters: ForecastParameters) -> None:
        self.parameters = parameters
        horizons = np.arange(parameters.horizon_days)
        self._near = np.exp(-0.5 * ((horizons[:, None] - horizons[None, :]) / _NEIGHBOUR_DAYS) ** 2)
        self.squares, self.weights = np.zeros((2, parameters.horizon_days))
        self.class_squares, self.class_weights = np.zeros((2, len(LEVELS), len(MEASURES)))
        below = np.array([0.0, *(2.0 * NormalDist().cdf(edge) - 1.0 for edge in _EDGES.tolist()), 1.0])
        self.sizes: Floats = parameters.start_days * np.diff(below)

    def get(self, levels: Integers) -> Floats:
        """Return float64[3, G, H], the scale of each measure and node; `levels` [G] index LEVELS."""
        scale: Floats = self._by_class()[levels].T[:, :, None] * self._by_horizon()
        return scale

    def reach(self, probability: float) -> float:
        """Return half the width, in scales, of the interval of `probability`."""
        below = np.cumsum(self.sizes) / self.sizes.sum()
        cell = int(np.searchsorted(below, probability))
        before = below[cell - 1] if cell else 0.0
        share = (probability - before) / max(below[cell] - before, np.finfo(float).tiny)
        low, high = np.log(_EDGES[np.clip([cell - 1, cell], 0, len(_EDGES) - 1)])
        return float(np.exp(low + share * (high - low)))

    def learn(self, ages: Integers, errors: Floats, levels: Integers) -> None:
        """Take in what a day says of n earlier forecasts.

        Args:
            ages: int64[n], how many days ago they were made, each 1 .. H.
            errors: float64[n, 3, G], u by measure and node; NaN where nothing is known.
            levels: int64[G], index of each node's level in LEVELS.
        """
        by_horizon, by_class = self._by_horizon()[ages - 1], self._by_class()
        sizes = np.abs(errors) / (by_class[levels].T * by_horizon[:, None, None])
        known = np.isfinite(sizes)
        squares = np.where(known, np.minimum(sizes, self.parameters.clip) ** 2, 0.0)
        member = (levels[:, None] == np.arange(len(LEVELS))).astype(np.float64)
        said = known @ member
        means = (squares @ member) / np.maximum(said, 1.0)
        classes = (said > 0).sum(axis=(1, 2))
        for name in self.arrays:
            setattr(self, name, getattr(self, name) * self.parameters.memory)
        heard = classes > 0
        self.weights[ages - 1] += heard
        self.squares[ages - 1] += by_horizon**2 * means.sum(axis=(1, 2)) / np.maximum(classes, 1)
        self.class_weights += (said > 0).sum(axis=0).T
        self.class_squares += by_class**2 * means.sum(axis=0).T
        # A day weighs as one, however many nodes and origins speak, every level and measure alike.
        each = known * (1.0 / np.maximum(said, 1.0))[:, :, levels] / np.maximum(classes, 1)[:, None, None]
        cells = np.searchsorted(_EDGES, np.where(known, sizes, 0.0).ravel())
        self.sizes += np.bincount(cells, each.ravel(), len(self.sizes)) / max(int(heard.sum()), 1)

    def _by_horizon(self) -> Floats:
        start = self.parameters.start_days
        scale: Floats = np.sqrt((self._near @ self.squares + start) / (self._near @ self.weights + start))
        return scale

    def _by_class(self) -> Floats:
        start = self.parameters.start_days
        scale: Floats = np.sqrt((self.class_squares + start) / (self.class_weights + start))
        return scale
