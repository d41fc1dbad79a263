"""The state of a panel in plain words: what a reader must know first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.history_days import HistoryDays
from earlywarn.adapters.report.absence import Absence, without
from earlywarn.adapters.report.collector import AlertRecord
from earlywarn.adapters.report.episodes import Card
from earlywarn.adapters.report.hardest_hit import hardest_hit, largest_without_alert
from earlywarn.adapters.report.history import PanelHistory, WeekDeviation
from earlywarn.adapters.report.key_figures import NOTICES, by_grade, is_unjudged, unread
from earlywarn.adapters.report.levels import Level, Returns
from earlywarn.adapters.report.standing import Standing
from earlywarn.adapters.report.week_words import NOTHING, verdict
from earlywarn.adapters.report.wording import (
    against,
    counted,
    listed,
    long_day,
    money,
    percent,
)
from earlywarn.adapters.report.year_on_year import KNOWN_FROM_DAYS, Change
from earlywarn.alerting.words import TOO_LITTLE, Names, day, joined
from earlywarn.domain.alert import Alert, Direction

_WORDS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
_LEVELS_NAMED = 2
_LEARNT_DAYS = 28
"""For so long what is expected may still lie between two levels."""
_SHOCKS_NAMED = 2
_LEAST_SHARE = 0.001
"""Of all spending: levels of what is less are counted in the first lines, and not named."""
_TOGETHER = 2
_LARGE_PCT = 5
"""Of a change on a year before, from which on it is said that no alert tells of slow ones."""


@dataclass(frozen=True, slots=True)
class State:
    """The sentences about a panel: the last week, the alerts one by one, and what one must know of the data."""

    tone: str
    week: str
    alerts: tuple[str, ...]
    caveat: str


def state(
    name: str,
    history: PanelHistory,
    seen: HistoryDays,
    cards: Sequence[Card],
    alerts: Sequence[AlertRecord],
    absent: Sequence[Absence],
    standing: Standing,
    *,
    levels: Sequence[Level],
    returns: Returns,
    summary: Mapping[str, object],
    missing: Mapping[str, str],
    year: Change | None,
    names: Names,
    told_name: str,
    uncertain: str,
    currency: str,
    ready_days: int,
) -> State:
    """Return what a reader must know first. `tone` is calm, watch or alarm.

    `absent` are regions silent last week, `standing` says what alerts there are around a series, `levels` are the new
    levels that last, `returns` says which lead back, `missing` what was missing up to the end of the input, in words by
    open alert, `year` the change of the last week on a year before, `told_name` what texts of alerts call the panel,
    `uncertain` that the models know less of these days.
    """
    last = history.last_day
    open_cards = [card for card in cards if card.is_open]
    notices = [record.latest for record in alerts if record.is_open and record.latest.kind != "economic"]
    told_of_data = [each.replace(told_name, name, 1) for each in _of_notices(notices, missing, names)]
    caveats = [*filter(None, [unread(summary, last)]), *told_of_data]
    if seen.disorder and not seen.is_sparse:
        caveats.insert(0, f"{seen.disorder[0].upper()}{seen.disorder[1:]}.")
    caveat = " ".join(caveats)
    if last is None:
        return State("calm", f"No complete day of {name} has been judged yet.", ("No alert was raised.",), caveat)
    if is_unjudged(history, seen):
        return State("calm", f"{name}: {seen.what_is_sparse()}.", ("No alert can be raised.",), caveat)
    if not history.is_ready:
        learnt = f"The models are still learning what is usual in {name} ({counted(seen.closed, 'day')} seen)."
        if seen.closed >= ready_days and seen.is_hardly_learned:
            learnt = (
                f"What is usual in {name} is not known: on {seen.learned} of {counted(seen.closed, 'day')} enough was "
                "heard and could be read to be judged."
            )
            return State("watch", learnt, (f"Alerts are raised after about {ready_days} such days.",), caveat)
        from_day = f"Alerts are raised from about day {ready_days} on; none can be before."
        return State("calm", learnt, (from_day,), caveat)
    week = history.week((None, None), 1)
    lasting = any(card.is_lasting for card in cards)
    expected = _expected(levels, returns, last, names, week)
    is_severe = any(card.severity == "severe" and card.direction != "none" for card in open_cards)
    tone = "alarm" if is_severe else "watch" if open_cards or lasting or caveat else "calm"
    whole = " ".join(filter(None, (name, without(absent, len(history.regions)))))
    told = _week(whole, week, last, expected, currency)
    is_told = any(_is_of_the_year(record.latest, last) for record in alerts)
    against_year = _against_the_year(year, is_told=is_told)
    hardest = hardest_hit(history, [record.latest for record in alerts if record.is_open], names)
    unheld = largest_without_alert(history, standing, names)
    sentences = (against_year, *_alerts(open_cards, cards), hardest, unheld, uncertain)
    return State(tone, told, tuple(filter(None, sentences)), caveat)


def _week(name: str, week: WeekDeviation | None, last: date, expected: tuple[str, str], currency: str) -> str:
    when = f"In the week to {long_day(last)}"
    if week is None:
        return f"{when}, card spending in {name} could not be judged: too few days were heard."
    if week.is_nothing:
        return f"{when}, no card was used in {name}: {NOTHING}."
    if week.is_too_little:
        came, usual = (money(7 * value, currency) for value in (week.observed, week.expected))
        return f"{when}, card spending in {name} was {came} against {usual} expected: {TOO_LITTLE}."
    what, note = expected
    how = against(week.share, what) if round(100 * week.share) else "as expected"
    return f"{when}, card spending in {name} was {how}, {verdict(week)}{'' if week.is_usual else note}."


def _expected(
    levels: Sequence[Level], returns: Returns, last: date, names: Names, week: WeekDeviation | None
) -> tuple[str, str]:
    """Return what a week of the whole panel is held against, and what must be known of it where it is unusual."""
    if back := returns.level_of_all():
        return f"{back}, from which it is coming back", ""
    lately = last - timedelta(_LEARNT_DAYS)
    whole = [each.alert for each in levels if each.alert.region is each.alert.sector is None]
    taken = [date.fromisoformat(each.as_of) for each in whole]
    new = max((each for each in taken if each > lately), default=None)
    if new is None:
        direction: Direction = "up" if week is not None and week.share > 0 else "down"
        ways = returns.ways_back(names, direction)[:_TOGETHER]
        return "what was expected", f"; a part of that is the way back of {joined(ways)}" if ways else ""
    return "what was expected", f"; a new level was taken as usual only on {long_day(new)}"


def _is_of_the_year(alert: Alert, last: date) -> bool:
    """Return whether an alert of a total moved the last week or the one a year before, or may have."""
    if alert.kind != "economic" or (alert.region is not None and alert.sector is not None):
        return False
    return date.fromisoformat(alert.as_of) > last - timedelta(KNOWN_FROM_DAYS)


def _against_the_year(year: Change | None, *, is_told: bool) -> str:
    """Say how the last week stands against a year before, if that is known.

    Slow changes raise no alert, which explains nothing where an alert of a total tells of the change: `is_told`.
    """
    if year is None:
        return ""
    if year.shares is None:
        missing = f": missing in one of the two years are {year.left_out}" if year.left_out else ""
        return f"There is no comparison with a year before{missing}."
    if year.is_too_little:
        return ""
    is_slow = round(100 * abs(year.shares[1])) >= _LARGE_PCT and not is_told
    slow = "; slow changes raise no alert" if is_slow else ""
    return f"Spending was {against(year.shares[1], 'that of a year before')}{year.without}{slow}."


def _of_notices(notices: Sequence[Alert], missing: Mapping[str, str], names: Names) -> list[str]:
    """Return what notices of data and models say; those of several silent regions in one sentence."""
    silent = sorted(
        (each for each in notices if each.kind == "coverage" and each.region is not None),
        key=lambda each: each.opened_on,
    )
    if len(silent) < _TOGETHER:
        silent = []
    told = [f"{each.text} {missing.get(each.id, '')}".rstrip() for each in notices if each not in silent]
    if silent:
        whose = [f"{names.region(each.region or '')} (since {day(each.opened_on)})" for each in silent]
        told.append(
            f"Nothing has been reported of {listed(whose, 'region')}. That is taken for missing data and not for a "
            "fall; alerts of these regions are held back, and totals are judged without them."
        )
    return told


def _alerts(open_cards: Sequence[Card], cards: Sequence[Card]) -> list[str]:
    """Say what is open, what may go on, and what lasts: a few of each by name."""
    lasting = [card for card in cards if card.is_lasting]
    if not open_cards:
        told = "; ".join(["No alert is open", *_past(cards)]) + "."
    else:
        count, grades = len(open_cards), by_grade(open_cards)
        graded = ": " + ", ".join(grades)
        if len(grades) == 1:
            what = open_cards[0].severity
            if open_cards[0].direction == "none":
                what = NOTICES.get(open_cards[0].label, open_cards[0].label)
            graded = f", {'' if count == 1 else 'both ' if count == 2 else 'all '}{what}"
        spoken = _WORDS[count] if count < len(_WORDS) else str(count)
        shocks = [card for card in open_cards if card.claim]
        first = "; ".join(f"{card.title} ({card.claim})" for card in shocks[:_SHOCKS_NAMED])
        named = f". {'First' if len(shocks) > _SHOCKS_NAMED else 'Open'}: {first}" if first else ""
        if others := shocks[_SHOCKS_NAMED:]:
            places = dict.fromkeys(card.lane.replace("All regions", "all regions") for card in others)
            named += f"; then {len(others)} more, in {listed(list(places), 'region')}"
        told = f"{spoken} {'alert is' if count == 1 else 'alerts are'} open{graded}{named}."
    found = [told]
    stays = [f"{card.title} ({card.stays})" for card in cards if card.stays]
    if stays:
        found.append(f"No longer told from chance, and not back: {'; '.join(stays[:_LEVELS_NAMED])}{_more(stays)}.")
    if not lasting:
        return found
    large = [card for card in lasting if card.share is None or card.share >= _LEAST_SHARE][:_LEVELS_NAMED]
    named = "; ".join(f"{card.title} ({card.change})" for card in large)
    unnamed = len(lasting) - len(large)
    more = f" and {unnamed} more" if large and unnamed else ""
    if not large:
        named = f"less than {percent(_LEAST_SHARE)} of all spending"
    lasts = "1 shock lasts as a new level" if len(lasting) == 1 else f"{len(lasting)} shocks last as new levels"
    return [*found, f"{lasts}, now taken as usual: {named}{more}."]


def _more(told: Sequence[str]) -> str:
    """Return how many of some are not named."""
    return f" and {len(told) - _LEVELS_NAMED} more" if len(told) > _LEVELS_NAMED else ""


def _past(cards: Sequence[Card]) -> list[str]:
    """Say how many earlier alerts ended, apart from those whose level lasts."""
    past = [card for card in cards if not card.is_open and not card.is_lasting]
    faded = sum(card.is_faded for card in past)
    over = len(past) - faded
    told = [f"{counted(over, 'earlier alert')} {'is' if over == 1 else 'are'} over"] if over else []
    if faded:
        told.append(f"{faded if over else counted(faded, 'earlier alert')} can no longer be told from chance")
    return told
