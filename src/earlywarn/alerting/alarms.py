"""Which nodes alarm today in one direction, and by what first day and measure: no episodes yet.

An alarm is a node whose score is above 1. Of those the ones count that stronger ones do not explain, that none of their
parts carries (`carrying`), and the totals that the alarms inside them amount to (`weighing.Weighing.totals`).
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import numpy as np

from earlywarn.alerting.carrying import carried, moving_along
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import dispersion, interval_reach, total
from earlywarn.alerting.grouping import Flags, Floats, counting, strictly_inside
from earlywarn.alerting.weighing import Candidate, Weighing
from earlywarn.detection.day_scores import MEASURES, DayScores, Integers

_FAR = 5.0
"""A panel that alarms, and whose sums lie so many standard deviations off, is not explained by what it holds."""
_ALIKE = 1.5
"""Log effects that are no more than so many times one another are about the same."""


def alarms(weighing: Weighing, other: Floats, standing: Mapping[int, Episode], members: Flags) -> list[Candidate]:
    """Return the alarms that count and have no open episode yet; the scores of totals that take over are lifted.

    Args:
        weighing: the day's scores in the direction.
        other: float64[G], the scores in the other direction: the higher one counts.
        standing: the open episode of each node that has one, in this direction.
        members: bool[G, K], cells of each node.
    """
    scores, ratio = weighing.scores, weighing.ratio
    # Baselines of other nodes are kept for so many days: a total that takes over later is told from the oldest on.
    today, oldest = scores.day.toordinal(), len(scores.effects.days) - 1
    old = {at: min(today - episode.first_day, oldest) for at, episode in standing.items()}
    ages = {
        at: old.get(at, int(weighing.side.onset_age_days[at]))
        for at in np.flatnonzero((ratio > 1) & (ratio >= other)).tolist()
    }
    measure = weighing.side.measure.copy()
    for at, episode in standing.items():
        measure[at] = MEASURES.index(episode.measure)

    def carried_by_a_part(nodes: Mapping[int, int]) -> set[int]:
        """Return totals that an alarm inside them carries, or an open episode, on its quiet days too."""
        totals = {at: age for at, age in nodes.items() if at not in standing and scores.nodes[at].level != "cell"}
        return carried(totals, old | ages, scores.effects, members, measure)

    def that_count(nodes: Iterable[int], apart: Iterable[int]) -> list[int]:
        share = weighing.parameters.explained_share
        return counting(nodes, ratio, members, scores.contributions, frozenset(apart), explained_share=share)

    # A total that a part carries holds no more than the part, and makes no wider total take over.
    alarming = ages.keys() - carried_by_a_part(ages)
    far = {at for at in alarming if scores.nodes[at].level == "panel" and weighing.distance[at] >= _FAR}
    ages = {at: ages[at] for at in that_count(alarming, standing.keys() | far)}
    stay = {at for at in ages if scores.nodes[at].level != "cell"}  # whatever takes over beside them
    found = weighing.totals(members, ages)
    found |= dict(_joined(weighing, ages, found.keys() | ages.keys() | standing.keys(), members, measure))
    if found:
        found |= weighing.totals(members, ages | {at: each.age_days for at, each in found.items()})
    alone = carried_by_a_part({at: each.age_days for at, each in found.items()})
    totals = {at: each for at, each in found.items() if each.score >= other[at] and at not in alone}
    for at, candidate in totals.items():
        own = candidate.score if at not in standing else standing_score(standing[at], at, weighing, candidate.score)
        ratio[at] = max(float(ratio[at]), own)
    counted = that_count(alarming | totals.keys(), standing.keys() | totals.keys() | stay)
    told = {at: totals.get(at) or weighing.candidate(at) for at in counted if at not in standing}
    wider = [at for at in counted if scores.nodes[at].level != "cell"]
    alike = {at for at, each in told.items() if _moves_as_one_around_it(each, wider, scores, members)}
    return [each for at, each in told.items() if at not in alike]


def _moves_as_one_around_it(candidate: Candidate, wider: Iterable[int], scores: DayScores, members: Flags) -> bool:
    """Return whether an alarm inside another one has about the same effect: a part of that one, and no news.

    In a large step of all, what is told apart of each against its peers is but how the models err about their shares.
    """
    place, age = MEASURES.index(candidate.measure), candidate.age_days
    effect = scores.effects.effect[place, :, age]
    own = float(effect[candidate.node])
    around = [float(effect[at]) for at in wider if strictly_inside(members, candidate.node, at)]
    return any(1 / _ALIKE <= own / whole <= _ALIKE for whole in around if whole)


def _joined(
    weighing: Weighing, ages: Mapping[int, int], known: AbstractSet[int], members: Flags, measure: Integers
) -> Iterator[tuple[int, Candidate]]:
    """Yield the widest total that moves along with an alarm inside it; it alarms with that one's evidence."""
    scores, ratio = weighing.scores, weighing.ratio
    ready = [at for at, node in enumerate(scores.nodes) if node.level != "cell" and scores.ready[at]]
    wide = sorted((at for at in ready if at not in known), key=lambda at: (-int(members[at].sum()), at))
    strongest = dict(sorted(ages.items(), key=lambda each: (-ratio[each[0]], each[0])))
    reach = interval_reach(weighing.parameters.spillover_confidence)
    found = moving_along(strongest, wide, scores.effects, members, measure, reach)
    for wider, part in found.items():
        if any(strictly_inside(members, wider, at) for at in found):
            continue
        candidate = weighing.at(wider, float(ratio[part]), ages[part], [MEASURES[int(measure[part])]])
        if candidate is not None:
            yield wider, candidate


def standing_score(episode: Episode, at: int, weighing: Weighing, evidence: float) -> float:
    """Return the score of an open episode: the effect must be there since its first day, and in its last days."""
    effects, measure = weighing.scores.effects, episode.measure
    days = (weighing.scores.day - episode.phase.since).days + 1
    whole = episode.phase.sums.estimate(measure, dispersion(effects, at, measure, days))
    distance = whole.distance(episode.direction)
    last = episode.phase.last_days
    if len(last) == weighing.parameters.quiet_days:
        recent = total(last).estimate(measure, dispersion(effects, at, measure, len(last)))
        distance = min(distance, recent.distance(episode.direction))
    return min(evidence, float(weighing.certainty(distance)))
