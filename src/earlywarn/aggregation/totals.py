"""Sums of cells into regions, sectors and the panel: integers, so every total is exactly the sum of its parts."""

from collections.abc import Sequence

import numpy as np

from earlywarn.aggregation.rows import Flags, Integers
from earlywarn.domain.series import CellKey, Series, holds, series_of


class Totals:
    """The series of a panel with K cells: the cells in canonical order, then their totals.

    The cells may stand in any order where values come from; `order` sorts them.
    """

    def __init__(self, panel: str, cells: Sequence[CellKey]) -> None:
        self.order = np.array(sorted(range(len(cells)), key=lambda at: cells[at]), dtype=np.intp)
        self.cells = tuple(cells[at] for at in self.order)
        self.series: tuple[Series, ...] = series_of(panel, self.cells)
        totals = self.series[len(cells) :]
        self._membership = np.array(
            [[holds((total.region, total.sector), cell) for cell in cells] for total in totals],
            dtype=np.int64,
        ).reshape(len(totals), len(cells))

    def sum(self, values: Integers) -> Integers:
        """Return K x ... values of cells as G x ... values of all series, cells sorted and totals appended."""
        flat = values.reshape(len(values), -1)
        return np.concatenate([flat[self.order], self._membership @ flat]).reshape(-1, *values.shape[1:])

    def touched(self, cells: Sequence[int]) -> Flags:
        """Return a flag for each series: a change of these cells (unsorted positions) touches it."""
        changed = np.zeros((len(self.order), 1), np.int64)
        changed[list(cells)] = 1
        flags: Flags = self.sum(changed)[:, 0] > 0
        return flags
