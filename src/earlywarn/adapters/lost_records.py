"""What rejected records would have been: those that no coverage knows, and days behind the last that is published."""

from collections import Counter
from datetime import date

from earlywarn.aggregation.intake import Outcome
from earlywarn.aggregation.route import Router
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.reject import RejectReason, Whereabouts
from earlywarn.domain.transaction import Transaction

_NOT_MISSED = frozenset({
    RejectReason.DUPLICATE,
    RejectReason.DUPLICATE_CELL,
    RejectReason.TOO_LATE,
    RejectReason.PANEL_UNKNOWN,
})  # fmt: skip
"""Copies, what is late, and what is of no panel: nothing of a day lacks them."""


class LostRecords:
    """Takes the rejected records of a run, each with the reason of its reject.

    Args:
        router: says where records count.
        calendar: whose days are told.
        received_ms: the time of receipt; what is of days behind it tells nothing.

    Attributes:
        unplaced: how many do not say where they would have counted, so that no coverage lacks them.
    """

    def __init__(self, router: Router, calendar: LocalCalendar, received_ms: int) -> None:
        self.unplaced = 0
        self._router = router
        self._calendar = calendar
        self._received_ms = received_ms
        self._days: Counter[date] = Counter()

    def add(self, outcome: Outcome, reason: RejectReason) -> None:
        """Take in one."""
        if reason in _NOT_MISSED:
            return
        if isinstance(outcome, Transaction):
            target, ts = self._router.where(outcome), outcome.ts
        elif isinstance(outcome.about, Whereabouts):
            target, ts = self._router.locate(outcome.about.place), outcome.about.ts
        else:
            target, ts = None, 0
        if target is None:
            self.unplaced += 1
        elif ts <= self._received_ms:
            self._days[self._calendar.day_of(ts // 1000)] += 1

    def after(self, last_day: date) -> tuple[int, date] | None:
        """Return how many are of days after the last one that is published, and the last of these; None without any."""
        found = [day for day in self._days if day > last_day]
        return (sum(self._days[day] for day in found), max(found)) if found else None
