"""An episode: one node, one direction, from its alarm to its resolution. Hysteresis keeps it whole."""

from datetime import date
from typing import Any
from uuid import UUID, uuid5

import msgspec

from earlywarn.domain.alert import Direction, Kind, Severity

NAMESPACE = UUID("6f2b8c1e-0d5a-5f0e-9a7e-2f1c5f4d7b10")


def alert_id(run: str, series_id: str, kind: Kind, direction: Direction, opening_bucket: str) -> str:
    """Return the id of an alert: UUIDv5 of run, series, kind, direction and opening bucket."""
    return str(uuid5(NAMESPACE, f"{run}\n{series_id}\n{kind}\n{direction}\n{opening_bucket}"))


class Episode(msgspec.Struct):
    """The state of one open episode; days are local dates.

    `alarm_days` counts alarm days in a row since the level was last accepted, `quiet_days` those below
    the resolve ratio; `score` is the highest so far, `effect_pct` the step estimated on that day.
    """

    id: str
    region: str | None
    sector: str | None
    direction: Direction
    detected_on: date
    opened_on: date
    last_alarm_on: date
    last_revised_on: date
    revision: int = 0
    severity: Severity = "medium"
    score: float = 0.0
    effect_pct: float = 0.0
    alarm_days: int = 0
    quiet_days: int = 0
    parent: str | None = None
    children: list[str] = []

    def observe(self, day: date, ratio: float, effect_pct: float, *, resolve_ratio: float) -> None:
        """Take in a day's score (1 = threshold) and the step it stands for, in per cent."""
        if ratio > 1:
            self.alarm_days += 1
            self.last_alarm_on = day
        if ratio >= resolve_ratio:
            self.quiet_days = 0
        else:
            self.quiet_days += 1
            self.alarm_days = 0
        if ratio > self.score:
            self.score, self.effect_pct = ratio, effect_pct


class Records:
    """Per node and direction: on which day was the score last as high as today?

    A descending staircase of (day ordinal, score); scores below `floor` are not worth remembering.
    """

    def __init__(self, floor: float = 0.25, length: int = 64) -> None:
        self.floor = floor
        self.length = length
        self._stairs: dict[tuple[str, str, str], list[tuple[int, float]]] = {}

    @staticmethod
    def _key(region: str | None, sector: str | None, direction: Direction) -> tuple[str, str, str]:
        return (region or "", sector or "", direction)

    def last_as_extreme(
        self, region: str | None, sector: str | None, direction: Direction, ratio: float, before: date
    ) -> date | None:
        """Return the last day before `before` with at least this score, None if there was none."""
        stairs = self._stairs.get(self._key(region, sector, direction), [])
        found = [day for day, score in stairs if score >= ratio and day < before.toordinal()]
        return date.fromordinal(max(found)) if found else None

    def learn(self, region: str | None, sector: str | None, direction: Direction, day: date, ratio: float) -> None:
        """Remember a day's score."""
        if ratio < self.floor:
            return
        stairs = self._stairs.setdefault(self._key(region, sector, direction), [])
        while stairs and stairs[-1][1] <= ratio:
            stairs.pop()
        stairs.append((day.toordinal(), round(ratio, 4)))
        del stairs[: -self.length]

    def state(self) -> list[list[Any]]:
        """Return the staircases as plain values."""
        return [[*key, [list(step) for step in stairs]] for key, stairs in sorted(self._stairs.items())]

    def restore(self, saved: list[list[Any]]) -> None:
        """Take over what `state` returned."""
        self._stairs = {
            (region, sector, direction): [(day, score) for day, score in stairs]
            for region, sector, direction, stairs in saved
        }
