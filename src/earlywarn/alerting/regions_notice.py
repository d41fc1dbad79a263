"""The coverage episodes of regions of which nothing comes in any of several sectors."""

from collections.abc import Collection
from datetime import date

import msgspec

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import NoticeWriter, duration
from earlywarn.domain.alert import Alert, Evidence, Status
from earlywarn.domain.state import State


class RegionsNotice:
    """At most one open episode a region."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._episodes: dict[str, Episode] = {}
        self._resting_since: dict[str, date] = {}  # silent regions, on public holidays alone so far

    def step(self, closed: ClosedDay, holiday: Collection[str | None]) -> list[Alert]:
        """Open an episode of a region that is silent; revise it every `revise_days`; resolve it when it is heard.

        Of a region that keeps a public holiday (`holiday`) it is told once the silence goes on.
        """
        silent = closed.coverage.gap.regions
        # A region that rests on Sundays is not silent then, and not heard either.
        heard = {cell.region for cell, count in zip(closed.cells, closed.transactions, strict=True) if count}
        notices = []
        self._resting_since = {region: day for region, day in self._resting_since.items() if region in silent}
        for region in silent:
            status: Status = "updated"
            if region not in self._episodes:
                began = self._resting_since.setdefault(region, closed.day)
                if region in holiday:
                    continue
                self._episodes[region], status = self._writer.silence(began, closed.day, region), "open"
                del self._resting_since[region]
            episode = self._episodes[region]
            episode.miss(closed.day, is_all=region not in heard)
            if status == "open" or self._writer.is_due(episode, closed.day):
                notices.append(self._notice(episode, closed.day, status))
        again = sorted(self._episodes.keys() & heard - set(silent))
        return notices + [self._notice(self._episodes.pop(each), closed.day, "resolved") for each in again]

    def _notice(self, episode: Episode, day: date, status: Status) -> Alert:
        evidence = (
            Evidence(name="missing_volume", value=100.0, unit="pct"),
            Evidence(name="alerts_held_back", value=1.0, unit="flag"),
            *duration(episode),
        )
        score = self._writer.missing_score(1.0)
        return self._writer.notice(episode, "coverage", status, day, "high", score, evidence)

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episodes": [msgspec.to_builtins(episode) for _, episode in sorted(self._episodes.items())],
            "resting": [[region, day.isoformat()] for region, day in sorted(self._resting_since.items())],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episodes = {each.region or "": each for each in msgspec.convert(saved["episodes"], list[Episode])}
        self._resting_since = {region: date.fromisoformat(day) for region, day in saved["resting"]}
