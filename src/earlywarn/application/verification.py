"""Comparing what a run has published with the plain count of its transactions, exactly.

Totals (regions, sectors, the panel) are summed here from the counted cells, so they are verified as cells are.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec

from earlywarn.aggregation.caps import TOTAL_CAP, base_cap
from earlywarn.aggregation.cells import CellLimit
from earlywarn.application.compose import Run
from earlywarn.application.recount import Bucket, Counted, Recount
from earlywarn.domain.panel import Panel
from earlywarn.domain.reject import RejectReason
from earlywarn.domain.series import CellKey, Resolution, Series

DIFFERENCES_LISTED = 20
_STARTS_CACHED = 65_536
_NOTHING = (0, 0)


class PublishedRow(msgspec.Struct, frozen=True, gc=False):
    """What is compared of a row of `aggregates`; `start` is RFC 3339 with offset."""

    series_id: str
    panel: str
    bucket: Resolution
    start: str
    vintage: int
    transactions: int
    amount_minor: int


class Difference(msgspec.Struct, frozen=True, order=True):
    """Where count and publication differ; the pairs are (transactions, amount in minor units), None for no row.

    Of dead letters `series_id` is 'dead letters', `bucket` the reason, and the pairs have one number.
    """

    start: str
    bucket: str
    series_id: str
    counted: tuple[int, ...]
    published: tuple[int, ...] | None
    note: str = ""

    def __str__(self) -> str:
        published = "no row" if self.published is None else _in_words(self.published)
        note = f" ({self.note})" if self.note else ""
        where = " ".join(part for part in (self.series_id, self.bucket, self.start) if part)
        return f"{where}: counted {_in_words(self.counted)}, published {published}{note}"


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome.

    messages, accepted, rejected: what stands in the log: messages, accepted records in them, rejected ones.
    transactions: for how many the accepted records stand.
    compared: series and buckets that were compared.
    still_open: counted, but their bucket has not closed yet. revised_later: closed, with late records that come into
    the next vintage, at the next close of a day. capped: published as far as sums go, which is not counted here.
    cut_off: begun before what retention has left of the log.
    behind: complete in the log, and not published, or rejected behind its end without a dead letter: the workers have
    not come so far.
    found: number of differences; `differences` are the first of them, by time.
    remarks: what could not be compared, and why.
    """

    run: str
    messages: int
    accepted: int
    rejected: int
    transactions: int
    compared: int
    still_open: int
    revised_later: int
    capped: int
    cut_off: int
    behind: int
    found: int
    differences: list[Difference]
    remarks: list[str]

    @property
    def equal(self) -> bool:
        """Return whether all that had to be published is, and equals the count; of nothing that is true as well."""
        return not self.found and not self.behind


class _Latest(NamedTuple):
    """The newest vintage of a row."""

    vintage: int
    sums: tuple[int, int]


_Place = tuple[str, str, int]
"""Series, kind of bucket, start in epoch seconds."""


class Publication:
    """The newest vintage of every row of `aggregates`; the rows of a partition are added in their order."""

    def __init__(self) -> None:
        self.rows: dict[_Place, _Latest] = {}
        self.texts: dict[int, str] = {}
        self.repeated: list[Difference] = []
        self.repeats = 0
        self.last_start: dict[tuple[str, str], int] = {}

    def add(self, row: PublishedRow) -> None:
        """Take a row in. One that stands there twice in the same vintage is a difference of its own."""
        start = _seconds(row.start)
        place = (row.series_id, row.bucket, start)
        sums = (row.transactions, row.amount_minor)
        known = self.rows.get(place)
        if known is None or row.vintage > known.vintage:
            self.rows[place] = _Latest(row.vintage, sums)
        elif row.vintage == known.vintage:
            self.repeats += 1
            if len(self.repeated) < DIFFERENCES_LISTED:
                note = f"vintage {row.vintage} is published twice"
                self.repeated.append(Difference(row.start, row.bucket, row.series_id, known.sums, sums, note))
        if row.vintage == 0 and start >= self.last_start.get((row.panel, row.bucket), start):
            self.last_start[row.panel, row.bucket] = start

    def last_ends(self, panel: Panel) -> Iterator[int]:
        """Yield when the last published day of a panel ends, and each hour published behind it (epoch seconds)."""
        calendar, step = panel.calendar, panel.calendar.base_bucket_seconds
        day, hour = (self.last_start.get((panel.id, kind)) for kind in ("day", "hour"))
        if day is not None:
            yield calendar.day_bounds(calendar.day_of(day))[1]
        if hour is not None:
            open_day = calendar.day_bounds(calendar.day_of(hour))
            # The last hour of a day can be published a moment before its day.
            begin = open_day[1] if day is not None and day >= open_day[0] else open_day[0]
            yield from range(begin + step, hour + step + 1, step)


def verify(  # the outcome is one table, filled from top to bottom
    run: Run,
    recount: Recount,
    publication: Publication,
    letters: Mapping[str, int] | None,
    *,
    partitions: int,
    whole_from: float = float("-inf"),
) -> Verification:
    """Compare; what is not closed yet, or not whole in the log, is left out and counted.

    Args:
        run: as its workers have it.
        recount: of the log up to an end that is not before that of `publication`.
        publication: of all rows.
        letters: dead letters by reason, each key once; None if they cannot be compared.
        partitions: P.
        whole_from: buckets that start at this epoch second or later are whole in the log.
    """
    comparison = _Comparison(run, recount, publication, partitions, whole_from)
    for bucket, counted in with_totals(as_told_apart(run, recount.buckets, publication)):
        comparison.take(bucket, counted)
    comparison.rest()
    if letters is not None:
        comparison.letters(letters)
    differences = sorted(comparison.differences + publication.repeated)
    return Verification(
        run=run.settings.run,
        messages=recount.records,
        accepted=recount.accepted,
        rejected=recount.rejected.total(),
        transactions=sum(each.transactions for bucket, each in recount.buckets.items() if bucket.kind == "day"),
        compared=comparison.outcomes["compared"],
        still_open=comparison.outcomes["open"],
        revised_later=comparison.outcomes["revised later"],
        capped=comparison.outcomes["capped"],
        cut_off=comparison.outcomes["cut off"],
        behind=comparison.outcomes["behind"],
        found=len(comparison.differences) + publication.repeats,
        differences=differences[:DIFFERENCES_LISTED],
        remarks=[],
    )


def as_told_apart(run: Run, cells: Mapping[Bucket, Counted], publication: Publication) -> Mapping[Bucket, Counted]:
    """Return the cells as the run tells them apart: beyond `coverage.cells_limit` they are published together.

    Which ones those are depends on the order of the partials: those that stand nowhere in the publication.
    """
    limits = {each.panel.id: CellLimit(each.panel, run.settings.coverage.cells_limit) for each in run.panels}
    published = {series for series, _, _ in publication.rows}
    found: dict[Bucket, Counted] = {}
    for bucket, counted in cells.items():
        told = limits[bucket.panel].together(CellKey(bucket.region, bucket.sector))
        together = Series(bucket.panel, *told).series_id
        own = Series(bucket.panel, bucket.region, bucket.sector).series_id
        if own in published or together not in published:
            found[bucket] = counted
            continue
        total = found.setdefault(bucket._replace(region=told.region, sector=told.sector), Counted())
        total.take(counted, base_cap(run.settings.fold.base_bucket_seconds))
    return found


def with_totals(cells: Mapping[Bucket, Counted]) -> Iterator[tuple[tuple[Series, str, int], Counted]]:
    """Yield every cell's bucket, then every total's, by series, kind and start."""
    totals: dict[tuple[Series, str, int], Counted] = {}
    for bucket, counted in cells.items():
        yield (Series(bucket.panel, bucket.region, bucket.sector), bucket.kind, bucket.start), counted
        for region, sector in ((bucket.region, None), (None, bucket.sector), (None, None)):
            key = (Series(bucket.panel, region, sector), bucket.kind, bucket.start)
            total = totals.get(key)
            if total is None:
                total = totals[key] = Counted()
            total.take(counted, TOTAL_CAP)
    yield from totals.items()


class _Comparison:
    """Takes one bucket after the other, and says what becomes of it."""

    def __init__(
        self, run: Run, recount: Recount, publication: Publication, partitions: int, whole_from: float
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self.differences: list[Difference] = []
        self._panels: dict[str, Panel] = {each.panel.id: each.panel for each in run.panels}
        self._lateness_ms = run.settings.fold.lateness_seconds * 1000
        self._base_seconds = run.settings.fold.base_bucket_seconds
        self._recount = recount
        self._publication = publication
        self._whole_from = whole_from
        self._watermark = recount.watermark_seconds(partitions)
        self._seen: set[_Place] = set()

    def take(self, key: tuple[Series, str, int], counted: Counted) -> None:
        """Compare a bucket, if it is closed and whole."""
        series, kind, start = key
        panel = self._panels[series.panel]
        place = (series.series_id, kind, start)
        row = self._publication.rows.get(place)
        self._seen.add(place)
        outcome = self._outcome(panel, kind, start, counted, row)
        sums = (counted.transactions, counted.amount_minor)
        differs = sums != (row.sums if row else _NOTHING)
        if outcome == "compared" and differs and counted.waits:
            outcome = "behind"  # the log has ended, and no close of a day is waited for any more
        self.outcomes[outcome] += 1
        if outcome == "compared" and differs:
            text = panel.calendar.offset_iso(start)
            self.differences.append(Difference(text, kind, place[0], sums, row.sums if row else None))

    def _outcome(self, panel: Panel, kind: str, start: int, counted: Counted, row: _Latest | None) -> str:
        if start < self._whole_from:
            return "cut off"
        ended = self._watermark == float("inf")
        if not ended and self._was_late_since(panel, counted):
            return "revised later"
        if row is None and start > self._publication.last_start.get((panel.id, kind), -1):
            complete = self._watermark is not None and self._end(panel, kind, start) <= self._watermark
            return "behind" if complete else "open"
        if not ended and counted.waits:
            return "revised later"
        return "capped" if counted.is_capped else "compared"

    def _end(self, panel: Panel, kind: str, start: int) -> int:
        return (
            panel.calendar.day_bounds(panel.calendar.day_of(start))[1] if kind == "day" else start + self._base_seconds
        )

    def _was_late_since(self, panel: Panel, counted: Counted) -> bool:
        """Return whether late records may have come since a day was last closed, which is when they are published.

        One that was late behind M was folded while the watermark was at most M - lateness: a day was closed since
        then if its end lies beyond.
        """
        if counted.late_behind_ms is None:
            return False
        last_day = self._publication.last_start.get((panel.id, "day"))
        closed_ms = 0 if last_day is None else self._end(panel, "day", last_day) * 1000
        return counted.late_behind_ms - self._lateness_ms >= closed_ms

    def rest(self) -> None:
        """Take what is published and was not counted at all: it must be zero."""
        for place, row in self._publication.rows.items():
            if place in self._seen or place[2] < self._whole_from:
                continue
            self.outcomes["compared"] += 1
            if row.sums != _NOTHING:
                panel = self._panels.get(place[0].partition("/")[0])
                text = panel.calendar.offset_iso(place[2]) if panel else str(place[2])
                self.differences.append(Difference(text, place[1], place[0], _NOTHING, row.sums))

    def letters(self, letters: Mapping[str, int]) -> None:
        """Compare the rejected with the dead letters, by reason."""
        by_the_past = {RejectReason.TOO_LATE.value, RejectReason.DUPLICATE.value}
        skipped = set() if self._whole_from == float("-inf") else by_the_past
        for reason in sorted((self._recount.rejected.keys() | letters.keys()) - skipped):
            counted, found = self._recount.rejected[reason], letters.get(reason, 0)
            if 0 < counted - found <= self._recount.rejected_behind_end[reason]:
                self.outcomes["behind"] += counted - found
            elif counted != found:
                self.differences.append(Difference("", reason, "dead letters", (counted,), (found,)))


def _in_words(sums: tuple[int, ...]) -> str:
    return f"{sums[0]:,}" if len(sums) == 1 else f"{sums[0]:,} transactions of {sums[1]:,} minor units"


@lru_cache(_STARTS_CACHED)
def _seconds(start: str) -> int:
    return int(datetime.fromisoformat(start).timestamp())
