"""Coverage: is a fall of spending a fall, or has somebody stopped reporting?

A feed is who delivers: a named source (acquirer), and for what comes without a name its source partition.
A sector or a region is no feed: nothing paid there is zero, and may be what happened (of a region that is silent as a
whole see `region_watch`). A feed is silent
in a bucket when next to nothing came of what was expected of it since it last spoke, and that is sizeable.
It stays expected until it speaks, or is forgotten after so many days on which others spoke. What feeds
too young for an expectation bring stands in for what is missing: a source may change its name, or be taken over. What
is missing is missing of the cells that the silent feeds deliver (`feed_cells`). A day lacks what its hours lack.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from earlywarn.aggregation.delivery import DayOfBuckets, Delivery
from earlywarn.aggregation.feed import Feed
from earlywarn.aggregation.feed_cells import STAND_IN_SHARE, Counts, FeedCells, FeedName, shares
from earlywarn.aggregation.partial import OTHER_SOURCES
from earlywarn.aggregation.rows import CellShares, Coverage, FeedVolume, Floats
from earlywarn.domain.ranges import MOST_DAYS, Range, check_ranges
from earlywarn.domain.state import State

_OTHERS = ("source", OTHER_SOURCES)
_REPLACED_DAYS = 7
"""So long others have brought what a silent feed would: before it is usual of them as well, and expected twice."""


class CoverageParameters(msgspec.Struct, frozen=True, kw_only=True):
    """When a feed counts as silent, and for how long silence is followed.

    silent_share: of its expected transactions, below which a feed is quiet.
    sizeable_transactions: a feed is silent once so many were expected of it since it last spoke.
    forget_days: after so many days of silence on which others spoke, a feed is expected no more; the last never.
    feeds_limit: named sources of a panel that are told apart; further ones count together.
    fill_days: days without any transaction that a panel publishes as zeros; then it rests until it is heard again.
    """

    silent_share: float = 0.02
    sizeable_transactions: int = 50
    forget_days: int = 28
    feeds_limit: int = 64
    fill_days: int = 400

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "silent_share": Range(0, 1, most_in=False),
                "sizeable_transactions": Range(1, 1_000_000_000),
                "feeds_limit": Range(1, 10_000),
                "forget_days": Range(7, MOST_DAYS, note="a feed may rest for a week"),
                "fill_days": Range(28, MOST_DAYS, note="28 is the longest rolling window"),
            },
        )


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
        self._feeds: dict[FeedName, Feed] = {}
        self._cells = FeedCells()
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
            self._limit(delivered)

    # --- closing

    def close_base(self, bucket: int, slot: int | None, *, ended: Collection[str] = ()) -> Delivery:
        """Close a base bucket; `slot` is its place in the week, None where only days are judged.

        `ended` are partitions of which no more is expected.
        """
        delivered: dict[FeedName, Counts] = {}
        for name, counts in self._open.pop(bucket, {}).items():
            _count(delivered.setdefault(self._known(name), {}), counts)
        self._limit(delivered)
        for name, counts in delivered.items():
            _count(self._today.setdefault(name, {}), counts)
        self._limit(self._today)
        if slot is None:
            return Delivery()
        volumes = self._base_today[slot] = {name: sum(counts.values()) for name, counts in delivered.items()}
        readings = {
            name: FeedVolume(
                " ".join(name), feed.usual_base(slot), volumes.get(name, 0), feed.owed_base, feed.young_base(slot)
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
        self._hours.add(delivery, {name: reading.expected for name, reading in readings.items()}, lost)
        return delivery

    def close_day(
        self, day: int, *, partitions_heard: float, ended: Collection[str] = ()
    ) -> tuple[Coverage, CellShares, tuple[FeedVolume, ...]]:
        """Judge a local day whose base buckets are closed, and learn it.

        Args:
            day: its ordinal.
            partitions_heard: share of partitions that spoke for all of the day.
            ended: partitions of which no more is expected, today or ever.

        Returns the day's coverage but for its gap, the share heard of each cell as `Delivery`, and the volumes that
        both were read from.
        """
        for partition in ended:
            self._drop(("partition", partition))
        weekday = (day + 6) % 7
        admitted = self._admit(sorted(self._today))
        delivered: dict[FeedName, Counts] = {}
        for name, counts in self._today.items():
            _count(delivered.setdefault(admitted[name], {}), counts)
        volumes = {name: sum(counts.values()) for name, counts in delivered.items()}
        readings = {name: _reading(name, feed, weekday, volumes) for name, feed in self._expected(ended)}
        of_day, lost = self._delivery(readings, delivered)
        delivery = self._hours.take(of_day, self._cells)
        spoke = any(count > 0 for count in volumes.values())
        base = {slot: _relabelled(counts, admitted) for slot, counts in self._base_today.items()}
        for name, reading in readings.items():
            feed = self._feeds[name]
            if is_quiet(reading, self.parameters):
                is_replaced = not lost.any() and reading.name in of_day.silent
                feed.learn_quiet(reading.expected, others_spoke=spoke, is_replaced=is_replaced)
            else:
                feed.learn(weekday, reading.heard, {slot: counts.get(name, 0) for slot, counts in base.items()})
                if reading.young or not of_day.silent:  # others may stand in: where they deliver is not usual then
                    self._cells.learn(name, delivered[name])
        self._today, self._base_today = {}, {}
        forgotten = self._forget(delivery.silent)
        coverage = Coverage(round(partitions_heard, 6), delivery.volume, delivery.silent, forgotten=forgotten)
        return coverage, delivery.cells, tuple(readings.values())

    def _delivery(
        self, readings: Mapping[FeedName, FeedVolume], delivered: Mapping[FeedName, Counts]
    ) -> tuple[Delivery, Floats]:
        """Return what was delivered, by what each feed brought; and what was not of the cells."""
        volume, silent = heard_share(list(readings.values()), self.parameters)
        named = set(silent)
        quiet = [name for name, reading in readings.items() if reading.name in named]
        at_once = all(self._feeds[name].replaced_days == self._feeds[name].quiet_days for name in quiet)
        lost = self._cells.lost(readings, quiet, delivered, may_be_taken_over=at_once)
        if not lost.any():
            return Delivery(1.0 if len(lost) else volume, silent), lost
        usual = self._cells.usual({name: reading.expected for name, reading in readings.items()})
        return Delivery(volume, silent, shares(lost, usual)), lost

    def _expected(self, ended: Collection[str]) -> Iterable[tuple[FeedName, Feed]]:
        """Return the feeds of which something may come, in order."""
        gone = {("partition", name) for name in ended}
        return [(name, feed) for name, feed in sorted(self._feeds.items()) if name not in gone]

    def _limit(self, delivered: dict[FeedName, Counts]) -> None:
        """Count named sources together that cannot become known: beyond the limit, the last in order.

        More of them may still come, and smaller names: in the end the same are left, in whatever order they came.
        """
        new = sorted(name for name in delivered if name[0] == "source" and name not in self._feeds and name != _OTHERS)
        for name in new[self.parameters.feeds_limit :]:
            _count(delivered.setdefault(_OTHERS, {}), delivered.pop(name))

    def _known(self, name: FeedName) -> FeedName:
        """Return what a feed counts as: sources beyond the limit count together."""
        return _OTHERS if name[0] == "source" and name not in self._feeds and _OTHERS in self._feeds else name

    def _admit(self, names: Iterable[FeedName]) -> dict[FeedName, FeedName]:
        """Make new feeds known, as far as the limit goes; return what each counts as."""
        admitted = {}
        for name in names:
            sources = sum(feed[0] == "source" and feed != _OTHERS for feed in self._feeds)
            beyond = name[0] == "source" and name not in self._feeds and sources >= self.parameters.feeds_limit
            admitted[name] = _OTHERS if beyond else name
            self._feeds.setdefault(admitted[name], Feed(self.slots))
        return admitted

    def _forget(self, silent: Sequence[str]) -> tuple[str, ...]:
        """Forget the feeds that were missed for too long or are replaced; return those that were silent.

        The last is never forgotten.
        """
        forgotten = []
        for name, feed in sorted(self._feeds.items()):
            is_gone = feed.missed_days >= self.parameters.forget_days or feed.replaced_days >= _REPLACED_DAYS
            if is_gone and len(self._feeds) > 1:
                self._drop(name)
                forgotten.append(" ".join(name))
        return tuple(name for name in forgotten if name in silent)

    def _drop(self, name: FeedName) -> None:
        self._feeds.pop(name, None)
        self._cells.forget(name)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "feeds": [[*name, feed.state()] for name, feed in sorted(self._feeds.items())],
            "cells": self._cells.state(),
            "hours": self._hours.state(),
            "open": [[bucket, _plain(counts)] for bucket, counts in self._open.items()],
            "today": _plain(self._today),
            "base_today": [
                [slot, [[*name, count] for name, count in volumes.items()]]
                for slot, volumes in self._base_today.items()
            ],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._feeds = {(kind, name): Feed.restored(feed) for kind, name, feed in saved["feeds"]}
        self._cells.restore(saved["cells"])
        self._hours.restore(saved["hours"])
        self._open = {bucket: _counts(plain) for bucket, plain in saved["open"]}
        self._today = _counts(saved["today"])
        self._base_today = {
            slot: {(kind, name): count for kind, name, count in plain} for slot, plain in saved["base_today"]
        }


def _reading(name: FeedName, feed: Feed, weekday: int, volumes: Mapping[FeedName, int]) -> FeedVolume:
    return FeedVolume(" ".join(name), feed.usual_day(weekday), volumes.get(name, 0), feed.owed, feed.young(weekday))


def _count(found: Counts, more: Counts) -> None:
    for cell, count in more.items():
        found[cell] = found.get(cell, 0) + count


def _relabelled(volumes: Mapping[FeedName, int], names: Mapping[FeedName, FeedName]) -> dict[FeedName, int]:
    found: dict[FeedName, int] = {}
    for name, count in volumes.items():
        found[names.get(name, name)] = found.get(names.get(name, name), 0) + count
    return found


def _plain(delivered: Mapping[FeedName, Counts]) -> list[list[object]]:
    return [[*name, [list(item) for item in counts.items()]] for name, counts in delivered.items()]


def _counts(plain: Iterable[tuple[str, str, Iterable[tuple[int, int]]]]) -> dict[FeedName, Counts]:
    return {(kind, name): dict(counts) for kind, name, counts in plain}
