"""Shocks that have become a new level, and those that lead back from one: by the figures of the alerts themselves.

A new level is what is expected from then on, so "as expected" alone would hide it. How far off today is from before it
is not said: months later nobody knows what would have been usual. Said is what the alert published when it ended.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np

from earlywarn.adapters.report.wording import short_day
from earlywarn.alerting.narrative import claim, lately
from earlywarn.alerting.words import MEASURE_WORDS, Names, figure, quantity
from earlywarn.domain.alert import STATUSES_OPEN, Alert, Direction

_BEYOND = 0.5
"""Share of a change (of its logarithm) that must be left beyond the level before, for it to be more than a return."""
_MOST = 0.5
"""Share of a level's change that must be undone for the level to be over; what undoes less leaves most of it."""


class Returns:
    """The alerts of a panel that lead back from a level which had been taken as usual.

    Args:
        alerts: latest revisions.
    """

    def __init__(self, alerts: Iterable[Alert]) -> None:
        self._alerts = list(alerts)
        accepted = [alert for alert in self._alerts if alert.outcome == "accepted"]
        self._accepted = {(each.region, each.sector, each.direction, each.opened_on): each for each in accepted}
        standing = [each for each in self._alerts if each.status in STATUSES_OPEN or each.outcome == "accepted"]
        self._left = {self._key(alert, began) for alert in standing if (began := self._undone(alert)) is not None}

    def since(self, alert: Alert) -> date | None:
        """Return the first day of what an alert leads back from; None of one that is a shock of its own.

        A closure after a season's rise leads back from that rise, and is much more than its end. A second closure leads
        back from the reopening after the first, which was a return itself.
        """
        began = _began(alert)
        left = None if began is None else self._accepted.get(self._key(alert, began))
        if left is None:
            return began
        is_again = left.opened_on < alert.opened_on and self.since(left) is not None
        change = _log_change(alert)
        is_beyond = bool(change) and (change + _log_change(left)) / change >= _BEYOND
        return None if is_again or is_beyond else began

    def is_left(self, alert: Alert) -> bool:
        """Return whether another alert that is open, or was taken as usual, leads back from this one."""
        return (alert.region, alert.sector, alert.direction, alert.opened_on) in self._left

    def _undone(self, alert: Alert) -> date | None:
        """Return the first day of the level of which an alert undoes the greater part."""
        began = _began(alert)
        left = None if began is None else self._accepted.get(self._key(alert, began))
        is_most = left is None or abs(_log_change(alert)) >= _MOST * abs(_log_change(left))
        return began if is_most else None

    @staticmethod
    def _key(alert: Alert, began: date) -> tuple[str | None, str | None, Direction, str]:
        """Return what an alert leads back from, as `_accepted` has it."""
        return alert.region, alert.sector, "up" if alert.direction == "down" else "down", began.isoformat()

    def level_of_all(self) -> str:
        """Return what level the whole panel is leading back from, if an open alert of it says so; else empty."""
        whole = [each for each in self._alerts if each.status in STATUSES_OPEN and each.region is each.sector is None]
        found = [(alert, began) for alert in whole if (began := self.since(alert)) is not None]
        return f"the level of {_origin(*found[0])}" if found else ""

    def claim(self, alert: Alert, names: Names) -> str:
        """Return what an open alert is, without its subject: of a return the figures of its day, and no boom."""
        began = self.since(alert)
        if began is None or alert.observed is None or alert.expected is None:
            return claim(alert)
        currency = names.currency(alert.panel)
        observed, expected = (quantity(value, alert.measure, currency) for value in (alert.observed, alert.expected))
        what, day = MEASURE_WORDS[alert.measure], short_day(date.fromisoformat(alert.as_of))
        return f"back from {_origin(alert, began)}: {what} {observed} on {day}, against {expected} at that level"


def _origin(alert: Alert, began: date) -> str:
    """Return what a return leads back from."""
    return f"the {'rise' if alert.direction == 'down' else 'fall'} of {short_day(began)}"


def taken_as_usual(alert: Alert) -> str:
    """Return what an accepted alert was when it became the new level, in its own figures and without its subject."""
    began, ended = (short_day(date.fromisoformat(each)) for each in (alert.opened_on, alert.as_of))
    what = f"{MEASURE_WORDS[alert.measure]} {alert.direction} since {began}"
    return f"{what}, {lately(alert, change_pct(alert))} when it was taken as usual on {ended}"


def change_pct(alert: Alert) -> float:
    """Return the change of an alert against before it, as it was published last."""
    return figure(alert, "last_days_effect") or figure(alert, "effect") or 0.0


def _began(alert: Alert) -> date | None:
    days = figure(alert, "days_since_level_began")
    return None if days is None else date.fromisoformat(alert.as_of) - timedelta(days=round(days))


def _log_change(alert: Alert) -> float:
    return float(np.log1p(max(change_pct(alert) / 100, -0.999)))
