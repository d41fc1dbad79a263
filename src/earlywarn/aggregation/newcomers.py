"""Sources that are new in a region: what they add to its cells is no spending that rose.

A source is new for four weeks, since its first day may be a Sunday, or begin at noon. It adds to cells if their volume
grows by what it brings; else it takes somebody's place, and nothing changes.
"""

from collections.abc import Iterable

import numpy as np

from earlywarn.aggregation.branch_volumes import BranchVolumes
from earlywarn.aggregation.feed_cells import FeedName
from earlywarn.aggregation.rows import Branch, Flags
from earlywarn.domain.state import State

_NEW_DAYS = 28
_KNOWN = 0
"""In place of the day since when: long ago."""
_NEW_SHARE = 0.05
"""Of what is usual of a cell, from which on what is new may pass for a rise."""
_GROWN_SHARE = 0.5
"""Of what newcomers bring so much must come on top of what is usual."""


class Newcomers:
    """Knows since when each named source brings something to each region of a panel."""

    def __init__(self) -> None:
        self._since: dict[tuple[FeedName, str], int] = {}

    def close_day(
        self, day: int, volumes: BranchVolumes, sizeable_transactions: int
    ) -> tuple[tuple[Branch, ...], Flags]:
        """Return who adds something new to which region, and bool[K], the cells whose level that changes.

        Each is told once. Who comes before anything is expected of anybody is not new to the panel: nobody is.
        """
        new: dict[str, list[FeedName]] = {}
        expecting = volumes.expecting
        for name in volumes.sources:
            for at in np.flatnonzero(volumes.heard_by_region(name) > 0).tolist():
                key = name, volumes.codes[at]
                since = self._since.setdefault(key, day if expecting else _KNOWN)
                if day - since < _NEW_DAYS:
                    new.setdefault(key[1], []).append(name)
        told: list[Branch] = []
        changed = np.zeros(volumes.cells, np.bool_)
        for region, names in sorted(new.items()):
            grown = self._grown(volumes, region, names, sizeable_transactions)
            if grown.any():
                changed |= grown
                told += [Branch(" ".join(name), region) for name in names]
                self._since |= dict.fromkeys([(name, region) for name in names], _KNOWN)
        return tuple(told), changed

    @staticmethod
    def _grown(volumes: BranchVolumes, region: str, names: list[FeedName], sizeable_transactions: int) -> Flags:
        known = [name for name in volumes.expecting if name not in names]
        usual, added = volumes.expected_of_cells(known), volumes.heard_of_cells(names)
        inside: Flags = volumes.cells_of(region) & (usual > 0) & (added > _NEW_SHARE * usual)
        brought = volumes.heard(names, inside)
        surplus = volumes.heard(volumes.everybody, inside) - volumes.expected(known, inside)
        is_on_top = brought >= sizeable_transactions and surplus >= _GROWN_SHARE * brought
        return inside if is_on_top else np.zeros_like(inside)

    def forget(self, name: FeedName, regions: Iterable[str]) -> None:
        """Forget a feed in regions: it is new when it comes again.

        Who is new there by then is no longer: they bring what it did, or what is left without it starts anew.
        """
        for region in regions:
            self._since.pop((name, region), None)
            self._since |= dict.fromkeys([key for key in self._since if key[1] == region], _KNOWN)

    def state(self) -> State:
        """Return the state as plain values."""
        return {"since": [[list(name), region, day] for (name, region), day in sorted(self._since.items())]}

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._since = {((kind, name), region): day for (kind, name), region, day in saved["since"]}
