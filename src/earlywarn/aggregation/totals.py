"""Sums of cells into regions, sectors and the panel: integers, so every total is exactly the sum of its parts.

Beyond 2^62, where no real amounts are, it is that.
"""

from collections.abc import Sequence

import numpy as np

from earlywarn.aggregation.caps import totals_of
from earlywarn.aggregation.rows import CellShares, Coverage, Flags, Floats, Integers, of_cells
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
        return np.concatenate([flat[self.order], totals_of(self._membership, flat)]).reshape(-1, *values.shape[1:])

    def heard(self, coverage: Coverage, shares: CellShares) -> Floats:
        """Return float64[G], the share of the usual volume that was heard of each series; `shares` are of the cells.

        Of the panel's it is no more than what its feeds delivered: of what is new since, nothing is usual.
        """
        totals = self.series[len(self.cells) :]
        heard = np.concatenate([of_cells(shares, self.order), coverage.gap.heard(totals)])
        heard[-1:] = np.minimum(heard[-1:], coverage.volume)
        return heard

    def touched(self, cells: Sequence[int]) -> Flags:
        """Return a flag for each series: a change of these cells (unsorted positions) touches it."""
        changed = np.zeros((len(self.order), 1), np.int64)
        changed[list(cells)] = 1
        flags: Flags = self.sum(changed)[:, 0] > 0
        return flags
