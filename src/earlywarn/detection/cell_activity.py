"""From counts and amounts to log values: what silence means.

A cell without transactions is one of three things. Where few were expected, the day is missing (a logarithm of
nothing says nothing). Where many were, it is evidence of a collapse, taken as half a payment at the usual ticket.
After a long silence the cell is dormant: nothing is expected of it, and its next transaction starts a new level. A cell
of which nothing was heard is missing, and silent as well.

An amount that is not positive beside transactions (nothing was paid, or refunds outweigh purchases) is missing where
few are expected, and otherwise evidence, taken as half a minor unit.

Example:
    >>> activity = CellActivity(zero_evidence_transactions=20.0, dormant_days=28, size=3)
    >>> usual = np.log([100.0, 100.0, 3.0, 5e5, 5e5, 1e4])
    >>> count, amount = np.array([90.0, 0.0, 0.0]), np.array([-2e3, 0.0, 0.0])
    >>> values, awake = activity.log_values(count, amount, usual, np.ones(3, dtype=bool))
    >>> np.exp(values).round(1).tolist(), awake.any()
    ([90.0, 0.5, nan, 0.5, 2500.0, nan], np.False_)
"""

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats, Integers

HALF_PAYMENT = 0.5
"""What nothing at all counts as where it is evidence: the usual continuity correction of a count."""
HALF_MINOR_UNIT = 0.5
"""What payments of nothing amount to: a fixed value, so that a level that is accepted there stays."""


class CellActivity:
    """How long each of K cells has been silent.

    Args:
        zero_evidence_transactions, dormant_days: see `DetectorParameters`.
        size: K.

    Attributes:
        silent_days: int64[K], usable days in a row without transactions, 0 before the first transaction.
    """

    def __init__(self, *, zero_evidence_transactions: float, dormant_days: int, size: int = 0) -> None:
        self.zero_evidence_transactions, self.dormant_days = zero_evidence_transactions, dormant_days
        self.silent_days: Integers = np.zeros(size, dtype=np.int64)

    @property
    def dormant(self) -> Flags:
        """Return bool[K], cells of which nothing is expected any more."""
        return self.silent_days >= self.dormant_days

    def log_values(self, count: Floats, amount: Floats, usual: Floats, known: Flags) -> tuple[Floats, Flags]:
        """Return the day's log values [2K] (counts, then amounts; NaN = missing), and who wakes up [K].

        Args:
            count: float64[K], transactions; NaN where nothing was heard.
            amount: float64[K], their amounts (minor units).
            usual: float64[2K], predicted log counts and log amounts.
            known: bool[K], cells that have had transactions before.
        """
        cells, paid = len(count), count > 0
        many = known & ~self.dormant & (usual[:cells] >= np.log(self.zero_evidence_transactions))
        awake = self.dormant & paid
        with np.errstate(divide="ignore", invalid="ignore"):
            counts = np.where(paid, np.log(count), np.nan)
            amounts = np.where(paid & (amount > 0), np.log(amount), np.nan)
        heard = np.isfinite(count)
        counts[many & heard & ~paid] = np.log(HALF_PAYMENT)
        silent = many & heard & ~paid
        amounts[silent] = (np.log(HALF_PAYMENT) + usual[cells:] - usual[:cells])[silent]
        amounts[many & paid & ~(amount > 0)] = np.log(HALF_MINOR_UNIT)
        self.silent_days = np.where(paid | ~known, 0, self.silent_days + 1)
        return np.concatenate([counts, amounts]), awake

    def rest(self, cells: Flags) -> None:
        """Make some cells [K] dormant."""
        self.silent_days = np.where(cells, np.maximum(self.silent_days, self.dormant_days), self.silent_days)

    def embed(self, places: Integers, size: int) -> None:
        """Lay the cells out anew: old cell i stands at `places[i]` of `size`."""
        silent = np.zeros(size, dtype=np.int64)
        silent[places] = self.silent_days
        self.silent_days = silent
