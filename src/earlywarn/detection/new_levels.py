"""Cells that begin anew: their new level is looked for on several days before anything is expected of them.

What is left of a cell when a source comes or goes has no past. One day would say too little of it: that day may be a
Sunday on which the shops are open. So W days on which the cell has payments are looked at, with what the calendar says
of each taken off: with rest[d] = x'b without the level, the new level of a series and its variance are

    median(y[d] - rest[d]),    pi / 2 max(V, var(y[d] - rest[d])) / W,        d = 1 .. W

V being the variance of one observation. Where all days from one on lie below all before it, in the median by
`FALL_SD` sqrt(V) or more, only those before count: a shock began meanwhile, and is told late, but told. Reference:
Huber (1981), Robust Statistics, chapter 1 (of the median).

Example:
    >>> levels = NewLevels(days=3)
    >>> levels.embed(np.zeros(0, dtype=np.int64), 1)
    >>> levels.begin(np.array([True]))
    >>> for count, ticket in ((90.0, 50.0), (900.0, 50.0), (95.0, 50.0)):
    ...     looking = levels.look(np.log([count, count * ticket]), np.zeros(2))
    >>> looking.tolist(), levels.found.tolist(), np.exp(levels.levels(np.full(2, 0.01))[0]).round(1).tolist()
    ([True], [True], [95.0, 4750.0])
"""

from typing import Any

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats, Integers
from earlywarn.detection.regression_bank import RegressionBank

FALL_SD = 3.0
_LEAST_DAYS = 2
"""So many days, at least, are on either side of a fall in the midst of the days looked at."""
_NOT_LOOKING = -1


def beside_level(bank: RegressionBank, design: Floats) -> Floats:
    """Return float64[M], what is predicted for a day of `design` [M, P] beyond the level (log units)."""
    rest = np.delete(np.arange(design.shape[1]), bank.level)
    beside: Floats = np.einsum("ij,ij->i", design[:, rest], bank.coefficients[:, rest])
    return beside


class NewLevels:
    """What was seen of cells whose new level is looked for.

    Args:
        days: W.
    """

    def __init__(self, days: int) -> None:
        self.days = days
        self._seen: Integers = np.zeros(0, dtype=np.int64)  # [K], days looked at so far
        self._beyond = np.zeros((days, 0))  # [W, 2K], counts, then amounts (log units)

    @property
    def looking(self) -> Flags:
        """Return bool[K], cells whose level is looked for, or found and not yet taken."""
        return self._seen > _NOT_LOOKING

    @property
    def found(self) -> Flags:
        """Return bool[K], cells of which all days were seen."""
        return self._seen >= self.days

    def begin(self, cells: Flags) -> None:
        """Look for the level of some cells [K] from the next day on."""
        self._seen[cells] = 0
        self._beyond[:, np.tile(cells, 2)] = np.nan

    def look(self, values: Floats, rest: Floats) -> Flags:
        """Note a day, and return bool[K], the cells of which nothing is expected on it.

        Args:
            values: float64[2K], log counts and amounts; not finite where there were none.
            rest: float64[2K], what the calendar adds to the level (log units).
        """
        cells = len(self._seen)
        looking: Flags = self.looking & ~self.found
        beyond = (values - rest).reshape(2, cells)
        noted = np.flatnonzero(looking & np.isfinite(beyond).all(axis=0))
        for measure in range(2):
            self._beyond[self._seen[noted], noted + measure * cells] = beyond[measure, noted]
        self._seen[noted] += 1
        return looking

    def levels(self, noise: Floats) -> tuple[Floats, Floats]:
        """Return the levels found and their variances, float64[2K] each, 0 where none is; `noise` [2K] is V."""
        found = np.tile(self.found, 2)
        beyond = np.where(found, self._beyond, 0.0)
        counted = np.full(len(found), self.days)
        for first in range(_LEAST_DAYS, self.days - _LEAST_DAYS + 1):
            before, after = beyond[:first], beyond[first:]
            is_far = np.median(before, axis=0) - np.median(after, axis=0) >= FALL_SD * np.sqrt(noise)
            falls = is_far & (before.min(axis=0) > after.max(axis=0))
            counted = np.where(falls, np.minimum(counted, first), counted)
        of_days = np.where(np.arange(self.days)[:, None] < counted, beyond, np.nan)
        variance = np.pi / 2 * np.maximum(noise, np.nanvar(of_days, axis=0)) / counted
        return np.nanmedian(of_days, axis=0), np.where(found, variance, 0.0)

    def end(self, cells: Flags) -> None:
        """Note that the levels of some cells [K] are taken."""
        self._seen[cells] = _NOT_LOOKING
        self._beyond[:, np.tile(cells, 2)] = np.nan

    def embed(self, places: Integers, size: int) -> None:
        """Lay the cells out anew: old cell i stands at `places[i]` of `size`."""
        seen, beyond = self._seen, self._beyond
        self._seen = np.full(size, _NOT_LOOKING, dtype=np.int64)
        self._beyond = np.full((self.days, 2 * size), np.nan)
        self._seen[places] = seen
        self._beyond[:, np.concatenate([places, places + size])] = beyond

    def state(self) -> dict[str, Any]:
        """Return what is known of the cells."""
        return {"seen": self._seen.copy(), "beyond": self._beyond.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same cells."""
        self._seen, self._beyond = state["seen"].copy(), state["beyond"].copy()
