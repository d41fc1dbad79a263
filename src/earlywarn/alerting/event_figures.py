"""Which known events an alert has to do with: figures added to it, and the sentences that are read from them.

An event counts for an alert if it is of a cell of the alert's node on a day since `_DAYS_BEFORE` days before its first
one. What is muted was not judged, so that an alert of a total is one of the rest, and one that opens right behind an
event may be what is left of it: that is for people to decide, who are told.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from earlywarn.alerting.words import days_of, joined
from earlywarn.domain.alert import MUTED, WIDENED, Alert, Evidence
from earlywarn.domain.known_event import KnownEvent, KnownEvents
from earlywarn.domain.series import Series, holds

_DAYS_BEFORE = 7
_MOST_EVENTS = 3
"""So many events are named of each effect, those that went on last."""
_PREFIXES = {"mute": MUTED, "widen": WIDENED}
_UNHEARD, _CELLS_MUTED = "cells_unheard", "cells_muted"


def told_events(alert: Alert, events: KnownEvents, cells: Sequence[tuple[str, str]]) -> Alert:
    """Return an alert with the known events that it has to do with, and cells that these mute apart from the unheard.

    Args:
        alert: the revision of a day.
        events: of its panel.
        cells: of the panel on that day, region and sector.
    """
    if not events or alert.kind != "economic":
        return alert
    inside = [cell for cell in cells if holds((alert.region, alert.sector), cell)]
    day, opened_on = date.fromisoformat(alert.as_of), date.fromisoformat(alert.opened_on)
    figures: list[Evidence] = []
    since = opened_on - timedelta(days=_DAYS_BEFORE)
    lately = sorted(events.between(since, day), key=lambda each: (each.last_day, each.first_day), reverse=True)
    for effect, prefix in _PREFIXES.items():
        of_effect = (each for each in lately if each.effect == effect)
        of_alert = [each for each in of_effect if any(events.touches(each, *cell) for cell in inside)]
        figures += [_figure(each, prefix, since, day, alert.panel) for each in of_alert[:_MOST_EVENTS]]
    if not figures:
        return alert
    muting = [each for each in events.on(day) if each.effect == "mute"]
    muted = sum(any(events.touches(each, *cell) for each in muting) for cell in inside)
    return msgspec.structs.replace(alert, evidence=(*_counted(alert.evidence, muted), *figures))


def _figure(event: KnownEvent, prefix: str, since: date, day: date, panel: str) -> Evidence:
    days = (min(event.last_day, day) - max(event.first_day, since)).days + 1
    place = Series(panel, event.region, event.sector).series_id
    return Evidence(name=prefix + event.name, value=float(days), unit="days", series_id=place)


def _counted(evidence: tuple[Evidence, ...], muted: int) -> list[Evidence]:
    """Return evidence in which cells that are muted do not count as unheard."""
    counted: list[Evidence] = []
    for item in evidence:
        if item.name != _UNHEARD:
            counted.append(item)
            continue
        unheard = item.value - min(muted, item.value)
        counted += [msgspec.structs.replace(item, value=unheard)] if unheard else []
        counted += [msgspec.structs.replace(item, name=_CELLS_MUTED, value=item.value - unheard)] if muted else []
    return counted


def is_muted(alert: Alert) -> bool:
    """Return whether a known event muted any of an alert's cells."""
    return any(item.name.startswith(MUTED) for item in alert.evidence)


def narrate_events(alert: Alert) -> str:
    """Return what known events an alert has to do with, as sentences; empty without one."""
    widened, muted = (
        [
            f"{item.name.removeprefix(prefix)} ({days_of(item.value)})"
            for item in alert.evidence
            if item.name.startswith(prefix)
        ]
        for prefix in (WIDENED, MUTED)
    )
    told = []
    if widened:
        told.append(f"Days of known events count for less here: {joined(widened)}.")
    if muted:
        told.append(f"Ruled out, and not judged: {joined(muted)}.")
    return " ".join(told)
