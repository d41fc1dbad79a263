"""The last seven days against the same a year before: no alert tells of a slow change, which the models follow."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.history import Key, PanelHistory
from earlywarn.adapters.report.last_changes import Change, LastChanges
from earlywarn.adapters.report.week_words import SMALL_BASE, in_short
from earlywarn.adapters.report.wording import short_day, signed
from earlywarn.aggregation.rolling import YEAR_DAYS
from earlywarn.aggregation.rows import Coverage
from earlywarn.alerting.words import LEAST_PAYMENTS, Names

ROWS = 60
"""So many regions and sectors have a row, the largest."""
KNOWN_FROM_DAYS = YEAR_DAYS + 7
"""Days of history from which on a change is known."""
_WEEK_DAYS = 7
_MEASURES = (1, 0)
"""Spending, payments: places in `PanelHistory`, which are those in `AggregateRows.year_on_year`."""


@dataclass(frozen=True, slots=True)
class YearRow:
    """A series: spending and payments, each against a year before and against expected; `note` is of the data."""

    name: str
    chart: int | None
    cells: tuple[str, str, str, str]
    note: str


@dataclass(frozen=True, slots=True)
class YearOnYear:
    """The table, its groups of rows by heading; `day` is the last one of its weeks, empty if nothing is known yet."""

    day: str
    groups: tuple[tuple[str, tuple[YearRow, ...]], ...]


def year_on_year(
    changes: LastChanges,
    history: PanelHistory,
    book: ChartBook,
    coverage: Iterable[tuple[date, Coverage]],
    least_share: float,
    names: Names,
) -> YearOnYear:
    """Return the table.

    Args:
        changes: of the panel.
        history: of the panel, for the change against expected.
        book: its charts, and its series by size.
        coverage: of the days.
        least_share: what must be heard of a series for its sums to be compared as they are.
        names: what codes are called.
    """
    if not changes.changes:
        return YearOnYear("", ())
    last = max(each.day for each in changes.changes.values())
    by_day = dict(coverage)

    def row(key: Key) -> YearRow:
        change = changes.changes.get(key)
        region, sector = key
        name = "All regions and sectors"
        if region is not None or sector is not None:
            name = names.region(region) if region is not None else names.sector(sector or "")
        cells: list[str] = []
        for measure in _MEASURES:
            week = history.week(key, measure)
            cells += [_in_short(change, measure), "\u2013" if week is None else in_short(week)]
        note = "" if change is None else _note(key, change, last, by_day, least_share)
        return YearRow(name, book.index.get(key), (cells[0], cells[1], cells[2], cells[3]), note)

    shown = (("Total", [(None, None)]), ("Regions", book.regions[:ROWS]), ("Sectors", book.sectors[:ROWS]))
    return YearOnYear(short_day(last), tuple((heading, tuple(map(row, of))) for heading, of in shown))


def _in_short(change: Change | None, measure: int) -> str:
    if change is None:
        return "not known yet"
    return SMALL_BASE if change.payments_before < LEAST_PAYMENTS else signed(change.shares[measure])


def _note(key: Key, change: Change, last: date, by_day: dict[date, Coverage], least_share: float) -> str:
    """Say which other days a row is about, and that its sums lack something in one of the two weeks."""
    notes = [] if change.day == last else [f"to {short_day(change.day)}"]
    for end, when in ((change.day, "in this week"), (change.day - timedelta(YEAR_DAYS), "a year before")):
        days = [by_day.get(end - timedelta(back)) for back in range(_WEEK_DAYS)]
        if any(day is not None and _heard(key, day) < least_share for day in days):
            notes.append(f"data missing {when}")
    return "; ".join(notes)


def _heard(key: Key, coverage: Coverage) -> float:
    totals = {(region, sector): share for region, sector, share in coverage.gap.totals}
    located = totals.get(key, 1.0) if totals else coverage.volume
    return min(coverage.partitions, located)
