"""The alerts as the page tells them: cards, newest first, children inside their parents, and a timeline."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.collector import AlertRecord
from earlywarn.adapters.report.drawing import Sketch
from earlywarn.adapters.report.history import MEASURES
from earlywarn.adapters.report.wording import short_day
from earlywarn.alerting.narrative import Names, subject
from earlywarn.domain.alert import SEVERITIES, Alert

CARDS_SHOWN = 200
SKETCHES_SHOWN = 120
_BEFORE_DAYS, _AFTER_DAYS, _LONGEST_DAYS = 42, 14, 130
_STATUS = {"open": "raised", "updated": "updated", "resolved": "resolved", "superseded": "superseded"}
_KIND = {"coverage": "Missing data", "model": "Model notice"}
_MEASURE = {"transactions": "number of card payments", "amount": "card spending", "mean_ticket": "mean card payment"}


@dataclass(frozen=True, slots=True)
class Card:
    """One alert as it is shown; `grade` is 1 (medium) to 3 (severe), `start` and `end` are day indices."""

    anchor: str
    panel: str
    title: str
    label: str
    direction: str
    severity: str
    grade: int
    is_open: bool
    status: str
    opened: str
    detected: str
    resolved: str | None
    as_of: str
    text: str
    revisions: tuple[tuple[str, str, str], ...]
    sketch: Sketch | None
    sketch_from: str
    sketch_to: str
    measure: str
    measure_at: int
    chart: int | None
    lane: str
    start: int
    end: int
    detected_at: int
    children: tuple["Card", ...]


class CardMaker:
    """Makes the cards of one panel."""

    def __init__(self, panel: str, prefix: str, book: ChartBook, names: Names) -> None:
        self._panel = panel
        self._prefix = prefix
        self._book = book
        self._names = names
        self._made = 0

    def cards(self, records: Iterable[AlertRecord]) -> list[Card]:
        """Return the panel's top alerts, newest first, their children within them."""
        mine = sorted(
            (record for record in records if record.latest.panel == self._panel),
            key=lambda record: (record.latest.detected_on, record.revisions[0].sequence),
            reverse=True,
        )
        known = {record.latest.id for record in mine}
        by_parent: dict[str, list[AlertRecord]] = {}
        for record in mine:
            if record.latest.parent in known:
                by_parent.setdefault(record.latest.parent or "", []).append(record)
        tops = [record for record in mine if record.latest.parent not in known]
        return [self._card(record, by_parent.get(record.latest.id, [])) for record in tops]

    def _card(self, record: AlertRecord, children: list[AlertRecord]) -> Card:
        alert = record.latest
        title = subject(alert, self._names)
        is_economic = alert.kind == "economic"
        start, end = self.span(alert)
        detected_at = self._index(date.fromisoformat(alert.detected_on))
        self._made += 1
        number = self._made
        first, last = self._window(start, end)
        key = (alert.region, alert.sector)
        drawn = None
        if is_economic and number <= SKETCHES_SHOWN and last > first:
            drawn = self._book.close_up(key, MEASURES.index(alert.measure), first, last, [(start, end)])
        return Card(
            anchor=f"{self._prefix}{number}",
            panel=self._prefix,
            title=title,
            label=("Fall" if alert.direction == "down" else "Rise") if is_economic else _KIND[alert.kind],
            direction=alert.direction if is_economic else "none",
            severity=alert.severity,
            grade=SEVERITIES.index(alert.severity) + 1,
            is_open=record.is_open,
            status="open" if record.is_open else alert.status,
            opened=_day(alert.opened_on),
            detected=_day(alert.detected_on),
            resolved=None if alert.resolved_on is None else _day(alert.resolved_on),
            as_of=_day(alert.as_of),
            text=_sentence(alert, title),
            revisions=tuple(
                (_day(each.as_of), _STATUS[each.status], _sentence(each, title)) for each in record.revisions[-2::-1]
            ),
            sketch=drawn,
            sketch_from=short_day(self._date(first)),
            sketch_to=short_day(self._date(last)),
            measure=_MEASURE[alert.measure],
            measure_at=MEASURES.index(alert.measure),
            chart=self._book.index.get(key),
            lane=self._names.region(alert.region) if alert.region is not None else "All regions",
            start=start,
            end=end,
            detected_at=detected_at,
            children=tuple(self._card(child, []) for child in children),
        )

    def span(self, alert: Alert) -> tuple[int, int]:
        """Return the first and last day of an alert, as indices of the panel's history."""
        start = self._index(date.fromisoformat(alert.opened_on))
        final = self._book.history.days - 1
        end = final if alert.resolved_on is None else self._index(date.fromisoformat(alert.resolved_on))
        return start, max(start, end)

    def _window(self, start: int, end: int) -> tuple[int, int]:
        """Return the days that a close-up shows: some before, some after, and the newest if it is too long."""
        last = min(end + _AFTER_DAYS, self._book.history.days - 1)
        return max(start - _BEFORE_DAYS, last - _LONGEST_DAYS, 0), last

    def _index(self, day: date) -> int:
        return min(max(day.toordinal() - self._book.history.first_ordinal, 0), max(self._book.history.days - 1, 0))

    def _date(self, index: int) -> date:
        return date.fromordinal(max(self._book.history.first_ordinal, 1)) + timedelta(index)


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


def _sentence(alert: Alert, title: str) -> str:
    """Return the alert's text without the subject that its heading already gives."""
    text = alert.text.removeprefix(f"{title}: ")
    return text[:1].upper() + text[1:]


def _day(iso: str) -> str:
    return short_day(date.fromisoformat(iso))
