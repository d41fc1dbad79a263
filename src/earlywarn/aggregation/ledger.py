"""Second fold, second half: the buckets of one panel, opened by differences, closed by the watermark.

A cell exists from the bucket of its first on-time row; before that it is not published, after that a
bucket without a row had zero transactions. A local day is the sum of its base buckets, 23 to 25 hours.
"""

from collections.abc import Iterator
from datetime import date

import numpy as np

from earlywarn.aggregation.coverage import CoverageMeter, CoverageParameters
from earlywarn.aggregation.merge import AFTER_ALL, Difference, PartialsFold
from earlywarn.aggregation.rolling import YEAR_DAYS, BucketTrack
from earlywarn.aggregation.rows import AggregateRows, ClosedDay, Coverage, Floats, Integers
from earlywarn.aggregation.totals import Totals
from earlywarn.domain.panel import Panel
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import State

DAY_SECONDS = 86_400
_UNBORN = 1 << 62
_COMPLETE_SLACK_SECONDS = 2 * 3600  # an input that ends this close to midnight has seen its last day


class PanelLedger:
    """Holds the open and revisable buckets of a panel and publishes what closes or changes."""

    def __init__(self, panel: Panel, *, revision_horizon_days: int, coverage: CoverageParameters) -> None:
        self.panel = panel
        self.base_seconds = panel.calendar.base_bucket_seconds
        self.horizon_seconds = revision_horizon_days * DAY_SECONDS
        self.coverage_meter = CoverageMeter(coverage)
        per_day = DAY_SECONDS // self.base_seconds
        hours = {"1h": 3600 // self.base_seconds, "24h": per_day, "7d": 7 * per_day, "28d": 28 * per_day}
        self._hours = BucketTrack(hours, kept=(revision_horizon_days + 30) * per_day)
        self._days = BucketTrack({"7d": 7, "28d": 28}, kept=YEAR_DAYS + revision_horizon_days + 36)
        self._cells: list[CellKey] = []
        self._index: dict[CellKey, int] = {}
        self._births: list[int] = []
        self._open: dict[int, dict[int, list[int]]] = {}
        self._open_day = np.zeros((0, 2), np.int64)
        self._next: int | None = None
        self._coverage: dict[int, Coverage] = {}
        self._totals = Totals(panel.id, ())

    # --- applying

    def add(self, difference: Difference, partition: int) -> None:
        """Put a difference into its bucket: an on-time one into an open bucket, a late one beside it."""
        key = CellKey(difference.region, difference.sector)
        cell = self._index.get(key)
        if cell is None:
            cell = self._index[key] = len(self._cells)
            self._cells.append(key)
            self._births.append(_UNBORN)
        bucket = difference.bucket
        day = self.panel.calendar.day_of(bucket).toordinal()
        if difference.late:
            self._hours.revise(bucket // self.base_seconds, cell, difference.transactions, difference.amount_minor)
            self._days.revise(day, cell, difference.transactions, difference.amount_minor)
            return
        pair = self._open.setdefault(bucket, {}).setdefault(cell, [0, 0])
        pair[0] += difference.transactions
        pair[1] += difference.amount_minor
        self._births[cell] = min(self._births[cell], bucket)
        observe = self.coverage_meter.observe
        observe("partition", str(partition), day, difference.transactions)
        observe("region", key.region, day, difference.transactions)
        observe("sector", key.sector, day, difference.transactions)

    def deliver(self, source: str, bucket: int, transactions: int) -> None:
        """Note what a named source delivered on time."""
        day = self.panel.calendar.day_of(bucket).toordinal()
        self.coverage_meter.observe("source", source, day, transactions)

    # --- closing

    def close(self, fold: PartialsFold) -> Iterator[AggregateRows | ClosedDay]:
        """Close every bucket that the watermark has passed, and publish what has changed."""
        watermark = fold.watermark_seconds()
        if watermark is None:
            return
        if self._next is None:
            if not self._open:
                return
            first = min(self._open)
            if first + self.base_seconds > watermark:
                return
            self._next = first
        until = self._end_of_input() if watermark == AFTER_ALL // 1000 else watermark
        while self._next + self.base_seconds <= until:
            start = self._next
            self._next += self.base_seconds
            yield from self._close_base(start, fold)
            day = self.panel.calendar.day_of(start)
            _, day_end = self.panel.calendar.day_bounds(day)
            if self._next >= day_end:
                yield from self._close_day(day, day_end, fold)
                yield from self._revise()
                yield from self._finalise(min(watermark, until))
        if watermark == AFTER_ALL // 1000:
            yield from self._revise()
            yield from self._finalise(watermark)

    def _end_of_input(self) -> int:
        """Return the end of the local day of the newest on-time row: an end mark closes up to there."""
        newest = max(self._open, default=None)
        if newest is None:
            newest = (self._next or 0) - self.base_seconds
        return self.panel.calendar.day_bounds(self.panel.calendar.day_of(newest))[1]

    def _values(self, pairs: dict[int, list[int]]) -> Integers:
        values = np.zeros((len(self._cells), 2), np.int64)
        for cell, pair in pairs.items():
            values[cell] = pair
        return values

    def _close_base(self, start: int, fold: PartialsFold) -> Iterator[AggregateRows]:
        pairs = self._open.pop(start, {})
        if self.panel.resolution == "day" and not pairs:
            return
        values = self._values(pairs)
        if len(self._open_day) < len(values):
            self._open_day = np.concatenate(
                [self._open_day, np.zeros((len(values) - len(self._open_day), 2), np.int64)]
            )
        self._open_day += values
        if self.panel.resolution == "hour":
            windows = self._hours.close(start // self.base_seconds, values)
            coverage = Coverage(partitions=round(fold.heard(start + self.base_seconds), 6))
            yield from self._first_rows("hour", start, values, windows, coverage)

    def _close_day(self, day: date, day_end: int, fold: PartialsFold) -> Iterator[AggregateRows | ClosedDay]:
        ordinal = day.toordinal()
        values = np.zeros((len(self._cells), 2), np.int64)
        values[: len(self._open_day)] = self._open_day
        self._open_day = np.zeros((0, 2), np.int64)
        first_day = self._days.closed == 0
        windows = self._days.close(ordinal, values)
        ended = [str(partition) for partition in range(fold.partitions) if fold.ended(partition)]
        coverage = self.coverage_meter.close(ordinal, partitions_heard=fold.heard(day_end), ended=ended)
        self._coverage[ordinal] = coverage
        self._coverage.pop(ordinal - self.horizon_seconds // DAY_SECONDS - 2, None)
        start, _ = self.panel.calendar.day_bounds(day)
        yield from self._first_rows("day", start, values, windows, coverage)
        totals = self._sums()
        born = np.array([self._births[at] < day_end for at in totals.order], dtype=bool)
        complete = self.panel.resolution == "day" or (
            not first_day and (fold.newest_event_seconds or 0) >= day_end - _COMPLETE_SLACK_SECONDS
        )
        yield ClosedDay(
            panel=self.panel.id,
            day=day,
            cells=tuple(cell for cell, is_born in zip(totals.cells, born, strict=True) if is_born),
            transactions=values[totals.order][born, 0],
            amount_minor=values[totals.order][born, 1],
            coverage=coverage,
            complete=complete,
        )

    def _sums(self) -> Totals:
        if len(self._totals.cells) != len(self._cells):
            self._totals = Totals(self.panel.id, self._cells)
        return self._totals

    def _born(self, until: int) -> Integers:
        """Return the positions of the series that exist before `until` (epoch seconds)."""
        totals = self._sums()
        return totals.concerned([cell for cell, birth in enumerate(self._births) if birth < until])

    def _first_rows(
        self, bucket: str, start: int, values: Integers, windows: dict[str, Integers], coverage: Coverage
    ) -> Iterator[AggregateRows]:
        """Give vintage 0 of a bucket for every series that exists by its end."""
        until = start + self.base_seconds if bucket == "hour" else self.panel.calendar.day_bounds(
            self.panel.calendar.day_of(start)
        )[1]
        rows = self._born(until)
        if len(rows):
            vintage = np.zeros(len(rows), np.int64)
            yield self._rows(bucket, start, rows, values, windows, vintage, coverage)

    def _rows(
        self,
        bucket: str,
        start: int,
        rows: Integers,
        values: Integers,
        windows: dict[str, Integers],
        vintage: Integers,
        coverage: Coverage,
    ) -> AggregateRows:
        totals = self._sums()
        stacked = totals.sum(np.stack([values, *windows.values()], axis=1))[rows]
        sums = {name: stacked[:, at + 1] for at, name in enumerate(windows)}
        change = np.full((len(rows), 2), np.nan)
        if bucket == "day" and "7d" in sums:
            change = self._year_on_year(start, rows, sums["7d"])
        return AggregateRows(
            panel=self.panel.id,
            bucket="hour" if bucket == "hour" else "day",
            start_seconds=start,
            start=self.panel.calendar.offset_iso(start),
            series=tuple(totals.series[at] for at in rows),
            vintage=vintage,
            transactions=stacked[:, 0, 0],
            amount_minor=stacked[:, 0, 1],
            windows=sums,
            year_on_year=change,
            coverage=coverage,
        )

    def _year_on_year(self, start: int, rows: Integers, week: Integers) -> Floats:
        ordinal = self.panel.calendar.day_of(start).toordinal() - YEAR_DAYS
        cells = len(self._cells)
        past = [self._days.latest(ordinal - back, cells) for back in range(7)]
        known = [values for values in past if values is not None]
        if len(known) < len(past):
            return np.full(week.shape, np.nan)
        base = self._sums().sum(np.sum(known, axis=0))[rows]
        change = np.full(week.shape, np.nan)
        np.divide(week, base, out=change, where=base > 0)
        return np.round(change - 1, 6)

    # --- later vintages

    def _revise(self) -> Iterator[AggregateRows]:
        """Publish what late rows have changed in closed buckets, with the values as known now."""
        cells = len(self._cells)
        base, closed = self.base_seconds, self._next or 0
        for index, touched in self._hours.revisions(closed // base):
            if self.panel.resolution == "hour":
                values = self._hours.latest(index, cells)
                if values is not None:
                    yield self._revised("hour", index, index * base, self._sums().concerned(touched), values, {})
        today = self.panel.calendar.day_of(closed).toordinal()
        for index, touched in self._days.revisions(today):
            values = self._days.latest(index, cells)
            if values is not None:
                windows = self._known_windows(index, cells)
                start = self.panel.calendar.day_bounds(date.fromordinal(index))[0]
                yield self._revised("day", index, start, self._sums().concerned(touched), values, windows)

    def _known_windows(self, index: int, cells: int) -> dict[str, Integers]:
        """Return the windows of a day as known now, where the panel is old enough to have them."""
        windows = {}
        for name, length in self._days.windows.items():
            parts = [self._days.latest(index - back, cells) for back in range(length)]
            known = [part for part in parts if part is not None]
            if len(known) == length:
                windows[name] = np.sum(known, axis=0)
        return windows

    def _finalise(self, watermark: int) -> Iterator[AggregateRows]:
        """Publish the last vintage of buckets for which nothing late can come any more."""
        cells = len(self._cells)
        before = min(watermark - self.horizon_seconds, self._next or 0)
        if watermark == AFTER_ALL // 1000:
            before = self._next or 0
        if self.panel.resolution == "hour":
            for index, windows, late in self._hours.finalise(before // self.base_seconds, cells):
                yield from self._last("hour", index, index * self.base_seconds, windows, late)
        for index, windows, late in self._days.finalise(self.panel.calendar.day_of(before).toordinal(), cells):
            start = self.panel.calendar.day_bounds(date.fromordinal(index))[0]
            yield from self._last("day", index, start, windows, late)

    def _last(
        self, bucket: str, index: int, start: int, windows: dict[str, Integers], late: dict[str, Integers]
    ) -> Iterator[AggregateRows]:
        track = self._hours if bucket == "hour" else self._days
        totals = self._sums()
        changed = totals.sum(np.stack(list(late.values()), axis=1)).any(axis=(1, 2))
        revised = np.array([track.has_vintages(index, (series.region, series.sector)) for series in totals.series])
        rows = np.flatnonzero(changed | revised)
        values = track.latest(index, len(self._cells))
        if len(rows) and values is not None:
            full = {name: sums for name, sums in windows.items() if track.covers(index, track.windows[name])}
            yield self._revised(bucket, index, start, rows, values, full)

    def _revised(
        self, bucket: str, index: int, start: int, rows: Integers, values: Integers, windows: dict[str, Integers]
    ) -> AggregateRows:
        track = self._hours if bucket == "hour" else self._days
        series = self._sums().series
        vintage = np.array([track.next_vintage(index, (series[at].region, series[at].sector)) for at in rows])
        coverage = self._coverage.get(self.panel.calendar.day_of(start).toordinal(), Coverage())
        return self._rows(bucket, start, rows, values, windows, vintage, coverage)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "cells": [list(cell) for cell in self._cells],
            "births": list(self._births),
            "open": [[bucket, [[c, *pair] for c, pair in cells.items()]] for bucket, cells in self._open.items()],
            "open_day": self._open_day,
            "next": self._next,
            "day_coverage": [[day, c.partitions, c.volume, list(c.silent)] for day, c in self._coverage.items()],
            "hours": self._hours.state(),
            "days": self._days.state(),
            "coverage": self.coverage_meter.state(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._cells = [CellKey(*cell) for cell in saved["cells"]]
        self._index = {cell: at for at, cell in enumerate(self._cells)}
        self._births = list(saved["births"])
        self._open = {bucket: {c: [n, a] for c, n, a in cells} for bucket, cells in saved["open"]}
        self._open_day, self._next = saved["open_day"], saved["next"]
        self._coverage = {day: Coverage(p, v, tuple(s)) for day, p, v, s in saved["day_coverage"]}
        self._hours.restore(saved["hours"])
        self._days.restore(saved["days"])
        self.coverage_meter.restore(saved["coverage"])
