"""The strip of key figures of a panel."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.history_days import HistoryDays
from earlywarn.adapters.report.absence import Absence, without
from earlywarn.adapters.report.collector import PanelRecord
from earlywarn.adapters.report.episodes import Card
from earlywarn.adapters.report.history import WEEK_DAYS, PanelHistory
from earlywarn.adapters.report.week_words import for_a_key_figure
from earlywarn.adapters.report.wording import compact, counted, grouped, long_day, money, percent
from earlywarn.adapters.report.year_on_year import Change
from earlywarn.adapters.run_warnings import REJECTED_SHARE, lacking
from earlywarn.domain.alert import SEVERITIES

NOTICES = {"Missing data": "of missing data", "Model notice": "of the models"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure with a line that puts it in its place."""

    label: str
    value: str
    note: str


def key_figures(
    history: PanelHistory,
    record: PanelRecord,
    cards: Sequence[Card],
    currency: str,
    absent: Sequence[Absence],
    summary: Mapping[str, object],
    *,
    year: Change | None,
    than: str,
) -> list[Figure]:
    """Return the strip of figures, from the period to the coverage; `absent` and `year` as of `state`.

    `than` is what the last week is held against.
    """
    transactions = sum(count for count, _ in record.totals.values())
    amount = sum(minor for _, minor in record.totals.values())
    days = sorted(start[:10] for start in record.totals)
    week = history.week((None, None), 1)
    counts = history.week((None, None), 0)
    standing, lasting = sum(card.is_open for card in cards), sum(card.is_lasting for card in cards)
    stand = f"{standing} open{f', {lasting} lasting' if lasting else ''}"
    of_all = "in all " if standing + lasting < len(cards) else ""
    silent = without(absent, len(history.regions))
    parts = f", {silent}" if silent else ""
    unjudged = is_unjudged(history, record.seen)
    years = ["" if unjudged or year is None else year.in_short(measure) for measure in (0, 1)]
    if parts and all(told.endswith(parts) for told in years):
        parts = ""  # said once, of both
    none = "no shock found" if history.is_ready else f"none can be raised{'' if unjudged else ' yet'}"
    figures = [
        Figure("Transactions", compact(transactions), for_a_key_figure(counts, than) + parts + years[0]),
        Figure("Amount", money(amount, currency), for_a_key_figure(week, than) + parts + years[1]),
        Figure("Alerts", f"{len(cards)}", f"{stand}; {of_all}{', '.join(by_grade(cards))}" if cards else none),
    ]
    if days:
        first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
        heard = counted(len(days), "day")
        if record.seen.is_sparse:
            heard = f"values on {record.seen.heard} of {record.seen.closed} days"
        period = Figure("Period", f"{first:%b %Y} \u2013 {last:%b %Y}", f"{heard}, to {long_day(last)}")
        figures.insert(0, period)
    return [*figures, _rejected(summary), _coverage(record, history.last_day, is_cut=bool(unread(summary, None)))]


def number(summary: Mapping[str, object], name: str) -> float:
    """Return a number of the summary, 0 where there is none."""
    value = summary.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def rejects(summary: Mapping[str, object]) -> dict[str, int]:
    """Return the rejected records by reason, most frequent first."""
    found = summary.get("rejected")
    if not isinstance(found, Mapping):
        return {}
    counts = {str(reason): int(count) for reason, count in found.items() if isinstance(count, int)}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def by_grade(cards: Sequence[Card]) -> list[str]:
    """Return how many alerts of shocks there are of each severity, and how many notices of each kind."""
    grades = Counter(card.severity for card in cards if card.direction != "none")
    notices = Counter(card.label for card in cards if card.direction == "none")
    told = [f"{grades[grade]} {grade}" for grade in reversed(SEVERITIES) if grades[grade]]
    return told + [f"{count} {NOTICES.get(label, label)}" for label, count in sorted(notices.items())]


def is_unjudged(history: PanelHistory, seen: HistoryDays) -> bool:
    """Return whether a history is of weeks or months: nothing of its days can be judged, nor will it ever be."""
    return seen.is_sparse and not history.is_ready


def unread(summary: Mapping[str, object], last: date | None) -> str:
    """Say that days after the last one may be missing, where so many records were rejected; empty if that is few."""
    found, records = rejects(summary), number(summary, "records")
    rejected, lacked = sum(found.values()), sum(lacking(found).values())
    if not records or lacked <= REJECTED_SHARE * records:
        return ""
    after = "" if last is None else f"; days after {long_day(last)} may be missing"
    what = f"{grouped(rejected)} of {counted(int(records), 'record')} were rejected ({percent(rejected / records)})"
    which = "them" if lacked == rejected else f"{grouped(lacked)} of them (the others are copies)"
    return f"{what}: figures lack {which}{after}."


def _rejected(summary: Mapping[str, object]) -> Figure:
    found = rejects(summary)
    rejected, records = sum(found.values()), number(summary, "records")
    if not rejected:
        return Figure("Rejected", "none", f"of {counted(int(records), 'record')}" if records else "")
    share = f"{percent(rejected / records)} of {counted(int(records), 'record')}" if records else ""
    return Figure("Rejected", compact(rejected), share)


def _coverage(record: PanelRecord, last: date | None, *, is_cut: bool) -> Figure:
    """Return the coverage of the week shown; `is_cut` says that records were rejected, of days that nobody knows."""
    shares = [(coverage.share, day) for day, coverage in record.coverage]
    if not shares:
        return Figure("Coverage", "unknown", "")
    shown = [share for share, day in shares if last is None or timedelta() <= last - day < timedelta(WEEK_DAYS)]
    mean = sum(shown) / len(shown) if shown else 0.0
    seen, (least, day) = record.seen, min(shares)
    if seen.is_sparse:
        return Figure("Coverage", percent(seen.heard / seen.closed), f"values on {seen.heard} of {seen.closed} days")
    if least < 1:
        note = f"last week; least: {percent(least)} on {long_day(day)}"
    elif is_cut:
        note = "last week, of what could be read"
    elif seen.heard < seen.closed:
        note = f"all that was expected; no value on {counted(seen.closed - seen.heard, 'day')}"
    else:
        note = "every day complete"
    return Figure("Coverage", percent(mean), note)
