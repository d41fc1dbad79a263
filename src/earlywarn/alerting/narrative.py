"""An alert in words. Every figure is read from the alert itself, so text and figures cannot disagree."""

from datetime import date, timedelta
from typing import Protocol
from urllib.parse import unquote

from earlywarn.domain.alert import LOST, Alert
from earlywarn.domain.money import MINOR_UNITS
from earlywarn.domain.series import ALL

MEASURE_WORDS = {"transactions": "card payments", "amount": "card spending", "mean_ticket": "the mean card payment"}
_THIN = "\u202f"
_NEARLY_SURE = 0.99
_HALF_PCT = 50.0
_SHORT_RECORD_DAYS = 28


class Names(Protocol):
    """What codes are called."""

    def region(self, code: str) -> str:
        """Return the name of a region."""

    def sector(self, code: str) -> str:
        """Return the title of a sector."""

    def panel(self, panel: str) -> str:
        """Return the name of a panel."""

    def currency(self, panel: str) -> str:
        """Return the currency of a panel."""


def narrate(alert: Alert, names: Names) -> str:
    """Return what happened, how large, since when, against what, how unusual, and what the neighbours do."""
    if alert.kind == "coverage":
        return _coverage(alert, names)
    if alert.kind == "model":
        return _model(alert, names)
    if alert.status == "resolved":
        return " ".join(part for part in (_ending(alert, names), _day(alert, names)) if part)
    parts = [
        f"{subject(alert, names)}: {claim(alert)}.",
        _succession(alert),
        _day(alert, names),
        _certainty(alert),
        _unusual(alert),
        _neighbours(alert),
        _contributors(alert, names),
    ]
    return " ".join(part for part in parts if part)


def subject(alert: Alert, names: Names) -> str:
    """Return what the alert is about, in words."""
    region = None if alert.region is None else names.region(alert.region)
    sector = None if alert.sector is None else names.sector(alert.sector)
    if region is None and sector is None:
        return f"{names.panel(alert.panel)}, all regions and sectors"
    if region is None:
        return f"{sector}, all regions of {names.panel(alert.panel)}"
    return f"{region}, all sectors" if sector is None else f"{sector} in {region}"


def day(iso: str | None) -> str:
    """Return a date as people write it.

    >>> day("2020-02-03")
    '3 Feb 2020'
    """
    if iso is None:
        return "an unknown day"
    when = date.fromisoformat(iso)
    return f"{when.day} {when:%b %Y}"


def quantity(value: float, measure: str, currency: str) -> str:
    """Return a value of a measure with its unit, to a sensible number of digits."""
    if measure == "transactions":
        return _grouped(f"{value:,.0f}")
    major = value / 10 ** MINOR_UNITS[currency]
    digits = 2 if measure == "mean_ticket" else 0
    return f"{currency} {_grouped(f'{major:,.{digits}f}')}"


def _days(number: float) -> str:
    return f"{number:.0f} {'day' if number == 1 else 'days'}"


def _grouped(text: str) -> str:
    return text.replace(",", _THIN)


def _size(value: float) -> str:
    """Return the size of a change in per cent; one that is not nothing is not written as nothing.

    >>> _size(-12.4).split(_THIN), _size(0.3).split(_THIN)
    (['12', '%'], ['0.3', '%'])
    """
    digits = 0 if round(abs(value)) or not value else 1
    return f"{_grouped(f'{abs(value):,.{digits}f}')}{_THIN}%"


def percent(value: float) -> str:
    """Return a change in per cent with its sign; nothing has none.

    >>> percent(-12.4).split(_THIN), percent(-0.04).split(_THIN)
    (['\u221212', '%'], ['0', '%'])
    """
    value = round(value, 1)
    sign = "\u2212" if value < 0 else "+" if value > 0 else ""
    return f"{sign}{_size(value)}" if value else f"0{_THIN}%"


def claim(alert: Alert) -> str:
    """Return what changed, by how much and since when, without the subject."""
    effect = figure(alert, "effect")
    size = "by an unknown size" if effect is None else _size(effect)
    return f"{MEASURE_WORDS[alert.measure]} {alert.direction} {size} since {day(alert.opened_on)}"


def _ending(alert: Alert, names: Names) -> str:
    """Say of an alert that has ended how large it was, and whether its end is a return, a new level, or neither."""
    word, side = ("fall", "below") if alert.direction == "down" else ("rise", "above")
    what, opened = MEASURE_WORDS[alert.measure], day(alert.opened_on)
    effect, largest = figure(alert, "effect") or 0.0, figure(alert, "largest_effect") or 0.0
    most = f" ({_size(largest)} when it was largest)" if _size(largest) != _size(effect) else ""
    told_on = date.fromisoformat(alert.as_of) - timedelta(days=round(figure(alert, "days_since_effect") or 0.0))
    size = (
        f"By {day(told_on.isoformat())} it was {_size(effect)} {side} what was expected{most}; "
        f"the last alarm was on {day(alert.resolved_on)}."
    )
    opening = f"{subject(alert, names)}: the {word} of {what} that began on {opened}"
    last, days = figure(alert, "last_days_effect") or 0.0, figure(alert, "last_days") or 0.0
    since = f"The last {_days(days)} {'was' if days == 1 else 'were'} {_size(last)} {'below' if last < 0 else 'above'}"
    if alert.outcome == "accepted":
        level = figure(alert, "new_baseline")
        now = "" if level is None else f": {quantity(level, alert.measure, names.currency(alert.panel))} on such a day"
        return f"{opening} has become the new level. {size} {since}, which is now taken as usual{now}."
    low, high = figure(alert, "last_days_effect_lower") or 0.0, figure(alert, "last_days_effect_upper") or 0.0
    between = f"between {percent(low)} and {percent(high)}"
    unheard = figure(alert, "days_unheard")
    if unheard is not None:
        return (
            f"{opening} can no longer be told from chance. Nothing has been reported here for {_days(unheard)}, so "
            f"it is followed no further. {size} {since} before that."
        )
    if alert.outcome == "faded":
        return (
            f"{opening} can no longer be told from chance. {size} {since}, {between}: the level may have stayed and "
            "may have come back."
        )
    chance = f", {between}, which is within chance" if low <= 0 <= high else ""
    return f"{opening} is over. {size} {since}{chance}."


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
    return (
        f"{when}: {observed} against {expected} expected, {_size(change)} {word} expected "
        f"(usual range {lower} to {upper})."
    )


def _certainty(alert: Alert) -> str:
    low, high = figure(alert, "effect_lower"), figure(alert, "effect_upper")
    ends = [] if low is None or high is None else list(dict.fromkeys((percent(low), percent(high))))
    between = f", between {ends[0]} and {ends[1]}" if len(ends) > 1 else ""  # of a closure both are -100 %
    sure = "above 99" if alert.probability > _NEARLY_SURE else f"{100 * alert.probability:.0f}"
    return f"A true change with a probability of {sure}{_THIN}%{between}."


def _succession(alert: Alert) -> str:
    """Say of an alert that leads back from a level that had been taken as usual which one that was."""
    days = figure(alert, "days_since_level_began")
    if days is None:
        return ""
    word, back = ("rise", "down") if alert.direction == "down" else ("fall", "up")
    began = date.fromisoformat(alert.as_of) - timedelta(days=round(days))
    return f"It leads back {back} from the {word} that began on {day(began.isoformat())} and had become the new level."


def _unusual(alert: Alert) -> str:
    last, record = figure(alert, "days_since_as_extreme"), figure(alert, "days_on_record")
    direction = "fall" if alert.direction == "down" else "rise"
    if last is not None:
        return f"The last {direction} here that stood out as much was {_days(last)} before."
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
    told = [f"{_cell(item.series_id or '', names)} ({_size(item.value)})" for item in parts if round(item.value)]
    most = "Most of the change" if sum(item.value for item in parts) > _HALF_PCT else "Largest parts of the change"
    return f"{most}: {', '.join(told)}." if told else ""


def _cell(series_id: str, names: Names) -> str:
    _, region, sector = (unquote(part) for part in series_id.split("/"))
    return f"{names.sector(sector)} in {names.region(region)}" if ALL not in (region, sector) else series_id


def _coverage(alert: Alert, names: Names) -> str:
    """Say what was not reported, whether that holds economic alerts back, and how it ended."""
    lost = [item.name.removeprefix(LOST) for item in alert.evidence if item.name.startswith(LOST)]
    if lost:
        return _loss(alert, lost[0], names)
    if alert.region is not None:
        return _silent_region(alert, names)
    missing = figure(alert, "missing_volume") or 0.0
    silent, gone = _listed(alert, "silent: "), _listed(alert, "expected no more: ")
    text = f"{names.panel(alert.panel)}: {_unreported(alert, missing)}"
    if silent and not _is_all(missing):
        text += f" (silent: {', '.join(silent)})"
    if alert.status != "resolved":
        held = "This says nothing about spending; economic alerts are held back meanwhile."
        heard = "Economic alerts are not held back: enough is heard without it."
        forgotten = [f"From now on nothing is expected of {', '.join(gone)}, silent for so long."] if gone else []
        return " ".join([f"{text}.", held if figure(alert, "alerts_held_back") else heard, *forgotten])
    still = _listed(alert, "still silent: ")
    rest = f"; still silent: {', '.join(still)}" if still else ""
    if gone:
        return f"{text}. Nothing is expected any more of {', '.join(gone)}; economic alerts go by all others{rest}."
    if still:
        return f"{text}. Enough is reported again after {day(alert.resolved_on)}{rest}."
    return f"{text}. Reporting is complete again after {day(alert.resolved_on)}."


def _unreported(alert: Alert, missing: float) -> str:
    """Say what was not reported of the days that the alert is about: of its last one, and since its first."""
    days, empty = _missing_days(alert)
    if days == 1 and _is_all(missing):
        return f"{_nothing(alert)} was reported of {day(alert.as_of)}"
    if days == 1:
        return f"{_size(missing)} of the expected volume of {day(alert.as_of)} was not reported"
    if empty >= days:
        return f"nothing {_reported(alert)}"
    told = [f"nothing at all on {empty} of these days"] if empty else []
    told += [] if _is_all(missing) else [f"{_size(missing)} less than expected on the last of them"]
    told = told or ["next to nothing on the last of them"]
    return f"too little {_reported(alert)}, {' and '.join(told)}"


def _loss(alert: Alert, lost: str, names: Names) -> str:
    needed, begins = figure(alert, "needed") or 0.0, figure(alert, "log_begins") or 0.0
    return (
        f"{names.panel(alert.panel)}: nothing is counted any more of source {lost}. Retention removed transactions "
        f"before they were folded: offset {needed:.0f} is needed, the log begins at {begins:.0f}. What is published of "
        f"{day(alert.opened_on)} and later lacks them. This does not mend itself: go on in another run "
        "(docs/delivery.md, A lost partition)."
    )


def _silent_region(alert: Alert, names: Names) -> str:
    about, days, none = subject(alert, names), _missing_days(alert)[0], _nothing(alert)
    if alert.status == "resolved":
        when = f"was reported on {day(alert.resolved_on)}" if days == 1 else _reported(alert)
        return f"{about}: {none} {when}. It is heard again; its alerts are no longer held back."
    what = f"was reported of {day(alert.as_of)}" if days == 1 else _reported(alert)
    return (
        f"{about}: {none} {what}, in any sector. All of them at once, this is taken for missing data and not for a "
        "fall of spending, which it would hide; alerts of this region are held back meanwhile, all others are not, and "
        "totals are judged without it."
    )


def _nothing(alert: Alert) -> str:
    """Return whether nothing at all came on all the days, or next to nothing on some (below what counts as heard)."""
    days, empty = _missing_days(alert)
    return "nothing" if empty >= days else "next to nothing"


def _missing_days(alert: Alert) -> tuple[int, int]:
    """Return on how many days something was missing, and on how many of them all of it."""
    return round(figure(alert, "days_missing") or 1), round(figure(alert, "days_of_nothing") or 0)


def _reported(alert: Alert) -> str:
    """Return the days of a coverage alert of several, with the verb."""
    days = _days(_missing_days(alert)[0])
    if alert.status == "resolved":
        return f"was reported from {day(alert.opened_on)} to {day(alert.resolved_on)} ({days})"
    return f"has been reported since {day(alert.opened_on)} ({days}, to {day(alert.as_of)})"


def _listed(alert: Alert, kind: str) -> list[str]:
    return sorted(feed_name(item.name.removeprefix(kind)) for item in alert.evidence if item.name.startswith(kind))


def feed_name(name: str) -> str:
    """Return what a feed is called; what comes without a source's name is known by its partition.

    >>> feed_name("partition 0"), feed_name("acquirer A")
    ('input without a source name, partition 0', 'acquirer A')
    """
    return f"input without a source name, {name}" if name.startswith("partition ") else name


def _is_all(missing: float) -> bool:
    return round(missing, 1) >= 100  # per cent


def _model(alert: Alert, names: Names) -> str:
    share = figure(alert, "drifting_series") or 0.0
    text = f"{names.panel(alert.panel)}: the models of {share:.0f}{_THIN}% of the series have drifted lately"
    return f"{text}; they re-learn their levels, and scores are less certain until then."


def figure(alert: Alert, name: str) -> float | None:
    """Return the figure of that name behind an alert."""
    return next((item.value for item in alert.evidence if item.name == name), None)
