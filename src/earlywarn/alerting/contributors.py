"""Which cells carry the change of a total, and how much of it.

Of transactions and amounts the change is the sum of the cells' own. A total's mean ticket changes as well where
payments move to a cell of other ones, but not where there are more or fewer of all: what a cell adds is how far its
amount lies off its usual share of the payments seen at their usual tickets, less how far its transactions do at the
total's usual ticket. In sum that is the total's amount less so many payments at that ticket.

Example: all payments are what they were, but most are now made in the first cell, where they are small.
    >>> seen = np.array([[1800.0, 200.0], [18_000.0, 20_000.0]])
    >>> usual = np.array([[1000.0, 1000.0], [10_000.0, 100_000.0]])
    >>> shares_of_change(seen, usual, np.ones(2, dtype=bool), "mean_ticket", "down", usual_ticket=55.0).tolist()
    [0.5, 0.5]
    >>> shares_of_change(seen, usual, np.ones(2, dtype=bool), "transactions", "down", usual_ticket=55.0).tolist()
    [0.0, 1.0]
"""

import numpy as np

from earlywarn.alerting.grouping import Flags, Floats
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure


def shares_of_change(
    seen: Floats, usual: Floats, members: Flags, measure: Measure, direction: Direction, *, usual_ticket: float
) -> Floats:
    """Return float64[K], the share of each cell among those that changed in a direction; 0 if none did.

    Args:
        seen: float64[2, K], transactions and amounts.
        usual: the same as expected.
        members: bool[K], the cells of the total.
        measure: what of them changed.
        direction: which way.
        usual_ticket: the mean ticket expected of the total (`estimate.Sums.expected`).
    """
    if measure == "mean_ticket":
        payments = seen[0, members].sum()
        whole = usual[:, members].sum(axis=1)[:, None]
        usual = usual * np.array([[payments], [payments * usual_ticket]]) / np.where(whole > 0, whole, np.inf)
    count, amount = seen - usual
    change = count if measure == "transactions" else amount
    if measure == "mean_ticket":
        change = amount - count * usual_ticket
    toward = np.where(members, np.maximum(change if direction == "up" else -change, 0.0), 0.0)
    whole = float(toward.sum())
    shares: Floats = toward / whole if whole > 0 else np.zeros_like(toward)
    return shares
