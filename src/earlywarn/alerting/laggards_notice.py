"""The episode of sources that bring much less than usual where the others go on: that is no fall of spending."""

from collections.abc import Iterable, Sequence

import msgspec

from earlywarn.aggregation.rows import Behind, ClosedDay
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import NoticeWriter
from earlywarn.domain.alert import BEHIND, Alert, Evidence, Status
from earlywarn.domain.state import State


def _evidence(behind: Iterable[Behind]) -> tuple[Evidence, ...]:
    return tuple(Evidence(name=BEHIND + each.feed, value=round(100 * each.share, 1), unit="%") for each in behind)


def told_beside(alert: Alert, behind: Sequence[Behind]) -> Alert:
    """Return an alert with who is behind, if it is of a fall of the whole panel or of a sector of it."""
    if alert.kind != "economic" or alert.region is not None or alert.direction == "up" or alert.status == "resolved":
        return alert
    return msgspec.structs.replace(alert, evidence=(*alert.evidence, *_evidence(behind)))


class LaggardsNotice:
    """At most one open episode of a panel. It holds nothing back."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._episode: Episode | None = None
        self._evidence: tuple[Evidence, ...] = ()

    def step(self, closed: ClosedDay) -> list[Alert]:
        """Tell who is behind, again when others are as well and every `revise_days`, and when nobody is any more."""
        behind = closed.coverage.behind
        status: Status = "updated"
        if behind:
            evidence = _evidence(behind)
            if self._episode is None:
                self._episode = self._writer.episode("coverage", min(each.since for each in behind), what="behind")
                self._episode.detected_on, status = closed.day, "open"
            is_news = [each.name for each in evidence] != [each.name for each in self._evidence]
            self._episode.last_alarm_on, self._evidence = max(each.last for each in behind), evidence
            if status == "updated" and not is_news and not self._writer.is_due(self._episode, closed.day):
                return []
        elif self._episode is not None:
            status = "resolved"
        else:
            return []
        most = max(each.value for each in self._evidence)
        notice = self._writer.notice(self._episode, "coverage", status, closed.day, "high", most / 100, self._evidence)
        if status == "resolved":
            self._episode, self._evidence = None, ()
        return [notice]

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episode": None if self._episode is None else msgspec.to_builtins(self._episode),
            "evidence": msgspec.to_builtins(self._evidence),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episode = None if saved["episode"] is None else msgspec.convert(saved["episode"], Episode)
        self._evidence = msgspec.convert(saved["evidence"], tuple[Evidence, ...])
