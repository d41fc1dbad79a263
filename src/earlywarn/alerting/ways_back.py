"""Whether an alarm is but the way back from an earlier shock of the other direction, which is no shock of its own.

While a shock lasts the models learn some of it, so its end looks like a shock the other way. Two things tell that it is
an end. The day is within its usual range of the baseline before the earlier shock, or still beyond it on that shock's
side. Or a part of the change since the alarm's first day is the way from what is expected now to what that baseline
expects, and what goes on beyond it may be chance, or is small and the lesser part: also where the end overshoots a
little, of a total of which only some cells had fallen, and of a shock that was over for chance alone before its end
came. The baseline of such an alarm has learned some of the shock, so its size would be that.
"""

from collections.abc import Sequence
from datetime import date

import msgspec

from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.coming_back import OVERSHOOT
from earlywarn.alerting.evidence import DayReading
from earlywarn.alerting.weighing import NEARER, Candidate, is_nearer
from earlywarn.detection.day_scores import MEASURES, DayScores
from earlywarn.detection.effect_bank import log_effect
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure, holds

_SOME = 0.25
"""Share of an alarm's log effect that is the way back at the least, where the rest may be chance."""


class Shock(msgspec.Struct, frozen=True):
    """A shock that is open, or was of late: of which series, and since when."""

    region: str | None
    sector: str | None
    opened_on: date


def way_back(
    candidate: Candidate,
    direction: Direction,
    shocks: Sequence[Shock],
    scores: DayScores,
    baselines: CellBaselines,
    *,
    reach: float,
) -> Shock | None:
    """Return the first of `shocks` from which an alarm is but the way back; None if it is a shock of its own.

    Args:
        candidate: the alarm.
        direction: of it.
        shocks: of the other direction, the oldest first.
        scores: the day's.
        baselines: of the day, which must know the first days of `shocks`.
        reach: standard deviations of the alarm's effect that may be chance.
    """
    at, node, inside = candidate.node, scores.nodes[candidate.node], baselines.members[candidate.node]
    now = scores.effects.today[:, : len(inside), candidate.age_days]
    before, first = now.copy(), None
    open_cells = inside.copy()
    for shock in shocks:
        own = baselines.inside(shock.region, shock.sector)
        taken = open_cells & own
        if not taken.any():
            continue
        first = first or shock
        before[:, taken] = baselines.today(shock.opened_on.toordinal())[:, taken]
        open_cells &= ~own
        if holds((shock.region, shock.sector), (node.region, node.sector)):
            today = baselines.sums(shock.opened_on.toordinal(), at)
            if not DayReading(today, scores, at, candidate.measure).is_outside(direction):
                return shock
    if first is None:
        return None
    place = MEASURES.index(candidate.measure)
    explained = float(log_effect(before[:, inside].sum(axis=1), now[:, inside].sum(axis=1))[place])
    age = candidate.age_days
    effect, sd = (float(each[place, at, age]) for each in (scores.effects.effect, scores.effects.sd))
    beyond = (effect - explained) * (1.0 if effect > 0 else -1.0)
    may_be_chance = explained * effect >= _SOME * effect**2 and beyond <= reach * sd
    is_mostly_end = is_nearer(explained, effect) and beyond <= OVERSHOOT
    return first if may_be_chance or is_mostly_end else None


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
