"""What a panel publishes of its buckets: first vintages, prompt revisions, last vintages."""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np

from earlywarn.aggregation.cells import CellIndex
from earlywarn.aggregation.rolling import YEAR_DAYS, BucketTrack
from earlywarn.aggregation.rows import AggregateRows, Coverage, Floats, Integers
from earlywarn.domain.panel import Panel
from earlywarn.domain.series import Resolution
from earlywarn.domain.state import State

DAY_SECONDS = 86_400


class Publication:
    """The tracks of a panel's base buckets and local days, and the rows made of them."""

    def __init__(self, panel: Panel, cells: CellIndex, *, revision_horizon_days: int) -> None:
        self.panel = panel
        self.cells = cells
        self.base_seconds = panel.calendar.base_bucket_seconds
        self._horizon_days = revision_horizon_days
        per_day = DAY_SECONDS // self.base_seconds
        hours = {"1h": 3600 // self.base_seconds, "24h": per_day, "7d": 7 * per_day, "28d": 28 * per_day}
        self.hours = BucketTrack(hours, kept=(revision_horizon_days + 30) * per_day)
        self.days = BucketTrack({"7d": 7, "28d": 28}, kept=YEAR_DAYS + revision_horizon_days + 36)
        self._coverage: dict[int, Coverage] = {}

    # --- vintage 0

    def close_hour(self, start: int, values: Integers, coverage: Coverage) -> Iterator[AggregateRows]:
        """Close a base bucket with its on-time values (cells x 2) and give its rows."""
        windows = self.hours.close(start // self.base_seconds, values)
        yield from self._first("hour", start, start + self.base_seconds, values, windows, coverage)

    def close_day(self, day: date, values: Integers, coverage: Coverage) -> Iterator[AggregateRows]:
        """Close a local day with its on-time values and give its rows."""
        ordinal = day.toordinal()
        windows = self.days.close(ordinal, values)
        self._coverage[ordinal] = coverage
        self._coverage.pop(ordinal - self._horizon_days - 2, None)
        start, end = self.panel.calendar.day_bounds(day)
        yield from self._first("day", start, end, values, windows, coverage)

    def _first(
        self,
        bucket: Resolution,
        start: int,
        until: int,
        values: Integers,
        windows: dict[str, Integers],
        coverage: Coverage,
    ) -> Iterator[AggregateRows]:
        rows = self.cells.born(until)
        if len(rows):
            vintage = np.zeros(len(rows), np.int64)
            yield self._rows(bucket, start, rows, values=values, windows=windows, vintage=vintage, coverage=coverage)

    # --- later vintages

    def revise(self, bucket: int, cell: int, transactions: int, amount_minor: int) -> None:
        """Add late rows to a base bucket (epoch seconds) and its day."""
        day = self.panel.calendar.day_of(bucket).toordinal()
        self.hours.revise(bucket // self.base_seconds, cell, transactions, amount_minor)
        self.days.revise(day, cell, transactions, amount_minor)

    def revisions(self, closed_until: int) -> Iterator[AggregateRows]:
        """Give what late rows have changed in buckets closed before `closed_until`, with the values as known now."""
        cells, base = len(self.cells), self.base_seconds
        for index, touched in self.hours.revisions(closed_until // base):
            values = self.hours.latest(index, cells)
            if self.panel.resolution == "hour" and values is not None:
                yield self._revised("hour", index, self._concerned(touched), values, {})
        for index, touched in self.days.revisions(self.panel.calendar.day_of(closed_until).toordinal()):
            values = self.days.latest(index, cells)
            if values is not None:
                yield self._revised("day", index, self._concerned(touched), values, self._known_windows(index, cells))

    def _concerned(self, cells: Sequence[int]) -> Integers:
        return self.cells.totals().concerned(cells)

    def _known_windows(self, index: int, cells: int) -> dict[str, Integers]:
        """Return the windows of a day as known now, where the panel is old enough to have them."""
        windows = {}
        for name, length in self.days.windows.items():
            known = [part for back in range(length) if (part := self.days.latest(index - back, cells)) is not None]
            if len(known) == length:
                windows[name] = np.sum(known, axis=0)
        return windows

    def last(self, before: int) -> Iterator[AggregateRows]:
        """Give the last vintages of buckets that end by `before` (epoch seconds), where they differ from vintage 0."""
        cells = len(self.cells)
        if self.panel.resolution == "hour":
            for index, windows, late in self.hours.finalise(before // self.base_seconds, cells):
                yield from self._last("hour", index, windows, late)
        for index, windows, late in self.days.finalise(self.panel.calendar.day_of(before).toordinal(), cells):
            yield from self._last("day", index, windows, late)

    def _last(
        self, bucket: Resolution, index: int, windows: dict[str, Integers], late: dict[str, Integers]
    ) -> Iterator[AggregateRows]:
        track = self._track(bucket)
        totals = self.cells.totals()
        changed = totals.sum(np.stack(list(late.values()), axis=1)).any(axis=(1, 2))
        revised = track.revised(index)
        if revised:
            changed |= np.array([(series.region, series.sector) in revised for series in totals.series])
        rows = np.flatnonzero(changed)
        values = track.latest(index, len(self.cells))
        if len(rows) and values is not None:
            full = {name: sums for name, sums in windows.items() if track.covers(index, track.windows[name])}
            yield self._revised(bucket, index, rows, values, full)

    def _revised(
        self, bucket: Resolution, index: int, rows: Integers, values: Integers, windows: dict[str, Integers]
    ) -> AggregateRows:
        if bucket == "hour":
            start = index * self.base_seconds
        else:
            start, _ = self.panel.calendar.day_bounds(date.fromordinal(index))
        series = self.cells.totals().series
        track = self._track(bucket)
        vintage = np.array([track.next_vintage(index, (series[at].region, series[at].sector)) for at in rows])
        coverage = self._coverage.get(self.panel.calendar.day_of(start).toordinal(), Coverage())
        return self._rows(bucket, start, rows, values=values, windows=windows, vintage=vintage, coverage=coverage)

    def _track(self, bucket: Resolution) -> BucketTrack:
        return self.hours if bucket == "hour" else self.days

    # --- rows

    def _rows(
        self,
        bucket: Resolution,
        start: int,
        rows: Integers,
        *,
        values: Integers,
        windows: dict[str, Integers],
        vintage: Integers,
        coverage: Coverage,
    ) -> AggregateRows:
        totals = self.cells.totals()
        stacked = totals.sum(np.stack([values, *windows.values()], axis=1))[rows]
        sums = {name: stacked[:, at + 1] for at, name in enumerate(windows)}
        change = np.full((len(rows), 2), np.nan)
        if bucket == "day" and "7d" in sums:
            change = self._year_on_year(start, rows, sums["7d"])
        return AggregateRows(
            panel=self.panel.id,
            bucket=bucket,
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
        change = np.full(week.shape, np.nan)
        if not self.days.covers(ordinal, 7):
            return change
        known = [part for back in range(7) if (part := self.days.latest(ordinal - back, len(self.cells))) is not None]
        base = self.cells.totals().sum(np.sum(known, axis=0))[rows]
        np.divide(week, base, out=change, where=base > 0)
        return np.round(change - 1, 6)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "hours": self.hours.state(),
            "days": self.days.state(),
            "coverage": [[day, c.partitions, c.volume, list(c.silent)] for day, c in self._coverage.items()],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self.hours.restore(saved["hours"])
        self.days.restore(saved["days"])
        self._coverage = {day: Coverage(p, v, tuple(s)) for day, p, v, s in saved["coverage"]}
