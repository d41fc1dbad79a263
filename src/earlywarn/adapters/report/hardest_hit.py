"""Which regions and sectors a reader of the first lines must not overlook: of the last week, by what was spent there.

Those that a shock of the whole panel has hit hardest: a part that falls further than the whole, or days after it, is
told within the alert of the whole. And the one that differs most from what was expected though no alert tells of it.
"""

from collections.abc import Sequence
from math import log1p

from earlywarn.adapters.report.history import Key, PanelHistory, WeekDeviation
from earlywarn.adapters.report.standing import Standing
from earlywarn.adapters.report.week_words import verdict
from earlywarn.adapters.report.wording import against_expected
from earlywarn.alerting.words import Names
from earlywarn.domain.alert import Alert

_SPENDING = 1
_HARDER = 1.5
"""How many times the whole's log change a part's must be."""
_HARDER_POINTS = 0.15
"""And by how much its share must differ from the whole's."""
_NAMED = 2
_MATTERS = 0.01
"""Share of the panel's spending by which a region or sector must differ for it to be named without an alert."""


def hardest_hit(history: PanelHistory, alerts: Sequence[Alert], names: Names) -> str:
    """Return the regions and sectors hit hardest by an open alert of the whole panel, as a sentence; else empty.

    Args:
        history: of the panel, the last days against what was expected before the open alerts.
        alerts: the open ones.
        names: what codes are called.
    """
    whole = history.week((None, None), _SPENDING)
    directions = [each.direction for each in alerts if each.kind == "economic" and each.region is each.sector is None]
    if not directions or whole is None or whole.is_too_little:
        return ""
    sign = -1.0 if directions[0] == "down" else 1.0
    weeks = _totals(history, names)
    found = [(sign * _size(week), name, week) for _, name, week in weeks if _is_harder(week, whole, sign)]
    hardest = sorted(found, key=lambda each: (-each[0], each[1]))[:_NAMED]
    told = [f"{name} ({against_expected(week.share)})" for _, name, week in hardest]
    return f"{'Hit hardest' if sign < 0 else 'Risen most'} in the last week: {'; '.join(told)}." if told else ""


def largest_without_alert(history: PanelHistory, standing: Standing, names: Names) -> str:
    """Return the region or sector outside of its usual range of which no alert tells, as a sentence; empty without one.

    Of several the one whose spending differs most, in money, if that is a hundredth of all spending or more.
    """
    whole = history.week((None, None), _SPENDING)
    if whole is None:
        return ""
    found = [
        (-abs(week.observed - week.expected), name, week)
        for key, name, week in _totals(history, names)
        if not (week.is_too_little or week.is_usual or standing.is_told(key, week.share))
    ]
    difference, name, week = min(found, key=lambda each: each[:2], default=(0.0, "", whole))
    if not name or -difference < _MATTERS * whole.expected:
        return ""
    return f"Largest change without an alert: {name}, {against_expected(week.share)}, {verdict(week)}."


def _totals(history: PanelHistory, names: Names) -> list[tuple[Key, str, WeekDeviation]]:
    """Return regions and sectors with their names and their weeks, where these are known."""
    regions = [((region, None), f"{names.region(region)}, all sectors") for region in history.regions]
    sectors = [((None, sector), f"{names.sector(sector)}, all regions") for sector in history.sectors]
    keys: list[tuple[Key, str]] = [*regions, *sectors]
    weeks = [(key, name, history.week(key, _SPENDING)) for key, name in keys]
    return [(key, name, week) for key, name, week in weeks if week is not None]


def _is_harder(week: WeekDeviation, whole: WeekDeviation, sign: float) -> bool:
    if week.is_too_little or week.is_nothing or week.is_usual:
        return False
    beyond = sign * (week.share - whole.share) >= _HARDER_POINTS
    return beyond and sign * _size(week) >= _HARDER * sign * _size(whole)


def _size(week: WeekDeviation) -> float:
    return log1p(max(week.share, -0.999))
