"""What came of a region and does not say of which sector: of which cells it may be.

A provider that gives a sector another name sends what it sent before, and nothing counts in that sector any more. So
where more comes without a sector that can be read than usual, it may be what any cell of the region lacks of which next
to nothing came and that is not too large to be that; of such a cell nothing was read (`unread`). What usually comes
without a sector is the median of the last four such weekdays on which no cell was missing for it. On a day on which the
region's other cells bring less than usual, a holiday, less is usual of a cell as well.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.feed import Feed
from earlywarn.aggregation.feed_cells import STAND_IN_SHARE, Counts
from earlywarn.aggregation.rows import Floats, Integers
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import State

NO_SECTOR = ""
"""In place of the sector of what does not say of which it is."""
_NEWS_SHARE = 0.5
"""Of what usually comes of a region without a sector, by which there must be more of it."""


class Sectorless:
    """Knows how much usually comes of each region of a panel without a sector.

    Example: a region's fuel is sent under another name.
        >>> sectorless, cells = Sectorless(), [CellKey("east", "food"), CellKey("east", "fuel")]
        >>> usual = np.array([900.0, 400.0])
        >>> sectorless.close_day(0, {"east": 390}, cells, np.array([880, 0]), usual, CoverageParameters())
        {1: 391}
    """

    def __init__(self) -> None:
        self._usual: dict[str, Feed] = {}

    def close_day(
        self,
        weekday: int,
        came: Mapping[str, int],
        cells: Sequence[CellKey],
        brought: Integers,
        usual: Floats,
        parameters: CoverageParameters,
    ) -> Counts:
        """Return what is missing of cells that may have come without their sector, in transactions; learn the day.

        Args:
            weekday: Monday is 0.
            came: transactions of regions without a sector.
            cells: K keys, by number.
            brought: int64[K], what came of the cells.
            usual: float64[K], what usually does on such a weekday; 0 while not known.
            parameters: when a cell is silent, and how many transactions are sizeable.
        """
        silent = (usual > 0) & (brought <= parameters.silent_share * usual)
        found: Counts = {}
        for region in sorted({*self._usual, *came}):
            past = self._usual.setdefault(region, Feed(0))
            number, expected = came.get(region, 0), past.usual_day(weekday)
            excess = number - expected
            missing: Counts = {}
            if excess >= max(parameters.sizeable_transactions, _NEWS_SHARE * expected):
                inside = np.array([cell.region == region for cell in cells])
                others = inside & ~silent & (usual > 0)
                pace = min(1.0, max(0.0, brought[others].sum() / usual[others].sum())) if others.any() else 1.0
                missing = {
                    at: max(round(pace * usual[at]) - max(int(brought[at]), 0), 1)
                    for at in np.flatnonzero(inside & silent).tolist()
                    if excess >= STAND_IN_SHARE * pace * usual[at]
                }
            if not missing:
                past.learn(weekday, number, {})
            found |= missing
        return found

    def state(self) -> State:
        """Return the state as plain values."""
        return {"usual": [[region, past.state()] for region, past in sorted(self._usual.items())]}

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._usual = {region: Feed.restored(past) for region, past in saved["usual"]}
