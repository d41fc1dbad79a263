"""Second fold, second half: the buckets of one panel, opened by differences, closed by the watermark.

A cell exists from the bucket of its first on-time row; before that it is not published, after that a
bucket without a row had zero transactions. A local day is the sum of its base buckets, 23 to 25 hours.
"""

from collections.abc import Iterator
from datetime import date

import numpy as np

from earlywarn.aggregation.cells import CellIndex
from earlywarn.aggregation.coverage import CoverageMeter, CoverageParameters
from earlywarn.aggregation.merge import AFTER_ALL, Difference, PartialsFold
from earlywarn.aggregation.publication import DAY_SECONDS, Publication
from earlywarn.aggregation.rolling import widen
from earlywarn.aggregation.rows import AggregateRows, ClosedDay, Coverage, Integers
from earlywarn.domain.panel import Panel
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import State

_END = AFTER_ALL // 1000
_COMPLETE_SLACK_SECONDS = 2 * 3600  # an input that ends this close to midnight has seen its last day


class PanelLedger:
    """Holds the open buckets of a panel, closes them in order, and publishes what closes or changes."""

    def __init__(self, panel: Panel, *, revision_horizon_days: int, coverage: CoverageParameters) -> None:
        self.panel = panel
        self.base_seconds = panel.calendar.base_bucket_seconds
        self.horizon_seconds = revision_horizon_days * DAY_SECONDS
        self.coverage_meter = CoverageMeter(coverage)
        self._cells = CellIndex(panel.id)
        self._published = Publication(panel, self._cells, revision_horizon_days=revision_horizon_days)
        self._open: dict[int, dict[int, list[int]]] = {}
        self._open_day = np.zeros((0, 2), np.int64)
        self._next: int | None = None

    # --- applying

    def add(self, difference: Difference, partition: int) -> None:
        """Put a difference into its bucket: an on-time one into an open bucket, a late one beside it.

        A partition that was idle while the others went on (or joined later) may be on time by its own log for
        a bucket that is closed: such a row counts as late.
        """
        key = CellKey(difference.region, difference.sector)
        cell = self._cells.place(key)
        bucket, transactions, amount = difference.bucket, difference.transactions, difference.amount_minor
        if difference.late or (self._next is not None and bucket < self._next):
            self._published.revise(bucket, cell, transactions, amount)
            return
        pair = self._open.setdefault(bucket, {}).setdefault(cell, [0, 0])
        pair[0] += transactions
        pair[1] += amount
        self._cells.appear(cell, bucket)
        day = self.panel.calendar.day_of(bucket).toordinal()
        observe = self.coverage_meter.observe
        observe("partition", str(partition), day, transactions)
        observe("region", key.region, day, transactions)
        observe("sector", key.sector, day, transactions)

    def deliver(self, source: str, bucket: int, transactions: int) -> None:
        """Note what a named source delivered on time."""
        day = self.panel.calendar.day_of(bucket).toordinal()
        self.coverage_meter.observe("source", source, day, transactions)

    # --- closing

    def close(self, fold: PartialsFold) -> Iterator[AggregateRows | ClosedDay]:
        """Close every bucket that the watermark has passed, and publish what has changed."""
        watermark = fold.watermark_seconds()
        if watermark is None or not self._started(watermark):
            return
        until = self._end_of_input() if watermark == _END else watermark
        while (start := self._next or 0) + self.base_seconds <= until:
            self._next = start + self.base_seconds
            yield from self._close_base(start, fold)
            day = self.panel.calendar.day_of(start)
            if self._next >= self.panel.calendar.day_bounds(day)[1]:
                yield from self._close_day(day, fold)
                yield from self._published.revisions(self._next)
                yield from self._published.last(min(until - self.horizon_seconds, self._next))
        if watermark == _END:
            yield from self._published.revisions(self._next or 0)
            yield from self._published.last(self._next or 0)

    def _started(self, watermark: int) -> bool:
        """Return whether the panel has a first bucket: that of its oldest on-time row, once the watermark passes it."""
        if self._next is None and self._open and min(self._open) + self.base_seconds <= watermark:
            self._next = min(self._open)
        return self._next is not None

    def _end_of_input(self) -> int:
        """Return the end of the local day of the newest on-time row: an end mark closes up to there."""
        newest = max(self._open, default=(self._next or 0) - self.base_seconds)
        return self.panel.calendar.day_bounds(self.panel.calendar.day_of(newest))[1]

    def _close_base(self, start: int, fold: PartialsFold) -> Iterator[AggregateRows]:
        pairs = self._open.pop(start, {})
        if self.panel.resolution == "day" and not pairs:
            return
        values = np.zeros((len(self._cells), 2), np.int64)
        for cell, pair in pairs.items():
            values[cell] = pair
        self._open_day = widen(self._open_day, len(values)) + values
        if self.panel.resolution == "hour":
            coverage = Coverage(partitions=round(fold.heard(start + self.base_seconds), 6))
            yield from self._published.close_hour(start, values, coverage)

    def _close_day(self, day: date, fold: PartialsFold) -> Iterator[AggregateRows | ClosedDay]:
        _, end = self.panel.calendar.day_bounds(day)
        values = widen(self._open_day, len(self._cells))
        self._open_day = np.zeros((0, 2), np.int64)
        first_day = self._published.days.closed == 0
        ended = [str(partition) for partition in range(fold.partitions) if fold.ended(partition)]
        coverage = self.coverage_meter.close(day.toordinal(), partitions_heard=fold.heard(end), ended=ended)
        yield from self._published.close_day(day, values, coverage)
        seen_until = fold.newest_event_seconds or 0
        complete = not first_day and seen_until >= end - _COMPLETE_SLACK_SECONDS
        yield self._closed_day(day, values, coverage, complete=complete or self.panel.resolution == "day")

    def _closed_day(self, day: date, values: Integers, coverage: Coverage, *, complete: bool) -> ClosedDay:
        born = self._cells.born_cells(self.panel.calendar.day_bounds(day)[1])
        keys = self._cells.keys()
        return ClosedDay(
            panel=self.panel.id,
            day=day,
            cells=tuple(keys[cell] for cell in born),
            transactions=values[born, 0],
            amount_minor=values[born, 1],
            coverage=coverage,
            complete=complete,
        )

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "cells": self._cells.state(),
            "open": [[bucket, [[c, *pair] for c, pair in cells.items()]] for bucket, cells in self._open.items()],
            "open_day": self._open_day,
            "next": self._next,
            "published": self._published.state(),
            "coverage": self.coverage_meter.state(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._cells.restore(saved["cells"])
        self._open = {bucket: {c: [n, a] for c, n, a in cells} for bucket, cells in saved["open"]}
        self._open_day, self._next = saved["open_day"], saved["next"]
        self._published.restore(saved["published"])
        self.coverage_meter.restore(saved["coverage"])
