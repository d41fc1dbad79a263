"""Whether a shock of a total is over but for some of its parts: then it is theirs, and no longer the total's.

A total is a sum, so what goes on in one of its regions keeps it below what was expected when all others are back. It is
over when what lies outside of the parts in which most of it is surely still there is back, and these are the smaller
part of the total. What goes on is told of the parts (`left_behind`).
"""

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import Estimate, Sums, dispersion, interval_reach, is_nearer, since, sums
from earlywarn.alerting.grouping import Flags, Floats, strictly_inside
from earlywarn.alerting.phases import is_surely
from earlywarn.alerting.weighing import Candidate, Weighing
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.effect_bank import inside
from earlywarn.domain.series import Level

_CHANCE = 0.99
_PARTS: dict[Level, tuple[Level, ...]] = {
    "panel": ("region", "sector"),
    "region": ("cell",),
    "sector": ("cell",),
    "cell": (),
}
"""By level of a total, of series of which levels it is told what goes on of its shock."""


def going_on(whole: Episode, at: int, scores: DayScores, baselines: CellBaselines) -> dict[int, Estimate]:
    """Return the parts of a total (nodes) in which most of its shock is surely there since its phase began.

    Each with its effect since then, the largest first; a sector that is there by a region alone is none, or vice versa.
    """
    members, since_then, levels = baselines.members, (scores.day - whole.phase.since).days, _PARTS[whole.level]
    if not levels or since_then >= len(scores.effects.days):
        return {}
    found: dict[int, Estimate] = {}
    for node in np.flatnonzero(scores.ready & scores.heard).tolist():
        if scores.nodes[node].level not in levels or not strictly_inside(members, node, at):
            continue
        step = baselines.apart(whole.baseline_day, whole.phase.since.toordinal(), node)
        lately = since(scores.effects, node, since_then, step)
        spread = partial(dispersion, scores.effects, node, whole.measure)
        effect = lately.estimate(whole.measure, spread(lately.days))
        is_most = is_nearer(effect.effect, whole.phase.before)
        if is_most and is_surely(lately, whole.measure, whole.direction, spread):
            found[node] = effect
    seen, usual = baselines.since(whole.phase.since.toordinal(), whole.baseline_day)
    left, own = members[at].copy(), {}
    for node, effect in sorted(found.items(), key=lambda each: (-abs(each[1].effect), each[0])):
        cells = members[node] & left
        of_cells = _sums(whole.phase.sums.days, seen, usual, cells, whole.phase.sums)
        if is_nearer(of_cells.estimate(whole.measure, 1.0).effect, whole.phase.before):
            own[node], left = effect, left & ~cells
    return own


def is_over_elsewhere(whole: Episode, at: int, weighing: Weighing, baselines: CellBaselines) -> bool:
    """Return whether all of a total is back but parts that hold less of it than a total's alarms have to (`totals`).

    Args:
        whole: today is added to it.
        at: its node.
        weighing: the day's.
        baselines: of the day.
    """
    phase, members, scores = whole.phase, baselines.members, weighing.scores
    parts = list(going_on(whole, at, scores, baselines)) if phase.before else []
    if not parts:
        return False
    left, weights = members[parts].any(axis=0), weighing.weights(members)
    rest = members[at] & ~left
    share = weighing.parameters.parent_share
    if weights[left].sum() >= share * weights[members[at]].sum() or not rest.any():
        return False
    spread = partial(dispersion, scores.effects, at, whole.measure)
    today = _sums(1, baselines.seen, baselines.today(whole.baseline_day), rest, phase.last_days[-1])
    seen, usual = baselines.since(phase.since.toordinal(), whole.baseline_day)
    since_then = _sums(phase.sums.days, seen, usual, rest, phase.sums)
    effect, now = (each.estimate(whole.measure, 1.0).effect for each in (since_then, today))
    is_there = is_nearer(effect, phase.effect(whole.measure)) or is_nearer(now, phase.before)
    distance = since_then.estimate(whole.measure, spread(phase.sums.days)).distance(whole.direction)
    return not is_there and distance <= interval_reach(_CHANCE)


def left_behind(episodes: Mapping[int, Episode], weighing: Weighing, baselines: CellBaselines) -> Iterator[Candidate]:
    """Yield the parts without an episode in which the shock of a total goes on that is back.

    Args:
        episodes: the open ones of the direction, by node.
        weighing: the day's.
        baselines: of the day.
    """
    scores, window = weighing.scores, len(weighing.scores.effects.days)
    for at, whole in sorted(episodes.items()):
        parts = going_on(whole, at, scores, baselines) if whole.days_back else {}
        for node in sorted(parts.keys() - episodes.keys()):
            age = min((scores.day - whole.opened_on).days, window - 1)
            candidate = weighing.at(node, whole.score, age, [whole.measure])
            if candidate is not None:
                yield candidate


def _sums(days: int, seen: Floats, usual: Floats, cells: Flags, whole: Sums) -> Sums:
    """Return the sums of some cells; those of the whole total stand for how they vary, and how days were paid on."""
    came, expected = seen[:, cells].sum(axis=1), usual[:, cells].sum(axis=1)
    return sums(days, came, inside(whole.arrays, came, expected), np.array(whole.spread))
