"""Whether an alarm is in good part the way back from an earlier shock of the other direction; what is told as one fact.

While a shock lasts the models learn some of it, so its end looks like a shock the other way, and so does what begins
in its place, but larger than it is. Such an alarm says that the shock is over: what the models learned of it is taken
back, and nothing is told. What goes on beyond that is told on the days that follow, against what was usual before: a
rise by 30 % right after a fall by 20 % is one by 30 %, and not by 63 %.
"""

from collections.abc import Mapping
from datetime import date
from functools import partial

import msgspec
import numpy as np

from earlywarn.alerting.book import EpisodeBook, Shock
from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.decisions import Back
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import NEARER, dispersion, is_nearer, since
from earlywarn.alerting.grouping import Flags, Floats
from earlywarn.alerting.phases import LEAST_DAYS, WAY_BACK_SHARE, is_surely, leads_back
from earlywarn.alerting.weighing import Candidate, Weighing
from earlywarn.detection.day_scores import MEASURES, DayScores
from earlywarn.detection.effect_bank import log_effect
from earlywarn.domain.series import Measure


def way_back(
    candidate: Candidate, shocks: Mapping[Shock, Flags], scores: DayScores, baselines: CellBaselines
) -> list[Back]:
    """Return from which shocks an alarm is in good part the way back, each cell once; none if it is no way back.

    Args:
        candidate: the alarm.
        shocks: of the other direction, the oldest first, each with its cells, bool[K].
        scores: the day's.
        baselines: of the day, which must know the first days of `shocks`.
    """
    inside = baselines.members[candidate.node]
    now = baselines.today(scores.day.toordinal() - candidate.age_days)
    before, left = now.copy(), inside.copy()
    found = []
    for shock, own in shocks.items():
        if (left & own).any():
            found.append(Back(left & own, shock.opened_on))
            before[:, left & own] = baselines.today(shock.opened_on.toordinal())[:, left & own]
            left &= ~own
    place = MEASURES.index(candidate.measure)
    explained = float(log_effect(before[:, inside].sum(axis=1), now[:, inside].sum(axis=1))[place])
    effect = float(scores.effects.effect[place, candidate.node, candidate.age_days])
    return found if explained * effect >= WAY_BACK_SHARE * effect**2 else []


def in_place_of(candidate: Candidate, shock: Shock, weighing: Weighing, baselines: CellBaselines) -> Candidate | None:
    """Return an alarm against what was expected before a shock that held its cells; None if it is none so."""
    step = _step(candidate, shock, weighing, baselines)
    found = weighing.at(candidate.node, candidate.score, candidate.age_days, [candidate.measure], step)
    return None if found is None else msgspec.structs.replace(found, usual_until=shock.opened_on.toordinal())


def is_surely_beyond(candidate: Candidate, shock: Shock, weighing: Weighing, baselines: CellBaselines) -> bool:
    """Return whether an alarm lies surely, and by a step, beyond what was expected before a shock of its cells."""
    effects, step = weighing.scores.effects, _step(candidate, shock, weighing, baselines)
    sums = since(effects, candidate.node, candidate.age_days, step)
    spread = partial(dispersion, effects, candidate.node, candidate.measure)
    return is_surely(sums, candidate.measure, weighing.direction, spread)


def is_explained(candidate: Candidate, shock: Shock, weighing: Weighing, baselines: CellBaselines) -> bool:
    """Return whether what was usual before a shock is what an alarm may be measured against.

    What the models have learned of a shock is less than all of it, so against what they expect now an alarm lies at
    least about as far off. If it does not, they have learned something else since, as a season.
    """
    step = _step(candidate, shock, weighing, baselines)
    own, usual = (since(weighing.scores.effects, candidate.node, candidate.age_days, by) for by in (None, step))
    return is_nearer(*(each.estimate(candidate.measure, 1.0).effect for each in (own, usual)))


def _step(candidate: Candidate, shock: Shock, weighing: Weighing, baselines: CellBaselines) -> Floats:
    first_day = weighing.scores.day.toordinal() - candidate.age_days
    return baselines.apart(shock.opened_on.toordinal(), first_day, candidate.node)


def turned(episode: Episode, node: int, weighing: Weighing) -> Candidate | None:
    """Return what an open episode of the other direction has turned into; None if it has not."""
    spread = partial(dispersion, weighing.scores.effects, node, episode.measure)
    age = (weighing.scores.day - episode.phase.since).days
    sums = episode.phase.sums
    is_beyond = sums.days >= LEAST_DAYS and is_surely(sums, episode.measure, weighing.direction, spread)
    if not is_beyond or not episode.phase.before or age >= len(weighing.scores.effects.days):
        return None
    own = float(weighing.scores.effects.effect[MEASURES.index(episode.measure), node, age])
    if not is_nearer(own, episode.phase.effect(episode.measure)):
        return None  # as `is_explained`
    distance = sums.estimate(episode.measure, spread(age + 1)).distance(weighing.direction)
    score = min(float(weighing.evidence[node]), float(weighing.certainty(distance)))
    return Candidate(node, score, age, episode.measure, episode.baseline_day) if score > 1 else None


def level_left(episode: Episode, node: int, book: EpisodeBook, baselines: CellBaselines) -> date | None:
    """Return the first day of the level accepted before from which a new episode leads back; None if it does not."""

    def leads(first: date) -> bool:
        step = baselines.apart(first.toordinal(), episode.baseline_day, node)
        return leads_back(episode.phase, step, episode.measure)

    return next(filter(leads, book.levels_around(episode)), None)


def tell_payments(one: Weighing, other: Weighing) -> None:
    """Where a node's mean payment alarms in `one` with what its payments say in `other`, let those tell it alone."""
    for at in np.flatnonzero((one.ratio > 1) & (other.ratio > 1)).tolist():
        told = one.candidate(at)
        if told.measure == "mean_ticket" and is_other_side(told, other.candidate(at).measure, one.scores):
            one.ratio[at] = 0.0


def is_other_side(candidate: Candidate, measure: Measure, scores: DayScores) -> bool:
    """Return whether an alarm says of payments what one of the other direction says of the mean payment, or vice versa.

    Where fewer payments come to the same amount, the mean payment rises by that: one fact.

    Args:
        candidate: the alarm.
        measure: what tells the one of the other direction, whose cells hold the alarm's.
        scores: the day's.
    """
    if {candidate.measure, measure} != {"transactions", "mean_ticket"}:
        return False
    effect = scores.effects.effect[:, candidate.node, candidate.age_days]
    own, amount = (float(effect[MEASURES.index(each)]) for each in (candidate.measure, "amount"))
    return abs(amount) < NEARER * abs(own)
