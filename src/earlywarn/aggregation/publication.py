"""What a panel publishes of its buckets: first vintages, prompt revisions, last vintages."""

from collections.abc import Iterator
from datetime import date

import numpy as np

from earlywarn.aggregation.caps import LONGEST_WINDOW_DAYS, TOTAL_CAP, base_cap, day_cap
from earlywarn.aggregation.cells import CellIndex
from earlywarn.aggregation.coverage_state import plain, restored
from earlywarn.aggregation.rolling import YEAR_DAYS, BucketTrack, Revision
from earlywarn.aggregation.rows import AggregateRows, CellShares, Coverage, Floats, Integers
from earlywarn.domain.panel import Panel
from earlywarn.domain.series import Resolution, Series
from earlywarn.domain.state import State

DAY_SECONDS = 86_400
REACH_DAYS = 92
"""How far behind the settled days a row still counts: a partition may have been idle for a quarter of a year. It
costs memory: everything within reach is kept, and the longest window before it."""
_WEEK_DAYS = 7
_WHOLE: tuple[Coverage, CellShares] = (Coverage(), ())
_SLACK_DAYS = 2  # days and hours are settled up to a day apart, and days have 23 to 25 hours


class Publication:
    """The tracks of a panel's base buckets and local days, and the rows made of them.

    Attributes:
        capped: how many values were published as their cap (`caps`), each revision anew.
        first_capped: the series and the bucket (epoch seconds) of the first of them.
    """

    def __init__(self, panel: Panel, cells: CellIndex, *, revision_horizon_days: int) -> None:
        self.panel = panel
        self.cells = cells
        self.base_seconds = panel.calendar.base_bucket_seconds
        self._horizon_days = revision_horizon_days
        per_day = DAY_SECONDS // self.base_seconds
        hours = {
            "1h": 3600 // self.base_seconds,
            "24h": per_day,
            "7d": 7 * per_day,
            "28d": LONGEST_WINDOW_DAYS * per_day,
        }
        reach = max(REACH_DAYS, revision_horizon_days) + _SLACK_DAYS
        self.hours = BucketTrack(hours, kept=(reach + LONGEST_WINDOW_DAYS) * per_day, cap=base_cap(self.base_seconds))
        self.days = BucketTrack(
            {"7d": _WEEK_DAYS, "28d": LONGEST_WINDOW_DAYS},
            kept=reach + YEAR_DAYS + _WEEK_DAYS,
            cap=day_cap(),
            compared=(YEAR_DAYS, _WEEK_DAYS),
        )
        self._reach_days = reach - _SLACK_DAYS
        self.capped = 0
        self.first_capped: tuple[str, int] | None = None
        self._coverage: dict[Resolution, dict[int, tuple[Coverage, CellShares]]] = {"hour": {}, "day": {}}

    @property
    def hourly(self) -> bool:
        """Return whether base buckets are published."""
        return self.panel.resolution == "hour"

    # --- vintage 0

    def close_hour(
        self, start: int, values: Integers, coverage: Coverage, shares: CellShares
    ) -> Iterator[AggregateRows]:
        """Close a base bucket with its on-time values (cells x 2) and what was heard of the cells; give its rows."""
        until = start + self.base_seconds
        index = start // self.base_seconds
        windows = self.hours.close(index, values, begun=self.cells.begun(until))
        yield from self._first("hour", index, until, values, windows, (coverage, shares))

    def close_day(self, day: date, values: Integers, coverage: Coverage, shares: CellShares) -> Iterator[AggregateRows]:
        """Close a local day, likewise."""
        _, until = self.panel.calendar.day_bounds(day)
        index = day.toordinal()
        windows = self.days.close(index, values, begun=self.cells.begun(until))
        yield from self._first("day", index, until, values, windows, (coverage, shares))

    def _first(
        self,
        bucket: Resolution,
        index: int,
        until: int,
        values: Integers,
        windows: dict[str, Integers],
        coverage: tuple[Coverage, CellShares],
    ) -> Iterator[AggregateRows]:
        if coverage != _WHOLE:
            self._coverage[bucket][index] = coverage
        rows = self.cells.born(until)
        if len(rows):
            vintage = np.zeros(len(rows), np.int64)
            yield self._rows(bucket, index, rows, values=values, windows=windows, vintage=vintage)

    # --- later vintages

    def reaches(self, bucket: int) -> bool:
        """Return whether late rows of a base bucket (epoch seconds) can still be published."""
        oldest = self.days.first if self.days.settled is None else self.days.settled
        return oldest is None or self._ordinal(bucket) >= oldest - self._reach_days

    def revise(self, bucket: int, cell: int, transactions: int, amount_minor: int) -> None:
        """Add late rows to a base bucket (epoch seconds) and its day."""
        self.cells.appear_late(cell, bucket)
        if self.hourly:
            self.hours.revise(bucket // self.base_seconds, cell, transactions, amount_minor)
        self.days.revise(self._ordinal(bucket), cell, transactions, amount_minor)

    def earliest_late(self) -> int | None:
        """Return the start (epoch seconds) of the oldest day with a late row that is remembered."""
        day = self.days.earliest_late()
        return None if day is None else self.panel.calendar.day_bounds(date.fromordinal(day))[0]

    def revisions(self, closed_until: int) -> Iterator[AggregateRows]:
        """Give what late rows have changed in buckets closed before `closed_until`, with what is known now."""
        cells = len(self.cells)
        for revision in self.hours.revisions(closed_until // self.base_seconds, cells):
            yield self._revised("hour", revision)
        for revision in self.days.revisions(self._ordinal(closed_until), cells):
            yield self._revised("day", revision)

    def last(self, before: int) -> Iterator[AggregateRows]:
        """Give the last vintages of buckets that end by `before` (epoch seconds), where they differ from vintage 0."""
        cells = len(self.cells)
        if self.hourly:
            for revision in self.hours.settle(before // self.base_seconds, cells, self._unborn("hour")):
                yield self._revised("hour", revision)
            self._forget_coverage("hour")
        for revision in self.days.settle(self._ordinal(before), cells, self._unborn("day")):
            yield self._revised("day", revision)
        self._forget_coverage("day")

    def _unborn(self, bucket: Resolution) -> dict[int, list[int]]:
        """Return the cells to be filled in each unsettled bucket between their first, late row and their birth.

        A birth beyond the revision horizon may not be known yet, so it fills nothing.
        """
        found: dict[int, list[int]] = {}
        settled = self._track(bucket).settled
        for cell, first, birth in self.cells.unborn_with_rows():
            start = max(first, birth - self._horizon_days * DAY_SECONDS)
            low, high = (self._index(bucket, at) for at in (start, birth))
            for index in range(low if settled is None else max(low, settled), high):
                found.setdefault(index, []).append(cell)
        return found

    def _revised(self, bucket: Resolution, revision: Revision) -> AggregateRows:
        track = self._track(bucket)
        start, until = self._bounds(bucket, revision.bucket)
        touched = [self.cells.concerned(*each, until) for each in track.revised(revision.bucket)]
        rows = np.flatnonzero(touched[-1])
        for cell in np.flatnonzero((np.abs(revision.values) >= track.cap).any(axis=1)):
            if cell in revision.changed:
                self.note_capped(Series(self.panel.id, *self.cells.keys()[cell]).series_id, start)
        vintage: Integers = np.stack(touched).sum(axis=0, dtype=np.int64)[rows]
        return self._rows(
            bucket, revision.bucket, rows, values=revision.values, windows=revision.windows, vintage=vintage
        )

    def _track(self, bucket: Resolution) -> BucketTrack:
        return self.hours if bucket == "hour" else self.days

    def _index(self, bucket: Resolution, seconds: int) -> int:
        return self._ordinal(seconds) if bucket == "day" else seconds // self.base_seconds

    def _ordinal(self, seconds: int) -> int:
        return self.panel.calendar.day_of(seconds).toordinal()

    def _bounds(self, bucket: Resolution, index: int) -> tuple[int, int]:
        if bucket == "day":
            return self.panel.calendar.day_bounds(date.fromordinal(index))
        return index * self.base_seconds, (index + 1) * self.base_seconds

    def _forget_coverage(self, bucket: Resolution) -> None:
        track = self._track(bucket)
        if track.settled is not None:
            kept = self._coverage[bucket]
            for index in [index for index in kept if index < track.settled - track.kept]:
                del kept[index]

    # --- rows

    def _rows(
        self,
        bucket: Resolution,
        index: int,
        rows: Integers,
        *,
        values: Integers,
        windows: dict[str, Integers],
        vintage: Integers,
    ) -> AggregateRows:
        start, _ = self._bounds(bucket, index)
        totals = self.cells.totals()
        stacked = totals.sum(np.stack([values, *windows.values()], axis=1))[rows]
        sums = {name: stacked[:, at + 1] for at, name in enumerate(windows)}
        self._note_totals(stacked, rows, start)
        change = np.full((len(rows), 2), np.nan)
        if bucket == "day":
            change = self._year_on_year(index, rows)
        coverage, shares = self._coverage[bucket].get(index, _WHOLE)
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
            volume_heard=totals.heard(coverage, shares)[rows],
        )

    def note_capped(self, series_id: str, start: int) -> None:
        """Note that the value of a series in a bucket (epoch seconds) is published as its cap."""
        self.capped += 1
        self.first_capped = self.first_capped or (series_id, start)

    def _note_totals(self, sums: Integers, rows: Integers, start: int) -> None:
        """Note the series (n) of which a value or window (n x windows x 2) is a capped total."""
        if np.abs(sums).max(initial=0) >= TOTAL_CAP:
            for at in rows[(np.abs(sums) >= TOTAL_CAP).any(axis=(1, 2))]:
                self.note_capped(self.cells.totals().series[at].series_id, start)

    def _year_on_year(self, index: int, rows: Integers) -> Floats:
        """Return the change of the week to a day against the one a year before, both of the same vintage.

        Until the day is settled both are what was on time, also beside a prompt revision: what is still to come of this
        year's week is all there of the other, so any other base would show a fall.
        """
        change = np.full((len(rows), 2), np.nan)
        if not self.days.full(index - YEAR_DAYS, _WEEK_DAYS):
            return change
        values, cells = self.days.latest if self.days.is_settled(index) else self.days.on_time, len(self.cells)
        week, base = (
            self.cells.totals().sum(values(end - _WEEK_DAYS, end, cells).sum(axis=0))[rows]
            for end in (index + 1, index + 1 - YEAR_DAYS)
        )
        np.divide(week, base, out=change, where=base > 0)
        return np.round(change - 1, 6)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "hours": self.hours.state(),
            "days": self.days.state(),
            "capped": [self.capped, self.first_capped],
            "coverage": {
                bucket: [[at, *plain(coverage), list(shares)] for at, (coverage, shares) in kept.items()]
                for bucket, kept in self._coverage.items()
            },
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self.hours.restore(saved["hours"])
        self.days.restore(saved["days"])
        self.capped, first = saved["capped"]
        self.first_capped = None if first is None else (first[0], first[1])
        for bucket, kept in self._coverage.items():
            kept.clear()
            kept.update({at: (restored(*each), tuple(shares)) for at, *each, shares in saved["coverage"][bucket]})
