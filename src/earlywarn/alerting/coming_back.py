"""Whether an open episode is over by its last days: they are back at what was expected before its first one.

The sums since the first day dilute an end, and days of a shock among the last seven hide it for a week. So the last d
days, of those that an episode keeps, are set against those before them; d is the number at which the two lie furthest
apart, in standard deviations of their difference. They are back if that is surely a difference, if they are within
chance of what was expected (or a little beyond it) and nearer to it than to the days before, and if the first of them
and today, each alone, are nearer to it as well.

Example:
    >>> usual = Sums(1, 100.0, 5000.0, 100.0, 5000.0, (4.0, 1e4, 1e4))
    >>> fallen = Sums(1, 70.0, 3500.0, 100.0, 5000.0, (4.0, 1e4, 1e4))
    >>> days = [fallen] * 3 + [usual] * 4
    >>> days_back(total(days), days, "amount", "down", lambda days: 1.0)
    4
    >>> days_back(total(days[:-2]), days[:-2], "amount", "down", lambda days: 1.0)
    0
"""

import math
from collections.abc import Callable, Sequence

from earlywarn.alerting.estimate import Estimate, Sums, interval_reach, total
from earlywarn.alerting.weighing import is_nearer
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure

LEAST_DAYS = 3
"""A weekend is no end."""
_OVERSHOOT = 0.2
"""A log change beyond what was expected that is but an uneven end, or what went on meanwhile."""
_SURELY = 0.999
_CHANCE = 0.95


def days_back(
    sums: Sums, last_days: Sequence[Sums], measure: Measure, direction: Direction, dispersion: Callable[[int], float]
) -> int:
    """Return on how many of the last days an episode's level was back; 0 if it is not.

    Args:
        sums: of all its days.
        last_days: of each of the last ones, the newest last.
        measure: which one tells it.
        direction: of the episode.
        dispersion: the over-dispersion of an effect over so many days.
    """
    best, apart = 0, interval_reach(_SURELY)
    for days in range(LEAST_DAYS, min(len(last_days), sums.days - 1) + 1):
        late, before = _apart(sums, last_days[-days:], measure, dispersion)
        if _is_of_shock(last_days[-days], before, measure):
            continue
        between = before.distance(direction) * before.sd - late.distance(direction) * late.sd
        far = between / math.hypot(before.sd, late.sd)
        if far > apart:
            best, apart = days, far
    if not best:
        return 0
    late, before = _apart(sums, last_days[-best:], measure, dispersion)
    is_within_chance = late.distance(direction) <= interval_reach(_CHANCE)
    is_left = is_nearer(late.effect, before.effect) or _is_of_shock(last_days[-1], before, measure)
    is_another = -late.distance(direction) > interval_reach(_SURELY) and abs(late.effect) > _OVERSHOOT
    is_back = before.distance(direction) > 0 and is_within_chance and not is_left and not is_another
    return best if is_back else 0


def _is_of_shock(day: Sums, before: Estimate, measure: Measure) -> bool:
    """Return whether a day alone is nearer to the days before than to what was expected."""
    return is_nearer(day.estimate(measure, 1.0).effect, before.effect)


def _apart(
    sums: Sums, last: Sequence[Sums], measure: Measure, dispersion: Callable[[int], float]
) -> tuple[Estimate, Estimate]:
    """Return the effect over the last days, and over those before them."""
    late = total(last)
    before = sums.without(late)
    return late.estimate(measure, dispersion(late.days)), before.estimate(measure, dispersion(before.days))
