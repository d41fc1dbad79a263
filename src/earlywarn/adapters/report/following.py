"""What has become of alerts by the report's day: their baselines are followed on, past revisions and past the end.

A revision tells figures of its own day. While an alert is open the next one may be a week away, and after an end as a
new level there is none; here the days since are set against what was expected before the alert's first day.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

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
_OVER_DAYS = 28
"""A level that was back for so long is over for good: what moves the series later is something else."""
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


class Level(msgspec.Struct, frozen=True):
    """Where a series stands after an alert that ended as a new level: its change against before, of the days to `day`.

    Before is before the first day of `root`: the alert itself, or the one whose level it led back from or beyond.
    """

    alert: Alert
    root: Alert
    change_pct: float
    day: date

    @property
    def lasts(self) -> bool:
        """Return whether it is nearer to what the alert ended as than to before."""
        change, left = _change_pct(self.alert) / 100, self.change_pct / 100
        return bool(change and np.log1p(max(left, -0.999)) / np.log1p(max(change, -0.999)) >= _NEARER)


class _Course(msgspec.Struct):
    """An alert that is followed.

    `latest` is its last revision, `week` the sums of each of the last days heard, `root` the id of the alert from
    before whose first day it is measured. Of an accepted one `back` is where it stood on the day from which on it has
    been nearer to before; None as long as the new level lasts. It `is_over` for good if it was back for four weeks, or
    when another alert of its series and measure opened.
    """

    latest: Alert
    first_day: int
    sums: Sums
    week: list[Sums]
    root: str
    now: Now | None = None
    back: Level | None = None
    is_over: bool = False


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
        """Note of each accepted level whether it is gone by a day on which it was heard."""
        for course in self._courses.values():
            level = None if course.is_over or course.latest.outcome != "accepted" else self._standing(course.latest)
            if level is not None and level.day == day:
                if course.back is not None and (day - course.back.day).days >= _OVER_DAYS:
                    course.is_over = True
                else:
                    course.back = None if level.lasts else course.back or level

    def _standing(self, alert: Alert) -> Level | None:
        """Return where the series of an accepted alert stands; None if that is not known."""
        course = self._courses.get(alert.id)
        if course is None:
            return Level(alert, alert, _change_pct(alert), date.fromisoformat(alert.as_of))
        root = self._courses.get(course.root)
        return None if root is None or root.now is None else Level(alert, root.latest, root.now.week_pct, root.now.day)

    def level(self, alert: Alert) -> Level | None:
        """Return the new level that an alert ended as, if it lasts; None of one that is over for good."""
        course = self._courses.get(alert.id)
        if alert.outcome != "accepted" or alert.status != "resolved" or (course is not None and course.is_over):
            return None
        level = self._standing(alert)
        return level if level is not None and level.lasts else None

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

    def back(self, alert: Alert) -> Level | None:
        """Return where an accepted alert stood when the level from before was back; None if that is not known."""
        course = self._courses.get(alert.id)
        return None if course is None else course.back

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
        sums, root = since(scores.effects, at, age), self._root(alert)
        course = self._courses[alert.id] = _Course(alert, first_day, sums, [today], root)
        _read(course, scores, at)

    def _root(self, alert: Alert) -> str:
        """Return the alert (its id) from before which one that opens is measured.

        It is the alert itself; where it leads back from a level of the other direction that had lasted until then, the
        one from before which that level is measured.
        """
        # The estimate of a first day errs by days: it is this alert that a level went with which had just gone by then.
        lately = date.fromisoformat(alert.opened_on) - timedelta(days=_WEEK_DAYS)
        same = [
            course
            for course in self._courses.values()
            if (course.latest.region, course.latest.sector) == (alert.region, alert.sector)
            and course.latest.outcome == "accepted"
            and course.latest.opened_on < alert.opened_on
        ]
        for course in same:
            is_back = course.back is not None and course.back.day < lately
            course.is_over |= is_back and course.latest.measure == alert.measure
        left = [course for course in same if course.latest.direction != alert.direction and not course.is_over]
        return min(left, key=lambda course: course.first_day).root if left else alert.id


def _read(course: _Course, scores: DayScores, at: int) -> None:
    measure = course.latest.measure
    course.now = Now(
        scores.day,
        DayReading(course.week[-1], scores, at, measure),
        course.sums.estimate(measure, 1.0).effect_pct,
        total(course.week).estimate(measure, 1.0).effect_pct,
    )


def _change_pct(alert: Alert) -> float:
    return figure(alert, "last_days_effect") or figure(alert, "effect") or 0.0


def levels(alerts: Sequence[Alert], following: Following) -> dict[str, Level]:
    """Return the levels that last, by the id of the alert that ended as one."""
    found = ((alert.id, following.level(alert)) for alert in alerts)
    return {name: level for name, level in found if level is not None}
