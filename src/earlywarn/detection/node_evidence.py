"""What the evidence of the nodes rests on: the measure that tells it, the effect since its first day, and the cells.

A hypothesis says which measures step ("joint": transactions and amount, "ticket": the amount alone). Which of them
people are told of is the first of `MEASURES_OF_SHAPE` whose effect alone is at least `SURE` standard deviations from
nothing, otherwise the one that is furthest.

The first day of the hypothesis is one of few that fit about as well (and is never today). It is moved to the one up to
`LATER_DAYS` later whose effect lies furthest from nothing: days before the step that dilute it are left out. So are
special days (holidays and their neighbours), of which the hypothesis hears little and whose noise dilutes any effect.
Such a day right before the first one belongs to the step if it alone is nearer to the effect than to nothing: the
likelier of the two, however noisy it is.

Example:
    >>> age, zero = np.array([1, 1]), np.zeros(2)
    >>> side = OnsetScores(score=zero, effect=zero, effect_sd=zero, onset_age_days=age, shape=np.array([0, 1]))
    >>> effect = np.zeros((3, 2, 2))
    >>> effect[:, :, 1] = [[-0.2, 0.0], [-0.1, -0.3], [0.1, -0.3]]
    >>> effect[:, 1, 0] = [0.0, -0.6, -0.6]
    >>> ages, none = np.zeros((2, 2, 2)), np.zeros((2, 2), dtype=bool)
    >>> effects = Effects(observed=ages, expected=ages, spread=effect, days=age, dispersion=effect, effect=effect,
    ...                   sd=np.full((3, 2, 2), 0.05), alone=2 * effect, special=none, today=ages, usual_sd=ages,
    ...                   fading=ages)
    >>> found = evidence(side, effects, sign=-1.0)
    >>> [MEASURES[place] for place in found.measure], found.effect.tolist(), found.onset_age_days.tolist()
    (['transactions', 'mean_ticket'], [-0.2, -0.6], [1, 0])
    >>> holiday = msgspec.structs.replace(effects, special=np.array([[False, False], [False, True]]))
    >>> evidence(side, holiday, sign=-1.0).onset_age_days.tolist()
    [1, 1]
"""

import msgspec  # noqa: F401  # for the example
import numpy as np

from earlywarn.detection.contributions import Contributions
from earlywarn.detection.day_scores import MEASURES, Effects, Evidence, Flags, Floats, Integers, Measure
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.onset_bank import SHAPES, OnsetScores

MEASURES_OF_SHAPE: dict[str, tuple[Measure, ...]] = {
    "joint": ("amount", "transactions"),
    "ticket": ("mean_ticket", "amount"),
}
SURE = 2.576
"""Standard deviations that bound 99 % of a normal distribution."""
LATER_DAYS = 3
NEARER = 0.5
"""Share of an effect from which a day is nearer to it than to nothing."""
_TINY = 1e-12


def evidence(side: OnsetScores, effects: Effects, *, sign: float) -> Evidence:
    """Return one direction's scores, and the effect since the first day of each node's best hypothesis.

    Args:
        side: the scores of G nodes.
        effects: of the day.
        sign: -1 for falls, 1 for rises.
    """
    nodes, effect, sd = np.arange(len(side.score)), effects.effect, effects.sd
    choices = np.array([[MEASURES.index(measure) for measure in MEASURES_OF_SHAPE[shape]] for shape in SHAPES])
    first, second = choices[side.shape].T
    distance = sign * effect / np.maximum(sd, _TINY)
    age = side.onset_age_days
    keeps = distance[first, nodes, age] >= np.minimum(SURE, distance[second, nodes, age])
    measure = np.where(keeps, first, second)
    ages = np.maximum(age[:, None] - np.arange(LATER_DAYS + 1), 0)
    age = np.take_along_axis(ages, np.argmax(distance[measure[:, None], nodes[:, None], ages], axis=1)[:, None], 1)[
        :, 0
    ]
    age = _over_special_days(age, effect[measure, nodes], effects.alone[measure, nodes], effects.special)
    return Evidence(
        score=side.score,
        onset_age_days=age,
        measure=measure,
        effect=effect[measure, nodes, age],
        effect_sd=sd[measure, nodes, age],
    )


def _over_special_days(age: Integers, effect: Floats, alone: Floats, special: Flags) -> Integers:
    """Return the first days [G] moved back over special days that are nearer to the effect than to nothing.

    Args:
        age: int64[G], ages of the first days.
        effect: float64[G, W], since each first day.
        alone: float64[G, W], of each first day alone.
        special: bool[G, W].
    """
    nodes, oldest = np.arange(len(age)), effect.shape[1] - 1
    while True:
        older = np.minimum(age + 1, oldest)
        whole, day = effect[nodes, age], alone[nodes, older]
        belongs = special[nodes, older] & (older > age) & (whole != 0) & (day * whole > NEARER * whole**2)
        if not belongs.any():
            return age
        age = np.where(belongs, older, age)


def contributions(tree: NodeTree, by_cell: Floats, down: OnsetScores, up: OnsetScores) -> Contributions:
    """Return each cell's part of the linear evidence of the node's stronger direction.

    Args:
        tree: G nodes over K cells.
        by_cell: float64[D, K, W], see `onset_bank.OnsetBank`.
        down: scores of falls.
        up: scores of rises.
    """
    falls = down.score >= up.score
    shape = np.where(falls, down.shape, up.shape)
    age = np.where(falls, down.onset_age_days, up.onset_age_days)
    effect = np.where(falls, down.effect, up.effect)
    return Contributions(tree, by_cell, shape, age, effect)
