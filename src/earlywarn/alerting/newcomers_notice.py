"""The episode of sources that are new: what they add is no rise of spending."""

import msgspec

from earlywarn.aggregation.rows import Branch, ClosedDay
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import NoticeWriter
from earlywarn.domain.alert import Alert, Status
from earlywarn.domain.state import State


class NewcomersNotice:
    """At most one open episode of a panel."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._episode: Episode | None = None
        self._newcomers: tuple[Branch, ...] = ()

    def step(self, closed: ClosedDay) -> list[Alert]:
        """Tell of sources that are new; with the next day that brings no further ones that is said and done."""
        status: Status = "updated"
        if closed.coverage.new:
            if self._episode is None:
                self._episode = self._writer.episode("coverage", closed.day, direction="up")
                self._newcomers, status = (), "open"
            self._newcomers = tuple(sorted({*self._newcomers, *closed.coverage.new}))
            self._episode.last_alarm_on = closed.day
        elif self._episode is not None:
            status = "resolved"
        else:
            return []
        evidence = self._writer.feeds("new: ", (), self._newcomers)
        notice = self._writer.notice(self._episode, "coverage", status, closed.day, "medium", 1.0, evidence)
        if status == "resolved":
            self._episode = None
        return [notice]

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episode": None if self._episode is None else msgspec.to_builtins(self._episode),
            "newcomers": [list(each) for each in self._newcomers],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episode = None if saved["episode"] is None else msgspec.convert(saved["episode"], Episode)
        self._newcomers = tuple(Branch(*each) for each in saved["newcomers"])
