"""Cells that move along with an open total: no alarms of their own, as their peers have moved alike, but parts of it.

A cell is judged against its peers, so in a shock of all of them none stands out. Whom an alert of a total concerns is
told by its parts: cells whose own effect since the total's first day is surely there, nearer to the total's than to
nothing. Those with most of the change go first, as far as there is room.
"""

from collections.abc import Container

import msgspec
import numpy as np

from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import interval_reach, is_nearer, since
from earlywarn.alerting.weighing import Candidate, Weighing
from earlywarn.detection.day_scores import MEASURES


def moving_parts(
    whole: Episode,
    at: int,
    effect: float,
    weighing: Weighing,
    baselines: CellBaselines,
    *,
    known: Container[int],
    limit: int,
) -> list[Candidate]:
    """Return what cells of an open total would be told of, those with most of the change first.

    Args:
        whole: the total's episode.
        at: its node.
        effect: its log effect since its first day.
        weighing: the day's, in its direction.
        baselines: of the day.
        known: nodes that have an episode.
        limit: of how many at most.
    """
    scores, age = weighing.scores, weighing.scores.day.toordinal() - whole.first_day
    if age >= len(scores.effects.days):
        return []
    effects, place = scores.effects, MEASURES.index(whole.measure)
    reach = interval_reach(weighing.parameters.spillover_confidence)
    volume = min(place, 1)
    change = np.abs(effects.observed[volume, :, age] - effects.expected[volume, :, age])
    found: list[Candidate] = []
    is_own = whole.usual_until == whole.opened_on
    for cell in sorted(np.flatnonzero(baselines.members[at]).tolist(), key=lambda each: (-change[each], each)):
        if len(found) >= limit:
            break
        if cell in known or not (scores.ready[cell] and scores.heard[cell]):
            continue
        step = None if is_own else baselines.apart(whole.baseline_day, whole.first_day, cell)
        own = since(effects, cell, age, step).estimate(whole.measure, 1.0).effect
        if not is_nearer(own, effect) or abs(own) < reach * float(effects.sd[place, cell, age]):
            continue
        part = weighing.at(cell, whole.score, age, [whole.measure], step)
        if part is not None:
            found.append(part if is_own else msgspec.structs.replace(part, usual_until=whole.baseline_day))
    return found
