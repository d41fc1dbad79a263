"""Events that an office knows of: on which days, in which region and sector, and what they do to the models.

A strike, a festival, a road that is closed: what is known beforehand is no warning. An event *widens* the days of its
cells, so that they say less and nothing is lost, or *mutes* them: then they are no evidence and nothing is learned of
them, as if they had not been heard, while aggregates and coverage count them. School holidays are no events but a
feature of the calendar, since they return (`domain.day_features`).

Example:
    >>> strike = KnownEvent(name="Strike", first_day=date(2024, 3, 4), last_day=date(2024, 3, 5), effect="mute",
    ...                     region="CH04", sector=None)
    >>> events = KnownEvents([strike], inside=lambda region, above: region.startswith(above))
    >>> [each.name for each in events.on(date(2024, 3, 5))], events.on(date(2024, 3, 6))
    (['Strike'], ())
    >>> events.touches(strike, "CH040", "05"), events.touches(strike, "CH01", "05")
    (True, False)
"""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Literal

import msgspec

EventEffect = Literal["widen", "mute"]
EVENT_EFFECTS: tuple[EventEffect, ...] = ("widen", "mute")
USUAL_SPREAD_PCT = 50.0


class KnownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event, of one region and sector: one in several has a row for each.

    Attributes:
        name: what people call it.
        first_day, last_day: local days, both included.
        effect: what it does to the cells' days.
        region: it and all within it; None for all, what is bought online included.
        sector: a class of the panel's classification; None for all.
        spread_pct: of an event that widens, how far it usually moves a day of a cell, up or down (per cent).
    """

    name: str
    first_day: date
    last_day: date
    effect: EventEffect
    region: str | None = None
    sector: str | None = None
    spread_pct: float = USUAL_SPREAD_PCT


def _outside(_region: str, _above: str) -> bool:
    return False


class KnownEvents:
    """The events of a panel.

    Args:
        events: in any order.
        inside: whether a region is another one or within it (`region`, `above`).
    """

    def __init__(self, events: Iterable[KnownEvent] = (), inside: Callable[[str, str], bool] = _outside) -> None:
        self.events = tuple(sorted(events, key=_order))
        self._inside = inside
        self._within: dict[tuple[str, str], bool] = {}

    def __bool__(self) -> bool:
        return bool(self.events)

    def on(self, day: date) -> tuple[KnownEvent, ...]:
        """Return the events of a day, by their first days and names."""
        return self.between(day, day)

    def between(self, first: date, last: date) -> tuple[KnownEvent, ...]:
        """Return the events of which any day is among those from `first` to `last`."""
        return tuple(each for each in self.events if each.first_day <= last and first <= each.last_day)

    def touches(self, event: KnownEvent, region: str, sector: str) -> bool:
        """Return whether an event is one of a cell."""
        if event.sector not in (None, sector):
            return False
        if event.region is None or event.region == region:
            return True
        asked = region, event.region
        if asked not in self._within:
            self._within[asked] = self._inside(*asked)
        return self._within[asked]

    def describe(self) -> list[list[str | float]]:
        """Return the events as plain values in a fixed order, for the fingerprint of a run."""
        return [
            [
                each.name,
                each.first_day.isoformat(),
                each.last_day.isoformat(),
                each.effect,
                each.region or "",
                each.sector or "",
                each.spread_pct if each.effect == "widen" else 0.0,
            ]
            for each in self.events
        ]


def _order(event: KnownEvent) -> tuple[date, date, str, str, str, str, float]:
    return (
        event.first_day,
        event.last_day,
        event.name,
        event.region or "",
        event.sector or "",
        event.effect,
        event.spread_pct,
    )


NO_EVENTS = KnownEvents()
