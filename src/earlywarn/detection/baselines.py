"""What would be expected today, had the models stopped learning before a shock began: one baseline for each first day.

A regression learns a shock as it learns everything, so its own prediction soon answers "what is expected after the
shock". What a shock has cost is answered by the regression as it stood before the shock's first day: with b[a] the
coefficients before the day a days ago was learned, and r[a] the ratio of means to medians of then (`mean_ratio`), the
baseline of a shock that began then is

    r[a] exp(x'b[a]),        a = 0 (today) .. W - 1.

The scales R and weekday factors w of those days are kept as well: the oldest says how much a usual day varies, which no
shock of the last W days has moved. A series that begins or wakes up has no earlier baseline: all of them are then that
of its first day.

Reference: Brodersen et al. (2015), Annals of Applied Statistics 9 (the effect of an event is the difference from a
prediction of models that have learned nothing since).

Example:
    >>> from earlywarn.detection.regression_parameters import RegressionParameters
    >>> bank = RegressionBank(("const",), RegressionParameters(window_days=3), size=2)
    >>> baselines, one = Baselines(bank.parameters.window_days, features=1), np.ones((2, 1))
    >>> baselines.embed(np.zeros(0, dtype=np.int64), 2)
    >>> for value in [5.0] * 40 + [4.0] * 2:
    ...     first = bank.begin(np.array([value, np.nan]))
    ...     baselines.remember(bank, np.ones(2), np.ones(1, dtype=bool))
    ...     baselines.restart(first)
    ...     seen = bank.learn(np.array([value, np.nan]), one, np.ones(2), weekday=1)
    >>> baselines.means(one).round(1)[:, 0].tolist(), round(float(np.exp(5.0)), 1)
    ([146.6, 148.4, 148.4], 148.4)
"""

import numpy as np
import numpy.typing as npt

from earlywarn.detection.day_scores import Flags, Floats, Integers
from earlywarn.detection.learned_arrays import LearnedArrays
from earlywarn.detection.regression_bank import RegressionBank

WEEKDAYS = 7


class Baselines(LearnedArrays):
    """The regressions of M = 2K log series (counts, then amounts of K cells) before each of the last W days.

    Args:
        window_days: W.
        features: P.

    Attributes:
        coefficients: float32[W, M, P], of today's first. ratio: float64[W, M], r. variance: float64[W, M], R.
        weekday_factor: float64[W, M, 7].
        active: bool[W, K], cells of which anything was expected.
    """

    arrays = ("coefficients", "ratio", "variance", "weekday_factor", "active")

    def __init__(self, window_days: int, features: int) -> None:
        self.window_days, self.features = window_days, features
        self._allocate(0)

    def _allocate(self, size: int) -> None:
        window = self.window_days
        # Half the memory: a baseline need not be known to more than seven digits.
        self.coefficients: npt.NDArray[np.float32] = np.zeros((window, size, self.features), dtype=np.float32)
        self.ratio = np.ones((window, size))
        self.variance = np.zeros((window, size))
        self.weekday_factor = np.ones((window, size, WEEKDAYS))
        self.active = np.zeros((window, size // 2), dtype=bool)

    def remember(self, bank: RegressionBank, ratio: Floats, active: Flags, *, days: int = 1) -> None:
        """Let `days` days begin, the last of which is not learned yet: for each, `bank` and `ratio` [M] were known."""
        days = min(days, self.window_days)
        known = (bank.coefficients, ratio, bank.variance, bank.weekday_factor, active)
        for name, today in zip(self.arrays, known, strict=True):
            rows = getattr(self, name)
            rows[days:] = rows[: self.window_days - days].copy()
            rows[:days] = today

    def restart(self, series: Flags) -> None:
        """Take today's baseline of the flagged series [M] for all days: they have begun, or begun anew."""
        for name in self.arrays[:-1]:
            rows = getattr(self, name)
            rows[1:, series] = rows[0, series]
        cells = series[: self.active.shape[1]]
        self.active[:, cells] = self.active[0, cells]

    def means(self, design: Floats) -> Floats:
        """Return float64[W, M]: what today's counts and amounts would be under each baseline, 0 for inactive cells."""
        means: Floats = self.ratio * np.exp(np.einsum("wmp,mp->wm", self.coefficients, design))
        return np.where(np.tile(self.active, 2), means, 0.0)

    def oldest_two(self, usual_week: Floats) -> Floats:
        """Return float64[2, M]: a usual day's counts and amounts under the oldest baseline and the next one."""
        means: Floats = (self.ratio[-2:] * np.exp(self.coefficients[-2:] @ usual_week))[::-1]
        return np.where(np.tile(self.active[-2:][::-1], 2), means, 0.0)

    def usual_noise(self, inflation: Floats, weekday: int) -> Floats:
        """Return float64[M]: the variance of one observation today, by the oldest scales; `inflation` [M] as always."""
        noise: Floats = self.variance[-1] * inflation * self.weekday_factor[-1, :, weekday]
        return noise

    def embed(self, places: Integers, size: int) -> None:
        """Lay the series out anew: old series i stands at `places[i]` of `size`."""
        old, cells = self.state(), places[: len(places) // 2]
        self._allocate(size)
        for name in self.arrays:
            getattr(self, name)[:, cells if name == "active" else places] = old[name]
