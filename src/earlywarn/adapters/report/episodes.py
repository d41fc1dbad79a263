"""The alerts as the page tells them: cards, newest first, children inside their parents."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.collector import AlertRecord
from earlywarn.adapters.report.drawing import Sketch
from earlywarn.adapters.report.following import Level, Now
from earlywarn.adapters.report.history import MEASURES
from earlywarn.adapters.report.wording import against_expected, short_day, signed
from earlywarn.alerting.narrative import MEASURE_WORDS, Names, quantity, subject
from earlywarn.domain.alert import SEVERITIES, Alert

CARDS_SHOWN = 200
SKETCHES_SHOWN = 120
_BEFORE_DAYS, _AFTER_DAYS, _LONGEST_DAYS = 42, 14, 130
_STATUS = {"open": "raised", "updated": "updated", "resolved": "resolved", "superseded": "superseded"}
_ENDED: Mapping[str | None, str] = {"recovered": "over", "faded": "no longer told from chance", "accepted": "over"}
_KIND = {"coverage": "Missing data", "model": "Model notice"}
_MEASURE = {"transactions": "number of card payments", "amount": "card spending", "mean_ticket": "mean card payment"}


@dataclass(frozen=True, slots=True)
class Card:
    """One alert as it is shown; `grade` is 1 (medium) to 3 (severe), `start` and `end` are day indices.

    `change` is what a lasting level is against before, empty of others; `now` what became of the alert after its last
    revision, in words.
    """

    anchor: str
    panel: str
    title: str
    label: str
    direction: str
    severity: str
    grade: int
    is_open: bool
    is_lasting: bool
    is_faded: bool
    change: str
    status: str
    opened: str
    detected: str
    resolved: str | None
    as_of: str
    text: str
    now: str
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
    """Makes the cards of one panel.

    Args:
        panel: id of the panel.
        prefix: of the cards' anchors.
        book: the charts.
        names: what codes are called.
        levels: the new levels that last, by alert.
        now: where an alert stands on the last day heard.
    """

    def __init__(
        self,
        panel: str,
        prefix: str,
        book: ChartBook,
        names: Names,
        levels: Mapping[str, Level],
        now: Callable[[Alert], Now | None],
    ) -> None:
        self._panel = panel
        self._levels, self._now = levels, now
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
        level = self._levels.get(alert.id)
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
            is_lasting=level is not None,
            is_faded=alert.outcome == "faded",
            change="" if level is None else signed(level.change_pct / 100),
            status="open"
            if record.is_open
            else "new level"
            if level is not None
            else _ENDED.get(alert.outcome, alert.status),
            opened=_day(alert.opened_on),
            detected=_day(alert.detected_on),
            resolved=None if alert.resolved_on is None else _day(alert.resolved_on),
            as_of=_day(alert.as_of),
            text=_sentence(alert, title),
            now=self._words_now(alert, is_open=record.is_open, level=level),
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

    def _words_now(self, alert: Alert, *, is_open: bool, level: Level | None) -> str:
        """Say what the alert's figures are on the last day heard, where that is a later day than the revision's."""
        now = self._now(alert)
        if level is not None:
            if level.day.isoformat() == alert.as_of:
                return ""
            side = "below" if level.change_pct < 0 else "above"
            size = signed(abs(level.change_pct) / 100).removeprefix("+")
            return f"It lasts: the 7 days to {short_day(level.day)} were {size} {side} the level from before it."
        if not is_open or now is None or now.day.isoformat() == alert.as_of:
            return ""
        today, when = now.reading, short_day(now.day)
        if today.observed is None or today.expected is None or today.change_pct is None:
            return ""
        currency = self._names.currency(alert.panel)
        observed, expected = (quantity(value, alert.measure, currency) for value in (today.observed, today.expected))
        return (
            f"Since then, to {when}: {MEASURE_WORDS[alert.measure]} {against_expected(now.since_pct / 100)} over all "
            f"days since {_day(alert.opened_on)}; on {when} itself {observed} against {expected} expected "
            f"({signed(today.change_pct / 100)})."
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


def _sentence(alert: Alert, title: str) -> str:
    """Return the alert's text without the subject that its heading already gives."""
    text = alert.text.removeprefix(f"{title}: ")
    return text[:1].upper() + text[1:]


def _day(iso: str) -> str:
    return short_day(date.fromisoformat(iso))
