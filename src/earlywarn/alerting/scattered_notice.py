"""The coverage episode of single cells that could not be read, one here and one there.

A bad row is all of its cell on a day. That cell is not judged then, but a notice for each of them would be a flood:
they are one notice of the panel, as grave as what the panel lacks, and it goes on from one of them to the next.
"""

from collections.abc import Sequence

import msgspec

from earlywarn.aggregation.rows import ClosedDay, ReadShare
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import NoticeWriter, graded
from earlywarn.alerting.unread_places import as_evidence, pct, series_id, unread_places
from earlywarn.domain.alert import (
    NO_SECTOR_KNOWN,
    SEVERITIES,
    UNREAD,
    UNREAD_DAYS,
    UNREAD_PLACES,
    Alert,
    Evidence,
    Severity,
    Status,
)
from earlywarn.domain.state import State

_RESTS_DAYS = 3
"""An episode is over after so many times the days that it was of without one, and after `_MOST_RESTS_DAYS`."""
_MOST_RESTS_DAYS = 28
_NEWS = 2
"""So many times as many days as it told of make news, since it says for the most part on how many it was."""
_WORST_TOLD = 3


class ScatteredNotice:
    """At most one open episode of a panel."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._least = writer.parameters.coverage_share
        self._episode: Episode | None = None
        self._evidence: tuple[Evidence, ...] = ()
        self._days: dict[str, int] = {}  # on which a series could not be read
        self._told_days = 0

    def step(self, closed: ClosedDay) -> list[Alert]:
        """Take in a day; return what is to be published of it.

        The episode opens with the first cell of which less than `coverage_share` could be read. It is revised when it
        is graver, and when it was of twice as many days, `revise_days` apart at least. It is resolved, with the last
        figures, when there was none for longer than they are apart.
        """
        single = unread_places(closed.coverage.gap.unread, self._least).single
        if not single:
            return self._rested()
        status: Status = "updated"
        if self._episode is None:
            self._episode = self._writer.episode("coverage", closed.day, what="scattered")
            self._days, status = {}, "open"
        episode = self._episode
        episode.miss(closed.day, is_all=False)
        episode.quiet_days = 0
        for each in single:
            name = series_id(closed.panel, each)
            self._days[name] = self._days.get(name, 0) + 1
        self._evidence = self._figures(closed, single)
        is_graver = SEVERITIES.index(self._grade()) > SEVERITIES.index(episode.severity)
        is_more = any(each.of_usual < self._least for each in single)
        is_more = is_more and episode.missing_days >= _NEWS * self._told_days
        if status != "open" and not is_graver and not (is_more and self._writer.is_due(episode, closed.day)):
            return []
        return [self._notice(episode, status)]

    def _rested(self) -> list[Alert]:
        """Take in a day on which every single cell could be read."""
        episode = self._episode
        if episode is None:
            return []
        episode.quiet_days += 1
        if episode.quiet_days < min(_RESTS_DAYS * episode.missing_days, _MOST_RESTS_DAYS):
            return []
        self._episode = None
        return [self._notice(episode, "resolved")]

    def _missing(self) -> float:
        """Return the share of the panel that could not be read on the last day."""
        return self._evidence[0].value / 100

    def _grade(self) -> Severity:
        return graded(self._missing(), self._missing())

    def _notice(self, episode: Episode, status: Status) -> Alert:
        self._told_days = episode.missing_days
        evidence = [*self._evidence, Evidence(name=UNREAD_DAYS, value=float(episode.missing_days), unit="days")]
        if len(self._days) > 1:
            worst = sorted(self._days.items(), key=lambda each: (-each[1], each[0]))
            evidence += [
                Evidence(name=UNREAD_PLACES, value=float(len(worst)), unit="cells"),
                *(
                    Evidence(name=UNREAD_DAYS, value=float(days), unit="days", series_id=name)
                    for name, days in worst[:_WORST_TOLD]
                ),
            ]
        day, score = episode.last_alarm_on, self._writer.missing_score(self._missing())
        return self._writer.notice(episode, "coverage", status, day, self._grade(), score, tuple(evidence))

    def _figures(self, closed: ClosedDay, single: Sequence[ReadShare]) -> tuple[Evidence, ...]:
        """Return what could not be read of the panel in single cells, and of which on that day."""
        coverage = closed.coverage
        return (
            Evidence(name=UNREAD, value=pct(sum(each.of_panel for each in single)), unit="pct"),
            Evidence(name="alerts_held_back", value=float(coverage.mutes(self._least)), unit="flag"),
            *([Evidence(name=NO_SECTOR_KNOWN, value=1.0, unit="flag")] if coverage.gap.sectorless else []),
            *as_evidence(closed.panel, single),
        )

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episode": None if self._episode is None else msgspec.to_builtins(self._episode),
            "evidence": msgspec.to_builtins(self._evidence),
            "days": [[name, days] for name, days in sorted(self._days.items())],
            "told_days": self._told_days,
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episode = None if saved["episode"] is None else msgspec.convert(saved["episode"], Episode)
        self._evidence = msgspec.convert(saved["evidence"], tuple[Evidence, ...])
        self._days, self._told_days = dict(saved["days"]), saved["told_days"]
