"""The cells of a panel as they come into being, and sums of them."""

from collections.abc import Iterable, Sequence

import numpy as np

from earlywarn.aggregation.rows import Flags, Integers
from earlywarn.aggregation.totals import Totals
from earlywarn.domain.panel import Panel
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import State

OTHERS = "(others)"
"""Region or sector of what is not told apart."""
_NEVER = 1 << 62


class CellLimit:
    """Which cells of a panel are told apart: all that its regions and classes make, or so many of any codes.

    A limit of what would else have none: every code that a sender makes up would be a cell for ever.
    """

    def __init__(self, panel: Panel, cells: int) -> None:
        self._any_region = panel.regions.accepts_any
        self._any_sector = panel.classification.accepts_any
        self._cells = cells

    def beyond(self, known: int) -> bool:
        """Return whether a further cell is not told apart."""
        return known >= self._cells and (self._any_region or self._any_sector)

    def together(self, key: CellKey) -> CellKey:
        """Return the cell under which one counts that is not told apart; what is a closed list stays."""
        return CellKey(OTHERS if self._any_region else key.region, OTHERS if self._any_sector else key.sector)


class CellIndex:
    """Numbers the cells of a panel in the order of their first rows, as far as they are told apart.

    A cell is born with the bucket of its first on-time row: from then on it is published, zeros included. If a
    late row lies before its birth, it has rows from there on, all of them late.
    """

    def __init__(self, panel: str, limit: CellLimit | None = None) -> None:
        self.panel = panel
        self._limit = limit
        self._index: dict[CellKey, int] = {}
        self._births: list[int] = []
        self._late: dict[int, int] = {}
        self._totals = Totals(panel, ())
        self._born: tuple[int, Integers] | None = None

    def __len__(self) -> int:
        return len(self._births)

    def place(self, key: CellKey) -> int:
        """Return the number of a cell; a new one gets the next, or that of those beyond the limit."""
        place = self._index.get(key)
        if place is None and self._limit is not None and self._limit.beyond(len(self._births)):
            key = self._limit.together(key)
            place = self._index.get(key)
        if place is None:
            place = self._index[key] = len(self._births)
            self._births.append(_NEVER)
            self._born = None
        return place

    def appear(self, place: int, bucket: int) -> None:
        """Note an on-time row of a cell in a bucket (epoch seconds)."""
        if bucket < self._births[place]:
            self._births[place] = bucket
            self._born = None
            if self._late.get(place, bucket) >= bucket:
                self._late.pop(place, None)

    def appear_late(self, place: int, bucket: int) -> None:
        """Note a late row of a cell in a bucket (epoch seconds)."""
        if bucket < min(self._births[place], self._late.get(place, _NEVER)):
            self._late[place] = bucket

    def begun(self, until: int) -> bool:
        """Return whether any cell is born before `until` (epoch seconds)."""
        return min(self._births, default=_NEVER) < until

    def unborn_with_rows(self) -> Iterable[tuple[int, int, int]]:
        """Return each cell whose first row was late and that was born later: number, first row, birth."""
        births = self._births
        return [(place, first, births[place]) for place, first in self._late.items() if births[place] != _NEVER]

    def totals(self) -> Totals:
        """Return the sums over the cells known so far."""
        if len(self._totals.cells) != len(self):
            self._totals = Totals(self.panel, tuple(self._index))
        return self._totals

    def born(self, until: int) -> Integers:
        """Return the positions in `totals().series` of what exists before `until` (epoch seconds, ascending calls)."""
        if self._born is None or until < self._born[0]:
            rows = np.flatnonzero(self.totals().touched(self._born_before(until)))
            all_born_by = max(self._births, default=0)
            if all_born_by >= until:
                return rows
            self._born = (all_born_by + 1, rows)
        return self._born[1]

    def concerned(self, cells: Sequence[int], filled: Sequence[int], until: int) -> Flags:
        """Return a flag for each of `totals().series`: a change of `cells` touches it, or it is filled.

        Of what `filled` touches, those series are filled that no on-time row before `until` has begun.
        """
        totals = self.totals()
        flags = totals.touched(cells)
        if filled:
            flags |= totals.touched(filled) & ~totals.touched(self._born_before(until))
        return flags

    def _born_before(self, until: int) -> list[int]:
        return [place for place, birth in enumerate(self._births) if birth < until]

    def born_cells(self, until: int) -> list[int]:
        """Return the numbers of the cells that exist before `until`, in canonical order."""
        return [int(place) for place in self.totals().order if self._births[place] < until]

    def is_born(self, until: int) -> Flags:
        """Return bool[K], by number: the cells that exist before `until`."""
        return np.array(self._births, dtype=np.int64) < until

    def keys(self) -> tuple[CellKey, ...]:
        """Return the cells in the order of their numbers."""
        return tuple(self._index)

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "cells": [list(cell) for cell in self._index],
            "births": list(self._births),
            "late": [list(item) for item in self._late.items()],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._index = {CellKey(*cell): place for place, cell in enumerate(saved["cells"])}
        self._births = list(saved["births"])
        self._late = dict(saved["late"])
        self._totals = Totals(self.panel, ())
        self._born = None
