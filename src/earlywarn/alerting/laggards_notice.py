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
    is_fall = alert.kind == "economic" and alert.direction == "down" and alert.status != "resolved"
    if not behind or not is_fall or alert.region is not None:
        return alert
    return msgspec.structs.replace(alert, evidence=(*alert.evidence, *_evidence(behind)))


class LaggardsNotice:
    """At most one open episode of each source of a panel. It holds nothing back."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._episodes: dict[str, Episode] = {}
        self._last: dict[str, Behind] = {}

    def step(self, closed: ClosedDay) -> list[Alert]:
        """Tell who is behind, again every `revise_days`, and who is no longer."""
        behind = {each.feed: each for each in closed.coverage.behind}
        over = {feed: self._last[feed] for feed in self._episodes if feed not in behind}
        notices = [self._notice(each, "resolved", closed) for each in over.values()]
        for feed, each in behind.items():
            status: Status = "updated"
            if feed not in self._episodes:
                self._episodes[feed] = self._writer.episode("coverage", each.since, what=f"behind {feed}")
                self._episodes[feed].detected_on, status = closed.day, "open"
            episode, self._last[feed] = self._episodes[feed], each
            episode.last_alarm_on = each.last
            if status == "open" or self._writer.is_due(episode, closed.day):
                notices.append(self._notice(each, status, closed))
        for feed in over:
            del self._episodes[feed], self._last[feed]
        return notices

    def _notice(self, behind: Behind, status: Status, closed: ClosedDay) -> Alert:
        episode, evidence = self._episodes[behind.feed], _evidence([behind])
        return self._writer.notice(episode, "coverage", status, closed.day, "high", behind.share, evidence)

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episodes": msgspec.to_builtins(self._episodes),
            "last": [each.plain() for each in self._last.values()],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episodes = msgspec.convert(saved["episodes"], dict[str, Episode])
        self._last = {feed: Behind.restored(feed, *rest) for feed, *rest in saved["last"]}
