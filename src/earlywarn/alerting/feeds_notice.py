"""The coverage episode of a panel's feeds: who is silent, how much that is, and where."""

from datetime import date

import msgspec
import numpy as np

from earlywarn.aggregation.rows import ClosedDay, Coverage, of_cells
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import PLACES_TOLD, NoticeWriter, duration, graded
from earlywarn.domain.alert import Alert, Evidence, Status
from earlywarn.domain.series import Series
from earlywarn.domain.state import State


class FeedsNotice:
    """At most one open episode of a panel."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._least = writer.parameters.coverage_share
        self._episode: Episode | None = None
        self._missed: Coverage | None = None
        self._forgotten: tuple[Evidence, ...] = ()
        self._resting_since: date | None = None  # somebody is silent, on public holidays alone so far

    def step(self, closed: ClosedDay, *, is_holiday: bool) -> list[Alert]:
        """Open an episode when too little is heard; revise it when others fall silent; resolve it.

        An open one is revised every `revise_days` all the same, so that it says for how long. A feed of which nothing
        is expected any more is told of as well, however small it was, and one without which cells cannot be judged. A
        resolved episode tells the last day of which something was missing. It goes on over days on which nothing is
        expected of who is silent.

        On a public holiday a source may rest like the shops: that is told of once it goes on. If nothing at all is
        heard it is told at once.
        """
        news = closed.coverage
        is_muted = news.mutes(self._least) and news.delivered < self._least
        local = () if is_muted else self._local(closed)
        if not is_muted and not news.begins_anew and not local:
            self._resting_since = None
            return [] if news.rests else self._resolved(news)
        if self._episode is None and is_holiday and closed.heard and not news.begins_anew:
            self._resting_since = self._resting_since or closed.day
            return []
        before, self._missed = self._missed, news
        status: Status = "updated"
        if self._episode is None:
            self._episode = self._writer.silence(self._resting_since or closed.day, closed.day)
            self._forgotten, self._resting_since, status = (), None, "open"
        self._episode.miss(closed.day, is_all=not closed.transactions.any())
        gone = {*self._forgotten, *self._writer.feeds("expected no more: ", news.forgotten, news.branches_forgotten)}
        self._forgotten = tuple(sorted(gone, key=lambda each: (each.name, each.series_id or "")))
        is_known = before is not None and _who(before) == _who(news) and not news.begins_anew
        if is_known and not self._writer.is_due(self._episode, closed.day):
            return []
        return [self._notice(self._episode, news, local, closed.day, status)]

    def _resolved(self, news: Coverage) -> list[Alert]:
        if self._episode is None or self._missed is None:
            return []
        episode, missed = self._episode, self._missed
        self._episode = self._missed = None
        still = self._writer.feeds("still silent: ", news.silent, news.branches)
        return [self._notice(episode, missed, (), episode.last_alarm_on, "resolved", still)]

    def _local(self, closed: ClosedDay) -> tuple[Evidence, ...]:
        """Return where so much is missing that nothing can be judged though most of the panel is heard.

        In regions or in sectors, where the most is missing; if in none of them as a whole, in cells.
        """
        # What came and could not be read is told by itself.
        read = of_cells(closed.cells_read, range(len(closed.cells)))
        in_part = closed.heard_in_part(self._least) & (closed.cells_heard < read)
        if not in_part.any():
            return ()
        places = {place for at in np.flatnonzero(in_part) for place in closed.cells[at]}
        short = [total for total in closed.coverage.gap.in_part(self._least) if not places.isdisjoint(total[:2])]
        regions, sectors = ([total for total in short if total[at] is not None] for at in (0, 1))
        found = min(regions, sectors, key=lambda totals: min((share for _, _, share in totals), default=1.0))
        if not found:
            found = [(*closed.cells[at], float(closed.cells_heard[at])) for at in np.flatnonzero(in_part)]
        return tuple(
            Evidence(
                name="missing_volume",
                value=round(100 * (1 - share), 1),
                unit="pct",
                series_id=Series(closed.panel, region, sector).series_id,
            )
            for region, sector, share in sorted(found, key=lambda each: each[2])[:PLACES_TOLD]
        )

    def _notice(
        self,
        episode: Episode,
        coverage: Coverage,
        local: tuple[Evidence, ...],
        day: date,
        status: Status,
        more: tuple[Evidence, ...] = (),
    ) -> Alert:
        missing = 1 - coverage.delivered
        most = max([missing, *(each.value / 100 for each in local)])
        evidence = (
            Evidence(name="missing_volume", value=round(100 * missing, 1), unit="pct"),
            Evidence(name="alerts_held_back", value=float(coverage.mutes(self._least)), unit="flag"),
            *duration(episode),
            *local,
            *self._writer.feeds("silent: ", coverage.silent, coverage.branches),
            *self._forgotten,
            *(Evidence(name=f"quiet: {region}", value=1.0, unit="region") for region in coverage.quiet),
            *more,
        )
        score = self._writer.missing_score(most)
        return self._writer.notice(episode, "coverage", status, day, graded(missing, most), score, evidence)

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episode": None if self._episode is None else msgspec.to_builtins(self._episode),
            "missed": None if self._missed is None else msgspec.to_builtins(self._missed),
            "forgotten": msgspec.to_builtins(self._forgotten),
            "resting": None if self._resting_since is None else self._resting_since.isoformat(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episode = None if saved["episode"] is None else msgspec.convert(saved["episode"], Episode)
        self._missed = None if saved["missed"] is None else msgspec.convert(saved["missed"], Coverage)
        self._forgotten = msgspec.convert(saved["forgotten"], tuple[Evidence, ...])
        self._resting_since = None if saved["resting"] is None else date.fromisoformat(saved["resting"])


def _who(coverage: Coverage) -> tuple[object, object]:
    return coverage.silent, coverage.branches
