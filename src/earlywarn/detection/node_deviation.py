"""Today's transactions, amount and mean ticket of every node against the prediction, on the natural scale.

A total's expected value is the sum of its cells', each the median exp(m) of its log prediction times the ratio of means
to medians (`mean_ratio`). Its interval is log-normal by the delta method: with cell shares p of the expected total,
cell predictive sd s and the correlation Q of innovations,

    sd(log total) = sqrt((p s)' Q (p s)),     var(log ticket) = var(log amount) + var(log count) - 2 cov.

The approximation: Q is that of usual days; on days never seen before, cells err together more than Q says.

Reference: Rao (1973), Linear Statistical Inference, section 6a.2 (delta method).

Example:
    >>> from earlywarn.detection.hierarchy import NodeTree
    >>> from earlywarn.detection.symmetric_form import DenseForm
    >>> tree = NodeTree([("CH01", "05"), ("CH01", "11")])
    >>> count, amount, ticket = node_deviations(
    ...     tree, mean=np.log([100.0, 50.0, 1e5, 1e5]), sd=np.full(4, 0.1), correlation=DenseForm(np.eye(4)),
    ...     ratio=np.ones(4), observed=np.array([80.0, 50.0, 8e4, 1e5]), active=np.ones(2, dtype=bool),
    ...     zero_evidence=20.0, reach=1.96)
    >>> count.expected.round().tolist(), count.z.round(1).tolist(), float(ticket.z[2].round(1))
    ([100.0, 50.0, 150.0], [-2.2, 0.0, -1.9], 0.4)
    >>> float((count.upper[2] / count.expected[2]).round(3))
    1.157
"""

import numpy as np

from earlywarn.detection.cell_activity import HALF_PAYMENT
from earlywarn.detection.day_scores import Deviation, Flags, Floats
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.symmetric_form import SymmetricForm, node_forms

SMALLEST_VARIANCE = 1e-8
"""Of a log total: keeps a standardised deviation finite."""


def node_deviations(
    tree: NodeTree,
    *,
    mean: Floats,
    sd: Floats,
    correlation: SymmetricForm,
    ratio: Floats,
    observed: Floats,
    active: Flags,
    zero_evidence: float,
    reach: float,
) -> tuple[Deviation, Deviation, Deviation]:
    """Return the deviations of transactions, amount and mean ticket.

    Args:
        tree: G nodes over K cells.
        mean: float64[2K], predictions of the log series (counts, then amounts; amounts in minor units).
        sd: float64[2K], their standard deviations.
        correlation: of the innovations of the 2K series.
        ratio: float64[2K], of means to medians (`mean_ratio`).
        observed: float64[2K], counts and amounts; NaN where nothing was heard. A total has what its cells heard have.
        active: bool[K], cells with an expectation, of the day's heard ones.
        zero_evidence: expected transactions from which none at all is a deviation.
        reach: half width of the interval in standard deviations.
    """
    means = np.where(np.tile(active, 2), ratio * np.exp(mean), 0.0)
    expected, seen = node_sums(tree, means), heard_sums(tree, observed)
    expected = np.where(np.isnan(seen) & (expected == 0), np.nan, expected)  # unheard: nothing is said of it
    variances = log_variances(tree, means, sd, correlation)
    with np.errstate(divide="ignore", invalid="ignore"):
        usual_ticket = expected[1] / expected[0]
        ticket_seen = np.where(seen[0] > 0, seen[1] / seen[0], np.nan)
    silent_is_news = expected[0] >= zero_evidence
    count = _deviation(
        seen[0], expected[0], variances[0], floor=HALF_PAYMENT, silent_is_news=silent_is_news, reach=reach
    )
    amount = _deviation(
        seen[1],
        expected[1],
        variances[1],
        floor=HALF_PAYMENT * usual_ticket,
        silent_is_news=silent_is_news,
        reach=reach,
    )
    ticket = _deviation(
        ticket_seen,
        usual_ticket,
        variances[2],
        floor=HALF_PAYMENT * usual_ticket / np.maximum(seen[0], 1.0),
        silent_is_news=silent_is_news & (seen[0] > 0),
        reach=reach,
    )
    return count, amount, ticket


def node_sums(tree: NodeTree, cells: Floats) -> Floats:
    """Return float64[2, G, ...]: sums over each node of `cells` [2K, ...], counts and then amounts."""
    size = len(tree.series)
    return np.stack([tree.sums(cells[:size]), tree.sums(cells[size:])])


def heard_sums(tree: NodeTree, observed: Floats) -> Floats:
    """Return float64[2, G]: sums of what was heard in each node; NaN where nothing was."""
    heard = np.isfinite(observed)
    sums = node_sums(tree, np.where(heard, observed, 0.0))
    return np.where(node_sums(tree, heard.astype(np.float64)) > 0, sums, np.nan)


def log_variances(tree: NodeTree, means: Floats, sd: Floats, correlation: SymmetricForm) -> Floats:
    """Return float64[3, G]: variance of the log of each node's transactions, amount and mean ticket.

    Args:
        tree: G nodes over K cells.
        means: float64[2K], expected counts and amounts.
        sd: float64[2K], of their logarithms.
        correlation: of the innovations of the 2K series.
    """
    cells = len(tree.series)
    usual = np.concatenate([np.full(cells, means[:cells].sum()), np.full(cells, means[cells:].sum())])
    shares = means / np.maximum(usual, np.finfo(float).tiny)
    # Each series' part in the standardised innovation of a total: of transactions, of amounts, of both.
    parts = shares * sd
    steps = np.zeros((2 * cells, 3))
    steps[:cells, 0], steps[cells:, 1], steps[:, 2] = parts[:cells], parts[cells:], parts
    count, amount, both = node_forms(tree, correlation, steps).T
    sums = node_sums(tree, shares)
    totals = np.where(sums > 0, sums, 1.0)
    covariance = 0.5 * (both - count - amount) / (totals[0] * totals[1])
    count, amount = count / totals[0] ** 2, amount / totals[1] ** 2
    variances: Floats = np.stack([count, amount, count + amount - 2.0 * covariance])
    return np.maximum(variances, SMALLEST_VARIANCE)


def _deviation(
    observed: Floats,
    expected: Floats,
    variance: Floats,
    *,
    floor: Floats | float,
    silent_is_news: Flags,
    reach: float,
) -> Deviation:
    sd = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        z = np.log(np.maximum(observed, floor) / expected) / sd
        heard = (expected > 0) & ((observed > 0) | ((observed <= 0) & silent_is_news))
        return Deviation(
            observed=observed,
            expected=expected,
            lower=expected * np.exp(-reach * sd),
            upper=expected * np.exp(reach * sd),
            z=np.where(heard & np.isfinite(z), z, 0.0),
        )
