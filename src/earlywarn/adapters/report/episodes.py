"""The alerts as the page tells them: cards, what is open and gravest first, children inside their parents."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from earlywarn.adapters.report.card_words import sentence, since_then
from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.collector import AlertRecord
from earlywarn.adapters.report.drawing import Sketch
from earlywarn.adapters.report.following import Following
from earlywarn.adapters.report.history import MEASURES
from earlywarn.adapters.report.levels import Level, Returns
from earlywarn.adapters.report.wording import against, against_expected, percent, short_day
from earlywarn.alerting.words import (
    MEASURE_WORDS,
    Names,
    day,
    figure,
    is_too_little,
    subject,
)
from earlywarn.domain.alert import SEVERITIES, Alert, Outcome

CARDS_SHOWN = 200
SKETCHES_SHOWN = 120
_BEFORE_DAYS, _AFTER_DAYS, _LONGEST_DAYS = 42, 14, 130
_OTHER_SIZE = 0.25
"""Share of a published effect by which the effect so far must differ for both to be told."""
_STATUS = {"open": "raised", "updated": "updated", "resolved": "resolved", "superseded": "superseded"}
_OUTCOMES: Mapping[Outcome, str] = {
    "recovered": "Recovered",
    "faded": "No longer told from chance",
    "accepted": "Accepted as new level",
}
_KIND = {"coverage": "Missing data", "model": "Model notice"}
_MEASURE = {"transactions": "number of card payments", "amount": "card spending", "mean_ticket": "mean card payment"}


@dataclass(frozen=True, slots=True)
class Card:
    """One alert as it is shown; `grade` is 1 (medium) to 3 (severe), `start` and `end` are day indices.

    `claim` is what a shock is, without its subject; `change` what a lasting level was when it was taken as usual, empty
    of others; `stays` where it stands if it may go on though it can no longer be told from chance; `dates` what
    happened when, as label and day; `share` its part of the panel's spending, None if that is not known; `now` what
    became of the alert after its last revision.
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
    claim: str
    change: str
    stays: str
    status: str
    opened: str
    detected: str
    until: str
    dates: tuple[tuple[str, str], ...]
    share: float | None
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
        told_names: what they were called when the alerts' texts were written.
        lasting: those that ended as a new level which lasts, by id.
        returns: which of them lead back from one.
        following: where alerts stand on the last day heard.
        missing: what was missing up to the end of the input, in words by open alert.
    """

    def __init__(
        self,
        panel: str,
        prefix: str,
        book: ChartBook,
        names: Names,
        told_names: Names,
        *,
        lasting: Mapping[str, Level],
        returns: Returns,
        following: Following,
        missing: Mapping[str, str],
    ) -> None:
        self._panel = panel
        self._missing = missing
        self._lasting, self._returns, self._following = lasting, returns, following
        self._prefix = prefix
        self._book = book
        self._names, self._told_names = names, told_names
        self._made = 0

    def cards(self, records: Iterable[AlertRecord]) -> list[Card]:
        """Return the panel's top alerts in the order of the page, their children within them."""
        mine = sorted((record for record in records if record.latest.panel == self._panel), key=self._rank)
        known = {record.latest.id for record in mine}
        by_parent: dict[str, list[AlertRecord]] = {}
        for record in mine:
            if record.latest.parent in known:
                by_parent.setdefault(record.latest.parent or "", []).append(record)
        tops = [record for record in mine if record.latest.parent not in known]
        return [self._card(record, by_parent.get(record.latest.id, [])) for record in tops]

    def _rank(self, record: AlertRecord) -> tuple[float, ...]:
        """Return what puts an alert before others: open or lasting, the gravest, the widest; newest where all is alike.

        What is over is no ranking but a record: newest first.
        """
        alert = record.latest
        newest = (-date.fromisoformat(alert.detected_on).toordinal(), -record.revisions[0].sequence)
        stands = record.is_open or alert.id in self._lasting
        if not stands:
            return (2.0, *newest)
        share = self._share(alert)
        wide = (0.0, -alert.score) if share is None else (-round(share, 3), 0.0)
        return (0.0 if record.is_open else 1.0, -SEVERITIES.index(alert.severity), *wide, *newest)

    def _share(self, alert: Alert) -> float | None:
        """Return the share of the panel's spending that an alert is about, None if that is not known."""
        history = self._book.history
        whole, part = history.size((None, None)), history.size((alert.region, alert.sector))
        return part / whole if whole > 0 else None

    def _card(self, record: AlertRecord, children: list[AlertRecord]) -> Card:
        alert = record.latest
        title, told_title = (subject(alert, names) for names in (self._names, self._told_names))
        is_economic = alert.kind == "economic"
        is_lasting = alert.id in self._lasting
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
            is_lasting=is_lasting,
            is_faded=alert.outcome == "faded",
            claim=self._claim(alert, is_open=record.is_open) if is_economic else "",
            stays=self._stays(alert),
            change=self._lasting[alert.id].told if is_lasting else "",
            status="open" if record.is_open else "new level" if is_lasting else self._ended(alert),
            opened=day(alert.opened_on),
            detected=day(alert.detected_on),
            until="now" if record.is_open or alert.resolved_on is None else day(alert.resolved_on),
            dates=self._dates(alert, is_open=record.is_open),
            share=self._share(alert),
            text=sentence(alert, told_title),
            now=" ".join(
                filter(
                    None,
                    (self._words_now(alert, is_open=record.is_open), self._missing.get(alert.id)),
                )
            ),
            revisions=tuple(
                (day(each.as_of), _STATUS[each.status], sentence(each, told_title)) for each in record.revisions[-2::-1]
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

    def _claim(self, alert: Alert, *, is_open: bool) -> str:
        """Return what an alert is, without its subject; of an open one also by now, if that is another size."""
        told, now = self._returns.claim(alert, self._names), self._following.now(alert)
        if not is_open or now is None or now.day.isoformat() == alert.as_of or self._returns.since(alert) is not None:
            return told
        if now.back_on is not None:
            return f"{told}, back at what was expected from {short_day(now.back_on)} on"
        published = figure(alert, "effect")
        if published is None or is_too_little(alert) or abs(now.since_pct - published) < _OTHER_SIZE * abs(published):
            return told
        return f"{told} as of {day(alert.as_of)}, {against_expected(now.since_pct / 100)} by {short_day(now.day)}"

    def _stays(self, alert: Alert) -> str:
        """Return where an alert stands that could no longer be told from chance, and may go on; else empty."""
        last = self._book.history.last_day
        now = None if last is None else self._following.stays(alert, last)
        if now is None:
            return ""
        before = f"what was expected before {day(alert.opened_on)}"
        return f"{MEASURE_WORDS[alert.measure]} of the last 7 days {against(now.week_pct / 100, before)}"

    def _dates(self, alert: Alert, *, is_open: bool) -> tuple[tuple[str, str], ...]:
        """Return what happened when: a last alarm is no end, and an end says which one it is."""
        last = day(alert.resolved_on or alert.as_of)
        found = [("Began" if alert.kind == "coverage" else "Began (estimated)", day(alert.opened_on))]
        found.append(("Detected", day(alert.detected_on)))
        share = None if alert.region is alert.sector is None else self._share(alert)
        if share is not None and (is_open or alert.id in self._lasting):
            found.append(("Part of all spending", percent(share) if share else "none"))
        if is_open:
            found.append(("Ended", "still open"))
        elif alert.kind == "coverage":
            found.append(("Last day missing", last))
        elif alert.outcome is None:
            found.append(("Ended", last))
        else:
            found += [("Last alarm", last), (_OUTCOMES[alert.outcome], day(alert.as_of))]
        if (back := self._back(alert)) is not None:
            found.append(("Level back", short_day(back)))
        return (*found, ("Figures of", day(alert.as_of)))

    def _words_now(self, alert: Alert, *, is_open: bool) -> str:
        """Say what the alert's figures are on the last day heard, where that is a later day than the revision's."""
        now = self._following.now(alert)
        if (back := self._back(alert)) is not None:
            return f"It did not last: from {short_day(back)} on, a week was nearer to the level from before it."
        if (stays := self._stays(alert)) and now is not None:
            return f"By {short_day(now.day)}: {stays}."
        if not is_open or now is None or now.day.isoformat() == alert.as_of:
            return ""
        return since_then(alert, now, self._names.currency(alert.panel))

    def _ended(self, alert: Alert) -> str:
        """Return how an alert that neither is open nor lasts has ended."""
        if alert.outcome == "accepted":
            return "was a new level" if self._returns.since(alert) is None else "led back"
        return alert.status if alert.outcome is None else _OUTCOMES[alert.outcome].lower()

    def _back(self, alert: Alert) -> date | None:
        """Return when the level from before an accepted alert was back; of one that leads back there is none such."""
        is_over = alert.outcome == "accepted" and alert.id not in self._lasting and self._returns.since(alert) is None
        return self._following.back(alert) if is_over else None

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

    def _index(self, when: date) -> int:
        return min(max(when.toordinal() - self._book.history.first_ordinal, 0), max(self._book.history.days - 1, 0))

    def _date(self, index: int) -> date:
        return date.fromordinal(max(self._book.history.first_ordinal, 1)) + timedelta(index)
