"""How near a node is to an alarm: both its evidence and its effect must be there.

The score of a node is the smaller of two ratios,

    evidence / alarm_evidence             (is it told apart from its peers' and its own past?)
    (distance / reach)^2                  (is the effect since its first day told apart from nothing?)

with the effect's distance from zero and the reach of its interval of `effect_confidence` in standard deviations. So a
score above 1 means that this interval excludes zero, in the direction of the alarm. Beside stronger alarms of the other
direction more is asked (`Weighing.doubt`).
"""

from collections.abc import Iterable, Mapping
from datetime import date

import msgspec
import numpy as np

from earlywarn.alerting.estimate import NEARER, dispersion, interval_reach, since
from earlywarn.alerting.grouping import Flags, Floats, taken_over
from earlywarn.alerting.parameters import AlertParameters
from earlywarn.detection.day_scores import MEASURES, DayScores, Evidence
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure

SAME_ONSET_DAYS = 3
"""First days within a family that are no further apart are one: an onset is seldom known better."""
_AMOUNT = 1


class Candidate(msgspec.Struct, frozen=True):
    """What an alert would be about: a node, its score, the age of its first day, and the measure that tells it.

    `usual_until` is the first day (ordinal) of the shock in whose place it is; None: it is against its own past.
    """

    node: int
    score: float
    age_days: int
    measure: Measure
    usual_until: int | None = None


class Weighing:
    """The scores of a day in one direction.

    Args:
        scores: the day's.
        direction: which evidence.
        parameters: thresholds.

    Attributes:
        side: the evidence of the direction.
        evidence, distance: float64[G], what the score is made of.
        ratio: float64[G], the score; above 1 is alarm.
    """

    def __init__(self, scores: DayScores, direction: Direction, parameters: AlertParameters) -> None:
        self.scores, self.direction, self.parameters = scores, direction, parameters
        self.side: Evidence = scores.down if direction == "down" else scores.up
        self.reach = interval_reach(parameters.effect_confidence)
        sign = -1.0 if direction == "down" else 1.0
        self.distance: Floats = sign * self.side.effect / np.maximum(self.side.effect_sd, 1e-12)
        self.evidence: Floats = np.where(scores.ready & scores.heard, self.side.score / parameters.alarm_evidence, 0.0)
        self.ratio: Floats = np.minimum(self.evidence, self.certainty(self.distance))

    def doubt(self, strengths: Mapping[int, float], members: Flags) -> None:
        """Ask more of nodes beside stronger alarms of the other direction.

        Evidence is against the peers: while some of them rise by a shock, those that do not seem to fall. Such a node's
        own effect must then be told apart from zero with `spillover_confidence`.

        Args:
            strengths: score of each alarming node of the other direction.
            members: bool[G, K].
        """
        if not strengths:
            return
        others = sorted(strengths)
        apart = ~np.stack([members[:, members[at]].any(axis=1) for at in others], axis=1)
        stronger = np.array([strengths[at] for at in others])[None, :] > self.ratio[:, None]
        strict = (np.maximum(self.distance, 0.0) / interval_reach(self.parameters.spillover_confidence)) ** 2
        self.ratio = np.where((apart & stronger).any(axis=1), np.minimum(self.ratio, strict), self.ratio)

    def certainty(self, distance: Floats | float) -> Floats:
        """Return the ratio of an effect that lies so many standard deviations from zero."""
        ratio: Floats = (np.maximum(distance, 0.0) / self.reach) ** 2
        return ratio

    def candidate(self, node: int) -> Candidate:
        """Return what an alarm of the node by its own evidence is about."""
        measure = MEASURES[int(self.side.measure[node])]
        return Candidate(node, float(self.ratio[node]), int(self.side.onset_age_days[node]), measure)

    def at(
        self, node: int, evidence: float, age_days: int, measures: Iterable[Measure], step: Floats | None = None
    ) -> Candidate | None:
        """Return what an alarm with another first day would be about; None if it is none; `step` as in `since`."""
        for measure in measures:
            estimate = since(self.scores.effects, node, age_days, step).estimate(
                measure, dispersion(self.scores.effects, node, measure, age_days + 1)
            )
            score = min(evidence, float(self.certainty(estimate.distance(self.direction))))
            if score > 1:
                return Candidate(node, score, age_days, measure)
        return None

    def after(self, candidate: Candidate, last: date | None) -> Candidate | None:
        """Return an alarm with a first day after `last`, the end of an episode before it; None if that leaves none."""
        age = self.scores.day.toordinal() - (0 if last is None else last.toordinal()) - 1
        if candidate.age_days <= age:
            return candidate
        return self.at(candidate.node, candidate.score, age, [candidate.measure])

    def over_holidays(self, candidate: Candidate, *, not_before: int) -> Candidate:
        """Return the candidate with its first day moved back over special days that fell (or rose) alike.

        Of holidays and their neighbours the evidence hears little, and their noise dilutes an effect, so it begins
        after them. Such a day right before the first one belongs to the shock if it alone is nearer to the effect than
        to nothing: the likelier of the two, however noisy it is. The alarm must bear the earlier day.

        Args:
            candidate: what alarms.
            not_before: the earliest first day (ordinal).
        """
        effects, place, node = self.scores.effects, MEASURES.index(candidate.measure), candidate.node
        age = candidate.age_days
        oldest = min(len(effects.days) - 1, self.scores.day.toordinal() - not_before)
        while age < oldest and effects.special[node, age + 1]:
            whole, day = effects.effect[place, node, age], effects.alone[place, node, age + 1]
            if day * whole <= NEARER * whole**2:
                break
            age += 1
        found = None if age == candidate.age_days else self.at(node, candidate.score, age, [candidate.measure])
        return found or candidate

    def aligned(self, candidate: Candidate, first_days: Iterable[int]) -> Candidate:
        """Return the candidate with the first of `first_days` (ordinals) that is about its own and bears an alarm."""
        own = self.scores.day.toordinal() - candidate.age_days
        for day in first_days:
            age = self.scores.day.toordinal() - day
            if abs(day - own) <= SAME_ONSET_DAYS and age < len(self.scores.effects.days):
                found = self.at(candidate.node, candidate.score, age, [candidate.measure])
                if found is not None:
                    return found
        return candidate

    def totals(self, members: Flags, alarming: Mapping[int, int]) -> dict[int, Candidate]:
        """Return the totals that the alarms inside them amount to.

        Their evidence is that of the strongest alarm inside, if their own is weaker: they say that these cells have
        changed, and more. Their first day is that of most of the spending that alarms.

        Args:
            members: bool[G, K].
            alarming: age of the first day (days) of each alarming node.
        """
        nodes, weights = self.scores.nodes, self.weights(members)
        found = {}
        share = self.parameters.parent_share
        for total, inside in taken_over(nodes, alarming.keys(), members, weights, share).items():
            if not self.scores.ready[total]:
                continue
            spending = [float(weights[members[at]].sum()) for at in inside]
            age = _weighted_median([alarming[at] for at in inside], spending)
            evidence = max(float(self.evidence[total]), *(float(self.ratio[at]) for at in inside))
            own = MEASURES[int(self.side.measure[total])]
            candidate = self.at(total, evidence, age, dict.fromkeys(("amount", "transactions", own)))
            if candidate is not None:
                found[total] = candidate
        return found

    def weights(self, members: Flags) -> Floats:
        """Return float64[K]: what is usually spent in each cell."""
        expected: Floats = self.scores.effects.expected[_AMOUNT, : members.shape[1], -1]
        return expected


def _weighted_median(values: list[int], weights: list[float]) -> int:
    """Return the least value up to which half of the weight lies.

    >>> _weighted_median([3, 1, 9], [1.0, 1.0, 1.0])
    3
    """
    half, running = sum(weights) / 2, 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        running += weight
        if running >= half:
            return value
    return max(values)
