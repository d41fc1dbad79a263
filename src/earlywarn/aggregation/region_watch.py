"""Regions that fall silent as a whole: what they, silent feeds, and what cannot be read leave unheard of each series.

A region is no feed (see `coverage`), but where nothing comes of any sector of a region of several, its cells are
missing and not zero. Which share of a total that is goes by what is usual of its cells on such a weekday, in hours as
well. A sector of which nothing comes, in however many regions, is heard: it may be closed. A day of a
region lacks what its hours lack.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.cell_groups import CellRegions
from earlywarn.aggregation.coverage import heard_share, is_quiet
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.delivery import came_elsewhere, of_other_hours
from earlywarn.aggregation.feed import Feed
from earlywarn.aggregation.feed_cells import Counts, spread
from earlywarn.aggregation.feed_counts import add_counts
from earlywarn.aggregation.gaps import Gaps
from earlywarn.aggregation.rows import (
    CellShares,
    FeedVolume,
    Flags,
    Floats,
    Gap,
    Integers,
    of_cells,
)
from earlywarn.aggregation.sectorless import Sectorless
from earlywarn.aggregation.unread import ReadCells
from earlywarn.aggregation.usual_reading import UsualReading
from earlywarn.aggregation.usual_volumes import UsualVolumes
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import State

_SECTORS_OF_A_SILENCE = 2
"""Of a region with one sector, silence may be what happened to that sector."""
_READ_TO_LEARN = 0.5
"""Of a cell of which less was read it is not known how much came: a row may stand for any number of transactions."""
_WEEK_DAYS = 7
_NOTHING: Counts = {}
_NO_REGION: Mapping[str, int] = MappingProxyType({})
_NO_SHARES: Mapping[int, float] = MappingProxyType({})


class RegionsDay(NamedTuple):
    """What a local day says of the regions.

    Attributes:
        quiet: regions of which next to nothing came.
        gap: what was not heard of totals.
        heard: what was heard of cells.
        judged: what of them may be judged: heard, of what can usually be read.
        read: of that, what could be read alone.
        changed: bool[K], cells of which from this day on another share can be read.
        awaited: share of the panel that is awaited of cells without their sector, and did not come.
    """

    quiet: tuple[str, ...]
    gap: Gap
    heard: CellShares
    judged: CellShares
    read: CellShares
    changed: Flags
    awaited: float


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
        self._reading = UsualReading()
        self._sectorless = Sectorless()
        self._base_today: dict[int, dict[str, int]] = {}
        self._hours: dict[str, list[float]] = {}  # see _note_hour
        self._places = CellRegions()
        self._gaps = Gaps(self.parameters.sizeable_transactions)

    def close_base(
        self,
        slot: int,
        cells: Sequence[CellKey],
        transactions: Integers,
        born: Flags,
        delivered: CellShares = (),
        unread: Counts = _NOTHING,
        sectorless: Mapping[str, int] = _NO_REGION,
    ) -> tuple[Gap, CellShares]:
        """Judge a base bucket; return what was not heard of totals, and what was of cells.

        Args:
            slot: its place in the week.
            cells: K keys, by number.
            transactions: int64[K].
            born: bool[K].
            delivered: what feeds delivered of the cells.
            unread: of that, transactions that were not accepted, by the number of a cell.
            sectorless: transactions of regions that were not accepted and do not say of which sector they are.
        """
        read = ReadCells(transactions, unread)
        volumes = self._base_today[slot] = self._places.by_region(cells, read.brought, born)
        readings = [
            FeedVolume(name, feed.usual_base(slot), volumes.get(name, 0), feed.owed_base, feed.young_base(slot))
            for name, feed in sorted(self._regions.items())
        ]
        for reading in readings:
            feed = self._regions[reading.name]
            feed.owed_base = feed.owed_base + reading.expected if is_quiet(reading, self.parameters) else 0.0
        usual = self._cells.usual(slot * _WEEK_DAYS // self.slots, len(cells))
        if not any(count > 0 for count in volumes.values()):
            return self._gaps.of_bucket((), cells, born, usual, delivered, read)
        speaking = read.unread_regions(cells, born, usual) | self._heard_by(sectorless, readings)
        gone = self._gone(self._quiet(readings, speaking), cells, born)
        for reading in readings:
            self._note_hour(reading, is_gone=reading.name in gone)
        shares = self._shares(cells, delivered, dict.fromkeys(gone, 0.0))
        return self._gaps.of_bucket(gone, cells, born, usual, shares, read)

    def _note_hour(self, reading: FeedVolume, *, is_gone: bool) -> None:
        """Note of a base bucket of a region what was expected, what of it was missing, and what belongs elsewhere."""
        hours = self._hours.setdefault(reading.name, [0.0, 0.0, 0.0])
        hours[0] += reading.expected
        hours[1] += reading.expected if is_gone else 0.0
        hours[2] += of_other_hours(reading)

    def close_day(
        self,
        day: int,
        cells: Sequence[CellKey],
        transactions: Integers,
        born: Flags,
        delivered: CellShares = (),
        unread: Counts = _NOTHING,
        sectorless: Mapping[str, int] = _NO_REGION,
    ) -> RegionsDay:
        """Judge a local day (its ordinal) and learn it; arguments as of `close_base`.

        Of a day of which nothing at all was heard, feeds tell. What came and could not be read was heard of a region,
        and is usual of a cell as well.
        """
        weekday = (day + 6) % _WEEK_DAYS
        usual = self._cells.usual(weekday, len(cells))
        came = transactions + spread(unread, len(cells)).astype(np.int64)
        unread = dict(unread)
        sizeable = self.parameters.sizeable_transactions
        found = self._sectorless.close_day(sectorless, cells, came, usual, sizeable_transactions=sizeable)
        add_counts(unread, found.unread)
        read = ReadCells(transactions, unread, self._reading)
        volumes = self._places.by_region(cells, read.brought, born)
        base, self._base_today = self._base_today, {}
        hours, self._hours = self._hours, {}
        if not any(count > 0 for count in volumes.values()):
            gap, heard, judged = self._gaps.of_day((), cells, born, usual, delivered, read)
            return RegionsDay((), gap, heard, judged, read.judged, np.zeros(len(cells), np.bool_), 0.0)
        for name in volumes:
            self._regions.setdefault(name, Feed(self.slots))
        readings = [
            FeedVolume(name, feed.usual_day(weekday), volumes.get(name, 0), feed.owed, feed.young(weekday))
            for name, feed in sorted(self._regions.items())
        ]
        speaking = read.unread_regions(cells, born, usual) | self._heard_by(sectorless, readings)
        quiet = self._quiet(readings, speaking)
        gone = self._gone(quiet, cells, born)
        in_part = {
            name: round(1 - missing / expected, 3)
            for name, (expected, missing, elsewhere) in hours.items()
            if missing and not came_elsewhere(missing, elsewhere)
        }
        shares = self._shares(cells, delivered, {**in_part, **dict.fromkeys(gone, 0.0)}, found.awaited)
        gap, heard, judged = self._gaps.of_day(gone, cells, born, usual, shares, read)
        gap = replace(gap, sectorless=bool(found.unread)) if gap.unread else gap
        for reading in readings:
            feed = self._regions[reading.name]
            if reading.name in speaking:
                continue  # how much it was that could not be read is not known
            if is_quiet(reading, self.parameters):
                feed.learn_quiet(reading.expected, others_spoke=True, is_replaced=False)
            else:
                counts = {slot: heard.get(reading.name, 0) for slot, heard in base.items()}
                feed.learn(weekday, reading.heard, counts)
        is_known = (of_cells(shares, range(len(cells))) == 1) & (read.read >= _READ_TO_LEARN)
        self._cells.learn(weekday, read.brought, born & is_known)
        brought = read.brought.copy()
        brought[found.undecided] = 0  # neither a short day nor one that ends a row of them
        changed = self._reading.learn(
            read.read,
            brought,
            sizeable_transactions=self.parameters.sizeable_transactions,
            forget_days=self.parameters.forget_days,
        )
        self._sectorless.forget(changed)
        return RegionsDay(quiet, gap, heard, judged, read.judged, changed, _missing(found.awaited, usual))

    def _heard_by(self, sectorless: Mapping[str, int], readings: Sequence[FeedVolume]) -> frozenset[str]:
        """Return the regions that would be quiet but for what came of them without a sector: that was reported."""
        both_ways = {each.name: each._replace(heard=each.heard + sectorless.get(each.name, 0)) for each in readings}
        return frozenset(
            each.name
            for each in readings
            if is_quiet(each, self.parameters) and not is_quiet(both_ways[each.name], self.parameters)
        )

    def _quiet(self, readings: Sequence[FeedVolume], speaking: frozenset[str]) -> tuple[str, ...]:
        """Return the regions of which next to nothing came, but for those of which is known that they speak."""
        return tuple(region for region in heard_share(readings, self.parameters)[1] if region not in speaking)

    @staticmethod
    def _gone(quiet: Sequence[str], cells: Sequence[CellKey], born: Flags) -> tuple[str, ...]:
        """Return the regions whose silence is no news of a sector."""
        sectors = Counter(cell.region for cell, is_born in zip(cells, born, strict=True) if is_born) if quiet else {}
        return tuple(region for region in quiet if sectors[region] >= _SECTORS_OF_A_SILENCE)

    @staticmethod
    def _shares(
        cells: Sequence[CellKey],
        delivered: CellShares,
        of_regions: Mapping[str, float],
        of_some: Mapping[int, float] = _NO_SHARES,
    ) -> CellShares:
        """Return what was heard of cells by feeds, regions, and single cells; empty if all of every cell was."""
        if not delivered and not of_regions and not of_some:
            return ()
        by_feeds = enumerate(zip(cells, of_cells(delivered, range(len(cells))).tolist(), strict=True))
        return tuple(
            min(of_regions.get(cell.region, 1.0), of_some.get(at, 1.0), share) for at, (cell, share) in by_feeds
        )

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "regions": [[name, feed.state()] for name, feed in sorted(self._regions.items())],
            "cells": self._cells.state(),
            "reading": self._reading.state(),
            "sectorless": self._sectorless.state(),
            "base_today": [[slot, list(volumes.items())] for slot, volumes in self._base_today.items()],
            "hours": [[name, *hours] for name, hours in self._hours.items()],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._regions = {name: Feed.restored(feed) for name, feed in saved["regions"]}
        self._cells.restore(saved["cells"])
        self._reading.restore(saved["reading"])
        self._sectorless.restore(saved["sectorless"])
        self._base_today = {slot: dict(volumes) for slot, volumes in saved["base_today"]}
        self._hours = {name: list(hours) for name, *hours in saved["hours"]}
        self._places = CellRegions()
        self._gaps = Gaps(self.parameters.sizeable_transactions)


def _missing(heard: Mapping[int, float], usual: Floats) -> float:
    """Return the share of all that is usual that was not heard of some cells, of which a share was."""
    halves = np.rint(2 * usual).astype(np.int64)
    lost = sum(int(halves[at]) * round(1000 * (1 - share)) for at, share in heard.items())
    return lost / 1000 / int(halves.sum()) if lost else 0.0
