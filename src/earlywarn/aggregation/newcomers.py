"""Sources that are new in a region: what they add to its cells is no spending that rose.

A source is new for four weeks, since its first day may be a Sunday, or begin at noon. It adds to cells if their volume
grows by what it brings; else it takes somebody's place, and nothing changes. Two figures tell the two apart, both added
up since it came, for one day may be a strong one: how far the volume of all is above what is usual of who was there,
and how far who was there falls behind those of them who lost least, which no strong or weak day changes.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.branch_volumes import BranchVolumes
from earlywarn.aggregation.feed_cells import FeedName
from earlywarn.aggregation.rows import Branch, Flags, Floats
from earlywarn.domain.state import State

_NEW_DAYS = 28
_KNOWN = 0
"""In place of the day since when: long ago."""
_NEW_SHARE = 0.05
"""Of what is usual of a cell, from which on what is new may pass for a rise."""
_GROWN_SHARE = 0.5
"""Of what a newcomer brings so much must come on top of what is usual, and so much of it be missing of nobody."""
_GROWN_SHARE_OF_SEVERAL = 0.25
"""On top of what is usual where several were there: whether they lost anything says more then."""
_UNTOUCHED_SHARE = 0.25
"""Of what is usual, at least, is of those who lost least."""
_SEVERAL_SHARE = 0.1
"""Of what is usual, from which on one who was there is one of several."""
_DECIDING_DAYS = 7
"""After so many days on which a newcomer brought much it has taken somebody's place; and so long after it is known that
it adds something cells are looked for to which it does: some are closed on a Sunday."""


@dataclass
class _Tally:
    """What a newcomer to a region brought since it came (transactions): all, on top of the usual, missing of others.

    And the numbers of the cells whose level it has changed.
    """

    days: int = 0
    brought: float = 0.0
    surplus: float = 0.0
    lost: float = 0.0
    several: bool = True
    cells: list[int] = field(default_factory=list)

    @property
    def is_on_top(self) -> bool:
        share = _GROWN_SHARE_OF_SEVERAL if self.several else _GROWN_SHARE
        return self.surplus >= share * self.brought and self.lost < _GROWN_SHARE * self.brought


class _Others(NamedTuple):
    """Who is known beside a newcomer, and float64[K], what is usual of them and was heard."""

    names: tuple[FeedName, ...]
    usual: Floats
    heard: Floats

    @classmethod
    def of(cls, volumes: BranchVolumes, names: tuple[FeedName, ...]) -> "_Others":
        return cls(names, volumes.expected_of_cells(names), volumes.heard_of_cells(names))


class Newcomers:
    """Knows since when each named source brings something to each region of a panel."""

    def __init__(self) -> None:
        self._since: dict[tuple[FeedName, str], int] = {}
        self._tallies: dict[tuple[FeedName, str], _Tally] = {}

    def close_day(
        self, day: int, volumes: BranchVolumes, sizeable_transactions: int
    ) -> tuple[tuple[Branch, ...], Flags]:
        """Return who adds something new to which region, and bool[K], the cells whose level that changes.

        Each is told once. Who comes before anything is expected of anybody is not new to the panel: nobody is.
        """
        expecting = volumes.expecting
        others = cache(partial(_Others.of, volumes))  # of most newcomers they are the same
        told: list[Branch] = []
        changed = np.zeros(volumes.cells, np.bool_)
        for name in volumes.sources:
            known = tuple(each for each in expecting if each != name)
            for at in np.flatnonzero(volumes.heard_by_region(name) > 0).tolist():
                key = name, volumes.codes[at]
                since = self._since.setdefault(key, day if expecting else _KNOWN)
                if day - since >= _NEW_DAYS:
                    self._tallies.pop(key, None)
                    continue
                tally = self._tallies.setdefault(key, _Tally())
                inside = self._add(tally, volumes, others(known), *key, sizeable_transactions)
                if inside.any() and (tally.cells or tally.is_on_top):
                    inside[tally.cells] = False
                    if not tally.cells:
                        told.append(Branch(" ".join(name), key[1]))
                        tally.days = 0
                    tally.cells += np.flatnonzero(inside).tolist()
                    changed |= inside
                if tally.days >= _DECIDING_DAYS:
                    self._since[key] = _KNOWN
                    del self._tallies[key]
        return tuple(sorted(told, key=lambda branch: (branch.region, branch.feed))), changed

    @staticmethod
    def _add(
        tally: _Tally,
        volumes: BranchVolumes,
        others: _Others,
        name: FeedName,
        region: str,
        sizeable_transactions: int,
    ) -> Flags:
        """Add a day to a tally; return bool[K], the cells of which the newcomer brings much, none if it brings little.

        What other newcomers bring counts for nothing. Much is asked of what is heard as well, so that cells which are
        strong today are not taken for those that it adds to.
        """
        much = _NEW_SHARE * np.maximum(others.usual, others.heard)
        inside: Flags = volumes.cells_of(region) & (others.usual > 0) & (volumes.heard_of_cells([name]) > much)
        brought = volumes.heard([name], inside)
        if brought < sizeable_transactions:
            return np.zeros_like(inside)
        expected = {each: volumes.expected([each], inside) for each in others.names}
        heard = {each: volumes.heard([each], inside) for each in others.names}
        lost, several = _lost(expected, heard)
        tally.days += 1
        tally.brought += brought
        tally.surplus += min(brought, brought + sum(heard.values()) - sum(expected.values()))
        tally.lost += lost
        tally.several &= several
        return inside

    def forget(self, name: FeedName, regions: Iterable[str]) -> None:
        """Forget a feed in regions: it is new when it comes again.

        Who is new there by then is no longer: they bring what it did, or what is left without it starts anew.
        """
        for region in regions:
            self._since.pop((name, region), None)
            self._since |= dict.fromkeys([key for key in self._since if key[1] == region], _KNOWN)
            self._tallies = {key: tally for key, tally in self._tallies.items() if key[1] != region}

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "since": [[list(name), region, day] for (name, region), day in sorted(self._since.items())],
            "tallies": [[list(name), region, asdict(each)] for (name, region), each in sorted(self._tallies.items())],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._since = {((kind, name), region): day for (kind, name), region, day in saved["since"]}
        self._tallies = {((kind, name), region): _Tally(**each) for (kind, name), region, each in saved["tallies"]}


def _lost(expected: dict[FeedName, float], heard: dict[FeedName, float]) -> tuple[float, bool]:
    """Return how far who was there is behind who lost least (transactions), and whether there are several."""
    usual = sum(expected.values())
    several = sum(each >= _SEVERAL_SHARE * usual for each in expected.values()) > 1
    kept = sorted(((heard[name] / each, each) for name, each in expected.items() if each > 0), reverse=True)
    reached = 0.0
    for share, each in kept:
        reached += each
        if reached >= _UNTOUCHED_SHARE * usual:
            return max(share * usual - sum(heard.values()), 0.0), several
    return 0.0, several
