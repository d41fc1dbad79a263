"""What an alarm is measured against: its own past, or what was usual before the shock in whose place it is.

A shock is followed by its end, by one of the other direction, or goes on in a part of where it was. An alarm may be any
of these, and be nothing new; what is new of it is what lies beyond what was usual before the first of them.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, timedelta

from earlywarn.alerting.book import EpisodeBook, Shock
from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.decisions import Back, Decisions
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import is_nearer
from earlywarn.alerting.grouping import Flags
from earlywarn.alerting.parting import went_on
from earlywarn.alerting.ways_back import in_place_of, is_explained, is_other_side, is_surely_beyond, turned, way_back
from earlywarn.alerting.weighing import SAME_ONSET_DAYS, Candidate, Weighing
from earlywarn.detection.day_scores import MEASURES
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.alert import OPPOSITE, Direction
from earlywarn.domain.series import holds


class References:
    """Reads alarms against the shocks before them, and decides which of these are over.

    Args:
        book: the episodes.
        baselines: of the day.
        decisions: take the shocks that are over.
    """

    def __init__(self, book: EpisodeBook, baselines: CellBaselines, decisions: Decisions) -> None:
        self._book, self._baselines, self._decisions = book, baselines, decisions

    def against_usual(self, candidate: Candidate, weighing: Weighing) -> Candidate | None:
        """Return an alarm against what was usual before the shock in whose place it is, if it is in any's.

        None if it is but the end of a shock, or says again what an alert around it does. The models unlearn a shock of
        the other direction that is over.
        """
        scores, direction = weighing.scores, weighing.direction
        node, first = scores.nodes[candidate.node], scores.day - timedelta(days=candidate.age_days)
        around = [each for each in self._book.open.values() if each.holds(node.region, node.sector)]
        others = [each for each in around if each.direction != direction]
        if any(is_other_side(candidate, each.measure, scores) for each in others):
            return None
        if candidate.usual_until is not None:
            return candidate
        wholes = (each for each in around if each.direction == direction and (each.region, each.sector) != node.key)
        if (whole := next((each for each in wholes if _is_no_news(candidate, each, weighing)), None)) is not None:
            age = (scores.day - whole.opened_on).days
            early = weighing.at(candidate.node, candidate.score, age, [candidate.measure])
            return None if early is None else weighing.after(early, self._book.last(node, direction))
        over = next((each for each in self._book.shocks(direction) if each.was_there(*node.key, first)), None)
        if over is not None and over.is_over:
            return self._going_on(candidate, over, weighing)
        shocks = {each: self._own(each, OPPOSITE[direction]) for each in self._book.shocks(OPPOSITE[direction])}
        inside = self._baselines.inside(node.region, node.sector)
        there = (each for each in shocks if each.was_there(*node.key, first) and not (inside & ~shocks[each]).any())
        shock = next(there, None)
        if shock is not None and not is_explained(candidate, shock, weighing, self._baselines):
            shock = None
        back = way_back(candidate, shocks, scores, self._baselines)
        if shock is None and not back:
            return candidate
        found = None
        if shock is not None and (not back or is_surely_beyond(candidate, shock, weighing, self._baselines)):
            back = [Back(inside, shock.opened_on)]
            found = in_place_of(candidate, shock, weighing, self._baselines)
        self._take_back(back, node, direction, first)
        return found

    def _own(self, shock: Shock, direction: Direction) -> Flags:
        """Return bool[K]: the cells of a shock but those at a level accepted since: the way back from there is news.

        While a shock around such a level is open, its own end tells that.
        """
        own = self._baselines.inside(shock.region, shock.sector)
        for level in self._book.levels_since(shock.opened_on, direction):
            if shock.ended_on is not None or holds(level, (shock.region, shock.sector)):
                own = own & ~self._baselines.inside(*level)
        return own

    def _going_on(self, candidate: Candidate, over: Shock, weighing: Weighing) -> Candidate | None:
        """Return an alarm as what is left of a shock of its direction that is over around it; None if it is nothing."""
        node = weighing.scores.nodes[candidate.node]
        if (over.region, over.sector) == node.key:
            return None if over.ended_on is None else candidate
        if not is_surely_beyond(candidate, over, weighing, self._baselines):
            return None
        age = (weighing.scores.day - over.opened_on).days
        if age >= len(weighing.scores.effects.days):
            return in_place_of(candidate, over, weighing, self._baselines)
        effect = weighing.scores.effects.effect[MEASURES.index(candidate.measure), candidate.node]
        own = in_place_of(candidate, over, weighing, self._baselines)
        if own is None or not is_nearer(float(effect[candidate.age_days]), float(effect[age])):
            return own  # it is no longer what it was while the shock was there
        return weighing.at(candidate.node, candidate.score, age, [candidate.measure])

    def _take_back(self, back: list[Back], node: Node, direction: Direction, first: date) -> None:
        """Take shocks as over, and the days from a first one on as another level of the node's open episode."""
        self._decisions.take_back(back, OPPOSITE[direction])
        episode = self._book.open.get((node.region, node.sector, OPPOSITE[direction]))
        if episode is not None and not episode.days_back:
            days = sum(day >= first for day in episode.phase.last_heard)
            if 0 < days < episode.phase.sums.days:
                episode.turn(days)

    def turned(
        self, known: AbstractSet[int], place: Mapping[tuple[str | None, str | None], int], weighing: Weighing
    ) -> Iterator[Candidate]:
        """Yield what open episodes of the other direction have turned into.

        Args:
            known: nodes that have an episode of the direction, or an alarm.
            place: of each node.
            weighing: the day's, in the direction.
        """
        for key, episode in self._book.open.items():
            at = place.get(key[:2])
            if key[2] == weighing.direction or at is None or at in known or not weighing.scores.heard[at]:
                continue
            found = turned(episode, at, weighing)
            last = self._book.last(weighing.scores.nodes[at], weighing.direction)
            if found is not None and (last is None or last < episode.phase.since):
                yield found


def _is_no_news(candidate: Candidate, whole: Episode, weighing: Weighing) -> bool:
    """Return whether an alarm inside an open total is but what has been there since the total's first day.

    When a national shock ends, what goes on in one region stands out from that day on, and has not moved itself.
    """
    effects, age = weighing.scores.effects, (weighing.scores.day - whole.opened_on).days
    if not candidate.age_days + SAME_ONSET_DAYS < age < len(effects.days):
        return False
    place = MEASURES.index(candidate.measure)
    effect = float(effects.effect[place, candidate.node, age])
    is_alike = effect * float(effects.effect[place, candidate.node, candidate.age_days]) > 0
    return is_alike and not is_nearer(went_on(candidate.node, age, candidate.age_days, effects, place), effect)
