"""Which regions and sectors a shock of the whole panel has hit hardest in the last week.

A part that falls further than the whole, or days after it, is told within the alert of the whole; it must not be
overlooked there.
"""

from collections.abc import Sequence
from math import log1p

from earlywarn.adapters.report.history import Key, PanelHistory, WeekDeviation
from earlywarn.adapters.report.wording import against_expected
from earlywarn.alerting.words import Names
from earlywarn.domain.alert import Alert

_SPENDING = 1
_HARDER = 1.5
"""How many times the whole's log change a part's must be."""
_HARDER_POINTS = 0.15
"""And by how much its share must differ from the whole's."""
_NAMED = 2


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
    regions: list[tuple[Key, str]] = [
        ((region, None), f"{names.region(region)}, all sectors") for region in history.regions
    ]
    sectors: list[tuple[Key, str]] = [
        ((None, sector), f"{names.sector(sector)}, all regions") for sector in history.sectors
    ]
    weeks = ((history.week(key, _SPENDING), name) for key, name in (*regions, *sectors))
    found = [
        (sign * _size(week), name, week) for week, name in weeks if week is not None and _is_harder(week, whole, sign)
    ]
    hardest = sorted(found, key=lambda each: (-each[0], each[1]))[:_NAMED]
    told = [f"{name} ({against_expected(week.share)})" for _, name, week in hardest]
    return f"{'Hit hardest' if sign < 0 else 'Risen most'} in the last week: {'; '.join(told)}." if told else ""


def _is_harder(week: WeekDeviation, whole: WeekDeviation, sign: float) -> bool:
    if week.is_too_little or week.is_nothing or week.is_usual:
        return False
    beyond = sign * (week.share - whole.share) >= _HARDER_POINTS
    return beyond and sign * _size(week) >= _HARDER * sign * _size(whole)


def _size(week: WeekDeviation) -> float:
    return log1p(max(week.share, -0.999))
