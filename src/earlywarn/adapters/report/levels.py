"""Shocks that have become a new level, and those that lead back from one: by the figures of the alerts themselves.

A new level is what is expected from then on, so "as expected" alone would hide it. How far off today is from before it
is not said: months later nobody knows what would have been usual. Said is what the alerts published when they ended.
Levels of a series follow each other: what two of them come to is the product of their changes, so a fall of 60 % that a
rise of 100 % follows leaves 20 %, and a rise of 150 % leaves nothing.
"""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from math import expm1, log1p

import msgspec

from earlywarn.adapters.report.wording import against, short_day
from earlywarn.alerting.narrative import claim, lately
from earlywarn.alerting.words import MEASURE_WORDS, Names, day, day_of, figure, quantity, size_pct, subject
from earlywarn.domain.alert import STATUSES_OPEN, Alert, Direction

_BEYOND = 0.5
"""Share of a change (of its logarithm) that must be left beyond the level before, for it to be more than a return."""
_MOST = 0.5
"""Share of what is left of levels that an open alert must undo for them to be over; what undoes less leaves most."""
_NOTHING_LEFT = (0.05, 0.1)
"""Logarithm of what is left of levels that is nothing, and the share of the largest change that may be besides."""
_FIRST_DAY_ERRS_DAYS = 7
_FOLLOWS_DAYS = 365
"""A change so long after a level was taken as usual has nothing to do with it."""
_LASTS_DAYS = 182
"""For so long a new level is told; what is older the comparison with the year before shows."""


class Level(msgspec.Struct, frozen=True):
    """A level that lasts: the alert that stands for it, and all that it has come of, the oldest first."""

    alert: Alert
    steps: tuple[Alert, ...]

    @property
    def told(self) -> str:
        """Return what it is, in the alerts' own figures and without its subject."""
        if len(self.steps) == 1:
            return taken_as_usual(self.alert)
        what, first = MEASURE_WORDS[self.alert.measure], day(self.steps[0].opened_on)
        steps = [f"{each.direction} {size_pct(change_pct(each))} since {day(each.opened_on)}" for each in self.steps]
        whole = against(expm1(sum(map(_log_change, self.steps))), f"what it was before {first}")
        return f"{what} {whole}: {', then '.join(steps)}"


class Returns:
    """The new levels of a panel, and the alerts that lead back from one.

    Args:
        alerts: latest revisions.
        back: when the level from before an accepted alert was back; None as long as it is not, or where nobody knows.
    """

    def __init__(self, alerts: Iterable[Alert], back: Callable[[Alert], date | None] = lambda _: None) -> None:
        self._alerts, self._back = list(alerts), back
        self._since: dict[str, date] = {}  # by id of what leads back
        self._chains: list[list[Alert]] = []  # accepted alerts of a series whose changes come to something
        told = [each for each in self._alerts if each.status in STATUSES_OPEN or each.outcome == "accepted"]
        series: dict[tuple[str | None, str | None, bool], list[Alert]] = {}
        for alert in sorted(told, key=lambda each: (each.opened_on, each.as_of, each.id)):
            if alert.kind == "economic":
                series.setdefault((alert.region, alert.sector, alert.measure == "mean_ticket"), []).append(alert)
        for alerts_of_one in series.values():
            self._walk(alerts_of_one)

    def _walk(self, alerts: Iterable[Alert]) -> None:
        chain: list[Alert] = []
        for alert in alerts:
            if chain and (_date(alert.opened_on) - _date(chain[-1].as_of)).days > _FOLLOWS_DAYS:
                chain = self._told(chain)
            while chain and self._was_gone(chain[-1], alert):
                chain.pop()
            changes = [_log_change(each) for each in chain]
            net, change = sum(changes), _log_change(alert)
            left = net + change
            if net * change < 0:
                is_beyond = left * change > 0 and left / change >= _BEYOND
                if not is_beyond:
                    self._since[alert.id] = next(
                        _date(each.opened_on)
                        for each, own in zip(reversed(chain), reversed(changes), strict=True)
                        if own * net > 0
                    )
                if alert.outcome != "accepted":
                    chain = [] if abs(change) >= _MOST * abs(net) else chain
                    continue
                least, share = _NOTHING_LEFT
                if abs(left) <= least + share * max(map(abs, (*changes, change))):
                    chain = []
                    continue
                chain = [] if is_beyond else chain
            if alert.outcome == "accepted":
                chain = [*chain, alert]
        self._told(chain)

    def _was_gone(self, level: Alert, alert: Alert) -> bool:
        """Return whether a level had gone by itself before the first day of an alert, whose estimate errs by days.

        What was usual then the alert knows best: it may say itself that it is measured against the level.
        """
        opened, back = _date(alert.opened_on), self._back(level)
        if day_of(alert, "days_since_level_began") == _date(level.opened_on):
            return False
        return back is not None and back < opened - timedelta(days=_FIRST_DAY_ERRS_DAYS)

    def _told(self, chain: list[Alert]) -> list[Alert]:
        """Note levels that nothing has undone; return the beginning of others."""
        if chain:
            self._chains.append(chain)
        return []

    def lasting(self, lasts: Callable[[Alert], bool], last_day: date) -> dict[str, Level]:
        """Return the levels that last, by the id of the alert that stands for each; parts as their wider alerts do.

        Args:
            lasts: whether an accepted alert's level still stands.
            last_day: of the report.
        """
        found = {}
        for chain in self._chains:
            steps = list(chain)
            while steps and not lasts(steps[-1]):
                steps.pop()
            if steps and (last_day - _date(steps[-1].as_of)).days <= _LASTS_DAYS:
                net = sum(map(_log_change, steps))
                alert = next(each for each in reversed(steps) if _log_change(each) * net >= 0)
                found[alert.id] = Level(alert, tuple(steps))
        wider = {name for name, level in found.items() if level.alert.parent is None}
        return {name: level for name, level in found.items() if name in wider or level.alert.parent in wider}

    def since(self, alert: Alert) -> date | None:
        """Return the first day of what an alert leads back from; None of one that is a shock of its own.

        A closure after a season's rise leads back from that rise, and is much more than its end. A second closure after
        a reopening is a shock: the reopening was the return.
        """
        return self._since.get(alert.id)

    def level_of_all(self) -> str:
        """Return what level the whole panel is leading back from, if an open alert of it says so; else empty."""
        whole = [each for each in self._alerts if each.status in STATUSES_OPEN and each.region is each.sector is None]
        found = [(alert, began) for alert in whole if (began := self.since(alert)) is not None]
        return f"the level of {_origin(*found[0])}" if found else ""

    def ways_back(self, names: Names, direction: Direction) -> list[str]:
        """Return what open alerts of a direction that lead back from a level are of, parts left out."""
        tops = [each for each in self._alerts if each.status in STATUSES_OPEN and each.parent is None]
        return [subject(each, names) for each in tops if each.direction == direction and self.since(each) is not None]

    def claim(self, alert: Alert, names: Names) -> str:
        """Return what an open alert is, without its subject: of a return the figures of its day, and no boom."""
        began = self.since(alert)
        if began is None or alert.observed is None or alert.expected is None:
            return claim(alert)
        currency = names.currency(alert.panel)
        observed, expected = (quantity(value, alert.measure, currency) for value in (alert.observed, alert.expected))
        seen = f"{MEASURE_WORDS[alert.measure]} {observed} on {day(alert.as_of)}"
        return f"back from {_origin(alert, began)}: {seen}, against {expected} at that level"


def _origin(alert: Alert, began: date) -> str:
    """Return what a return leads back from."""
    return f"the {'rise' if alert.direction == 'down' else 'fall'} of {short_day(began)}"


def taken_as_usual(alert: Alert) -> str:
    """Return what an accepted alert was when it became the new level, in its own figures and without its subject."""
    began, ended = day(alert.opened_on), day(alert.as_of)
    what = f"{MEASURE_WORDS[alert.measure]} {alert.direction} since {began}"
    return f"{what}, {lately(alert, change_pct(alert))} when it was taken as usual on {ended}"


def change_pct(alert: Alert) -> float:
    """Return the change of an alert against before it, as it was published last."""
    return figure(alert, "last_days_effect") or figure(alert, "effect") or 0.0


def _log_change(alert: Alert) -> float:
    return log1p(max(change_pct(alert) / 100, -0.999))


def _date(iso: str) -> date:
    return date.fromisoformat(iso)
