"""Notices that are no economic alerts: breaks of coverage of a panel or a region, and models that drift."""

from collections.abc import Collection
from datetime import date, timedelta

import msgspec
import numpy as np

from earlywarn.aggregation.rows import Branch, ClosedDay, Coverage, Loss, of_cells
from earlywarn.alerting.episode import Episode, alert_id
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.unread_notice import UnreadNotice, graded
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import LOST, SEVERITIES, Alert, Direction, Evidence, Kind, Severity, Status
from earlywarn.domain.series import Series
from earlywarn.domain.state import State

_PLACES_TOLD = 12


class Notices:
    """At most one open coverage episode of feeds and one of what cannot be read, one a region, and a model episode."""

    def __init__(self, panel: str, parameters: AlertParameters, letterhead: Letterhead) -> None:
        self.panel = panel
        self.parameters = parameters
        self.letterhead = letterhead
        self._coverage: Episode | None = None
        self._missed: Coverage | None = None
        self._forgotten: tuple[Evidence, ...] = ()
        self._new: Episode | None = None
        self._newcomers: tuple[Branch, ...] = ()
        self._regions: dict[str, Episode] = {}
        self._resting: dict[str | None, date] = {}  # who is silent since when, on public holidays alone so far
        self._unread = UnreadNotice(panel, parameters, self._begin_unread)
        self._model: Episode | None = None
        self._drifted: dict[tuple[str, str], date] = {}

    def coverage(self, closed: ClosedDay, resting: Collection[str | None] = ()) -> list[Alert]:
        """Open a coverage episode when too little is heard; revise it when others fall silent; resolve it.

        An open one is revised every `revise_days` all the same, so that it says for how long. A feed of which nothing
        is expected any more is told of as well, however small it was, and one without which cells cannot be judged. A
        resolved episode tells the last day of which something was missing. Regions that are silent are told of on days
        on which the panel is heard. What sources bring for the first time has an episode of its own, and so has what
        comes and cannot be read.

        On a public holiday a source, or a region, may rest like the shops: that is told of once it goes on. If nothing
        at all is heard it is told at once.

        Args:
            closed: the day.
            resting: regions that keep a holiday; None for the panel.
        """
        notices = self._feeds(closed, may_rest=None in resting and closed.heard)
        notices += [*self._unread_records(closed), *self._new_sources(closed)]
        if not self._mutes(closed.coverage):
            notices += self._silent_regions(closed, resting)
        return notices

    def _feeds(self, closed: ClosedDay, *, may_rest: bool) -> list[Alert]:
        news = closed.coverage
        is_muted = self._mutes(news) and news.delivered < self.parameters.coverage_share
        local = () if is_muted else self._local(closed)
        if not is_muted and not news.begins_anew and not local:
            self._resting.pop(None, None)
            if self._coverage is None or self._missed is None:
                return []
            episode, missed = self._coverage, self._missed
            self._coverage = self._missed = None
            still = self._feeds_told("still silent: ", news.silent, news.branches)
            return [self._coverage_alert(episode, missed, (), episode.last_alarm_on, "resolved", still)]
        if self._coverage is None and may_rest and not news.begins_anew:
            self._resting.setdefault(None, closed.day)
            return []
        before, self._missed = self._missed, news
        status: Status = "updated"
        if self._coverage is None:
            self._coverage, self._forgotten = self._opened(closed.day), ()
            status = "open"
        self._coverage.miss(closed.day, is_all=not closed.transactions.any())
        gone = {*self._forgotten, *self._feeds_told("expected no more: ", news.forgotten, news.branches_forgotten)}
        self._forgotten = tuple(sorted(gone, key=lambda each: (each.name, each.series_id or "")))
        is_known = before is not None and _who(before) == _who(news) and not news.begins_anew
        if is_known and not self._is_due(self._coverage, closed.day):
            return []
        return [self._coverage_alert(self._coverage, news, local, closed.day, status)]

    def _unread_records(self, closed: ClosedDay) -> list[Alert]:
        """Tell of what came and could not be read."""
        news = self._unread.step(closed)
        if news is None:
            return []
        score, evidence = self._missing_score(news.unread), news.evidence
        return [self._notice(news.episode, "coverage", news.status, news.day, news.grade, score, evidence)]

    def _begin_unread(self, day: date) -> Episode:
        return self._episode("coverage", day, what="unread")

    def _new_sources(self, closed: ClosedDay) -> list[Alert]:
        """Tell of sources that are new; with the next day that brings no further ones that is said and done."""
        if closed.coverage.new:
            status: Status = "updated"
            if self._new is None:
                self._new, self._newcomers = self._episode("coverage", closed.day, direction="up"), ()
                status = "open"
            self._newcomers = tuple(sorted({*self._newcomers, *closed.coverage.new}))
            self._new.last_alarm_on = closed.day
        elif self._new is not None:
            status = "resolved"
        else:
            return []
        evidence = self._feeds_told("new: ", (), self._newcomers)
        notice = self._notice(self._new, "coverage", status, closed.day, "medium", 1.0, evidence)
        if status == "resolved":
            self._new = None
        return [notice]

    def _feeds_told(self, prefix: str, feeds: tuple[str, ...], branches: tuple[Branch, ...]) -> tuple[Evidence, ...]:
        """Return what is told of feeds, and of feeds in single regions."""
        places = [*((feed, None) for feed in feeds), *((feed, self._total(region)) for feed, region in branches)]
        return tuple(Evidence(name=prefix + feed, value=1.0, unit="feed", series_id=at) for feed, at in places)

    def _total(self, region: str) -> str:
        return Series(self.panel, region, None).series_id

    def _local(self, closed: ClosedDay) -> tuple[Evidence, ...]:
        """Return where so much is missing that nothing can be judged though most of the panel is heard.

        In regions or in sectors, where the most is missing; if in none of them as a whole, in cells.
        """
        least = self.parameters.coverage_share
        # What came and could not be read is told by itself.
        read = of_cells(closed.cells_read, range(len(closed.cells)))
        in_part = closed.heard_in_part(least) & (closed.cells_heard < read)
        if not in_part.any():
            return ()
        places = {place for at in np.flatnonzero(in_part) for place in closed.cells[at]}
        short = [total for total in closed.coverage.gap.in_part(least) if total[0] in places or total[1] in places]
        regions, sectors = ([total for total in short if total[at] is not None] for at in (0, 1))
        found = min(regions, sectors, key=lambda totals: min((share for _, _, share in totals), default=1.0))
        if not found:
            found = [(*closed.cells[at], float(closed.cells_heard[at])) for at in np.flatnonzero(in_part)]
        return tuple(
            Evidence(
                name="missing_volume",
                value=round(100 * (1 - share), 1),
                unit="pct",
                series_id=Series(self.panel, region, sector).series_id,
            )
            for region, sector, share in sorted(found, key=lambda each: each[2])[:_PLACES_TOLD]
        )

    def _silent_regions(self, closed: ClosedDay, resting: Collection[str | None]) -> list[Alert]:
        silent = closed.coverage.gap.regions
        # A region that rests on Sundays is not silent then, and not heard either.
        heard = {cell.region for cell, count in zip(closed.cells, closed.transactions, strict=True) if count}
        notices = []
        for region in [each for each in self._resting if each is not None and each not in silent]:
            del self._resting[region]
        for region in silent:
            status: Status = "updated"
            if region not in self._regions:
                if region in resting:
                    self._resting.setdefault(region, closed.day)
                    continue
                self._regions[region], status = self._opened(closed.day, region), "open"
            episode = self._regions[region]
            episode.miss(closed.day, is_all=region not in heard)
            if status == "open" or self._is_due(episode, closed.day):
                notices.append(self._region_alert(episode, closed.day, status))
        again = sorted(self._regions.keys() & heard - set(silent))
        return notices + [self._region_alert(self._regions.pop(each), closed.day, "resolved") for each in again]

    def _opened(self, day: date, region: str | None = None) -> Episode:
        """Return a coverage episode that is told of today, and began with the holidays before it."""
        began = self._resting.pop(region, day)
        episode = self._episode("coverage", began, region)
        episode.detected_on = day
        for rested in range((day - began).days):
            episode.miss(began + timedelta(days=rested), is_all=False)
        return episode

    def _is_due(self, episode: Episode, day: date) -> bool:
        return (day - episode.last_revised_on).days >= self.parameters.revise_days

    def drift(self, scores: DayScores) -> list[Alert]:
        """Open a model episode when many cells' models have drifted lately; resolve it when few have."""
        for series, _ in scores.drifting:
            self._drifted[series] = scores.day
        oldest = scores.day - timedelta(days=self.parameters.drift_days)
        self._drifted = {series: day for series, day in self._drifted.items() if day > oldest}
        cells = sum(node.level == "cell" for node in scores.nodes)
        share = len(self._drifted) / cells if cells else 0.0
        if self._model is None and share >= self.parameters.drift_share:
            self._model = self._episode("model", scores.day)
            return [self._model_alert(self._model, share, scores.day, "open")]
        if self._model is not None and share < self.parameters.drift_share / 2:
            episode, self._model = self._model, None
            return [self._model_alert(episode, share, scores.day, "resolved")]
        if self._model is not None:
            self._model.last_alarm_on = scores.day
        return []

    def loss(self, loss: Loss, *, since: date, day: date) -> Alert:
        """Tell that nothing more is counted of a source partition; that does not end in this run."""
        episode = self._episode("coverage", since, what=f"partition {loss.partition}")
        episode.detected_on = day
        evidence = (
            Evidence(name=f"{LOST}partition {loss.partition}", value=1.0, unit="feed"),
            Evidence(name="needed", value=float(loss.needed), unit="offset"),
            Evidence(name="log_begins", value=float(loss.begins), unit="offset"),
        )
        return self._notice(episode, "coverage", "open", day, "severe", self._missing_score(1.0), evidence)

    def _episode(
        self, kind: Kind, day: date, region: str | None = None, *, what: str = "", direction: Direction = "down"
    ) -> Episode:
        series = Series(self.panel, region, None)
        opening = f"{day.isoformat()} {what}".rstrip()
        return Episode(
            id=alert_id(self.letterhead.run, series.series_id, kind, direction, opening),
            region=region,
            sector=None,
            direction=direction,
            detected_on=day,
            opened_on=day,
            last_alarm_on=day,
            last_revised_on=day,
            children=[],
        )

    def _coverage_alert(
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
        grade = graded(missing, most)
        evidence = (
            Evidence(name="missing_volume", value=round(100 * missing, 1), unit="pct"),
            Evidence(name="alerts_held_back", value=float(self._mutes(coverage)), unit="flag"),
            *_duration(episode),
            *local,
            *self._feeds_told("silent: ", coverage.silent, coverage.branches),
            *self._forgotten,
            *(Evidence(name=f"quiet: {region}", value=1.0, unit="region") for region in coverage.quiet),
            *more,
        )
        return self._notice(episode, "coverage", status, day, grade, self._missing_score(most), evidence)

    def _region_alert(self, episode: Episode, day: date, status: Status) -> Alert:
        evidence = (
            Evidence(name="missing_volume", value=100.0, unit="pct"),
            Evidence(name="alerts_held_back", value=1.0, unit="flag"),
            *_duration(episode),
        )
        return self._notice(episode, "coverage", status, day, "high", self._missing_score(1.0), evidence)

    def _mutes(self, coverage: Coverage) -> bool:
        return coverage.mutes(self.parameters.coverage_share)

    @property
    def _tolerated(self) -> float:
        """Return the share of the expected volume that may be missing before economic alerts are held back."""
        return 1 - self.parameters.coverage_share

    def _missing_score(self, missing: float) -> float:
        return missing / self._tolerated if self._tolerated > 0 else missing

    def _model_alert(self, episode: Episode, share: float, day: date, status: Status) -> Alert:
        evidence = (Evidence(name="drifting_series", value=round(100 * share, 1), unit="pct"),)
        return self._notice(episode, "model", status, day, "medium", share / self.parameters.drift_share, evidence)

    def _notice(
        self,
        episode: Episode,
        kind: Kind,
        status: Status,
        day: date,
        grade: Severity,
        score: float,
        evidence: tuple[Evidence, ...],
    ) -> Alert:
        if SEVERITIES.index(grade) > SEVERITIES.index(episode.severity):
            episode.severity = grade
        episode.revision += 1
        episode.last_revised_on = day
        series = Series(self.panel, episode.region, None)
        return Alert(
            id=episode.id,
            revision=episode.revision,
            sequence=0,
            run=self.letterhead.run,
            kind=kind,
            status=status,
            panel=self.panel,
            level=series.level,
            series_id=series.series_id,
            region=episode.region,
            sector=None,
            measure="transactions",
            direction=episode.direction,
            severity=episode.severity,
            probability=1.0,
            opened_on=episode.opened_on.isoformat(),
            detected_on=episode.detected_on.isoformat(),
            resolved_on=episode.last_alarm_on.isoformat() if status == "resolved" else None,
            as_of=day.isoformat(),
            observed=None,
            expected=None,
            lower=None,
            upper=None,
            change_pct=None,
            score=round(score, 3),
            evidence=evidence,
            parent=None,
            children=(),
            supersedes=None,
            provisional=False,
            exercise=self.letterhead.exercise,
            text="",
            model_version=self.letterhead.model_version,
            config_hash=self.letterhead.config_hash,
        )

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "coverage": None if self._coverage is None else msgspec.to_builtins(self._coverage),
            "missed": None if self._missed is None else msgspec.to_builtins(self._missed),
            "forgotten": msgspec.to_builtins(self._forgotten),
            "new": None if self._new is None else msgspec.to_builtins(self._new),
            "newcomers": [list(each) for each in self._newcomers],
            "resting": [[region, day.isoformat()] for region, day in self._resting.items()],
            "unread": self._unread.state(),
            "regions": [msgspec.to_builtins(episode) for _, episode in sorted(self._regions.items())],
            "model": None if self._model is None else msgspec.to_builtins(self._model),
            "drifted": [[*series, day.isoformat()] for series, day in sorted(self._drifted.items())],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._coverage = None if saved["coverage"] is None else msgspec.convert(saved["coverage"], Episode)
        self._model = None if saved["model"] is None else msgspec.convert(saved["model"], Episode)
        self._missed = None if saved["missed"] is None else msgspec.convert(saved["missed"], Coverage)
        self._forgotten = msgspec.convert(saved["forgotten"], tuple[Evidence, ...])
        self._resting = {region: date.fromisoformat(day) for region, day in saved["resting"]}
        self._new = None if saved["new"] is None else msgspec.convert(saved["new"], Episode)
        self._newcomers = tuple(Branch(*each) for each in saved["newcomers"])
        self._unread.restore(saved["unread"])
        self._regions = {each.region or "": each for each in msgspec.convert(saved["regions"], list[Episode])}
        self._drifted = {(region, sector): date.fromisoformat(day) for region, sector, day in saved["drifted"]}


def _who(coverage: Coverage) -> tuple[tuple[str, ...], tuple[Branch, ...]]:
    return coverage.silent, coverage.branches


def _duration(episode: Episode) -> tuple[Evidence, Evidence]:
    return (
        Evidence(name="days_missing", value=float(episode.missing_days), unit="days"),
        Evidence(name="days_of_nothing", value=float(episode.empty_days), unit="days"),
    )
