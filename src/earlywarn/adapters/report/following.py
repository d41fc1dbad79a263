"""What has become of alerts by the report's day: their baselines are followed on, past revisions and past the end.

A revision tells figures of its own day. While an alert is open the next one may be a week away, and after an end as a
new level there is none; here the days since are set against what was expected before the alert's first day.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date

import msgspec
import numpy as np

from earlywarn.adapters.report.before_shock import BeforeShock, Expected
from earlywarn.adapters.report.expected_before import ExpectedBefore
from earlywarn.alerting.estimate import Sums, since, total
from earlywarn.alerting.evidence import DayReading
from earlywarn.alerting.words import figure
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import Alert

_WEEK_DAYS = 7
_NEARER = 0.5
"""Share of a log change from which what is left is nearer to it than to nothing."""


class Now(msgspec.Struct, frozen=True):
    """An alert on the last day heard of its series: that day, and the changes since its first day and of a week.

    Changes are in per cent of what was expected before the alert's first day.
    """

    day: date
    reading: DayReading
    since_pct: float
    week_pct: float


class _Course(msgspec.Struct):
    """An alert that is followed.

    `latest` is its last revision, `week` the sums of each of the last days heard. Of an accepted one `back_on` is the
    day from which on the level has been nearer to that of before; None as long as the new one lasts.
    """

    latest: Alert
    first_day: int
    sums: Sums
    week: list[Sums]
    now: Now | None = None
    back_on: date | None = None


class Level(msgspec.Struct, frozen=True):
    """A new level that lasts: the alert that ended as one, and its change against before, over the days to `day`.

    Before is before the first day of `root`: the alert itself, or the one whose level it led back from.
    """

    alert: Alert
    root: Alert
    change_pct: float
    day: date


class Following:
    """Follows the economic alerts of one panel that are open or have become a new level, day by day."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}
        self._baselines = ExpectedBefore()
        self._before = BeforeShock()

    def step(self, scores: DayScores) -> None:
        """Take in a judged day, before its alerts."""
        first_days = {course.first_day for course in self._courses.values()}
        self._baselines.step(scores, first_days)
        self._before.keep(scores, self._baselines, first_days)
        place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}
        for course in self._courses.values():
            at = place.get((course.latest.region, course.latest.sector))
            if at is not None and scores.heard[at]:
                today = self._baselines.sums(course.first_day, at)
                course.sums = course.sums.plus(today)
                course.week = [*course.week, today][-_WEEK_DAYS:]
                _read(course, scores, at)
        self._note_returns(scores.day)

    def tell(self, alert: Alert, scores: DayScores | None) -> None:
        """Take in a revision of the day of `scores`, the last judged one."""
        if alert.kind != "economic":
            return
        course = self._courses.get(alert.id)
        if course is not None:
            course.latest = alert
        elif scores is not None and alert.status == "open":
            self._begin(alert, scores)
        if alert.status == "superseded" or (alert.status == "resolved" and alert.outcome != "accepted"):
            self.forget(alert.id)
        elif alert.outcome == "accepted" and scores is not None:
            self._note_returns(scores.day)

    def _note_returns(self, day: date) -> None:
        """Note of each accepted level whether it is gone by a day."""
        accepted = [course for course in self._courses.values() if course.latest.outcome == "accepted"]
        alerts = [course.latest for course in accepted]
        for course in accepted:
            is_back = _level(course.latest, alerts, self.now) is None
            course.back_on = (course.back_on or day) if is_back else None

    def forget(self, name: str) -> None:
        """Follow an alert (by its id) no more."""
        self._courses.pop(name, None)

    def before(self, alerts: Iterable[Alert]) -> dict[int, Expected]:
        """Return what was expected of the cells before some alerts, by day (ordinal), of the last days."""
        return self._before.expected(alerts)

    def now(self, alert: Alert) -> Now | None:
        """Return an alert as of the last day heard; None where it is not followed."""
        course = self._courses.get(alert.id)
        return None if course is None else course.now

    def back_on(self, alert: Alert) -> date | None:
        """Return the day on which the level from before an accepted alert was back; None if that is not known."""
        course = self._courses.get(alert.id)
        return None if course is None else course.back_on

    def _begin(self, alert: Alert, scores: DayScores) -> None:
        place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}
        at = place.get((alert.region, alert.sector))
        first_day = date.fromisoformat(alert.opened_on).toordinal()
        age = scores.day.toordinal() - first_day
        if at is None or not scores.heard[at] or not 0 <= age < len(scores.effects.days):
            return
        today = self._baselines.sums(first_day, at)
        if today.expected(alert.measure) is None or not np.isfinite(today.expected_transactions):
            return
        course = self._courses[alert.id] = _Course(alert, first_day, since(scores.effects, at, age), [today])
        _read(course, scores, at)


def _read(course: _Course, scores: DayScores, at: int) -> None:
    measure = course.latest.measure
    course.now = Now(
        scores.day,
        DayReading(course.week[-1], scores, at, measure),
        course.sums.estimate(measure, 1.0).effect_pct,
        total(course.week).estimate(measure, 1.0).effect_pct,
    )


def levels(alerts: Sequence[Alert], now: Callable[[Alert], Now | None]) -> dict[str, Level]:
    """Return the levels that last, by the id of the alert that ended as one."""
    accepted = [alert for alert in alerts if alert.outcome == "accepted" and alert.status == "resolved"]
    found = ((alert.id, _level(alert, accepted, now)) for alert in accepted)
    return {name: level for name, level in found if level is not None}


def _level(alert: Alert, accepted: Sequence[Alert], now: Callable[[Alert], Now | None]) -> Level | None:
    """Return the level that an accepted alert ended as, if it lasts: it is no more when it is nearer to that of before.

    An alert that led back from an earlier level of the other direction is a return: what is left is measured from
    before that level.
    """
    change = (figure(alert, "last_days_effect") or figure(alert, "effect") or 0.0) / 100
    root = _root(alert, accepted)
    current = now(root)
    if current is None and root is not alert:
        return None
    left, day = (change, date.fromisoformat(alert.as_of)) if current is None else (current.week_pct / 100, current.day)
    lasts = change and np.log1p(max(left, -0.999)) / np.log1p(max(change, -0.999)) >= _NEARER
    return Level(alert, root, 100 * left, day) if lasts else None


def _root(alert: Alert, accepted: Sequence[Alert]) -> Alert:
    """Return the first earlier alert of the same series and the other direction that became a level, else itself."""
    earlier = [
        each
        for each in accepted
        if (each.region, each.sector) == (alert.region, alert.sector)
        and each.direction != alert.direction
        and each.opened_on < alert.opened_on
    ]
    return min(earlier, key=lambda each: each.opened_on, default=alert)
