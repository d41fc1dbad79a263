"""Second fold, second half: the buckets of one panel, opened by differences, closed by the watermark.

A cell exists from the bucket of its first on-time row; before that it is not published, after that a
bucket without a row had zero transactions. A local day is the sum of its base buckets, 23 to 25 hours.
A panel of which nothing was heard for long rests: its buckets are published again from the day on
which it speaks.
"""

import dataclasses
from collections.abc import Iterator
from datetime import date

import numpy as np

from earlywarn.aggregation.caps import base_cap, capped
from earlywarn.aggregation.cells import CellIndex, CellLimit
from earlywarn.aggregation.coverage import CoverageMeter
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.merge import AFTER_ALL, Delivered, Difference, PartialsFold
from earlywarn.aggregation.publication import DAY_SECONDS, Publication
from earlywarn.aggregation.region_watch import RegionWatch
from earlywarn.aggregation.rolling import widen
from earlywarn.aggregation.rows import AggregateRows, ClosedDay, Coverage, of_cells
from earlywarn.aggregation.sectorless import NO_SECTOR, SectorlessBuckets
from earlywarn.aggregation.unread import UnreadBuckets, of_feeds, totals_of
from earlywarn.domain.panel import Panel
from earlywarn.domain.series import CellKey, Series
from earlywarn.domain.state import State

_END = AFTER_ALL // 1000
_COMPLETE_SLACK_SECONDS = 2 * 3600  # an input that ends this close to midnight has seen its last day


class PanelLedger:
    """Holds the open buckets of a panel, closes them in order, and publishes what closes or changes.

    Attributes:
        leaps: how often the panel spoke again after more than the revision horizon. If not an outage was the reason,
            but a wrong time stamp, then what its partition sends of the time between is too late from then on.
        longest_leap: the longest of them, from and to the start of a base bucket (epoch seconds).
    """

    def __init__(self, panel: Panel, *, revision_horizon_days: int, coverage: CoverageParameters) -> None:
        self.panel = panel
        self.base_seconds = panel.calendar.base_bucket_seconds
        self.horizon_seconds = revision_horizon_days * DAY_SECONDS
        self._cap = base_cap(self.base_seconds)
        self.fill_days = coverage.fill_days
        self._slots_per_day = DAY_SECONDS // self.base_seconds
        slots = 7 * self._slots_per_day if panel.resolution == "hour" else 0
        self.coverage_meter = CoverageMeter(coverage, slots=slots)
        self.region_watch = RegionWatch(coverage, slots=slots)
        self._cells = CellIndex(panel.id, CellLimit(panel, coverage.cells_limit))
        self._published = Publication(panel, self._cells, revision_horizon_days=revision_horizon_days)
        self._open: dict[int, dict[int, list[int]]] = {}
        self._open_day = np.zeros((0, 2), np.int64)
        self._unread = UnreadBuckets(coverage.feeds_limit)
        self._sectorless = SectorlessBuckets()
        self._of_no_cell = UnreadBuckets(coverage.feeds_limit)  # the same by feed
        self._next: int | None = None
        self._heard = 0
        self.leaps = 0
        self.longest_leap: tuple[int, int] | None = None

    @property
    def capped(self) -> tuple[int, tuple[str, int] | None]:
        """Return how many values were published as their cap, and of which series and bucket the first of them is."""
        return self._published.capped, self._published.first_capped

    @property
    def cells(self) -> int:
        """Return how many cells it tells apart so far."""
        return len(self._cells)

    # --- applying

    def add(self, difference: Difference, partition: int) -> bool:
        """Put a difference into its bucket: an on-time one into an open bucket, a late one beside it.

        A partition that was idle while the others went on (or joined later) may be on time by its own log for
        a bucket that is closed: such a row counts as late. Returns False if it comes so late that the bucket is
        forgotten: it is then not counted.
        """
        bucket, transactions, amount = difference.bucket, difference.transactions, difference.amount_minor
        late = difference.late or self._is_closed(bucket)
        if late and not self._published.reaches(bucket):
            return False
        cell = self._cells.place(CellKey(difference.region, difference.sector))
        if late:
            self._published.revise(bucket, cell, transactions, amount)
            return True
        pair = self._open.setdefault(bucket, {}).setdefault(cell, [0, 0])
        pair[0] += transactions
        pair[1] += amount
        self._cells.appear(cell, bucket)
        self.coverage_meter.observe(bucket, ("partition", str(partition)), cell, transactions)
        return True

    def deliver(self, delivered: Delivered, partition: int) -> None:
        """Note what of a partition's on-time transactions, which are added already, came from a named source."""
        bucket, transactions = delivered.bucket, delivered.transactions
        if not self._is_closed(bucket):
            cell = self._cells.place(CellKey(delivered.region, delivered.sector))
            self.coverage_meter.observe(bucket, ("partition", str(partition)), cell, -transactions)
            self.coverage_meter.observe(bucket, ("source", delivered.feed), cell, transactions)

    def _is_closed(self, bucket: int) -> bool:
        return self._next is not None and bucket < self._next

    def miss(self, missed: Delivered, partition: int) -> None:
        """Note transactions that a partition brought on time and that were not accepted."""
        if self._is_closed(missed.bucket):
            return
        feed = ("source", missed.feed) if missed.feed else ("partition", str(partition))
        if missed.sector == NO_SECTOR:
            self._sectorless.add(missed.bucket, missed.region, missed.transactions)
            self._of_no_cell.add(missed.bucket, feed, 0, missed.transactions)
        else:
            cell = self._cells.place(CellKey(missed.region, missed.sector))
            self._unread.add(missed.bucket, feed, cell, missed.transactions)

    # --- closing

    def close(self, fold: PartialsFold) -> Iterator[AggregateRows | ClosedDay]:
        """Close every bucket that the watermark has passed, and publish what has changed."""
        watermark = fold.watermark_seconds()
        if watermark is None or not self._started(watermark):
            return
        until = self._end_of_input(fold) if watermark == _END else watermark
        while self._now + self.base_seconds <= until:
            if self._is_silent_for_long():
                heard_again = min(self._open, default=until)
                yield from self._rest(min(heard_again, until), until)
                if heard_again >= until or self._now + self.base_seconds > until:
                    break
            start = self._now
            self._next = start + self.base_seconds
            yield from self._close_base(start, fold)
            day = self.panel.calendar.day_of(start)
            if self._next >= self.panel.calendar.day_bounds(day)[1]:
                yield from self._close_day(day, fold)
                yield from self._revisions(until)
        if watermark == _END:
            yield from self._published.revisions(self._now)
            yield from self._published.last(self._now)

    def _revisions(self, until: int) -> Iterator[AggregateRows]:
        yield from self._published.revisions(self._now)
        yield from self._published.last(min(until - self.horizon_seconds, self._now))

    def _is_silent_for_long(self) -> bool:
        calendar = self.panel.calendar
        silent_from = calendar.day_of(self._heard).toordinal() + 1
        return self._now >= calendar.day_bounds(date.fromordinal(silent_from + self.fill_days))[0]

    def _rest(self, heard_again: int, until: int) -> Iterator[AggregateRows]:
        """Skip the days before that of `heard_again`, which are not published."""
        day_start, _ = self.panel.calendar.day_bounds(self.panel.calendar.day_of(heard_again))
        if day_start > self._now:
            self._next = day_start
            self._forget_unread(day_start)
            yield from self._revisions(until)

    def _started(self, watermark: int) -> bool:
        """Return whether the panel has a first bucket: that of its oldest row, once the watermark passes it.

        Late rows begin it as well: a panel may share its partitions with one that is always ahead of it.
        """
        if self._next is None:
            late = self._published.earliest_late()
            first = min([*self._open, *([] if late is None else [late])], default=watermark)
            if first + self.base_seconds <= watermark:
                self._next = self._heard = first
                self._forget_unread(first)
        return self._next is not None

    def _forget_unread(self, before: int) -> None:
        self._unread.forget_before(before)
        self._sectorless.forget_before(before)
        self._of_no_cell.forget_before(before)

    @property
    def _now(self) -> int:
        """Return the start of the next bucket to close; before there is one, the epoch."""
        return self._next or 0

    def _end_of_input(self, fold: PartialsFold) -> int:
        """Return the end of the local day of the run's newest event: an end mark closes every panel up to there."""
        newest = fold.newest_event_seconds
        return self._now if newest is None else self.panel.calendar.day_bounds(self.panel.calendar.day_of(newest))[1]

    def _close_base(self, start: int, fold: PartialsFold) -> Iterator[AggregateRows]:
        pairs = self._open.pop(start, {})
        unread, of_no_cell = self._unread.close_base(start), self._of_no_cell.close_base(start)
        sectorless = self._sectorless.close_base(start)
        if pairs:
            self._note_leap(start)
            self._heard = start
        if self.panel.resolution == "day" and not pairs and not unread and not of_no_cell:
            return
        values = np.zeros((len(self._cells), 2), np.int64)
        for cell, pair in pairs.items():
            values[cell] = held = capped(pair, self._cap)
            if held != pair:
                self._published.note_capped(Series(self.panel.id, *self._cells.keys()[cell]).series_id, start)
        self._open_day = widen(self._open_day, len(values)) + values
        end = start + self.base_seconds
        slot = self._slot(start)
        delivery = self.coverage_meter.close_base(
            start, slot, unread=unread, of_no_cell=totals_of(of_no_cell), ended=fold.ended_before(end)
        )
        if slot is not None:
            born = self._cells.is_born(end)
            gap, shares = self.region_watch.close_base(
                slot, self._cells.keys(), values[:, 0], born, delivery.cells, of_feeds(unread), sectorless
            )
            coverage = Coverage(fold.heard(self.panel, start, end), delivery.volume, delivery.silent, gap=gap)
            yield from self._published.close_hour(start, values, coverage, shares)

    def _note_leap(self, start: int) -> None:
        if start - self._heard > self.horizon_seconds:
            self.leaps += 1
            if self.longest_leap is None or start - self._heard > self.longest_leap[1] - self.longest_leap[0]:
                self.longest_leap = (self._heard, start)

    def _slot(self, start: int) -> int | None:
        """Return the place of a base bucket in the local week by the clock on the wall, None if only days count."""
        if self.panel.resolution == "day":
            return None
        hours, minutes = self.panel.calendar.offset_iso(start)[11:16].split(":")
        weekday = self.panel.calendar.day_of(start).weekday()
        return weekday * self._slots_per_day + (int(hours) * 3600 + int(minutes) * 60) // self.base_seconds

    def _close_day(self, day: date, fold: PartialsFold) -> Iterator[AggregateRows | ClosedDay]:
        begin, end = self.panel.calendar.day_bounds(day)
        values = widen(self._open_day, len(self._cells))
        self._open_day = np.zeros((0, 2), np.int64)
        keys = self._cells.keys()
        unread_by_feed = self._unread.close_day()
        feeds_day = self.coverage_meter.close_day(
            day.toordinal(),
            [cell.region for cell in keys],
            unread=unread_by_feed,
            of_no_cell=totals_of(self._of_no_cell.close_day()),
            partitions_heard=fold.heard(self.panel, begin, end),
            ended=fold.ended_before(begin),
        )
        unread = of_feeds(unread_by_feed)
        regions_day = self.region_watch.close_day(
            day.toordinal(),
            keys,
            values[:, 0],
            self._cells.is_born(end),
            feeds_day.cells,
            unread,
            self._sectorless.close_day(),
        )
        quiet, shares = tuple(f"region {region}" for region in regions_day.quiet), regions_day.heard
        volume = max(0.0, round(feeds_day.coverage.volume - regions_day.awaited, 6))
        coverage = dataclasses.replace(feeds_day.coverage, volume=volume, quiet=quiet, gap=regions_day.gap)
        begins = self._published.days.first is None
        yield from self._published.close_day(day, values, coverage, shares)
        if self._published.days.first is None:
            return  # late rows alone so far
        seen_until = fold.newest_event_seconds or 0
        complete = not begins and seen_until >= end - _COMPLETE_SLACK_SECONDS
        complete = complete or self.panel.resolution == "day"
        born, read = self._cells.born_cells(end), regions_day.read
        yield ClosedDay(
            panel=self.panel.id,
            day=day,
            cells=tuple(keys[cell] for cell in born),
            transactions=values[born, 0],
            amount_minor=values[born, 1],
            coverage=coverage,
            complete=complete,
            cells_heard=of_cells(regions_day.judged, born),
            cells_new=(feeds_day.cells_new | regions_day.changed)[born],
            feeds=feeds_day.feeds,
            cells_read=tuple(of_cells(read, born).tolist()) if read else (),
        )

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "cells": self._cells.state(),
            "open": [[bucket, [[c, *pair] for c, pair in cells.items()]] for bucket, cells in self._open.items()],
            "open_day": self._open_day,
            "unread": self._unread.state(),
            "sectorless": self._sectorless.state(),
            "of_no_cell": self._of_no_cell.state(),
            "next": self._next,
            "heard": self._heard,
            "leaps": [self.leaps, self.longest_leap],
            "published": self._published.state(),
            "coverage": self.coverage_meter.state(),
            "regions": self.region_watch.state(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._cells.restore(saved["cells"])
        self._open = {bucket: {c: [n, a] for c, n, a in cells} for bucket, cells in saved["open"]}
        self._open_day, self._next, self._heard = saved["open_day"], saved["next"], saved["heard"]
        self.leaps, longest = saved["leaps"]
        self.longest_leap = None if longest is None else (longest[0], longest[1])
        self._unread.restore(saved["unread"])
        self._sectorless.restore(saved["sectorless"])
        self._of_no_cell.restore(saved["of_no_cell"])
        self._published.restore(saved["published"])
        self.coverage_meter.restore(saved["coverage"])
        self.region_watch.restore(saved["regions"])
