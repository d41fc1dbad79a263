"""The alerts as bars on a time axis, in lanes by region."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.report.episodes import Card


@dataclass(frozen=True, slots=True)
class TimelineMark:
    """One alert on the timeline: `left`, `width` and `at` (detection) in per cent, `row` within its lane."""

    card: Card
    left: float
    width: float
    row: int
    is_child: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """The alerts of one region."""

    name: str
    rows: int
    marks: tuple[TimelineMark, ...]


def timeline(cards: Iterable[Card], days: int, order: list[str]) -> list[Lane]:
    """Return the lanes of regions with alerts, in the given order; alerts that overlap stand in rows."""
    least = max(days // 90, 1)
    by_lane: dict[str, list[tuple[Card, bool]]] = {}
    for card in cards:
        by_lane.setdefault(card.lane, []).append((card, False))
        for child in card.children:
            by_lane.setdefault(child.lane, []).append((child, True))
    names = [name for name in dict.fromkeys(["All regions", *order, *by_lane]) if name in by_lane]
    lanes = []
    for name in names:
        free_from: list[int] = []
        marks = []
        for card, is_child in sorted(by_lane[name], key=lambda item: (item[0].start, item[0].anchor)):
            end = max(card.end, card.start + least)
            row = next((at for at, free in enumerate(free_from) if free < card.start), len(free_from))
            free_from[row : row + 1] = [end]
            left = min(100 * card.start / max(days, 1), 100 - 100 * least / max(days, 1))
            width = min(100 * (end - card.start + 1) / max(days, 1), 100 - left)
            marks.append(TimelineMark(card, round(left, 2), round(width, 2), row, is_child))
        lanes.append(Lane(name, len(free_from), tuple(marks)))
    return lanes


def months(first: date, days: int) -> list[tuple[float, str]]:
    """Return the starts of months within the period (of quarters if it is long): per cent and label."""
    step = 1 if days <= 460 else 3  # more than 15 labels do not fit
    found: list[tuple[float, str]] = []
    for offset in range(days):
        day = first + timedelta(offset)
        if day.day == 1 and (day.month - 1) % step == 0:
            label = f"{day:%b} {day.year}" if day.month == 1 or not found else f"{day:%b}"
            found.append((round(100 * offset / days, 2), label))
    return found
