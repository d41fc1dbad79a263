"""The state of a panel in plain words, and its key figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from earlywarn.adapters.history_days import HistoryDays
from earlywarn.adapters.report.absence import Absence, without
from earlywarn.adapters.report.collector import AlertRecord, PanelRecord
from earlywarn.adapters.report.episodes import Card
from earlywarn.adapters.report.following import Level
from earlywarn.adapters.report.history import PanelHistory, WeekDeviation
from earlywarn.adapters.report.last_changes import Change
from earlywarn.adapters.report.new_level import NewLevel, carried_by, new_level
from earlywarn.adapters.report.week_words import NOTHING, for_a_key_figure, verdict
from earlywarn.adapters.report.wording import (
    against,
    against_expected,
    change_against,
    compact,
    counted,
    long_day,
    money,
    percent,
)
from earlywarn.alerting.words import LEAST_PAYMENTS, TOO_LITTLE, Names
from earlywarn.domain.alert import SEVERITIES

_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_LEVELS_NAMED = 3
_SHOCKS_NAMED = 2
_LARGE_PCT = 5
"""Of a change on a year before, from which on it is said that no alert tells of slow ones."""
_NOTICES = {"Missing data": "of missing data", "Model notice": "of the models"}


@dataclass(frozen=True, slots=True)
class State:
    """The sentence about a panel: the last week, the alerts, and what one must know of the data."""

    tone: str
    week: str
    alerts: str
    caveat: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One key figure with a line that puts it in its place."""

    label: str
    value: str
    note: str


def state(
    name: str,
    history: PanelHistory,
    seen: HistoryDays,
    cards: Sequence[Card],
    alerts: Sequence[AlertRecord],
    absent: Sequence[Absence],
    levels: Sequence[Level],
    *,
    missing: Mapping[str, str],
    year: Change | None,
    names: Names,
    currency: str,
    ready_days: int,
) -> State:
    """Return what a reader must know first. `tone` is calm, watch or alarm.

    `absent` are regions silent last week, `levels` the new levels that last, `missing` what was missing up to the end
    of the input, in words by open alert, `year` the change of the last week on a year before.
    """
    last = history.last_day
    standing = [card for card in cards if card.is_open]
    notices = [record.latest for record in alerts if record.is_open and record.latest.kind != "economic"]
    caveats = [f"{notice.text} {missing.get(notice.id, '')}".rstrip() for notice in notices]
    if seen.disorder and not seen.is_sparse:
        caveats.insert(0, f"{seen.disorder[0].upper()}{seen.disorder[1:]}.")
    caveat = " ".join(caveats)
    if last is None:
        return State("calm", f"No complete day of {name} has been judged yet.", "No alert was raised.", caveat)
    if is_unjudged(history, seen):
        return State("calm", f"{name}: {seen.what_is_sparse()}.", "No alert can be raised.", caveat)
    if not history.is_ready:
        learnt = f"The models are still learning what is usual in {name} ({counted(seen.closed, 'day')} seen)."
        return State("calm", learnt, f"Alerts are raised from about day {ready_days} on; none can be before.", caveat)
    week = history.week((None, None), 1)
    lasting = any(card.is_lasting for card in cards)
    is_severe = any(card.severity == "severe" and card.direction != "none" for card in standing)
    tone = "alarm" if is_severe else "watch" if standing or lasting or caveat else "calm"
    shocking = [record.latest for record in alerts if record.is_open and record.latest.kind == "economic"]
    level = new_level(history, shocking, levels)
    whole = " ".join(filter(None, (name, without(absent, len(history.regions)))))
    told = _week(whole, week, last, level, names, currency)
    return State(tone, told, " ".join(filter(None, (_against_the_year(year, last), _alerts(standing, cards)))), caveat)


def is_unjudged(history: PanelHistory, seen: HistoryDays) -> bool:
    """Return whether a history is of weeks or months: nothing of its days can be judged, nor will it ever be."""
    return seen.is_sparse and not history.is_ready


def key_figures(
    history: PanelHistory,
    record: PanelRecord,
    cards: Sequence[Card],
    currency: str,
    absent: Sequence[Absence],
    summary: Mapping[str, object],
) -> list[Figure]:
    """Return the strip of figures: period, transactions, amount, alerts, rejected, coverage; `absent` as of `state`."""
    transactions = sum(count for count, _ in record.totals.values())
    amount = sum(minor for _, minor in record.totals.values())
    days = sorted(start[:10] for start in record.totals)
    week = history.week((None, None), 1)
    counts = history.week((None, None), 0)
    standing, lasting = sum(card.is_open for card in cards), sum(card.is_lasting for card in cards)
    stand = f"{standing} open{f', {lasting} lasting' if lasting else ''}"
    lacking = without(absent, len(history.regions))
    parts = f", {lacking}" if lacking else ""
    change = record.changes.changes.get((None, None))
    unjudged = is_unjudged(history, record.seen)
    shares = () if unjudged or change is None or change.payments_before < LEAST_PAYMENTS else change.shares
    years = [f"; {change_against(share, 'a year before')}" for share in shares] or ["", ""]
    none = "no shock found" if history.is_ready else f"none can be raised{'' if unjudged else ' yet'}"
    figures = [
        Figure("Transactions", compact(transactions), for_a_key_figure(counts) + years[0] + parts),
        Figure("Amount", money(amount, currency), for_a_key_figure(week) + years[1] + parts),
        Figure("Alerts", f"{len(cards)}", f"{stand}; {', '.join(_by_grade(cards))}" if cards else none),
    ]
    if days:
        first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
        heard = counted(len(days), "day")
        if record.seen.is_sparse:
            heard = f"values on {record.seen.heard} of {record.seen.closed} days"
        period = Figure("Period", f"{first:%b %Y} \u2013 {last:%b %Y}", f"{heard}, to {long_day(last)}")
        figures.insert(0, period)
    return [*figures, _rejected(summary), _coverage(record)]


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


def _week(
    name: str, week: WeekDeviation | None, last: date, level: NewLevel | None, names: Names, currency: str
) -> str:
    when = f"In the week to {long_day(last)}"
    if week is None:
        return f"{when}, card spending in {name} could not be judged: too few days were heard."
    if week.is_nothing:
        return f"{when}, no card was used in {name}: {NOTHING}."
    if week.is_too_little:
        came, expected = (money(7 * value, currency) for value in (week.observed, week.expected))
        return f"{when}, card spending in {name} was {came} against {expected} expected: {TOO_LITTLE}."
    how = f"{against_expected(week.share)}{_at_new_level(week, level, names)}"
    return f"{when}, card spending in {name} was {how}, {verdict(week)}."


def _against_the_year(year: Change | None, last: date) -> str:
    """Say how the last week stands against a year before, if that is known: slow changes raise no alert."""
    if year is None or year.day != last or year.payments_before < LEAST_PAYMENTS:
        return ""
    slow = "; slow changes raise no alert" if round(100 * abs(year.shares[1])) >= _LARGE_PCT else ""
    return f"Spending was {against(year.shares[1], 'that of a year before')}{slow}."


def _at_new_level(week: WeekDeviation, level: NewLevel | None, names: Names) -> str:
    """Say that what is expected is a new level, how far the week is from the one before, and what brought it about."""
    if level is None:
        return ""
    in_all = "in all " if round(100 * week.share) else ""
    before = f"{in_all}{against(level.share, 'the level')} before {long_day(level.since)}"
    return f" at the new level ({before}{carried_by(level.carried_by, names)})"


def _by_grade(cards: Sequence[Card]) -> list[str]:
    """Return how many alerts of shocks there are of each severity, and how many notices of each kind."""
    grades = Counter(card.severity for card in cards if card.direction != "none")
    notices = Counter(card.label for card in cards if card.direction == "none")
    told = [f"{grades[grade]} {grade}" for grade in reversed(SEVERITIES) if grades[grade]]
    return told + [f"{count} {_NOTICES.get(label, label)}" for label, count in sorted(notices.items())]


def _alerts(standing: Sequence[Card], cards: Sequence[Card]) -> str:
    lasting = [card for card in cards if card.is_lasting]
    if not standing:
        told = "; ".join(["No alert is open", *_past(cards)]) + "."
    else:
        count, told_by_grade = len(standing), _by_grade(standing)
        by_grade = ": " + ", ".join(told_by_grade)
        if len(told_by_grade) == 1:
            what = f"of {standing[0].severity} severity"
            if standing[0].direction == "none":
                what = _NOTICES.get(standing[0].label, standing[0].label)
            by_grade = f", {'' if count == 1 else 'both ' if count == 2 else 'all '}{what}"
        spoken = _WORDS[count] if count < len(_WORDS) else str(count)
        shocks = [card for card in standing if card.claim]
        first = "; ".join(f"{card.title} ({card.claim})" for card in shocks[:_SHOCKS_NAMED])
        named = f". {'First' if len(shocks) > _SHOCKS_NAMED else 'Open'}: {first}" if first else ""
        told = f"{spoken} {'alert is' if count == 1 else 'alerts are'} open{by_grade}{named}."
    if not lasting:
        return told
    named = "; ".join(f"{card.title} ({card.change})" for card in lasting[:_LEVELS_NAMED])
    more = f" and {len(lasting) - _LEVELS_NAMED} more" if len(lasting) > _LEVELS_NAMED else ""
    lasts = "1 shock lasts as a new level" if len(lasting) == 1 else f"{len(lasting)} shocks last as new levels"
    return f"{told} {lasts}, now taken as usual: {named}{more}."


def _past(cards: Sequence[Card]) -> list[str]:
    """Say how many earlier alerts ended, apart from those whose level lasts."""
    past = [card for card in cards if not card.is_open and not card.is_lasting]
    faded = sum(card.is_faded for card in past)
    over = len(past) - faded
    told = [f"{counted(over, 'earlier alert')} {'is' if over == 1 else 'are'} over"] if over else []
    if faded:
        told.append(f"{faded if over else counted(faded, 'earlier alert')} can no longer be told from chance")
    return told


def _rejected(summary: Mapping[str, object]) -> Figure:
    found = rejects(summary)
    rejected, records = sum(found.values()), number(summary, "records")
    if not rejected:
        return Figure("Rejected", "none", f"of {counted(int(records), 'record')}" if records else "")
    share = f"{percent(rejected / records)} of {counted(int(records), 'record')}" if records else ""
    return Figure("Rejected", compact(rejected), share)


def _coverage(record: PanelRecord) -> Figure:
    shares = [(coverage.share, day) for day, coverage in record.coverage]
    if not shares:
        return Figure("Coverage", "unknown", "")
    mean = sum(share for share, _ in shares) / len(shares)
    seen, (least, day) = record.seen, min(shares)
    if seen.is_sparse:
        return Figure("Coverage", percent(seen.heard / seen.closed), f"values on {seen.heard} of {seen.closed} days")
    if least < 1:
        note = f"least: {percent(least)} on {long_day(day)}"
    elif seen.heard < seen.closed:
        note = f"all that was expected; no value on {counted(seen.closed - seen.heard, 'day')}"
    else:
        note = "every day complete"
    return Figure("Coverage", percent(mean), note)
