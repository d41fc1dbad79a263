"""What the evidence of the nodes rests on: the measure, the cells, and how much of a step the baseline has taken in.

Example:
    >>> from earlywarn.detection.hierarchy import NodeTree
    >>> tree = NodeTree([("CH01", "05"), ("CH01", "11")])
    >>> age, zero = np.array([1, 1, 1]), np.zeros(3)
    >>> side = OnsetScores(score=zero, effect=zero, effect_sd=zero, onset_age_days=age, shape=np.array([0, 1, 0]))
    >>> [MEASURES[place] for place in evidence(side).measure]
    ['amount', 'mean_ticket', 'amount']
    >>> footprint = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.9], [1.0, 0.7]])
    >>> absorbed(tree, footprint, side).round(2).tolist()
    [0.1, 0.3, 0.2]
"""

import numpy as np

from earlywarn.detection.day_scores import MEASURES, Evidence, Floats, Measure
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.onset_bank import SHAPES, OnsetScores

MEASURE_OF_SHAPE: dict[str, Measure] = {"joint": "amount", "ticket": "mean_ticket"}
"""A step of count and amount alike is one of the amount; one of the amount alone is the ticket's."""


def evidence(side: OnsetScores) -> Evidence:
    """Return one direction's scores with the measure that carries the deviation."""
    measures = np.array([MEASURES.index(MEASURE_OF_SHAPE[shape]) for shape in SHAPES])
    return Evidence(
        score=side.score,
        effect=side.effect,
        effect_sd=side.effect_sd,
        onset_age_days=side.onset_age_days,
        measure=measures[side.shape],
    )


def absorbed(tree: NodeTree, footprint: Floats, side: OnsetScores) -> Floats:
    """Return float64[G]: the share of each node's best step that its baseline has taken in by today.

    Args:
        tree: G nodes over K cells.
        footprint: float64[2K, W], see `regression_bank.Innovation`; of the amounts the mean over cells seen counts.
        side: the scores whose onset ages are meant.
    """
    amounts = footprint[len(tree.series) :]
    heard = amounts > 0
    members = tree.members.astype(np.float64)
    share = (members @ np.where(heard, 1.0 - amounts, 0.0)) / np.maximum(members @ heard.astype(np.float64), 1.0)
    return np.take_along_axis(share, side.onset_age_days[:, None], axis=1)[:, 0]


def contributions(tree: NodeTree, by_cell: Floats, down: OnsetScores, up: OnsetScores) -> Floats:
    """Return float64[G, K]: each cell's part of the linear evidence of the node's stronger direction.

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
    return np.where(tree.members, by_cell[shape, :, age] * effect[:, None], 0.0)
