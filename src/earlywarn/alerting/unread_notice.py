"""The coverage episode of what came and could not be read: since when, how much of the panel, and where."""

from collections.abc import Sequence
from datetime import date

import msgspec

from earlywarn.aggregation.rows import ClosedDay, ReadShare
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import PLACES_TOLD, NoticeWriter, graded
from earlywarn.domain.alert import NO_SECTOR_KNOWN, UNREAD, Alert, Evidence, Status
from earlywarn.domain.series import Series
from earlywarn.domain.state import State

_FEW_CELLS = 3
"""So many are named themselves; of more, the regions or sectors that they add up to."""


_RESTS_DAYS = 3
"""After so many days in a row without, an episode of more is over as well."""


class UnreadNotice:
    """At most one open episode of a panel. It is no silence of a feed: nobody is missed, and nobody is forgotten."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._least = writer.parameters.coverage_share
        self._episode: Episode | None = None
        self._evidence: tuple[Evidence, ...] = ()

    def step(self, closed: ClosedDay) -> list[Alert]:
        """Take in a day; return what is to be published of it.

        The episode opens when less than `coverage_share` of something sizeable could be read, is revised when it is
        other places and every `revise_days`, and is resolved, with the last figures, by the first day without. One of
        more than a few days goes on over a holiday, or a day of which a file is missing.
        """
        short = self._short(closed)
        if not short:
            return self._rested()
        status: Status = "updated"
        if self._episode is None:
            self._episode = self._writer.episode("coverage", closed.day, what="unread")
            self._evidence, status = (), "open"
        self._episode.miss(closed.day, is_all=not closed.heard)
        self._episode.quiet_days = 0
        before, self._evidence = self._evidence, self._told(closed, short)
        same = {each.series_id for each in before} == {each.series_id for each in self._evidence}
        if same and not self._writer.is_due(self._episode, closed.day):
            return []
        return [self._notice(self._episode, status, closed.day)]

    def _rested(self) -> list[Alert]:
        """Take in a day on which no more than usual could not be read."""
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
        days = Evidence(name="days_unread", value=float(episode.missing_days), unit="days")
        grade, score = graded(shares[0], max(shares)), self._writer.missing_score(max(shares))
        return self._writer.notice(episode, "coverage", status, day, grade, score, (*self._evidence, days))

    def _short(self, closed: ClosedDay) -> list[ReadShare]:
        """Return of what too little could be read, the least first: cells if these are few, else regions or sectors."""
        short = [each for each in closed.coverage.gap.unread if each.share < self._least]
        cells = [each for each in short if each.region is not None and each.sector is not None]
        if not 0 < len(cells) <= _FEW_CELLS:
            regions = [each for each in short if each.region is not None and each.sector is None]
            sectors = [each for each in short if each.region is None and each.sector is not None]
            whole = [each for each in short if each.region is each.sector is None]
            cells = regions or sectors or cells or whole
        return sorted(cells, key=lambda each: (each.share, each.region or "", each.sector or ""))

    def _told(self, closed: ClosedDay, short: Sequence[ReadShare]) -> tuple[Evidence, ...]:
        """Return what could not be read of the panel, whether nothing of it is judged, and the worst places."""
        places = [each for each in short if each.region is not None or each.sector is not None]
        return (
            Evidence(name=UNREAD, value=_pct(closed.coverage.gap.read), unit="pct"),
            Evidence(name="alerts_held_back", value=float(closed.coverage.mutes(self._least)), unit="flag"),
            *([Evidence(name=NO_SECTOR_KNOWN, value=1.0, unit="flag")] if closed.coverage.gap.sectorless else []),
            *(
                Evidence(
                    name=UNREAD,
                    value=_pct(each.share),
                    unit="pct",
                    series_id=Series(closed.panel, each.region, each.sector).series_id,
                )
                for each in places[:PLACES_TOLD]
            ),
        )

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


def _pct(read: float) -> float:
    return round(100 * (1 - read), 1)
