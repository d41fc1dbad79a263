"""The phases of an open episode: whether its last days lie elsewhere than those before, and whether they are usual.

A shock may deepen, ease, be over, come again, or turn into its opposite while its alert is open. Sums since its first
day would tell a mean of all that. So the last d days of a level, of those that an episode keeps, are set against those
before them; d is the number at which the two lie furthest apart, in standard deviations of their difference. If that is
likely a difference, and the first of them and today, each alone, are nearer to the new level, that has begun with the
first. Three days are enough where one of the two is nearer to nothing than to the other; a shock that goes on at
another depth has to do so for five days, surely and by `_STEP`, as its weekends may be deeper than its weekdays.

An episode is back if its level is within chance of what was expected (or beyond it), and nearer to it than to the level
before, and today as well.

Example:
    >>> usual = Sums(1, 100.0, 5000.0, 100.0, 5000.0, 5000.0, (4.0, 1e4, 1e4))
    >>> fallen = Sums(1, 70.0, 3500.0, 100.0, 5000.0, 3500.0, (4.0, 1e4, 1e4))
    >>> days = [fallen] * 3 + [usual] * 4
    >>> dates = [date(2024, 1, at) for at in range(1, 8)]
    >>> phase = Phase(dates[0], total(days), days, dates)
    >>> turn(phase, "amount", lambda days: 1.0)
    4
    >>> turn(Phase(dates[0], total(days[:5]), days[:5], dates[:5]), "amount", lambda days: 1.0)
    0
    >>> phase.turn(4, "amount")
    >>> phase.since.day, is_back(phase, "amount", "down", lambda days: 1.0)
    (4, True)
"""

import math
from collections.abc import Callable, Sequence
from datetime import date

import msgspec

from earlywarn.alerting.estimate import NEARER, NOTHING, Estimate, Sums, interval_reach, is_nearer, total
from earlywarn.detection.day_scores import MEASURES, Floats
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure

LEAST_DAYS = 3
"""A weekend is no end."""
_LEAST_DAYS_BEFORE = 2
_LEAST_DAYS_OF_A_DEPTH = 5
_STEP = 0.2
"""A log change from one depth to another that is worth telling: 18 % further down, or 22 % further up."""
_LEAST_SHARE = 0.02
"""Of what was expected: of a closure the logarithms of next to nothing say nothing."""
WAY_BACK_SHARE = 0.25
"""Share of a log effect from which the way back is a good part of it."""
_SIGN: dict[Direction, float] = {"down": -1.0, "up": 1.0}
_SURELY, _LIKELY = 0.999, 0.99
_CHANCE = 0.95

Dispersion = Callable[[int], float]
"""Returns the over-dispersion of an effect over so many days."""


class Phase(msgspec.Struct):
    """Days of an episode at one level: `sums` since `since`, `last_days` one by one, with the dates `last_heard`.

    `before` is the log effect of the phase before it, 0 if it is the first.
    """

    since: date
    sums: Sums
    last_days: list[Sums]
    last_heard: list[date]
    before: float = 0.0

    def add(self, today: Sums, day: date, *, days_kept: int) -> None:
        """Take in what was seen and expected on a day."""
        self.sums = self.sums.plus(today)
        self.last_days = [*self.last_days, today][-days_kept:]
        self.last_heard = [*self.last_heard, day][-days_kept:]

    def turn(self, days: int, measure: Measure) -> None:
        """Begin anew with the last days."""
        late = total(self.last_days[-days:])
        self.before = _effect(self.sums.without(late), measure)
        self.last_days, self.last_heard = self.last_days[-days:], self.last_heard[-days:]
        self.sums, self.since = late, self.last_heard[0]

    def effect(self, measure: Measure) -> float:
        """Return its log effect on a measure."""
        return _effect(self.sums, measure)


def no_phase() -> Phase:
    """Return the phase of an episode that is no economic one."""
    return Phase(date.min, NOTHING, [], [])


def turn(phase: Phase, measure: Measure, dispersion: Dispersion, *, was_back: bool = False) -> int:
    """Return how many of the last days are at a level of their own; 0 if none are.

    Args:
        phase: the current one.
        measure: which one tells the episode.
        dispersion: see `Dispersion`.
        was_back: whether the shock was over at this level: it comes again if most of it is there.
    """
    sums, last_days = phase.sums, phase.last_days
    over = phase.before if was_back else 0.0
    best, apart = 0, 0.0
    for days in range(LEAST_DAYS, min(len(last_days), sums.days - _LEAST_DAYS_BEFORE) + 1):
        late, before = _apart(sums, last_days[-days:], measure, dispersion)
        scale = math.hypot(late.sd, before.sd)
        if not scale or (late.effect * over > 0 and not is_nearer(late.effect, over)):
            continue  # nothing was expected, or it is no relapse
        far = abs(late.effect - before.effect) / scale
        if far > apart and _is_told(days, far, late.effect, before.effect):
            ends = (last_days[-days], last_days[-1])
            if all(_is_of(_effect(day, measure), late.effect, before.effect) for day in ends):
                best, apart = days, far
    return best


def _is_told(days: int, far: float, late: float, before: float) -> bool:
    """Return whether so many days at a log effect, so far (sd) from one before, are another level."""
    if abs(math.exp(late) - math.exp(before)) < _LEAST_SHARE:
        return False
    if not (is_nearer(late, before) and is_nearer(before, late)):
        return far > interval_reach(_LIKELY)
    is_step = days >= _LEAST_DAYS_OF_A_DEPTH and abs(late - before) >= _STEP
    return is_step and far > interval_reach(_SURELY)


def _is_of(day: float, late: float, before: float) -> bool:
    return abs(day - late) < abs(day - before)


def is_back(phase: Phase, measure: Measure, direction: Direction, dispersion: Dispersion) -> bool:
    """Return whether the level of an episode is what was expected.

    Args:
        phase: the current one.
        measure: which one tells the episode.
        direction: of the episode.
        dispersion: see `Dispersion`.
    """
    sums, before = phase.sums, phase.before
    if before * _SIGN[direction] <= 0 or sums.days < LEAST_DAYS:
        return False
    level = sums.estimate(measure, dispersion(sums.days))
    if level.distance(direction) > interval_reach(_CHANCE):
        return False
    return not (is_nearer(level.effect, before) or is_nearer(_effect(phase.last_days[-1], measure), before))


def is_return(phase: Phase, step: Floats, measure: Measure) -> bool:
    """Return whether most of the way back to what was usual before another level is gone.

    Args:
        phase: the current one.
        step: float64[2], how far what was usual lies above what was expected, of transactions and amounts (log units).
        measure: which one tells it.
    """
    effect = phase.effect(measure)
    return abs(effect - _of(step, measure)) < NEARER * abs(effect)


def is_whole_return(phase: Phase, step: Floats, measure: Measure) -> bool:
    """Return whether a level is about what was usual before another one; arguments as in `is_return`."""
    return is_return(phase, step, measure) and abs(phase.effect(measure) - _of(step, measure)) < _STEP


def leads_back(phase: Phase, step: Floats, measure: Measure) -> bool:
    """Return whether a good part of an effect is the way back to what was usual before another level.

    What is expected has to lie at that level still: of one that has ended since, nothing leads back. Arguments as in
    `is_return`.
    """
    effect = phase.effect(measure)
    return _of(step, measure) * effect >= WAY_BACK_SHARE * effect**2


def _of(step: Floats, measure: Measure) -> float:
    return float((step[0], step[1], step[1] - step[0])[MEASURES.index(measure)])


def is_surely(sums: Sums, measure: Measure, direction: Direction, dispersion: Dispersion) -> bool:
    """Return whether sums lie surely, and by `_STEP`, on one side of what was expected; arguments as in `is_back`."""
    level = sums.estimate(measure, dispersion(sums.days))
    return level.distance(direction) > interval_reach(_SURELY) and abs(level.effect) >= _STEP


def _effect(day: Sums, measure: Measure) -> float:
    return day.estimate(measure, 1.0).effect


def _apart(sums: Sums, last: Sequence[Sums], measure: Measure, dispersion: Dispersion) -> tuple[Estimate, Estimate]:
    """Return the effect over the last days, and over those before them."""
    late = total(last)
    before = sums.without(late)
    return late.estimate(measure, dispersion(late.days)), before.estimate(measure, dispersion(before.days))
