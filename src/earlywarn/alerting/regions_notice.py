"""The coverage episodes of regions of which nothing comes in any of several sectors."""

from collections.abc import Collection
from datetime import date

import msgspec

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.notice import PLACES_TOLD, NoticeWriter, duration, graded
from earlywarn.domain.alert import SILENT_REGIONS, Alert, Evidence, Status
from earlywarn.domain.series import Series
from earlywarn.domain.state import State

_TOGETHER = 3
"""So many regions that fall silent on one day have one cause, and are one notice of the panel."""


class RegionsNotice:
    """At most one open episode a region: of its own, or one of the panel that several have in common."""

    def __init__(self, writer: NoticeWriter) -> None:
        self._writer = writer
        self._episodes: dict[str, Episode] = {}
        self._common: Episode | None = None
        self._members: list[str] = []  # regions of the common episode that are silent, in order
        self._resting_since: dict[str, date] = {}  # silent regions, on public holidays alone so far

    def step(self, closed: ClosedDay, holiday: Collection[str | None]) -> list[Alert]:
        """Open an episode of a region that is silent; revise it every `revise_days`; resolve it when it is heard.

        Of a region that keeps a public holiday (`holiday`) it is told once the silence goes on. Regions that fall
        silent together are told together; that is over when all of them are heard.
        """
        silent = closed.coverage.gap.regions
        # A region that rests on Sundays is not silent then, and not heard either.
        heard = {cell.region for cell, count in zip(closed.cells, closed.transactions, strict=True) if count}
        self._resting_since = {region: day for region, day in self._resting_since.items() if region in silent}
        began = {}
        for region in silent:
            if region not in self._episodes and region not in self._members:
                since = self._resting_since.setdefault(region, closed.day)
                if region not in holiday:
                    began[region] = since
                    del self._resting_since[region]
        notices = self._of_common(closed, began, silent, heard)
        for region in silent:
            if region in self._members or (region not in self._episodes and region not in began):
                continue
            status: Status = "updated"
            if region not in self._episodes:
                self._episodes[region], status = self._writer.silence(began[region], closed.day, region), "open"
            episode = self._episodes[region]
            episode.miss(closed.day, is_all=region not in heard)
            if status == "open" or self._writer.is_due(episode, closed.day):
                notices.append(self._notice(episode, closed.day, status))
        again = sorted(self._episodes.keys() & heard - set(silent))
        return notices + [self._notice(self._episodes.pop(each), closed.day, "resolved") for each in again]

    def _of_common(
        self, closed: ClosedDay, began: dict[str, date], silent: Collection[str], heard: Collection[str]
    ) -> list[Alert]:
        """Take a day into the common episode; return its revision, if there is one."""
        episode, before = self._common, self._members
        status: Status = "updated"
        left = [region for region in before if region in silent or region not in heard]
        joining = sorted(began) if len(began) >= _TOGETHER else []
        if episode is None:
            if not joining:
                return []
            since = min(began.values())
            episode = self._common = self._writer.silence(since, closed.day, what="regions")
            status = "open"
        self._members = sorted({*left, *joining})
        if not self._members:
            self._common = None
            return [self._notice_of_common(episode, closed, before, "resolved")]
        if any(region in silent for region in self._members):
            episode.miss(closed.day, is_all=not any(region in heard for region in self._members))
        if status == "open" or self._members != before or self._writer.is_due(episode, closed.day):
            return [self._notice_of_common(episode, closed, self._members, status)]
        return []

    def _notice_of_common(self, episode: Episode, closed: ClosedDay, regions: list[str], status: Status) -> Alert:
        missing = 0.0 if status == "resolved" else 1 - closed.coverage.gap.panel
        evidence = (
            Evidence(name="missing_volume", value=round(100 * missing, 1), unit="pct"),
            Evidence(name="alerts_held_back", value=0.0, unit="flag"),
            *duration(episode),
            Evidence(name=SILENT_REGIONS, value=float(len(regions)), unit="regions"),
            *(
                Evidence(
                    name="missing_volume",
                    value=100.0,
                    unit="pct",
                    series_id=Series(closed.panel, region, None).series_id,
                )
                for region in regions[:PLACES_TOLD]
            ),
        )
        score = self._writer.missing_score(1.0)
        return self._writer.notice(episode, "coverage", status, closed.day, graded(missing, 1.0), score, evidence)

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
            "common": None if self._common is None else msgspec.to_builtins(self._common),
            "members": list(self._members),
            "episodes": [msgspec.to_builtins(episode) for _, episode in sorted(self._episodes.items())],
            "resting": [[region, day.isoformat()] for region, day in sorted(self._resting_since.items())],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episodes = {each.region or "": each for each in msgspec.convert(saved["episodes"], list[Episode])}
        self._common = None if saved["common"] is None else msgspec.convert(saved["common"], Episode)
        self._members = list(saved["members"])
        self._resting_since = {region: date.fromisoformat(day) for region, day in saved["resting"]}
