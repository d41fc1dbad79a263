"""Coverage: is a fall of spending a fall, or has somebody stopped reporting?

A feed is who delivers: a named source (acquirer), and for what comes without a name its source partition.
A sector or a region is no feed: nothing paid there is zero, and may be what happened (of a region that is silent as a
whole see `region_watch`). A feed is silent
in a bucket when next to nothing came of what was expected of it since it last spoke, and that is sizeable.
It stays expected until it speaks, or is forgotten after so many days on which others spoke. What feeds
too young for an expectation bring stands in for what is missing: a source may change its name, or be taken over. What
is missing is missing of the cells that the silent feeds deliver (`feed_cells`). A day lacks what its hours lack. By
days it is seen as well where a source is silent that speaks elsewhere (`branches`), where one is new (`newcomers`), and
who brings less than the others (`laggards`).
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from earlywarn.aggregation.branch_volumes import BranchVolumes
from earlywarn.aggregation.branches import REPLACED_DAYS, Branches, BranchSilence
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.delivery import DayOfBuckets, Delivery
from earlywarn.aggregation.feed import Feed
from earlywarn.aggregation.feed_cells import STAND_IN_SHARE, Counts, FeedCells, FeedName, added, shares
from earlywarn.aggregation.feed_counts import add_counts, bounded, plain, relabelled, restored
from earlywarn.aggregation.known_feeds import KnownFeeds
from earlywarn.aggregation.laggards import Laggards
from earlywarn.aggregation.newcomers import Newcomers
from earlywarn.aggregation.partial import OTHER_SOURCES
from earlywarn.aggregation.rows import CellShares, Coverage, FeedVolume, Flags, Floats
from earlywarn.domain.state import State

_OTHERS = ("source", OTHER_SOURCES)
_NOTHING: Mapping[FeedName, Counts] = MappingProxyType({})
_NO_VOLUMES: Mapping[FeedName, int] = MappingProxyType({})


class FeedsDay(NamedTuple):
    """What a local day says of the feeds.

    Attributes:
        coverage: but for its gap.
        cells: the share heard of each cell, as in `Delivery`.
        cells_new: bool[K], as in `ClosedDay`.
        feeds: the volumes that this was read from.
    """

    coverage: Coverage
    cells: CellShares
    cells_new: Flags
    feeds: tuple[FeedVolume, ...]


def heard_share(feeds: Sequence[FeedVolume], parameters: CoverageParameters) -> tuple[float, tuple[str, ...]]:
    """Return the share of the expected volume that was heard, 1 where none was expected, and who is silent.

    >>> heard_share([FeedVolume("source a", 700.0, 690, 0.0, False), FeedVolume("source b", 300.0, 0, 0.0, False)],
    ...             CoverageParameters())
    (0.7, ('source b',))
    """
    expected = sum(feed.expected for feed in feeds)
    if expected <= 0:
        return 1.0, ()
    nothing = expected >= parameters.sizeable_transactions and not any(feed.heard > 0 for feed in feeds)
    silent = [
        feed
        for feed in feeds
        if feed.expected > 0
        and is_quiet(feed, parameters)
        and (nothing or feed.owed + feed.expected >= parameters.sizeable_transactions)
    ]
    newly = sum(max(feed.heard, 0) for feed in feeds if feed.young)
    missing = sum(feed.expected for feed in silent)
    missing = 0.0 if newly >= STAND_IN_SHARE * missing else missing - newly
    return round(1 - missing / expected, 6), tuple(feed.name for feed in silent)


def is_quiet(feed: FeedVolume, parameters: CoverageParameters) -> bool:
    """Return whether next to nothing came of a feed of what was expected of it in a bucket."""
    return feed.heard <= 0 or feed.heard < parameters.silent_share * feed.expected


class CoverageMeter:
    """Counts what each feed of a panel delivers to each bucket, and compares with its own past.

    `slots` is the number of base buckets in a week, 0 for a panel that only knows days.
    """

    def __init__(self, parameters: CoverageParameters, *, slots: int = 0) -> None:
        self.parameters = parameters
        self.slots = slots
        self._feeds = KnownFeeds(parameters.feeds_limit, slots)
        self._cells = FeedCells()
        self._branches = Branches(parameters)
        self._newcomers = Newcomers()
        self._laggards = Laggards(parameters)
        self._open: dict[int, dict[FeedName, Counts]] = {}
        self._today: dict[FeedName, Counts] = {}
        self._base_today: dict[int, dict[FeedName, int]] = {}
        self._hours = DayOfBuckets()

    def observe(self, bucket: int, feed: FeedName, cell: int, transactions: int) -> None:
        """Add on-time transactions of a feed to an open base bucket (epoch seconds) of a cell, by its number."""
        delivered = self._open.setdefault(bucket, {})
        counts = delivered.setdefault(feed, {})
        counts[cell] = counts.get(cell, 0) + transactions
        if len(delivered) > 2 * self.parameters.feeds_limit + len(self._feeds):
            self._feeds.limit(delivered)

    # --- closing

    def close_base(
        self,
        bucket: int,
        slot: int | None,
        *,
        unread: Mapping[FeedName, Counts] = _NOTHING,
        of_no_cell: Mapping[FeedName, int] = _NO_VOLUMES,
        ended: Collection[str] = (),
    ) -> Delivery:
        """Close a base bucket; `slot` is its place in the week, None where only days are judged.

        `unread` is what was not accepted: feeds that are known, or bring something else as well, are heard by it; by
        `of_no_cell` likewise, of which is not known where it would have counted.
        `ended` are partitions of which no more is expected.
        """
        delivered: dict[FeedName, Counts] = {}
        for name, counts in self._open.pop(bucket, {}).items():
            add_counts(delivered.setdefault(self._feeds.counts_as(name), {}), counts)
        for name, counts in unread.items():
            known = self._feeds.counts_as(name)
            if known in self._feeds or known in delivered:
                add_counts(delivered.setdefault(known, {}), counts)
        self._feeds.limit(delivered)
        for name, counts in delivered.items():
            add_counts(self._today.setdefault(name, {}), counts)
        self._feeds.limit(self._today)
        if slot is None:
            return Delivery()
        volumes = self._base_today[slot] = {name: sum(counts.values()) for name, counts in delivered.items()}
        spoken = self._feeds.added_to(volumes, of_no_cell)
        readings = {
            name: FeedVolume(
                " ".join(name), feed.usual_base(slot), spoken.get(name, 0), feed.owed_base, feed.young_base(slot)
            )
            for name, feed in self._expected(ended)
        }
        for name, reading in readings.items():
            feed = self._feeds[name]
            feed.owed_base = feed.owed_base + reading.expected if is_quiet(reading, self.parameters) else 0.0
        new = {
            name: FeedVolume(" ".join(name), 0.0, count, 0.0, young=True)
            for name, count in volumes.items()
            if name not in self._feeds
        }
        delivery, lost = self._delivery({**readings, **new}, delivered)
        self._hours.add(delivery, readings, lost)
        return delivery

    def close_day(
        self,
        day: int,
        regions: Sequence[str],
        *,
        partitions_heard: float,
        unread: Mapping[FeedName, Counts] = _NOTHING,
        of_no_cell: Mapping[FeedName, int] = _NO_VOLUMES,
        ended: Collection[str] = (),
    ) -> FeedsDay:
        """Judge a local day whose base buckets are closed, and learn it.

        Args:
            day: its ordinal.
            regions: K codes, of the cells by their number.
            partitions_heard: share of partitions that spoke for all of the day.
            unread: what of its base buckets was not accepted.
            of_no_cell: the same of which is not known of which cell it is.
            ended: partitions of which no more is expected, today or ever.
        """
        for partition in ended:
            self._drop(("partition", partition), ())
        weekday = (day + 6) % 7
        admitted = self._feeds.admit(self._today)
        missed: dict[FeedName, Counts] = {}
        for name, counts in unread.items():
            add_counts(missed.setdefault(admitted.get(name, name), {}), counts)
        delivered: dict[FeedName, Counts] = {}
        for name, counts in self._today.items():
            add_counts(delivered.setdefault(admitted[name], {}), counts)
        sums = {name: sum(counts.values()) for name, counts in delivered.items()}
        for name, counts in unread.items():
            if name in sums and name in self._feeds and counts.keys() >= self._cells.of(name):
                # A row of each cell, however few transactions it says it stands for: the feed is there.
                sums[name] = max(sums[name], round(self._feeds[name].usual_day(weekday)))
        sums = self._feeds.added_to(sums, of_no_cell)
        readings = {name: _reading(name, feed, weekday, sums) for name, feed in self._expected(ended)}
        by_feeds, lost = self._delivery(readings, delivered)
        usual_days = {name: self._feeds[name].usual_days() for name in readings if name in self._feeds}
        volumes = BranchVolumes(regions, readings, delivered, self._cells, usual_days)
        new, cells_new = self._newcomers.close_day(day, volumes, self.parameters.sizeable_transactions)
        behind = self._laggards.close_day(day, volumes)
        silence = self._branches.close_day(volumes, readings, delivered, self._cells, by_feeds.silent)
        delivery = self._hours.take(self._without(by_feeds, lost, silence.lost, readings), self._cells)
        self._base_today = {slot: relabelled(counts, admitted) for slot, counts in self._base_today.items()}
        rests = silence.rests or any(self._is_resting(name, reading) for name, reading in readings.items())
        learned = {
            name: bounded(counts, missed[name], volumes.expected_of_cells([name])) if name in missed else dict(counts)
            for name, counts in delivered.items()
            if name in readings
        }
        is_replaced = not lost.any()
        self._learn(weekday, readings, learned, silence, replaced=by_feeds.silent if is_replaced else ())
        for name, region in silence.dropped:
            self._cells.forget_cells(name, volumes.cells_of(region))
            self._newcomers.forget(name, [region])
        self._today, self._base_today = {}, {}
        coverage = Coverage(
            round(partitions_heard, 6),
            delivery.volume,
            delivery.silent,
            forgotten=self._forget(delivery.silent, volumes),
            branches=silence.silent,
            branches_forgotten=silence.forgotten,
            new=new,
            rests=rests,
            behind=behind,
        )
        return FeedsDay(coverage, delivery.cells, cells_new, tuple(readings.values()))

    def _learn(
        self,
        weekday: int,
        readings: Mapping[FeedName, FeedVolume],
        brought: Mapping[FeedName, Counts],
        silence: BranchSilence,
        replaced: Collection[str],
    ) -> None:
        """Learn what each feed brought; what it left out in single regions stays expected there."""
        spoke = any(reading.heard > 0 for reading in readings.values())
        quiet = {name for name, reading in readings.items() if is_quiet(reading, self.parameters)}
        whole = not silence.silent and not any(readings[name].expected for name in quiet)
        for name, reading in readings.items():
            feed = self._feeds[name]
            if name in quiet:
                feed.learn_quiet(reading.expected, others_spoke=spoke, is_replaced=reading.name in replaced)
                continue
            counts = dict(brought.get(name, {}))
            add_counts(counts, silence.quiet.get(name, {}))
            base = {slot: volumes.get(name, 0) for slot, volumes in self._base_today.items()}
            feed.learn(weekday, sum(counts.values()), base)
            # Where others stand in is not usual, nor is what a source brings that has lost a part of its own.
            if (reading.young or whole) and not self._laggards.is_behind(name):
                self._cells.learn(name, counts)

    def _is_resting(self, name: FeedName, reading: FeedVolume) -> bool:
        """Return whether a feed has been silent, of which nothing is expected today."""
        owes = self._feeds[name].owed >= self.parameters.sizeable_transactions
        return owes and reading.expected <= 0 and is_quiet(reading, self.parameters)

    def _without(
        self, delivery: Delivery, lost: Floats, more: Floats, readings: Mapping[FeedName, FeedVolume]
    ) -> Delivery:
        """Return what was delivered if, beside what silent feeds left out, more was lost of the cells."""
        if not more.any():
            return delivery
        expected = {name: reading.expected for name, reading in readings.items()}
        volume = delivery.volume - math.fsum(more) / math.fsum(expected.values())
        return Delivery(
            max(0.0, round(volume, 6)), delivery.silent, shares(added(lost, more), self._cells.usual(expected))
        )

    def _delivery(
        self, readings: Mapping[FeedName, FeedVolume], delivered: Mapping[FeedName, Counts]
    ) -> tuple[Delivery, Floats]:
        """Return what was delivered, by what each feed brought; and what was not of the cells."""
        volume, silent = heard_share(list(readings.values()), self.parameters)
        named = set(silent)
        quiet = [name for name, reading in readings.items() if reading.name in named]
        at_once = all(self._feeds[name].replaced_days == self._feeds[name].quiet_days for name in quiet)
        missing = self._cells.usual({name: readings[name].expected for name in quiet})
        lost = self._cells.lost(readings, missing, delivered, may_be_taken_over=at_once)
        if not lost.any():
            return Delivery(1.0 if len(lost) else volume, silent), lost
        usual = self._cells.usual({name: reading.expected for name, reading in readings.items()})
        return Delivery(volume, silent, shares(lost, usual)), lost

    def _expected(self, ended: Collection[str]) -> Iterable[tuple[FeedName, Feed]]:
        """Return the feeds of which something may come, in order."""
        gone = {("partition", name) for name in ended}
        return [(name, feed) for name, feed in sorted(self._feeds.items()) if name not in gone]

    def _forget(self, silent: Sequence[str], volumes: BranchVolumes) -> tuple[str, ...]:
        """Forget the feeds that were missed for too long or are replaced; return those that were silent.

        The last is never forgotten.
        """
        forgotten = []
        for name, feed in sorted(self._feeds.items()):
            is_gone = feed.missed_days >= self.parameters.forget_days or feed.replaced_days >= REPLACED_DAYS
            if is_gone and len(self._feeds) > 1:
                self._drop(name, volumes.regions_of(name))
                forgotten.append(" ".join(name))
        return tuple(name for name in forgotten if name in silent)

    def _drop(self, name: FeedName, regions: Iterable[str]) -> None:
        self._feeds.pop(name, None)
        self._cells.forget(name)
        self._branches.forget(name)
        self._newcomers.forget(name, regions)
        self._laggards.forget(name)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "feeds": self._feeds.state(),
            "cells": self._cells.state(),
            "branches": self._branches.state(),
            "newcomers": self._newcomers.state(),
            "laggards": self._laggards.state(),
            "hours": self._hours.state(),
            "open": [[bucket, plain(counts)] for bucket, counts in self._open.items()],
            "today": plain(self._today),
            "base_today": [
                [slot, [[*name, count] for name, count in volumes.items()]]
                for slot, volumes in self._base_today.items()
            ],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._feeds.restore(saved["feeds"])
        self._cells.restore(saved["cells"])
        self._branches.restore(saved["branches"])
        self._newcomers.restore(saved["newcomers"])
        self._laggards.restore(saved["laggards"])
        self._hours.restore(saved["hours"])
        self._open = {bucket: restored(feeds) for bucket, feeds in saved["open"]}
        self._today = restored(saved["today"])
        self._base_today = {
            slot: {(kind, name): count for kind, name, count in plain} for slot, plain in saved["base_today"]
        }


def _reading(name: FeedName, feed: Feed, weekday: int, volumes: Mapping[FeedName, int]) -> FeedVolume:
    return FeedVolume(" ".join(name), feed.usual_day(weekday), volumes.get(name, 0), feed.owed, feed.young(weekday))
