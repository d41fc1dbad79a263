"""The alert desk of a panel: a day's scores in, the alert revisions of that day out.

Stages, in this order: coverage (may mute the day), threshold, grouping, episodes, text.
"""

from collections.abc import Callable
from datetime import date

import msgspec
import numpy as np

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.episode import Episode, Records, alert_id
from earlywarn.alerting.evidence import Reading
from earlywarn.alerting.grouping import Flags, Floats, group
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.alerting.narrative import Names, narrate
from earlywarn.alerting.notices import Notices
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.recent import RecentDeviations
from earlywarn.alerting.severity import probability, severity
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.alert import SEVERITIES, Alert, Direction, Evidence, Status
from earlywarn.domain.series import Series
from earlywarn.domain.state import State

_DIRECTIONS: tuple[Direction, ...] = ("down", "up")
_EpisodeKey = tuple[str | None, str | None, Direction]


class AlertDesk:
    """Opens, revises and resolves the episodes of one panel; deterministic, and silent about sequence numbers.

    `step` returns alerts with sequence 0: the fold that publishes them numbers them.
    """

    def __init__(self, panel: str, parameters: AlertParameters, letterhead: Letterhead, names: Names) -> None:
        self.panel = panel
        self.parameters = parameters
        self.letterhead = letterhead
        self.names = names
        self.notices = Notices(panel, parameters, letterhead)
        self._episodes: dict[_EpisodeKey, Episode] = {}
        self._records = Records()
        self._recent = RecentDeviations()
        self._first_ready: date | None = None
        self._members: tuple[tuple[Node, ...], Flags] | None = None

    def mutes(self, closed: ClosedDay) -> bool:
        """Return whether so little of the day was heard that no model may judge or learn it."""
        return closed.coverage.share < self.parameters.coverage_share

    def step(self, scores: DayScores, closed: ClosedDay, accept: Callable[[list[Node]], None]) -> list[Alert]:
        """Return the day's revisions, parents first; `accept` is told the nodes whose level is the new normal."""
        alerts = self.notices.coverage(closed)
        if scores.usable:
            self._recent.learn(scores)
            alerts += self.notices.drift(scores)
            alerts += self._economic(scores, accept)
        return [msgspec.structs.replace(alert, text=narrate(alert, self.names)) for alert in alerts]

    # --- economic alerts

    def _economic(self, scores: DayScores, accept: Callable[[list[Node]], None]) -> list[Alert]:
        if self._first_ready is None and scores.ready.any():
            self._first_ready = scores.day
        members = self._membership(scores.nodes)
        ratios: dict[Direction, Floats] = {
            "down": np.where(scores.ready, scores.down.score / self.parameters.alarm_evidence, 0.0),
            "up": np.where(scores.ready, scores.up.score / self.parameters.alarm_evidence, 0.0),
        }
        alerts: list[Alert] = []
        for direction in _DIRECTIONS:
            alerts += self._direction(scores, members, direction, ratios)
        self._accept_lasting(accept)
        for direction, values in ratios.items():
            for at in np.flatnonzero(values >= self._records.floor):
                node = scores.nodes[at]
                self._records.learn(node.region, node.sector, direction, scores.day, float(values[at]))
        return alerts

    def _direction(
        self, scores: DayScores, members: Flags, direction: Direction, ratios: dict[Direction, Floats]
    ) -> list[Alert]:
        ratio, other = ratios[direction], ratios["up" if direction == "down" else "down"]
        place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}
        standing = [
            place[key[:2]]
            for key, episode in self._episodes.items()
            if key[2] == direction and episode.parent is None and key[:2] in place
        ]
        alarming = [int(at) for at in np.flatnonzero((ratio > 1) & (ratio >= other))]
        parents = group(
            alarming, ratio, members, scores.contributions, sorted(standing), self.parameters.explained_share
        )
        opened = [at for at in parents if self._key(scores, at, direction) not in self._episodes]
        for at in opened:
            self._open(scores, members, at, direction)
        family = self._relate(scores, parents, direction)
        alerts = []
        for key in sorted(self._episodes, key=_canonical):
            if key[2] != direction or key[:2] not in place:
                continue
            at = place[key[:2]]
            episode = self._episodes[key]
            alarm = float(ratio[at]) if ratio[at] >= other[at] else 0.0
            effect_pct = Reading(scores, members, at, direction, self._recent).effect_pct
            episode.observe(scores.day, alarm, effect_pct, resolve_ratio=self.parameters.resolve_ratio)
            status = self._news(episode, scores, at, float(ratio[at]), opened=at in opened, family=episode.id in family)
            if status is not None:
                alerts.append(self._alert(episode, scores, members, at, float(ratio[at]), status))
            if status == "resolved":
                del self._episodes[key]
        return sorted(alerts, key=lambda alert: alert.parent is not None)

    def _open(self, scores: DayScores, members: Flags, at: int, direction: Direction) -> None:
        node = scores.nodes[at]
        reading = Reading(scores, members, at, direction, self._recent)
        series = Series(self.panel, node.region, node.sector)
        self._episodes[node.region, node.sector, direction] = Episode(
            id=alert_id(self.letterhead.run, series.series_id, "economic", direction, scores.day.isoformat()),
            region=node.region,
            sector=node.sector,
            direction=direction,
            detected_on=scores.day,
            opened_on=date.fromordinal(scores.day.toordinal() - reading.onset_age_days),
            last_alarm_on=scores.day,
            last_revised_on=scores.day,
            children=[],
        )

    def _relate(self, scores: DayScores, parents: dict[int, int | None], direction: Direction) -> set[str]:
        """Attach children to parents; return the ids of open episodes whose family changed."""
        changed = set()
        for at, parent_at in sorted(parents.items()):
            if parent_at is None:
                continue
            child = self._episodes[self._key(scores, at, direction)]
            parent = self._episodes[self._key(scores, parent_at, direction)]
            if child.parent == parent.id:
                continue
            child.parent = parent.id
            for grandchild in [episode for episode in self._episodes.values() if episode.parent == child.id]:
                grandchild.parent = parent.id
                parent.children.append(grandchild.id)
                changed.add(grandchild.id)
            child.children.clear()
            parent.children.append(child.id)
            changed |= {child.id, parent.id}
        return changed

    def _news(
        self, episode: Episode, scores: DayScores, at: int, ratio: float, *, opened: bool, family: bool
    ) -> Status | None:
        if opened:
            return "open"
        if episode.quiet_days >= self.parameters.quiet_days:
            return "resolved"
        reading_pct = Reading(scores, self._membership(scores.nodes), at, episode.direction, self._recent).effect_pct
        grade = severity(probability(ratio, self.parameters), reading_pct, self.parameters)
        graver = SEVERITIES.index(grade) > SEVERITIES.index(episode.severity)
        due = (scores.day - episode.last_revised_on).days >= self.parameters.revise_days and ratio > 1
        return "updated" if family or graver or due else None

    def _alert(
        self, episode: Episode, scores: DayScores, members: Flags, at: int, ratio: float, status: Status
    ) -> Alert:
        reading = Reading(scores, members, at, episode.direction, self._recent)
        likelihood = probability(max(ratio, episode.score) if status == "resolved" else ratio, self.parameters)
        grade = severity(likelihood, reading.effect_pct, self.parameters)
        if SEVERITIES.index(grade) > SEVERITIES.index(episode.severity):
            episode.severity = grade
        episode.revision += 1
        episode.last_revised_on = scores.day
        last = self._records.last_as_extreme(
            episode.region, episode.sector, episode.direction, ratio, episode.opened_on
        )
        record_days = (scores.day - self._first_ready).days + 1 if self._first_ready else 0
        evidence = reading.evidence(self.panel, last_as_extreme=last, days_on_record=record_days)
        if status == "resolved":
            evidence = (*evidence, Evidence(name="largest_effect", value=episode.effect_pct, unit="pct"))
        node = scores.nodes[at]
        series = Series(self.panel, node.region, node.sector)
        return Alert(
            id=episode.id,
            revision=episode.revision,
            sequence=0,
            run=self.letterhead.run,
            kind="economic",
            status=status,
            panel=self.panel,
            level=series.level,
            series_id=series.series_id,
            region=node.region,
            sector=node.sector,
            measure=reading.measure,
            direction=episode.direction,
            severity=episode.severity,
            probability=likelihood,
            opened_on=episode.opened_on.isoformat(),
            detected_on=episode.detected_on.isoformat(),
            resolved_on=episode.last_alarm_on.isoformat() if status == "resolved" else None,
            as_of=scores.day.isoformat(),
            observed=reading.observed,
            expected=reading.expected,
            lower=reading.lower,
            upper=reading.upper,
            change_pct=reading.change_pct,
            score=round(ratio, 3),
            evidence=evidence,
            parent=episode.parent,
            children=tuple(episode.children),
            supersedes=None,
            provisional=False,
            exercise=self.letterhead.exercise,
            text="",
            model_version=self.letterhead.model_version,
            config_hash=self.letterhead.config_hash,
        )

    def _accept_lasting(self, accept: Callable[[list[Node]], None]) -> None:
        lasting = [episode for episode in self._episodes.values() if episode.alarm_days >= self.parameters.hold_days]
        for episode in lasting:
            episode.alarm_days = 0
        if lasting:
            nodes = sorted({(episode.region or "", episode.sector or "") for episode in lasting})
            accept([_node(region or None, sector or None) for region, sector in nodes])

    @staticmethod
    def _key(scores: DayScores, at: int, direction: Direction) -> _EpisodeKey:
        node = scores.nodes[at]
        return (node.region, node.sector, direction)

    def _membership(self, nodes: tuple[Node, ...]) -> Flags:
        if self._members is None or self._members[0] != nodes:
            cells = [node for node in nodes if node.level == "cell"]
            members = np.array(
                [
                    [node.region in (None, cell.region) and node.sector in (None, cell.sector) for cell in cells]
                    for node in nodes
                ],
                dtype=bool,
            ).reshape(len(nodes), len(cells))
            self._members = (nodes, members)
        return self._members[1]

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "episodes": [msgspec.to_builtins(episode) for _, episode in sorted(self._episodes.items(), key=_by_key)],
            "records": self._records.state(),
            "recent": self._recent.state(),
            "first_ready": None if self._first_ready is None else self._first_ready.isoformat(),
            "notices": self.notices.state(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        episodes = msgspec.convert(saved["episodes"], list[Episode])
        self._episodes = {(each.region, each.sector, each.direction): each for each in episodes}
        self._records.restore(saved["records"])
        self._recent.restore(saved["recent"])
        first = saved["first_ready"]
        self._first_ready = None if first is None else date.fromisoformat(first)
        self.notices.restore(saved["notices"])


def _canonical(key: _EpisodeKey) -> tuple[str, str, str]:
    return (key[0] or "", key[1] or "", key[2])


def _by_key(item: tuple[_EpisodeKey, Episode]) -> tuple[str, str, str]:
    return _canonical(item[0])


def _node(region: str | None, sector: str | None) -> Node:
    return Node(Series("", region, sector).level, region, sector)
