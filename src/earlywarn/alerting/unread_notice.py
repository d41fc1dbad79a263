"""The coverage episode of what came and could not be read throughout a region, a sector or the panel."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec

from earlywarn.aggregation.rows import ClosedDay, ReadShare
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import NoticeWriter, graded
from earlywarn.alerting.unread_places import as_evidence, pct, series_id, unread_places
from earlywarn.domain.alert import AS_USUAL, NO_SECTOR_KNOWN, UNREAD, UNREAD_DAYS, Alert, Evidence, Status
from earlywarn.domain.state import State

_RESTS_DAYS = 3
"""After so many days in a row without, an episode of more is over as well."""
_STAYS = 0.6
"""Of the share from which an episode begins: with less left than that of every place it is told of, it is over."""
_MATERIAL = 0.1
"""Of the panel, by which another share must be unread to be told of once more."""
_MEMORY_DAYS = 7
"""Over so many days that share is averaged: from day to day it differs by chance."""


class UnreadNotice:
    """At most one open episode of a panel. It is no silence of a feed: nobody is missed, and nobody is forgotten."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._least = writer.parameters.coverage_share
        self._episode: Episode | None = None
        self._evidence: tuple[Evidence, ...] = ()
        self._unread = 0.0  # share of the panel, averaged
        self._told = _Told()

    def step(self, closed: ClosedDay) -> list[Alert]:
        """Take in a day; return what is to be published of it.

        The episode opens when less than `coverage_share` of something sizeable could be read. It is revised when it is
        materially another share, or is held back or usual where it was not; of more than usual also when it is other
        places, and every `revise_days`. It is resolved, with the last figures, by the first day without. One of more
        than a few days goes on over a holiday, or a day of which a file is missing.
        """
        short = self._short(closed)
        if not short:
            return self._rested()
        status: Status = "updated"
        unread, episode = 1 - closed.coverage.gap.read, self._episode
        if episode is None:
            episode = self._episode = self._writer.episode("coverage", closed.day, what="unread")
            self._evidence, self._unread, status = (), unread, "open"
        self._unread += (unread - self._unread) / _MEMORY_DAYS
        episode.miss(closed.day, is_all=not closed.heard)
        episode.quiet_days = 0
        is_usual = all(each.of_usual >= self._least for each in short)
        before, self._evidence = self._evidence, self._figures(closed, short, is_usual=is_usual)
        held = (closed.coverage.mutes(self._least), any(each.judged < self._least for each in short))
        now = _Told(self._unread, is_usual, *held)
        is_due = not is_usual and (
            _places(before) != _places(self._evidence) or self._writer.is_due(episode, closed.day)
        )
        is_other = now[1:] != self._told[1:] or abs(now.unread - self._told.unread) >= _MATERIAL
        if status != "open" and not is_other and not is_due:
            return []
        self._told = now
        return [self._notice(episode, status, closed.day)]

    def _rested(self) -> list[Alert]:
        """Take in a day on which enough could be read."""
        episode = self._episode
        if episode is None:
            return []
        episode.quiet_days += 1
        if episode.quiet_days < _RESTS_DAYS < episode.missing_days:
            return []
        self._episode = None
        return [self._notice(episode, "resolved", episode.last_alarm_on)]

    def _notice(self, episode: Episode, status: Status, day: date) -> Alert:
        shares = [each.value / 100 for each in self._evidence if each.name == UNREAD]
        days = Evidence(name=UNREAD_DAYS, value=float(episode.missing_days), unit="days")
        grade, score = graded(shares[0], max(shares)), self._writer.missing_score(max(shares))
        return self._writer.notice(episode, "coverage", status, day, grade, score, (*self._evidence, days))

    def _short(self, closed: ClosedDay) -> tuple[ReadShare, ...]:
        """Return of what too little could be read; of an open episode also what is told of and usually so by now."""
        unread = closed.coverage.gap.unread
        short = unread_places(unread, self._least).throughout
        if short or self._episode is None:
            return short
        told, stays = _places(self._evidence), 1 - _STAYS * (1 - self._least)
        return tuple(
            each
            for each in unread
            if each.share < stays and each.of_usual >= self._least and _place(closed.panel, each) in told
        )

    def _figures(self, closed: ClosedDay, short: Sequence[ReadShare], *, is_usual: bool) -> tuple[Evidence, ...]:
        """Return what could not be read of the panel, what that holds back, and the worst places."""
        gap = closed.coverage.gap
        judged = is_usual and all(each.judged >= self._least for each in short)
        return (
            Evidence(name=UNREAD, value=pct(1 - gap.read), unit="pct"),
            Evidence(name="alerts_held_back", value=float(closed.coverage.mutes(self._least)), unit="flag"),
            *([Evidence(name=AS_USUAL, value=float(judged), unit="flag")] if is_usual else []),
            *([Evidence(name=NO_SECTOR_KNOWN, value=1.0, unit="flag")] if gap.sectorless else []),
            *as_evidence(closed.panel, short),
        )

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episode": None if self._episode is None else msgspec.to_builtins(self._episode),
            "evidence": msgspec.to_builtins(self._evidence),
            "unread": self._unread,
            "told": list(self._told),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episode = None if saved["episode"] is None else msgspec.convert(saved["episode"], Episode)
        self._evidence = msgspec.convert(saved["evidence"], tuple[Evidence, ...])
        self._unread, self._told = saved["unread"], _Told(*saved["told"])


class _Told(NamedTuple):
    """What a revision said: the share of the panel, whether that is usual, what of alerts is held back."""

    unread: float = 0.0
    is_usual: bool = False
    all_held_back: bool = False
    some_held_back: bool = False


def _places(evidence: Sequence[Evidence]) -> set[str | None]:
    return {each.series_id for each in evidence}


def _place(panel: str, each: ReadShare) -> str | None:
    return None if each.region is each.sector is None else series_id(panel, each)
