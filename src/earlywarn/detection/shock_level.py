"""The level of series inside a shock that is told: what a forecast goes on from before the models accept it.

While a shock may be over tomorrow, a regression learns its level slowly. Of the next weeks that would say that all is
back at once. The level of the shock is the mean of the days since it was told, of the last seven at most, what the
calendar says of each taken off; how far it lies beside the regression's level is its *step*. Of what may be chance
(of size c) little is expected to go on: most alerts of small steps pass, and parts of a total in shock may have none.

    a' = a + (y - x'b without the level - a) / min(n, 7),    d = a - level,    step = d^3 / (d^2 + c^2).

Example:
    >>> level, in_shock = ShockLevel(2), np.array([True, False])
    >>> for value in (4.0, 4.2):
    ...     level.follow(in_shock)
    ...     level.learn(np.array([value, np.nan]))
    >>> level.step(in_shock, np.array([4.4, 4.4]), chance=np.full(2, 0.1)).round(2).tolist()
    [-0.27, 0.0]
"""

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats, Integers
from earlywarn.detection.learned_arrays import SeriesArrays

_DAYS = 7


class ShockLevel(SeriesArrays):
    """The levels of M series in a shock.

    Attributes:
        mean: float64[M], a as of the day before the last. days: int64[M], days of the shock in it.
        latest: float64[M], level that the last day implies; NaN where it was not seen.
    """

    arrays = ("mean", "days", "latest")

    def __init__(self, size: int = 0) -> None:
        self._allocate(size)

    def _allocate(self, size: int) -> None:
        self.mean: Floats = np.zeros(size)
        self.days: Integers = np.zeros(size, dtype=np.int64)
        self.latest: Floats = np.full(size, np.nan)

    @property
    def followed(self) -> Flags:
        """Return bool[M], series that were in a shock when the last day began."""
        followed: Flags = self.days > 0
        return followed

    def step(self, in_shock: Flags, levels: Floats, chance: Floats) -> Floats:
        """Return float64[M], the steps beside `levels` [M]; 0 outside of a shock.

        Args:
            in_shock: bool[M], who was in one on the last day.
            levels: float64[M], the regressions'.
            chance: float64[M], c.
        """
        mean, days = self._following(in_shock)
        beside = np.where(days > 0, mean - levels, 0.0)
        step: Floats = beside**3 / (beside**2 + chance**2)
        return step

    def follow(self, in_shock: Flags) -> None:
        """Let a day begin before which the series `in_shock` [M] were in a shock that is told."""
        self.mean, self.days = self._following(in_shock)
        self.latest = np.full(len(self.mean), np.nan)

    def learn(self, implied: Floats) -> None:
        """Take the levels that the day implies, float64[M] (log units); NaN where nothing was seen."""
        self.latest = implied

    def forget(self, series: Flags) -> None:
        """Take the flagged series [M] as having moved: the step of the last day is none any more."""
        self.days[series] = 0
        self.latest[series] = np.nan

    def _following(self, in_shock: Flags) -> tuple[Floats, Integers]:
        seen = in_shock & np.isfinite(self.latest)
        days = np.where(in_shock, self.days + seen, 0)
        step = (np.where(seen, self.latest, 0.0) - self.mean) / np.clip(days, 1, _DAYS)
        return np.where(days > 0, self.mean + seen * step, 0.0), days
