"""Which totals are alarms of one of their parts only, as the rest of them has not moved with it; and which are more.

A region is a sum, so it falls when its largest cell falls, and it may tell so with better evidence than the cell. What
people are to be told is the narrowest node that holds the whole shock. A part carries a total if every alarm inside the
total lies in the part, and what was seen of the total outside of the part, by the total's measure and since the later
one of their first days, is nearer to nothing than to the part's effect. If the rest has surely moved alike, the shock
is the total's: on a first day one cell may tell it before the total does, since a step has to be told apart from a bad
day.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from earlywarn.alerting.estimate import is_nearer
from earlywarn.alerting.grouping import Flags, Floats, strictly_inside
from earlywarn.detection.day_scores import Effects, Integers
from earlywarn.detection.effect_bank import inside, log_effect


def carried(
    totals: Mapping[int, int], alarming: Mapping[int, int], effects: Effects, members: Flags, measure: Integers
) -> set[int]:
    """Return those of `totals` that one of their parts carries.

    Args:
        totals: nodes, with the age of the first day (days) of each.
        alarming: likewise, of each alarming node; totals that are carried are no alarms for others.
        effects: the day's.
        members: bool[G, K], cells of each node.
        measure: int64[G], index into MEASURES of what tells each node's effect.
    """
    found: set[int] = set()
    for total in sorted(totals, key=lambda at: (int(members[at].sum()), at)):
        parts = [at for at in alarming if at not in found and strictly_inside(members, at, total)]
        spread = members[parts].any(axis=0)
        for part in parts:
            if not (spread & ~members[part]).any():
                place, age = int(measure[total]), min(alarming[part], totals[total])
                whole, own = (_effect(effects, at, members[at], age)[place] for at in (total, part))
                rest = _effect(effects, total, members[total] & ~members[part], age)[place]
                if own * whole > 0 and not is_nearer(rest, own):
                    found.add(total)
                    break
    return found


def moving_along(
    parts: Mapping[int, int], totals: Iterable[int], effects: Effects, members: Flags, measure: Integers, reach: float
) -> dict[int, int]:
    """Return the totals whose rest has moved as one of their parts has, each with that part (the first of `parts`).

    The rest is nearer to the part's effect than to nothing, on the same side, and lies further from nothing than
    `reach` standard deviations, at the least: those of the whole total stand for those of its rest.

    Args:
        parts: age of the first day (days) of each alarming node, in order of preference.
        totals: nodes.
        effects: the day's.
        members: bool[G, K], cells of each node.
        measure: int64[G], as in `carried`.
        reach: standard deviations.
    """
    found: dict[int, int] = {}
    for total in totals:
        for part, age in parts.items():
            if not strictly_inside(members, part, total):
                continue
            place, others = int(measure[part]), members[total] & ~members[part]
            own, rest = (_effect(effects, *each, age)[place] for each in ((part, members[part]), (total, others)))
            usual = effects.expected[place, np.flatnonzero(others), age].sum()
            spread = effects.dispersion[place, total, age] * effects.spread[place, total, age]
            if is_nearer(rest, own) and abs(rest) * usual > reach * np.sqrt(spread):
                found[total] = part
                break
    return found


def _effect(effects: Effects, node: int, cells: Flags, age_days: int) -> Floats:
    """Return float64[3]: the log effect of some cells of a node together since a first day."""
    at = np.flatnonzero(cells)
    seen, usual = effects.observed[:, at, age_days].sum(axis=1), effects.expected[:2, at, age_days].sum(axis=1)
    whole = (effects.observed[:, node, age_days], effects.expected[:, node, age_days])
    return log_effect(seen, inside(whole, seen, usual))
