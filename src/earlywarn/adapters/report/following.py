"""What has become of alerts by the report's day: their baselines are followed on, past revisions and past the end.

A revision tells figures of its own day. While an alert is open the next one may be a week away, and after an end as a
new level there is none; here the days since are set against what was expected before the alert's first day.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial

import msgspec
import numpy as np

from earlywarn.adapters.report.before_shock import BeforeShock, Expected
from earlywarn.adapters.report.expected_before import ExpectedBefore
from earlywarn.adapters.report.levels import change_pct
from earlywarn.alerting.estimate import Sums, dispersion, is_nearer, since, total
from earlywarn.alerting.evidence import DayReading
from earlywarn.alerting.phases import Phase, is_back, turn
from earlywarn.alerting.words import day_of
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import Alert

_WEEK_DAYS = 7
_OVER_DAYS = 28
"""A level that was back for so long is over for good: what moves the series later is something else."""
_FADED_DAYS = 28
"""For so long an alert that can no longer be told from chance is followed: it may go on."""


class Now(msgspec.Struct, frozen=True):
    """An alert on the last day heard of its series: that day, and the changes since `level_on` and of a week.

    Changes are in per cent of what was expected before the alert's first day, or before that of the shock in whose
    place it is. `level_on` is the first day of its phase (`alerting.phases`), which is back at what was expected since
    `back_on`.
    """

    day: date
    reading: DayReading
    level_on: date
    since_pct: float
    week_pct: float
    back_on: date | None


class _Course(msgspec.Struct):
    """An alert that is followed.

    `latest` is its last revision, `week` the sums of each of the last days heard. Of an accepted one `back` is the day
    from which on it has been nearer to before; None as long as the new level lasts. It `is_over` for good if it was
    back for four weeks, or when another alert of its series and measure opened.
    """

    latest: Alert
    first_day: int
    phase: Phase
    week: list[Sums]
    now: Now | None = None
    back: date | None = None
    is_over: bool = False

    @property
    def is_near(self) -> bool:
        """Return whether the last week is nearer to what an accepted alert ended as than to before."""
        change = change_pct(self.latest) / 100
        if not change or self.now is None:
            return False
        left = self.now.week_pct / 100
        return is_nearer(float(np.log1p(max(left, -0.999))), float(np.log1p(max(change, -0.999))))


class Following:
    """Follows the economic alerts of one panel that are open or have become a new level, day by day."""

    def __init__(self) -> None:
        self._courses: dict[str, _Course] = {}
        self._baselines = ExpectedBefore()
        self._before = BeforeShock()
        self._heard: dict[tuple[str | None, str | None], date] = {}  # the last day on which a series was

    def step(self, scores: DayScores) -> None:
        """Take in a judged day, before its alerts."""
        self._courses = {name: course for name, course in self._courses.items() if not _is_past(course, scores.day)}
        first_days = {course.first_day for course in self._courses.values()}
        self._baselines.step(scores, first_days)
        self._before.keep(scores, self._baselines, first_days)
        place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}
        self._heard.update((key, scores.day) for key, at in place.items() if scores.heard[at])
        for course in self._courses.values():
            at = place.get((course.latest.region, course.latest.sector))
            if at is not None and scores.heard[at]:
                today = self._baselines.sums(course.first_day, at)
                course.phase.add(today, scores.day, days_kept=_WEEK_DAYS)
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
        if alert.status == "superseded" or (alert.status == "resolved" and alert.outcome == "recovered"):
            self.forget(alert.id)
        elif alert.outcome == "accepted" and scores is not None:
            self._note_returns(scores.day)

    def _note_returns(self, day: date) -> None:
        """Note of each accepted level whether it is gone by a day on which it was heard."""
        for course in self._courses.values():
            if course.is_over or course.latest.outcome != "accepted" or course.now is None or course.now.day != day:
                continue
            if course.back is not None and (day - course.back).days >= _OVER_DAYS:
                course.is_over = True
            else:
                course.back = None if course.is_near else course.back or day

    def lasts(self, alert: Alert, last_day: date) -> bool:
        """Return whether an alert ended as a new level that still stands in the week to a day.

        Of what was not heard in that week it cannot be told, so it is not said. Where the baseline from before is not
        followed, the level is taken to stand.
        """
        heard = self._heard.get((alert.region, alert.sector))
        if alert.outcome != "accepted" or alert.status != "resolved" or heard is None:
            return False
        course = self._courses.get(alert.id)
        is_heard = (last_day - heard).days < _WEEK_DAYS
        return is_heard and (course is None or (not course.is_over and course.is_near))

    def stays(self, alert: Alert, last_day: date) -> Now | None:
        """Return where an alert stands that faded of late, and whose effect is still there in the week to a day."""
        course = self._courses.get(alert.id)
        if alert.outcome != "faded" or course is None or course.now is None:
            return None
        is_lately = (last_day - date.fromisoformat(alert.as_of)).days <= _FADED_DAYS
        is_heard = (last_day - course.now.day).days < _WEEK_DAYS
        return course.now if is_lately and is_heard and course.is_near else None

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

    def back(self, alert: Alert) -> date | None:
        """Return when the level from before an accepted alert was back; None if that is not known."""
        course = self._courses.get(alert.id)
        return None if course is None else course.back

    def _begin(self, alert: Alert, scores: DayScores) -> None:
        place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}
        at = place.get((alert.region, alert.sector))
        opened_on = date.fromisoformat(alert.opened_on)
        first_day = (day_of(alert, "days_since_usual") or opened_on).toordinal()
        age = (scores.day - opened_on).days
        if at is None or not scores.heard[at] or not 0 <= age < len(scores.effects.days):
            return
        today = self._baselines.sums(first_day, at)
        if today.expected(alert.measure) is None or not np.isfinite(today.expected_transactions):
            return
        self._close_what_went(alert)
        step = self._baselines.apart(first_day, opened_on.toordinal(), at)
        phase = Phase(opened_on, since(scores.effects, at, age, step), [today], [scores.day])
        course = self._courses[alert.id] = _Course(alert, first_day, phase, [today])
        _read(course, scores, at)

    def _close_what_went(self, alert: Alert) -> None:
        """Close the levels of the same series and measure that had gone by the first day of an alert that opens."""
        # The estimate of a first day errs by days: it is this alert that a level went with which had just gone by then.
        lately = date.fromisoformat(alert.opened_on) - timedelta(days=_WEEK_DAYS)
        for course in self._courses.values():
            latest = course.latest
            if (latest.region, latest.sector, latest.measure) == (alert.region, alert.sector, alert.measure):
                is_earlier = latest.outcome == "accepted" and latest.opened_on < alert.opened_on
                course.is_over |= is_earlier and course.back is not None and course.back < lately


def _is_past(course: _Course, day: date) -> bool:
    """Return whether an alert has faded so long ago that it is followed no more."""
    return course.latest.outcome == "faded" and (day - date.fromisoformat(course.latest.as_of)).days > _FADED_DAYS


def _read(course: _Course, scores: DayScores, at: int) -> None:
    measure, phase = course.latest.measure, course.phase
    spread = partial(dispersion, scores.effects, at, measure)
    was_back = course.now is not None and course.now.back_on is not None
    if days := turn(phase, measure, spread, was_back=was_back):
        phase.turn(days, measure)
    course.now = Now(
        scores.day,
        DayReading(course.week[-1], scores, at, measure),
        phase.since,
        phase.sums.estimate(measure, 1.0).effect_pct,
        total(course.week).estimate(measure, 1.0).effect_pct,
        phase.since if is_back(phase, measure, course.latest.direction, spread) else None,
    )
