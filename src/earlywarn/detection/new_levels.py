"""Cells that begin anew: their new level is looked for on several days before anything is expected of them.

What is left of a cell when a source comes or goes has no past. One day would say too little of it: that day may be a
Sunday on which the shops are open. So W days on which the cell has payments are looked at, with what the calendar says
of each taken off: with rest[d] = x'b without the level, the new level of a series and its variance are

    median(y[d] - rest[d]),    pi / 2 max(V, var(y[d] - rest[d])) / W,        d = 1 .. W

V being the variance of one observation. Reference: Huber (1981), Robust Statistics, chapter 1 (of the median).

Example:
    >>> levels = NewLevels(days=3)
    >>> levels.embed(np.zeros(0, dtype=np.int64), 1)
    >>> levels.begin(np.array([True]))
    >>> for count, ticket in ((90.0, 50.0), (900.0, 50.0), (95.0, 50.0)):
    ...     looking = levels.look(np.log([count, count * ticket]), np.zeros(2))
    >>> looking.tolist(), levels.found.tolist(), np.exp(levels.medians()).round(1).tolist()
    ([True], [True], [95.0, 4750.0])
"""

from typing import Any

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats, Integers
from earlywarn.detection.regression_bank import RegressionBank

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

    def medians(self) -> Floats:
        """Return float64[2K], the levels found (log units); 0 where none is."""
        return self._of_found(np.median)

    def variances(self, noise: Floats) -> Floats:
        """Return float64[2K], the variances of the levels found; `noise` [2K] is V. 0 where none is."""
        variance: Floats = np.pi / 2 * np.maximum(noise, self._of_found(np.var)) / self.days
        return variance * np.tile(self.found, 2)

    def end(self, cells: Flags) -> None:
        """Note that the levels of some cells [K] are taken."""
        self._seen[cells] = _NOT_LOOKING
        self._beyond[:, np.tile(cells, 2)] = np.nan

    def _of_found(self, of: Any) -> Floats:  # noqa: ANN401  # a reduction of numpy's
        found: Floats = of(np.where(np.tile(self.found, 2), self._beyond, 0.0), axis=0)
        return found

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
