"""The alert desk of a panel: a day's scores in, the alert revisions of that day out.

Stages, in this order: coverage (may mute the day), scores, totals that take over, episodes, families, text.
"""

from collections.abc import Mapping
from datetime import date
from functools import partial
from itertools import compress

import msgspec
import numpy as np

from earlywarn.aggregation.rows import ClosedDay, Loss
from earlywarn.alerting.alarms import alarms, standing_score
from earlywarn.alerting.book import EpisodeBook, canonical
from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.decisions import Decisions, Models
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import dispersion
from earlywarn.alerting.event_figures import told_events
from earlywarn.alerting.grouping import Floats, adopt
from earlywarn.alerting.laggards_notice import told_beside
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.alerting.narrative import narrate
from earlywarn.alerting.notices import Notices
from earlywarn.alerting.opening import opened
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.parting import part_ways, parting
from earlywarn.alerting.parts import moving_parts
from earlywarn.alerting.phases import is_back, is_return, is_whole_return, turn
from earlywarn.alerting.references import References
from earlywarn.alerting.remains import is_over_elsewhere, left_behind
from earlywarn.alerting.revision import revision
from earlywarn.alerting.verdicts import Look, look_at, out_of_sight, verdict
from earlywarn.alerting.ways_back import level_left, tell_payments
from earlywarn.alerting.weighing import Candidate, Weighing
from earlywarn.alerting.words import Names
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import OPPOSITE, Alert, Direction
from earlywarn.domain.known_event import NO_EVENTS, KnownEvents
from earlywarn.domain.state import State

_DIRECTIONS: tuple[Direction, ...] = ("down", "up")
_UNHEARD_DAYS = 28
"""Days in a row without anything from a node after which its episode is followed no further."""
_PARTS_JOIN_AFTER_DAYS = (0, 2)
"""Days after a total's alarm on which cells join that move along: some of them are not sure on the first."""
_HOLD_DAYS_OF_RETURNS = 3
"""Alarm days in a row after which a level that was usual before is accepted: it is no news that it may last."""


class AlertDesk:
    """Opens, revises and resolves the episodes of one panel; deterministic, and silent about sequence numbers.

    `step` returns alerts with sequence 0: the fold that publishes them numbers them.
    """

    def __init__(
        self,
        panel: str,
        parameters: AlertParameters,
        letterhead: Letterhead,
        names: Names,
        events: KnownEvents = NO_EVENTS,
    ) -> None:
        self.panel = panel
        self.parameters = parameters
        self.letterhead = letterhead
        self.names = names
        self.events = events
        self.notices = Notices(panel, parameters, letterhead)
        self._book = EpisodeBook()
        self._baselines = CellBaselines()
        self._decisions = Decisions(self._book, self._baselines)
        self._references = References(self._book, self._baselines, self._decisions)

    def mutes(self, closed: ClosedDay) -> bool:
        """Return whether so little of the day was heard that no model may judge or learn it."""
        return closed.coverage.mutes(self.parameters.coverage_share)

    def step(self, scores: DayScores, closed: ClosedDay, models: Models) -> list[Alert]:
        """Return the day's revisions, parents first; `models` are told which levels are normal, and what is over."""
        keeps = zip(scores.nodes, scores.holiday.tolist(), strict=True)
        alerts = self.notices.coverage(closed, {node.region for node, holiday in keeps if holiday})
        self._baselines.step(scores, self._book.first_days())
        if scores.usable:
            alerts += self.notices.drift(scores)
            alerts += self._economic(scores, models)
        if not alerts:
            return []
        told = (told_beside(alert, closed.coverage.behind) for alert in alerts)
        alerts = [told_events(alert, self.events, closed.cells) for alert in told]
        regions = {node.region for node in scores.nodes if node.region is not None}
        names = self.names.over(self.panel, regions)
        return [msgspec.structs.replace(alert, text=narrate(alert, names)) for alert in alerts]

    def lose(self, loss: Loss, *, since: date, day: date) -> Alert:
        """Return the alert of a source partition that is lost to the run since a day; it never ends."""
        alert = self.notices.loss(loss, since=since, day=day)
        return msgspec.structs.replace(alert, text=narrate(alert, self.names))

    # --- economic alerts

    def _economic(self, scores: DayScores, models: Models) -> list[Alert]:
        self._book.records.judge(
            (node.region, node.sector) for node in compress(scores.nodes, scores.ready & scores.heard)
        )
        self._book.turn_to(scores.day, len(scores.effects.days))
        place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}
        weighed = {direction: Weighing(scores, direction, self.parameters) for direction in _DIRECTIONS}
        self._doubt(weighed, place)
        for direction, each in weighed.items():
            tell_payments(each, weighed[OPPOSITE[direction]])
        for key, episode in self._book.open.items():
            if key[:2] in place:
                self._continue(episode, place[key[:2]], weighed[key[2]])
        # Once all phases are known, and all at once: the order of episodes decides nothing.
        over = [each for each in self._book.open.values() if each.days_back and not each.is_taken_back]
        self._decisions.take_back_shocks_of(over)
        alerts: list[Alert] = []
        for direction in _DIRECTIONS:
            other = weighed[OPPOSITE[direction]]
            alerts += self._direction(weighed[direction], other.ratio, place)
        for direction in _DIRECTIONS:
            ratio = weighed[direction].ratio
            for at in np.flatnonzero(ratio >= self._book.records.floor):
                node = scores.nodes[at]
                self._book.records.learn(node.region, node.sector, direction, scores.day, float(ratio[at]))
        self._decisions.tell(models)
        return alerts

    def _doubt(self, weighed: Mapping[Direction, Weighing], place: Mapping[tuple[str | None, str | None], int]) -> None:
        """Let each direction doubt what the alarms of the other, open or of today, make of their peers."""
        strengths: dict[Direction, dict[int, float]] = {
            direction: {int(at): float(each.ratio[at]) for at in np.flatnonzero(each.ratio > 1)}
            for direction, each in weighed.items()
        }
        for key, episode in self._book.open.items():
            if key[:2] in place:
                strengths[key[2]][place[key[:2]]] = episode.score
        for direction, each in weighed.items():
            each.doubt(strengths[OPPOSITE[direction]], self._baselines.members)

    def _continue(self, episode: Episode, at: int, weighing: Weighing) -> None:
        """Add the day to an open episode, and take its score from the effect since its own first day."""
        if weighing.scores.heard[at]:
            today = self._baselines.sums(episode.baseline_day, at)
            episode.heard_on = weighing.scores.day
            episode.phase.add(today, weighing.scores.day, days_kept=self.parameters.quiet_days)
            self._look_at_level(episode, at, weighing)
        weighing.ratio[at] = standing_score(episode, at, weighing, float(weighing.evidence[at]))

    def _look_at_level(self, episode: Episode, at: int, weighing: Weighing) -> None:
        """Ask whether an episode has come to another level, or is over."""
        spread = partial(dispersion, weighing.scores.effects, at, episode.measure)
        if days := turn(episode.phase, episode.measure, spread, was_back=episode.days_back > 0):
            episode.turn(days)
        if episode.leads_back_from is not None:
            step = self._baselines.apart(episode.leads_back_from.toordinal(), episode.baseline_day, at)
            episode.is_return = is_return(episode.phase, step, episode.measure)
            episode.is_whole_return = is_whole_return(episode.phase, step, episode.measure)
        is_over = is_back(episode.phase, episode.measure, episode.direction, spread)
        episode.goes_on_in_parts = not is_over and is_over_elsewhere(episode, at, weighing, self._baselines)
        is_over |= episode.goes_on_in_parts
        episode.come_back(episode.phase.sums.days if is_over else 0)

    def _direction(
        self, weighing: Weighing, other: Floats, place: Mapping[tuple[str | None, str | None], int]
    ) -> list[Alert]:
        scores, members = weighing.scores, self._baselines.members
        standing = {
            place[key[:2]]: episode
            for key, episode in self._book.open.items()
            if key[2] == weighing.direction and key[:2] in place
        }
        found = alarms(weighing, other, standing, members)
        fresh = [each for each in (weighing.after(each, self._last(each.node, weighing)) for each in found) if each]
        new = [each for each in (self._references.against_usual(each, weighing) for each in fresh) if each]
        new += self._references.turned({*standing, *(each.node for each in new)}, place, weighing)
        looks = {at: look_at(episode, at, weighing, other, self._baselines) for at, episode in standing.items()}
        mine = dict(standing)
        for candidate in sorted(new, key=lambda each: (-int(members[each.node].sum()), each.node)):  # totals first
            self._open(candidate, weighing, other, mine, looks)
        for at in [at for at, each in mine.items() if each.level != "cell" and weighing.ratio[at] > 1]:
            is_top = not any(other_one.contains(mine[at]) for other_one in mine.values())
            if is_top and self._is_time_for_parts(mine[at], scores.day):
                self._open_parts(at, weighing, other, mine, looks)
        for part in [*parting(mine, weighing), *left_behind(mine, weighing, self._baselines)]:
            own = weighing.after(part, self._last(part.node, weighing))
            if own is not None and part.node not in mine:
                self._open(own, weighing, other, mine, looks)
        part_ways(mine, weighing)
        adopt(mine.values())
        alerts = []
        for at in sorted(mine, key=lambda at: canonical(mine[at].key)):
            look = looks[at]
            if scores.heard[at]:
                alert = self._judge(mine[at], look, is_new=at not in standing)
            else:
                alert = self._lose_sight(mine[at], look)
            if alert is not None:
                alerts.append(alert)
        return sorted(alerts, key=lambda alert: alert.parent is not None)

    def _open(
        self,
        candidate: Candidate,
        weighing: Weighing,
        other: Floats,
        mine: dict[int, Episode],
        looks: dict[int, Look],
    ) -> None:
        """Open an episode if it would be told today."""
        episode = opened(
            candidate,
            weighing,
            self._book.open.values(),
            self._baselines,
            run=self.letterhead.run,
            panel=self.panel,
            last=self._last(candidate.node, weighing),
        )
        look = look_at(episode, candidate.node, weighing, other, self._baselines)
        if look.grade is None or not look.reading.is_there_today:
            return
        self._book.add(episode)
        episode.leads_back_from = level_left(episode, candidate.node, self._book, self._baselines)
        looks[candidate.node], mine[candidate.node] = look, episode

    def _is_time_for_parts(self, whole: Episode, day: date) -> bool:
        """Return whether parts may join today: a total is not revised for each of them."""
        due = (day - whole.last_revised_on).days >= self.parameters.revise_days
        return due or whole.has_news or (day - whole.detected_on).days in _PARTS_JOIN_AFTER_DAYS

    def _open_parts(
        self, at: int, weighing: Weighing, other: Floats, mine: dict[int, Episode], looks: dict[int, Look]
    ) -> None:
        """Open an episode of each cell that moves along with an open total, as far as there is room."""
        if mine[at].days_back or not looks[at].reading.is_there_today:
            return
        effect = looks[at].reading.estimate.effect
        room = self.parameters.parts_limit - sum(mine[at].contains(each) for each in mine.values())
        for part in moving_parts(mine[at], at, effect, weighing, self._baselines, known=mine, limit=room):
            candidate = weighing.after(part, self._last(part.node, weighing))
            if candidate is not None and self._references.against_usual(candidate, weighing) is not None:
                self._open(candidate, weighing, other, mine, looks)

    def _last(self, at: int, weighing: Weighing) -> date | None:
        return self._book.last(weighing.scores.nodes[at], weighing.direction)

    def _judge(self, episode: Episode, look: Look, *, is_new: bool) -> Alert | None:
        """Note the day's score, and return the revision that it makes necessary, if it does."""
        day, node = look.reading.day, look.reading.node
        episode.observe(day, look.score, resolve_ratio=self.parameters.resolve_ratio)
        whole = self._book.parent(episode)
        if whole is not None and whole.last_alarm_on == day and look.reading.is_there_today:
            episode.last_alarm_on = day  # a part that moves along is in alarm with its whole, by that one's evidence
        hold_days = _HOLD_DAYS_OF_RETURNS if episode.is_return else self.parameters.hold_days
        if episode.alarm_days >= min(hold_days, self.parameters.hold_days) and look.reading.is_there_today:
            episode.alarm_days = 0
            episode.is_learned = True
            self._decisions.accept(node, episode.opened_on)
        found = verdict(episode, look, self._book, self.parameters, panel=self.panel, is_new=is_new)
        if found is None:
            return None
        if found.outcome is not None:
            self._book.end(episode, day, is_level=found.outcome == "accepted")
        if found.outcome == "accepted":
            if not episode.is_learned:
                self._decisions.accept(node, episode.opened_on)
            if episode.is_whole_return:
                self._book.came_back(episode, look.reading.moved_along(), day)
        elif found.outcome is not None:
            if episode.is_learned and found.outcome == "recovered":
                self._decisions.take_back_shocks_of([episode])
            self._decisions.settle(node, episode.direction)
        return revision(episode, look.reading, found, panel=self.panel, day=day, letterhead=self.letterhead)

    def _lose_sight(self, episode: Episode, look: Look) -> Alert | None:
        """End an episode of a node of which nothing has come for long: whether it lasts, nobody can say any more."""
        day = look.reading.day
        unheard = (day - (episode.heard_on or episode.last_revised_on)).days
        if unheard < _UNHEARD_DAYS:
            return None
        self._book.end(episode, day)
        self._decisions.settle(look.reading.node, episode.direction)
        found = out_of_sight(episode, look, unheard, panel=self.panel)
        alert = revision(episode, look.reading, found, panel=self.panel, day=day, letterhead=self.letterhead)
        return msgspec.structs.replace(alert, observed=None, expected=None, lower=None, upper=None, change_pct=None)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            **self._book.state(),
            "baselines": self._baselines.state(),
            "notices": self.notices.state(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._book.restore(saved)
        self._baselines.restore(saved["baselines"])
        self.notices.restore(saved["notices"])
