"""What was not heard of the totals of a panel, and what of them may be judged, by what was of their cells."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from earlywarn.aggregation.cell_groups import CellGroups
from earlywarn.aggregation.rows import NO_GAP, CellShares, Flags, Floats, Gap, TotalShares, of_cells
from earlywarn.aggregation.unread import ReadCells, both
from earlywarn.domain.series import CellKey


class Gaps:
    """Makes the gaps of a panel's buckets; `sizeable_transactions` as of `CoverageParameters`.

    Arguments of both methods: regions that are silent as a whole; K cells, by number; bool[K], those that are born;
    float64[K], what is usual of each; what feeds delivered of each; what was read of each.
    """

    def __init__(self, sizeable_transactions: int) -> None:
        self._sizeable = sizeable_transactions
        self._groups = CellGroups()

    def of_bucket(
        self,
        gone: tuple[str, ...],
        cells: Sequence[CellKey],
        born: Flags,
        usual: Floats,
        delivered: CellShares,
        read: ReadCells,
    ) -> tuple[Gap, CellShares]:
        """Return what was not heard of totals, by what was delivered of their cells and read of that; and what was."""
        heard = both(delivered, read.shares)
        if not heard:
            return NO_GAP, ()
        return Gap(gone, self._of_totals(cells, heard, usual, born, read)), heard

    def of_day(
        self,
        gone: tuple[str, ...],
        cells: Sequence[CellKey],
        born: Flags,
        usual: Floats,
        delivered: CellShares,
        read: ReadCells,
    ) -> tuple[Gap, CellShares, CellShares]:
        """Return the same of a day, with what was not read and what may be judged; and what may be of cells."""
        gap, heard = self.of_bucket(gone, cells, born, usual, delivered, read)
        judged = both(delivered, read.judged)
        if not heard:
            return gap, heard, judged
        shares = of_cells(judged, range(len(cells)))
        totals = None if judged == heard else self._of_totals(cells, judged, usual, born, read)
        gap = replace(
            gap,
            judged=totals,
            most=float(shares[born].max()) if born.any() else 1.0,
            unread=read.told(cells, born, usual, self._sizeable, self._groups),
        )
        return gap, heard, judged

    def _of_totals(
        self, cells: Sequence[CellKey], heard: CellShares, usual: Floats, born: Flags, read: ReadCells
    ) -> TotalShares:
        """Return the totals of which less than all was heard.

        Shares are of thousandths and usual volumes of halves: summed as whole numbers, in any order of the cells.
        """
        shares = of_cells(heard, range(len(cells)))
        weights = usual if read.weights is None else np.where(usual > 0, usual, read.weights * born)
        halves = np.rint(2 * weights).astype(np.int64)
        whole = self._groups.sums(cells, halves)
        missing = self._groups.sums(cells, halves * np.rint(1000 * (1 - shares)).astype(np.int64))
        found = {total: round(1 - lost / 1000 / whole[total], 6) for total, lost in missing.items() if lost}
        return tuple(
            (region, sector, found[region, sector])
            for region, sector in sorted(found, key=lambda total: (total[0] or "", total[1] or ""))
        )
