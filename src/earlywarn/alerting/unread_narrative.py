"""In words: what came and could not be read, where, and what that holds back."""

from earlywarn.alerting.coverage_narrative import held_back_in_part, is_all, places_of, told_places
from earlywarn.alerting.words import THIN, Names, day, days_of, figure, joined, place, size_pct
from earlywarn.domain.alert import AS_USUAL, NO_SECTOR_KNOWN, UNREAD, UNREAD_DAYS, UNREAD_PLACES, Alert

_WORST_NAMED = 2
_STANDS_OUT = 1.25
"""Of the panel's share: a place of which no more cannot be read is one of all."""


def narrate_unread(alert: Alert, names: Names) -> str:
    """Say how much came in records that could not be read, whether that is usual, and how it ended."""
    last = day(alert.resolved_on if alert.status == "resolved" else alert.as_of)
    text = f"{names.panel(alert.panel)}: {_what(alert, names, last)}."
    if alert.status == "resolved":
        return f"{text} After {last} no more than usual could not be read."
    return f"{text} {_meaning(alert)}"


def _what(alert: Alert, names: Names, last: str) -> str:
    """Return when, where and how much could not be read."""
    days, places = round(figure(alert, UNREAD_DAYS) or 1), figure(alert, UNREAD_PLACES)
    much, where = _how_much(alert), _where(alert, names)
    is_usual = figure(alert, AS_USUAL) is not None
    of_what = "what came" if is_usual else "the expected volume"
    until = "to" if alert.status == "resolved" else "and still on"
    if days == 1:
        came = "could not be read" if is_usual else "came in records that could not be read"
        return f"{much} of {of_what}{' on' if is_usual else ' of'} {last} {came}{where}"
    on_last = f"on the last of them {much} of {of_what}{where}"
    if places is None:
        return f"records could not be read from {day(alert.opened_on)} {until} {last} (on {days_of(days)}), {on_last}"
    return (
        f"single records could not be read from {day(alert.opened_on)} {until} {last} (on {days_of(days)}, in "
        f"{places:.0f} sectors of regions), {_most_often(alert, names)}{on_last}"
    )


def _how_much(alert: Alert) -> str:
    panel = figure(alert, UNREAD) or 0.0
    if is_all(panel):
        return "all"
    return size_pct(panel) if round(panel, 1) else f"less than 0.1{THIN}%"


def _where(alert: Alert, names: Names) -> str:
    """Name the places of which clearly more than of the panel could not be read."""
    panel = figure(alert, UNREAD) or 0.0
    where = told_places([each for each in places_of(alert, UNREAD) if each.value >= _STANDS_OUT * panel], names)
    return f": {where}" if where else ""


def _most_often(alert: Alert, names: Names) -> str:
    """Name the places that could not be read on most days, if there are any of several."""
    often = [each for each in places_of(alert, UNREAD_DAYS) if each.value > 1][:_WORST_NAMED]
    told = [f"{place(each.series_id or '', names)} ({days_of(each.value)})" for each in often]
    return f"most often {joined(told)}, " if told else ""


def _meaning(alert: Alert) -> str:
    """Return what of the figures can be judged."""
    usual, all_held_back = figure(alert, AS_USUAL), figure(alert, "alerts_held_back")
    if usual:
        return (
            "As far as is known that is usual, so a change is judged all the same, against what can usually be read; "
            "figures lack it, and their coverage says so."
        )
    if usual is not None:
        held = "economic alerts are held back" if all_held_back else "alerts about it are held back, all others are not"
        return f"Of what little can be read there nothing is made: {held}, until more can be."
    came = "It came, and is no fall of spending"
    if figure(alert, NO_SECTOR_KNOWN):
        came = (
            "Some of it came without a sector that is known, as much as is lacking here: that is no fall of spending, "
            "unless this fell on the day on which another sector was new"
        )
    if all_held_back:
        return f"{came}; economic alerts are held back meanwhile."
    return f"{came}; {held_back_in_part('read')}"
