"""An alert in words. Every figure is read from the alert itself, so text and figures cannot disagree."""

from datetime import date

from earlywarn.alerting.coverage_narrative import lacking, narrate_coverage
from earlywarn.alerting.event_figures import is_muted, narrate_events
from earlywarn.alerting.unread_narrative import narrate_unread
from earlywarn.alerting.words import (
    MEASURE_WORDS,
    THIN,
    TOO_LITTLE,
    Names,
    between,
    day,
    day_of,
    days_of,
    deviation,
    figure,
    is_too_little,
    joined,
    percent,
    place,
    quantity,
    size_pct,
    subject,
    times,
)
from earlywarn.domain.alert import GOES_ON, UNREAD, Alert

_NEARLY_SURE = 0.99
_HALF_PCT = 50.0
_SHORT_RECORD_DAYS = 28
_WHY_LEFT_OUT = (
    ("cells_unheard", "of which too little was reported"),
    ("cells_muted", "that a known event mutes"),
)


def narrate(alert: Alert, names: Names) -> str:
    """Return what happened, how large, since when, against what, how unusual, and what the neighbours do."""
    if alert.kind == "coverage":
        is_unread = figure(alert, UNREAD) is not None
        return narrate_unread(alert, names) if is_unread else narrate_coverage(alert, names)
    if alert.kind == "model":
        return _model(alert, names)
    if alert.status == "resolved":
        ending = (_ending(alert, names), _succession(alert), _day(alert, names), narrate_events(alert))
        return " ".join(part for part in ending if part)
    parts = [
        f"{subject(alert, names)}: {claim(alert)}.",
        _succession(alert),
        _day(alert, names),
        _certainty(alert),
        _unusual(alert),
        _neighbours(alert),
        _contributors(alert, names),
        lacking(alert),
        narrate_events(alert),
    ]
    return " ".join(part for part in parts if part)


def claim(alert: Alert) -> str:
    """Return what changed, by how much and since when, without the subject."""
    what, effect = MEASURE_WORDS[alert.measure], figure(alert, "effect")
    level_on = day_of(alert, "days_at_level")
    since = f"since {day(alert.opened_on if level_on is None else level_on.isoformat())}"
    if is_too_little(alert):
        return f"{what} {alert.direction} {since}, with {TOO_LITTLE}"
    if effect is not None and times(effect):
        return f"{what} at {deviation(effect, 'what was expected')} {since}"
    size = "by an unknown size" if effect is None else size_pct(effect)
    return f"{what} {alert.direction} {size} {since}"


def _ending(alert: Alert, names: Names) -> str:
    """Say of an alert that has ended how large it was, and whether its end is a return, a new level, or neither."""
    word, side = ("fall", "below") if alert.direction == "down" else ("rise", "above")
    what, opened = MEASURE_WORDS[alert.measure], day(alert.opened_on)
    effect, largest = figure(alert, "effect") or 0.0, figure(alert, "largest_effect") or 0.0
    told, most = (times(each) or size_pct(each) for each in (effect, largest))
    far = f"{told} what was expected" if times(effect) else f"{told} {side} what was expected"
    far += f" ({most} when it was largest)" if most != told else ""
    if is_too_little(alert):
        far = f"{side} what was expected, {TOO_LITTLE}"
    told_on = day_of(alert, "days_since_effect") or date.fromisoformat(alert.as_of)
    until = "it was last there on" if alert.outcome == "recovered" else "the last alarm was on"
    size = f"By {day(told_on.isoformat())} it was {far}; {until} {day(alert.resolved_on)}."
    opening = f"{subject(alert, names)}: the {word} of {what} that began on {opened}"
    last, days = figure(alert, "last_days_effect") or 0.0, figure(alert, "last_days") or 0.0
    since = f"The last {'day was' if days == 1 else f'{days_of(days)} were'} {lately(alert, last)}"
    if alert.outcome == "accepted":
        level = figure(alert, "new_baseline")
        now = "" if level is None else f": {quantity(level, alert.measure, names.currency(alert.panel))} on such a day"
        return f"{opening} has become the new level. {size} {since}, which is now taken as usual{now}."
    low, high = figure(alert, "last_days_effect_lower") or 0.0, figure(alert, "last_days_effect_upper") or 0.0
    chances = TOO_LITTLE if is_too_little(alert) else between(low, high)
    unheard = figure(alert, "days_unheard")
    if unheard is not None:
        heard = "judged" if is_muted(alert) else "reported"
        return (
            f"{opening} can no longer be told from chance. Nothing has been {heard} here for {days_of(unheard)}, so "
            f"it is followed no further. {size} {since} before that."
        )
    if alert.outcome == "faded":
        return (
            f"{opening} can no longer be told from chance. {size} {since}, {chances}: the level may have stayed and "
            "may have come back."
        )
    parts = [item for item in alert.evidence if item.name == GOES_ON and item.series_id is not None]
    if parts:
        there = ", and in ".join(
            f"{place(item.series_id or '', names)} ({lately(alert, item.value)})" for item in parts
        )
        return f"{opening} is over, but goes on in {there}. {size} {since}, with what goes on there."
    chance = f", {chances}, which is within chance" if low <= 0 <= high else ""
    return f"{opening} is over. {size} {since}{chance}."


def lately(alert: Alert, last: float) -> str:
    """Return how far off the days without alarm were (in per cent)."""
    side = "below" if last < 0 else "above"
    if is_too_little(alert):
        return side
    return deviation(last, "what was expected") if times(last) else f"{size_pct(last)} {side}"


def _day(alert: Alert, names: Names) -> str:
    """Say what the revision's day was against what was expected of it."""
    if alert.observed is None or alert.expected is None or alert.lower is None or alert.upper is None:
        return ""
    currency = names.currency(alert.panel)
    observed, expected, lower, upper = (
        quantity(value, alert.measure, currency) for value in (alert.observed, alert.expected, alert.lower, alert.upper)
    )
    change = alert.change_pct or 0.0
    word = "below" if change < 0 else "above"
    against = change * (-1 if alert.direction == "down" else 1) < 0 and alert.status != "resolved"
    when = f"{day(alert.as_of)} itself was {word}" if against else f"On {day(alert.as_of)}"
    far = (
        TOO_LITTLE if is_too_little(alert) else deviation(change, "what was expected" if times(change) else "expected")
    )
    return f"{when}: {observed} against {expected} expected, {far} (usual range {lower} to {upper}){_left_out(alert)}."


def _left_out(alert: Alert) -> str:
    """Say that the day's figures are without some cells of a total."""
    one, more = {"region": ("sector", "sectors"), "sector": ("region", "regions")}.get(
        alert.level, ("sector in a region", "sectors in regions")
    )
    told = [
        f"{count} {one if count == 1 else more} {why}"
        for name, why in _WHY_LEFT_OUT
        if (count := round(figure(alert, name) or 0))
    ]
    return f", without {joined(told)}" if told else ""


def _certainty(alert: Alert) -> str:
    low, high = figure(alert, "effect_lower"), figure(alert, "effect_upper")
    told = ""
    # Of a closure both ends are -100 %, but for what rounds to nothing.
    if low is not None and high is not None and round(low, 1) != round(high, 1) and not is_too_little(alert):
        told = f", {between(low, high)}"
    sure = "above 99" if alert.probability > _NEARLY_SURE else f"{100 * alert.probability:.0f}"
    return f"A true change with a probability of {sure}{THIN}%{told}."


def _succession(alert: Alert) -> str:
    """Say of an alert against what is usual by a level of the other direction which one that was.

    It need not lead back to where that came from: a rise may end anywhere.
    """
    began, usual = day_of(alert, "days_since_level_began"), day_of(alert, "days_since_usual")
    word, own = ("rise", "fall") if alert.direction == "down" else ("fall", "rise")
    told = []
    if figure(alert, "days_at_level") is not None and alert.status != "resolved":
        told.append(f"The {own} began on {day(alert.opened_on)}, and was of another size until then.")
    if began is not None:
        verb = "was" if alert.status == "resolved" else "is"
        level = f"the level of the {word} that began on {day(began.isoformat())}"
        told.append(f"What {verb} expected {verb} {level}, which had become usual.")
    elif usual is not None:
        told.append(f"What is expected is what was usual before {day(usual.isoformat())}, when an earlier shock began.")
    return " ".join(told)


def _unusual(alert: Alert) -> str:
    last, record, wider = (
        figure(alert, name) for name in ("days_since_as_extreme", "days_on_record", "days_since_wider_alert")
    )
    direction = "fall" if alert.direction == "down" else "rise"
    if last is not None:
        return f"The last {direction} here that stood out as much was {days_of(last)} before."
    if wider is not None:
        opened_days = (date.fromisoformat(alert.as_of) - date.fromisoformat(alert.opened_on)).days
        if wider - opened_days < _SHORT_RECORD_DAYS:
            return ""
        ended = f"an alert of a wider {direction} ended {days_of(wider)} before"
        return f"No {direction} here stood out as much since {ended}."
    if record is None or record < _SHORT_RECORD_DAYS:
        return ""
    return f"No {direction} here stood out as much in the {record:.0f} days on record before this one."


def _neighbours(alert: Alert) -> str:
    named = (
        ("same_sector_elsewhere", "the same sector elsewhere"),
        ("other_sectors_here", "other sectors here"),
        ("rest_of_panel", "the rest of the panel"),
    )
    told = [f"{words} {percent(value)}" for name, words in named if (value := figure(alert, name)) is not None]
    return f"That day: {', '.join(told)}." if told else ""


def _contributors(alert: Alert, names: Names) -> str:
    parts = [item for item in alert.evidence if item.name == "contribution" and item.series_id is not None]
    told = [f"{place(item.series_id or '', names)} ({size_pct(item.value)})" for item in parts if round(item.value)]
    most = "Most of the change" if sum(item.value for item in parts) > _HALF_PCT else "Largest parts of the change"
    return f"{most}: {', '.join(told)}." if told else ""


def _model(alert: Alert, names: Names) -> str:
    share = figure(alert, "drifting_series") or 0.0
    text = f"{names.panel(alert.panel)}: the models of {share:.0f}{THIN}% of the series have drifted lately"
    return f"{text}; they re-learn their levels, and scores are less certain until then."
