"""Sums of whole numbers over the totals of a panel: the panel itself, its regions and its sectors."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from earlywarn.aggregation.rows import Flags, Integers
from earlywarn.domain.series import CellKey

Total = tuple[str | None, str | None]
"""Region and sector; None for all of them."""


class CellGroups:
    """Which region and sector each numbered cell lies in; cells only ever become more.

    Example:
        >>> groups = CellGroups()
        >>> cells = [CellKey("east", "food"), CellKey("west", "food")]
        >>> groups.sums(cells, np.array([3, 4]))
        {(None, None): 7, ('east', None): 3, ('west', None): 4, (None, 'food'): 7}
    """

    def __init__(self) -> None:
        self._names: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._of: npt.NDArray[np.intp] = np.empty((2, 0), dtype=np.intp)

    def sums(self, cells: Sequence[CellKey], values: Integers) -> dict[Total, int]:
        """Return the sum of int64[K] over each total."""
        new = cells[self._of.shape[1] :]
        if new:
            numbers = [[names.setdefault(cell[at], len(names)) for cell in new] for at, names in enumerate(self._names)]
            self._of = np.concatenate([self._of, np.array(numbers, dtype=np.intp)], axis=1)
        found: dict[Total, int] = {(None, None): int(values.sum())}
        for at, names in enumerate(self._names):
            sums = np.zeros(len(names), dtype=np.int64)
            np.add.at(sums, self._of[at, : len(values)], values)
            for name, number in names.items():
                found[(name, None) if at == 0 else (None, name)] = int(sums[number])
        return found


class CellRegions:
    """Which region each numbered cell lies in; cells only ever become more."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._of: npt.NDArray[np.intp] = np.empty(0, dtype=np.intp)

    def by_region(self, cells: Sequence[CellKey], transactions: Integers, born: Flags) -> dict[str, int]:
        """Return the transactions of each region with a cell that is born."""
        new = [self._numbers.setdefault(cell.region, len(self._numbers)) for cell in cells[len(self._of) :]]
        self._of = np.concatenate([self._of, np.array(new, dtype=np.intp)])
        sums = np.zeros(len(self._numbers), dtype=np.int64)
        np.add.at(sums, self._of[born], transactions[born])
        known = np.bincount(self._of[born], minlength=len(sums)) > 0
        return {name: int(sums[at]) for name, at in sorted(self._numbers.items()) if known[at]}
