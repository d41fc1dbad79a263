"""From cells' forecasts to those of every node: means add up, standard deviations as far as series go together.

As in `node_deviation` the variance of a total's logarithm is (p s)' Q (p s), p the cells' shares of it, s their sd. Of
many days and horizons that is costly, and how much of the parts' deviations cancels out in a total hardly changes from
day to day: the *union* of a node is

    union = sqrt((p s)' Q (p s)) / p's   (of a mean ticket over the amounts' p's),    sd = union p's,

found once in a while and held against the sums p's of each day. Of a cell's transactions and amounts it is 1.

Example:
    >>> from earlywarn.detection.symmetric_form import DenseForm
    >>> tree = NodeTree([("CH01", "05"), ("CH01", "11")])
    >>> means, sd = np.array([[100.0], [100.0], [1e5], [1e5]]), np.full((4, 1), 0.1)
    >>> union = node_union(tree, means[:, 0], sd[:, 0], DenseForm(np.eye(4)))
    >>> expected, spread = node_forecast(tree, means, sd, union)
    >>> expected[:, 2, 0].tolist(), spread[:, 2, 0].round(3).tolist()
    ([200.0, 200000.0, 1000.0], [0.071, 0.071, 0.1])
"""

import numpy as np

from earlywarn.detection.cell_activity import HALF_PAYMENT
from earlywarn.detection.day_scores import Floats
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.node_deviation import log_variances, node_sums
from earlywarn.detection.symmetric_form import SymmetricForm


def node_union(tree: NodeTree, means: Floats, sd: Floats, correlation: SymmetricForm) -> Floats:
    """Return float64[3, G], the union of each measure and node; `means`, `sd` [2K] of one day. NaN of empty nodes."""
    linear = _linear(tree, means[:, None], sd[:, None])[:, :, 0]
    union: Floats = np.sqrt(log_variances(tree, means, sd, correlation)) / linear
    return union


def node_forecast(tree: NodeTree, means: Floats, sd: Floats, union: Floats) -> tuple[Floats, Floats]:
    """Return the expected transactions, amount and mean ticket of each node and their log sd, float64[3, G, n] each.

    Args:
        tree: G nodes over K cells.
        means: float64[2K, n], expected counts and amounts of n days.
        sd: float64[2K, n], of their logarithms.
        union: float64[3, G], see `node_union`.
    """
    sums = node_sums(tree, means)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.concatenate([sums, (sums[1] / sums[0])[None]])
    return expected, _linear(tree, means, sd) * union[:, :, None]


def log_errors(observed: Floats, expected: Floats) -> Floats:
    """Return float64[3, ...], log of observed over expected by measure; NaN where nothing is expected or no ticket is.

    Nothing at all counts as half a payment at the usual ticket. `observed` is float64[2, ...], `expected` [3, ...].
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = HALF_PAYMENT * np.stack([np.ones_like(expected[2]), expected[2]])
        errors = np.log(np.maximum(observed, floor) / expected[:2])
        ticket = np.log(observed[1] / observed[0] / expected[2])
        found = np.concatenate([errors, ticket[None]])
    return np.where(np.isfinite(found) & (expected > 0), found, np.nan)


def _linear(tree: NodeTree, means: Floats, sd: Floats) -> Floats:
    """Return float64[3, G, n], p's of each measure."""
    with np.errstate(divide="ignore", invalid="ignore"):
        linear = node_sums(tree, means * sd) / node_sums(tree, means)
    return np.concatenate([linear, linear[1:]])
