"""The alert desk of a panel: a day's scores in, the alert revisions of that day out.

Stages, in this order: coverage (may mute the day), scores, totals that take over, episodes, families, text.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import compress
from typing import NamedTuple, Protocol

import msgspec
import numpy as np

from earlywarn.aggregation.rows import ClosedDay, Loss
from earlywarn.alerting.alarms import alarms, standing_score
from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.episode import Episode, Records, Told
from earlywarn.alerting.evidence import DayReading, Reading
from earlywarn.alerting.grouping import Floats, adopt
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.alerting.narrative import narrate
from earlywarn.alerting.notices import Notices
from earlywarn.alerting.opening import opened
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.revision import Verdict, revision
from earlywarn.alerting.severity import probability, severity
from earlywarn.alerting.weighing import Candidate, Weighing
from earlywarn.alerting.words import Names
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.alert import SEVERITIES, Alert, Direction, Evidence, Severity
from earlywarn.domain.state import State

_DIRECTIONS: tuple[Direction, ...] = ("down", "up")
_EpisodeKey = tuple[str | None, str | None, Direction]
_OPPOSITE: dict[Direction, Direction] = {"down": "up", "up": "down"}
_LEVELS_KEPT_DAYS = 90
"""A level that was accepted within so many days before is what an episode of the other direction leads back from."""
_UNHEARD_DAYS = 28
"""Days in a row without anything from a node after which its episode is followed no further."""
_HOLD_DAYS_OF_RETURNS = 3
"""Alarm days in a row after which a level that was usual before is accepted: it is no news that it may last."""


class Models(Protocol):
    """Are told what has been decided of shocks."""

    def accept(self, nodes: list[Node], since: date | None = None, days: int | None = None) -> None:
        """Take the level of the last `days` as normal after a shock since then; None: as many as usually taken."""

    def settle(self, node: Node, direction: Direction) -> None:
        """Take a shock as over: another one of the direction begins after today."""


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
        self._baselines = CellBaselines()
        self._records = Records()
        self._ended: dict[_EpisodeKey, date] = {}  # the last day of episodes that lie in sight of the models
        self._levels: dict[_EpisodeKey, tuple[date, date]] = {}  # accepted lately: their first day, and when
        self._lasting: dict[Node, tuple[date, int | None]] = {}  # of today: levels to accept, since when, of which days
        self._settled: list[tuple[Node, Direction]] = []  # of today: shocks that are over

    def mutes(self, closed: ClosedDay) -> bool:
        """Return whether so little of the day was heard that no model may judge or learn it."""
        return closed.coverage.delivered < self.parameters.coverage_share

    def step(self, scores: DayScores, closed: ClosedDay, models: Models) -> list[Alert]:
        """Return the day's revisions, parents first; `models` are told which levels are normal, and what is over."""
        alerts = self.notices.coverage(closed)
        self._baselines.step(scores, (episode.first_day for episode in self._episodes.values()))
        if scores.usable:
            alerts += self.notices.drift(scores)
            alerts += self._economic(scores, models)
        return [msgspec.structs.replace(alert, text=narrate(alert, self.names)) for alert in alerts]

    def lose(self, loss: Loss, *, since: date, day: date) -> Alert:
        """Return the alert of a source partition that is lost to the run since a day; it never ends."""
        alert = self.notices.loss(loss, since=since, day=day)
        return msgspec.structs.replace(alert, text=narrate(alert, self.names))

    # --- economic alerts

    def _economic(self, scores: DayScores, models: Models) -> list[Alert]:
        self._records.judge((node.region, node.sector) for node in compress(scores.nodes, scores.ready & scores.heard))
        in_sight = scores.day - timedelta(days=len(scores.effects.days))
        self._ended = {key: day for key, day in self._ended.items() if day > in_sight}
        kept = scores.day - timedelta(days=_LEVELS_KEPT_DAYS)
        self._levels = {key: level for key, level in self._levels.items() if level[1] > kept}
        place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}
        weighed = {direction: Weighing(scores, direction, self.parameters) for direction in _DIRECTIONS}
        self._doubt(weighed, place)
        for key, episode in self._episodes.items():
            if key[:2] in place:
                self._continue(episode, place[key[:2]], weighed[key[2]])
        alerts: list[Alert] = []
        self._lasting.clear()
        self._settled.clear()
        for direction in _DIRECTIONS:
            other = weighed["up" if direction == "down" else "down"]
            alerts += self._direction(weighed[direction], other.ratio, place)
        for direction in _DIRECTIONS:
            ratio = weighed[direction].ratio
            for at in np.flatnonzero(ratio >= self._records.floor):
                node = scores.nodes[at]
                self._records.learn(node.region, node.sector, direction, scores.day, float(ratio[at]))
        for node, (since_day, days) in sorted(self._lasting.items(), key=lambda item: _canonical_node(item[0])):
            models.accept([node], since_day, days)
        for node, direction in self._settled:
            models.settle(node, direction)
        return alerts

    def _doubt(self, weighed: Mapping[Direction, Weighing], place: Mapping[tuple[str | None, str | None], int]) -> None:
        """Let each direction doubt what the alarms of the other, open or of today, make of their peers."""
        strengths: dict[Direction, dict[int, float]] = {
            direction: {int(at): float(each.ratio[at]) for at in np.flatnonzero(each.ratio > 1)}
            for direction, each in weighed.items()
        }
        for key, episode in self._episodes.items():
            if key[:2] in place:
                strengths[key[2]][place[key[:2]]] = episode.score
        for direction, each in weighed.items():
            each.doubt(strengths["up" if direction == "down" else "down"], self._baselines.members)

    def _continue(self, episode: Episode, at: int, weighing: Weighing) -> None:
        """Add the day to an open episode, and take its score from the effect since its own first day."""
        if weighing.scores.heard[at]:
            today = self._baselines.sums(episode.first_day, at)
            episode.heard_on = weighing.scores.day
            episode.add(today, days_kept=self.parameters.quiet_days)
        weighing.ratio[at] = standing_score(episode, at, weighing, float(weighing.evidence[at]))

    def _direction(
        self, weighing: Weighing, other: Floats, place: Mapping[tuple[str | None, str | None], int]
    ) -> list[Alert]:
        scores, members = weighing.scores, self._baselines.members
        standing = {
            place[key[:2]]: episode
            for key, episode in self._episodes.items()
            if key[2] == weighing.direction and key[:2] in place
        }
        found = alarms(weighing, other, standing, members)
        fresh = [each for each in (weighing.after(each, self._last(each.node, weighing)) for each in found) if each]
        new = [each for each in fresh if not self._is_return(each, scores, weighing.direction)]
        mine, looks = dict(standing), dict[int, _Look]()
        for candidate in sorted(new, key=lambda each: (-int(members[each.node].sum()), each.node)):  # totals first
            node, last = scores.nodes[candidate.node], self._last(candidate.node, weighing)
            episode = opened(
                candidate,
                weighing,
                self._episodes.values(),
                self._baselines,
                run=self.letterhead.run,
                panel=self.panel,
                last=last,
            )
            look = self._look(episode, candidate.node, weighing, other)
            if look.grade is None or not look.reading.is_there_today:
                continue
            level = self._levels.get((node.region, node.sector, _OPPOSITE[weighing.direction]))
            episode.leads_back_from = None if level is None else level[0]
            before = self._records.judged_days(node.region, node.sector) - episode.sums.days
            episode.record_days = max(before, 0)
            looks[candidate.node] = look
            mine[candidate.node] = self._episodes[episode.key] = episode
        adopt(mine.values())
        alerts = []
        for at in sorted(mine, key=lambda at: _canonical(mine[at].key)):
            look = looks.get(at) or self._look(mine[at], at, weighing, other)
            if scores.heard[at]:
                alert = self._judge(mine[at], look, is_open=at not in standing)
            else:
                alert = self._lose_sight(mine[at], look)
            if alert is not None:
                alerts.append(alert)
        return sorted(alerts, key=lambda alert: alert.parent is not None)

    def _last(self, at: int, weighing: Weighing) -> date | None:
        """Return the last day of a node's last episode of the direction, while it is in sight of the models."""
        node = weighing.scores.nodes[at]
        return self._ended.get((node.region, node.sector, weighing.direction))

    def _is_return(self, candidate: Candidate, scores: DayScores, direction: Direction) -> bool:
        """Return whether an alarm is but the end of an open episode of the other direction, at the node or around it.

        It is while the day lies within the usual range of the baseline before that episode, or still beyond it on the
        episode's side. The models have learned a part of the episode; they learn the return at once.
        """
        node = scores.nodes[candidate.node]
        is_return = False
        for episode in self._episodes.values():
            if episode.direction == direction or not episode.holds(node.region, node.sector):
                continue
            if episode.leads_back_from is not None:
                continue  # where it came from was no usual level: a way back there is another shock
            same = (episode.region, episode.sector) == (node.region, node.sector)
            today = self._baselines.sums(episode.first_day, candidate.node)
            reading = DayReading(today, scores, candidate.node, candidate.measure)
            if not reading.is_outside(direction):
                is_return = True
                self._lasting[node] = (episode.opened_on, candidate.age_days + 1)
                if same:
                    episode.last_days = episode.last_days[-1:]
        return is_return

    def _look(self, episode: Episode, at: int, weighing: Weighing, other: Floats) -> "_Look":
        """Return what would be told of an episode today."""
        parameters, scores = self.parameters, weighing.scores
        reading = Reading(episode, scores, self._baselines, at, interval=parameters.effect_interval)
        score = float(weighing.ratio[at]) if weighing.ratio[at] >= other[at] else 0.0
        confidence = reading.estimate.confidence(episode.direction)
        told = reading.told(probability(max(score, episode.score), confidence, parameters))
        return _Look(reading, score, told, severity(told.probability, told.effect_pct, parameters))

    def _judge(self, episode: Episode, look: "_Look", *, is_open: bool) -> Alert | None:
        """Note the day's score, and return the revision that it makes necessary, if it does."""
        day, node = look.reading.day, look.reading.node
        episode.observe(day, look.score, resolve_ratio=self.parameters.resolve_ratio)
        hold_days = self.parameters.hold_days if episode.leads_back_from is None else _HOLD_DAYS_OF_RETURNS
        if episode.alarm_days >= min(hold_days, self.parameters.hold_days):
            episode.alarm_days = 0
            self._lasting[node] = (episode.opened_on, None)
        verdict = self._verdict(episode, look, is_open=is_open)
        if verdict is None:
            return None
        if verdict.outcome is not None:
            del self._episodes[episode.key]
            self._ended[episode.key] = day
        if verdict.outcome == "accepted":
            self._lasting[node] = (episode.opened_on, None)
            self._levels[episode.key] = (episode.opened_on, day)
        elif verdict.outcome is not None:
            self._settled.append((node, episode.direction))
        return revision(episode, look.reading, verdict, panel=self.panel, day=day, letterhead=self.letterhead)

    def _lose_sight(self, episode: Episode, look: "_Look") -> Alert | None:
        """End an episode of a node of which nothing has come for long: whether it lasts, nobody can say any more."""
        day = look.reading.day
        unheard = (day - (episode.heard_on or episode.last_revised_on)).days
        if unheard < _UNHEARD_DAYS:
            return None
        del self._episodes[episode.key]
        self._ended[episode.key] = day
        self._settled.append((look.reading.node, episode.direction))
        days = Evidence(name="days_unheard", value=float(unheard), unit="days")
        verdict = Verdict(
            "resolved", episode.gravest, episode.told, 0.0, (*look.reading.ending("faded"), days), "faded"
        )
        alert = revision(episode, look.reading, verdict, panel=self.panel, day=day, letterhead=self.letterhead)
        return msgspec.structs.replace(alert, observed=None, expected=None, lower=None, upper=None, change_pct=None)

    def _within_open(self, episode: Episode) -> bool:
        return any(each.id == episode.parent for each in self._episodes.values())

    def _verdict(self, episode: Episode, look: "_Look", *, is_open: bool) -> Verdict | None:
        reading, score, told, grade = look
        if episode.quiet_days >= self.parameters.quiet_days:
            outcome = reading.outcome
            # A part's level is new when that of the whole is: until then it is one shock that goes on.
            if outcome is None or (outcome == "accepted" and self._within_open(episode)):
                return None
            # The end repeats the size that was published last: what people know it by.
            return Verdict("resolved", episode.gravest, episode.told, score, reading.ending(outcome), outcome)
        # News wait for a day on which the effect is there: an alert never tells of one that is not, or too unsurely.
        if grade is None or not (is_open or reading.estimate.distance(episode.direction) > 0):
            return None
        graver = SEVERITIES.index(grade) > SEVERITIES.index(episode.severity)
        due = (reading.day - episode.last_revised_on).days >= self.parameters.revise_days and score > 1
        if not (is_open or (told.effect_pct != 0 and (graver or due or episode.has_news))):
            return None
        # How unusual the episode is, and not the day: on a quiet one nearly every other day was as extreme.
        last_day = self._records.last_as_extreme(
            episode.region, episode.sector, episode.direction, episode.score, episode.opened_on
        )
        figures = reading.evidence(told, self.panel, last_as_extreme=last_day)
        return Verdict("open" if is_open else "updated", grade, told, score, figures)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        episodes = sorted(self._episodes.values(), key=lambda episode: _canonical(episode.key))
        return {
            "episodes": [msgspec.to_builtins(episode) for episode in episodes],
            "baselines": self._baselines.state(),
            "records": self._records.state(),
            "ended": [
                [*key, day.isoformat()]
                for key, day in sorted(self._ended.items(), key=lambda item: _canonical(item[0]))
            ],
            "levels": [
                [*key, began.isoformat(), day.isoformat()]
                for key, (began, day) in sorted(self._levels.items(), key=lambda item: _canonical(item[0]))
            ],
            "notices": self.notices.state(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._episodes = {each.key: each for each in msgspec.convert(saved["episodes"], list[Episode])}
        self._baselines.restore(saved["baselines"])
        self._records.restore(saved["records"])
        self._ended = {
            (region, sector, direction): date.fromisoformat(day) for region, sector, direction, day in saved["ended"]
        }
        self._levels = {
            (region, sector, direction): (date.fromisoformat(began), date.fromisoformat(day))
            for region, sector, direction, began, day in saved["levels"]
        }
        self.notices.restore(saved["notices"])


class _Look(NamedTuple):
    """A day's reading of an episode, its score, what would be told of it, and how grave that is; None: not enough."""

    reading: Reading
    score: float
    told: Told
    grade: Severity | None


def _canonical_node(node: Node) -> tuple[str, str]:
    return (node.region or "", node.sector or "")


def _canonical(key: tuple[str | None, str | None, Direction]) -> tuple[str, str, str]:
    return (key[0] or "", key[1] or "", key[2])
