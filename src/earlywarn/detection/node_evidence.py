"""What the evidence of the nodes rests on: the measure that tells it, the effect since its first day, and the cells.

A hypothesis says which measures step ("joint": transactions and amount, "ticket": the amount alone, "count": the
transactions alone). Which of them people are told of is the first of `MEASURES_OF_SHAPE` whose effect alone is at least
`SURE` standard deviations from nothing, otherwise the one that is furthest.

The first day of the hypothesis is one of few that fit about as well (and is never today). It is moved to the one up to
`LATER_DAYS` later, today among them, whose effect lies furthest from nothing: days before the step that dilute it are
left out. No special day is moved to: how far that lies off says little.

Example:
    >>> age, zero = np.array([1, 1]), np.zeros(2)
    >>> side = OnsetScores(score=zero, effect=zero, effect_sd=zero, onset_age_days=age, shape=np.array([0, 1]))
    >>> effect = np.zeros((3, 2, 2))
    >>> effect[:, :, 1] = [[-0.2, 0.0], [-0.1, -0.3], [0.1, -0.3]]
    >>> effect[:, 1, 0] = [0.0, -0.6, -0.6]
    >>> found = evidence(side, effect, np.full((3, 2, 2), 0.05), np.zeros((2, 2), dtype=bool), sign=-1.0)
    >>> [MEASURES[place] for place in found.measure], found.effect.tolist(), found.onset_age_days.tolist()
    (['transactions', 'mean_ticket'], [-0.2, -0.6], [1, 0])
"""

import numpy as np

from earlywarn.detection.contributions import Contributions
from earlywarn.detection.day_scores import MEASURES, Evidence, Flags, Floats, Measure
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.onset_bank import SHAPES, OnsetScores

MEASURES_OF_SHAPE: dict[str, tuple[Measure, ...]] = {
    "joint": ("amount", "transactions"),
    "ticket": ("mean_ticket", "amount"),
    "count": ("transactions", "mean_ticket"),
}
SURE = 2.576
"""Standard deviations that bound 99 % of a normal distribution."""
LATER_DAYS = 3
_TRANSACTIONS, _AMOUNT = MEASURES.index("transactions"), MEASURES.index("amount")
_ALIKE = 0.5
_TINY = 1e-12


def evidence(side: OnsetScores, effect: Floats, sd: Floats, special: Flags, *, sign: float) -> Evidence:
    """Return one direction's scores, and the effect since the first day of each node's best hypothesis.

    Args:
        side: the scores of G nodes.
        effect: float64[3, G, W], see `day_scores.Effects`.
        sd: float64[3, G, W], its standard deviations.
        special: bool[G, W], days of which the calendar lets a node say little.
        sign: -1 for falls, 1 for rises.
    """
    nodes = np.arange(len(side.score))
    choices = np.array([[MEASURES.index(measure) for measure in MEASURES_OF_SHAPE[shape]] for shape in SHAPES])
    first, second = choices[side.shape].T
    distance = sign * effect / np.maximum(sd, _TINY)
    age = side.onset_age_days
    keeps = distance[first, nodes, age] >= np.minimum(SURE, distance[second, nodes, age])
    measure = np.where(keeps, first, second)
    # Where payments fell (or rose) and spending did as well, surely and about as much, it is spending that is told.
    is_alike = sign * effect[_AMOUNT, nodes, age] >= _ALIKE * sign * effect[_TRANSACTIONS, nodes, age]
    is_spending = (distance[_AMOUNT, nodes, age] >= SURE) & is_alike
    measure = np.where((measure == _TRANSACTIONS) & is_spending, _AMOUNT, measure)
    ages = np.maximum(age[:, None] - np.arange(LATER_DAYS + 1), 0)
    told = distance[measure[:, None], nodes[:, None], ages]
    told[:, 1:][special[nodes[:, None], ages[:, 1:]]] = -np.inf
    age = np.take_along_axis(ages, np.argmax(told, axis=1)[:, None], 1)[:, 0]
    return Evidence(
        score=side.score,
        onset_age_days=age,
        measure=measure,
        effect=effect[measure, nodes, age],
        effect_sd=sd[measure, nodes, age],
    )


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
