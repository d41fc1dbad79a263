"""Regions that fall silent as a whole: what they leave unheard of the panel and of each sector.

A region is no feed (see `coverage`), but where nothing comes of any sector of a region of several, its cells are
missing and not zero. Which share of a total that is goes by what is usual: of the panel by the usual volumes of its
regions in such a bucket, of a sector by those of its cells on such a weekday. A sector of which nothing comes, in
however many regions, is heard: it may be closed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from earlywarn.aggregation.coverage import CoverageParameters, heard_share, is_quiet
from earlywarn.aggregation.feed import Feed
from earlywarn.aggregation.rows import NO_GAP, FeedVolume, Flags, Gap, Integers
from earlywarn.aggregation.usual_volumes import UsualVolumes
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import State

_SECTORS_OF_A_SILENCE = 2
"""Of a region with one sector, silence may be what happened to that sector."""
_WEEK_DAYS = 7


class RegionWatch:
    """Compares what each region of a panel brings to a bucket with its own past.

    Cells are numbered, and only ever become more; arrays are over the K cells known so far, of which those count that
    are `born` [K]. `slots` is the number of base buckets in a week, 0 for a panel that only knows days.
    """

    def __init__(self, parameters: CoverageParameters, *, slots: int = 0) -> None:
        self.parameters = parameters
        self.slots = slots
        self._regions: dict[str, Feed] = {}
        self._cells = UsualVolumes()
        self._base_today: dict[int, dict[str, int]] = {}
        self._places = _Places()

    def close_base(self, slot: int, cells: Sequence[CellKey], transactions: Integers, born: Flags) -> Gap:
        """Judge a base bucket; `slot` is its place in the week."""
        volumes = self._base_today[slot] = self._places.by_region(cells, transactions, born)
        readings = [
            FeedVolume(name, feed.usual_base(slot), volumes.get(name, 0), feed.owed_base, feed.young_base(slot))
            for name, feed in sorted(self._regions.items())
        ]
        for reading in readings:
            feed = self._regions[reading.name]
            feed.owed_base = feed.owed_base + reading.expected if is_quiet(reading, self.parameters) else 0.0
        if not any(count > 0 for count in volumes.values()):
            return NO_GAP
        return self._gap(readings, slot * _WEEK_DAYS // self.slots, cells, born)[1]

    def close_day(
        self, day: int, cells: Sequence[CellKey], transactions: Integers, born: Flags
    ) -> tuple[tuple[str, ...], Gap]:
        """Judge a local day (its ordinal) and learn it; return the quiet regions, and what those of several leave.

        Of a day of which nothing at all was heard, feeds tell.
        """
        weekday = (day + 6) % _WEEK_DAYS
        volumes = self._places.by_region(cells, transactions, born)
        base, self._base_today = self._base_today, {}
        if not any(count > 0 for count in volumes.values()):
            return (), NO_GAP
        for name in volumes:
            self._regions.setdefault(name, Feed(self.slots))
        readings = [
            FeedVolume(name, feed.usual_day(weekday), volumes.get(name, 0), feed.owed, feed.young(weekday))
            for name, feed in sorted(self._regions.items())
        ]
        quiet, gap = self._gap(readings, weekday, cells, born)
        for reading in readings:
            feed = self._regions[reading.name]
            if is_quiet(reading, self.parameters):
                feed.learn_quiet(reading.expected, others_spoke=True)
            else:
                counts = {slot: heard.get(reading.name, 0) for slot, heard in base.items()}
                feed.learn(weekday, reading.heard, counts)
        self._cells.learn(weekday, transactions, born & ~self._places.within(gap.regions))
        return quiet, gap

    def _gap(
        self, readings: Sequence[FeedVolume], weekday: int, cells: Sequence[CellKey], born: Flags
    ) -> tuple[tuple[str, ...], Gap]:
        _, quiet = heard_share(readings, self.parameters)
        sectors = Counter(cell.region for cell, is_born in zip(cells, born, strict=True) if is_born) if quiet else {}
        gone = tuple(region for region in quiet if sectors[region] >= _SECTORS_OF_A_SILENCE)
        if not gone:
            return quiet, NO_GAP
        expected = sum(reading.expected for reading in readings)
        missing = sum(reading.expected for reading in readings if reading.name in gone)
        return quiet, Gap(gone, round(1 - missing / expected, 6), self._of_sectors(gone, weekday, cells))

    def _of_sectors(
        self, gone: Collection[str], weekday: int, cells: Sequence[CellKey]
    ) -> tuple[tuple[str, float], ...]:
        usual = self._cells.usual(weekday, len(cells))
        whole: dict[str, float] = {}
        missing: dict[str, float] = {}
        for cell, volume in zip(cells, usual.tolist(), strict=True):
            whole[cell.sector] = whole.get(cell.sector, 0.0) + volume
            if cell.region in gone:
                missing[cell.sector] = missing.get(cell.sector, 0.0) + volume
        return tuple(
            (sector, round(1 - missing[sector] / whole[sector], 6)) for sector in sorted(missing) if missing[sector]
        )

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "regions": [[name, feed.state()] for name, feed in sorted(self._regions.items())],
            "cells": self._cells.state(),
            "base_today": [[slot, list(volumes.items())] for slot, volumes in self._base_today.items()],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._regions = {name: Feed.restored(feed) for name, feed in saved["regions"]}
        self._cells.restore(saved["cells"])
        self._base_today = {slot: dict(volumes) for slot, volumes in saved["base_today"]}
        self._places = _Places()


class _Places:
    """Which region each numbered cell lies in."""

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

    def within(self, regions: Iterable[str]) -> Flags:
        """Return bool[K], the cells of some regions."""
        flags: Flags = np.isin(self._of, [self._numbers[region] for region in regions])
        return flags
