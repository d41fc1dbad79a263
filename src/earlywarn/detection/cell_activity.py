"""From counts and amounts to log values: what silence means.

A cell without transactions is one of three things. Where few were expected, the day is missing (a logarithm of
nothing says nothing). Where many were, it is evidence of a collapse, taken as half a payment at the usual ticket.
After a long silence the cell is dormant: nothing is expected of it, and its next transaction starts a new level. A cell
of which nothing was heard is missing, and silent as well.

A cell that has many transactions on a usual day is closed on a weekday on which it never had any, or next to never:
shops that keep Sunday are no collapse on Sundays, and one Sunday before Christmas makes no other. While nothing comes
that weekday is missing, and nothing is expected of it. (Of a cell of few transactions a day without is chance.)

An amount that is not positive beside transactions (nothing was paid, or refunds outweigh purchases) is missing where
few are expected, and otherwise evidence, taken as half a minor unit.

Example:
    >>> activity = CellActivity(zero_evidence_transactions=20.0, dormant_days=28, size=3)
    >>> usual = np.log([100.0, 100.0, 3.0, 5e5, 5e5, 1e4])
    >>> count, amount = np.array([90.0, 0.0, 0.0]), np.array([-2e3, 0.0, 0.0])
    >>> values, awake = activity.log_values(count, amount, usual, np.ones(3, dtype=bool))
    >>> np.exp(values).round(1).tolist(), awake.any()
    ([90.0, 0.5, nan, 0.5, 2500.0, nan], np.False_)
    >>> for week in range(4):
    ...     activity.learn_weekday(6, np.array([90.0, 0.0, 0.0]), np.ones(3, dtype=bool))
    >>> activity.closed(6, np.array([0.0, 0.0, 0.0]), np.log([90.0, 90.0, 3.0])).tolist()
    [False, True, False]
"""

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats, Integers

HALF_PAYMENT = 0.5
"""What nothing at all counts as where it is evidence: the usual continuity correction of a count."""
_CLOSED_WEEKS = 4
"""On so many days of a weekday, at least, a cell must have been heard for it to be closed on that weekday."""
_WEEKS_FOR_ONE_OPEN = 13
"""Of so many of them one may have transactions all the same: Sundays on which shops may open are a few of a year."""
HALF_MINOR_UNIT = 0.5
"""What payments of nothing amount to: a fixed value, so that a level that is accepted there stays."""


class CellActivity:
    """How long each of K cells has been silent.

    Args:
        zero_evidence_transactions, dormant_days: see `DetectorParameters`.
        size: K.

    Attributes:
        silent_days: int64[K], usable days in a row without transactions, 0 before the first transaction.
        weekdays, weekdays_paid: int64[K, 7], on how many days of each weekday (0 = Monday) the cell was heard since its
            first transaction, and on how many of them it had any.
    """

    def __init__(self, *, zero_evidence_transactions: float, dormant_days: int, size: int = 0) -> None:
        self.zero_evidence_transactions, self.dormant_days = zero_evidence_transactions, dormant_days
        self.silent_days: Integers = np.zeros(size, dtype=np.int64)
        self.weekdays: Integers = np.zeros((size, 7), dtype=np.int64)
        self.weekdays_paid: Integers = np.zeros((size, 7), dtype=np.int64)

    @property
    def dormant(self) -> Flags:
        """Return bool[K], cells of which nothing is expected any more."""
        return self.silent_days >= self.dormant_days

    def closed(self, weekday: int, count: Floats, usual_day: Floats) -> Flags:
        """Return bool[K], cells that are closed on a weekday (0 = Monday), but for those that have transactions.

        Args:
            weekday: of the day.
            count: float64[K], transactions; NaN where nothing was heard.
            usual_day: float64[K], predicted log counts of a usual day of the week.
        """
        heard, paid = self.weekdays[:, weekday], self.weekdays_paid[:, weekday]
        many = usual_day >= np.log(self.zero_evidence_transactions)
        never = (heard >= _CLOSED_WEEKS) & (_WEEKS_FOR_ONE_OPEN * paid <= heard)
        closed: Flags = many & never & ~(count > 0)
        return closed

    def learn_weekday(self, weekday: int, count: Floats, known: Flags) -> None:
        """Learn on which weekdays cells have transactions; arguments as of `closed` and `log_values`."""
        self.weekdays[:, weekday] += (known & np.isfinite(count)) | (count > 0)
        self.weekdays_paid[:, weekday] += count > 0

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
        for name in ("silent_days", "weekdays", "weekdays_paid"):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), dtype=np.int64)
            new[places] = old
            setattr(self, name, new)

    def state(self) -> dict[str, Integers]:
        """Return what is known of the cells."""
        return {
            "silent_days": self.silent_days.copy(),
            "weekdays": self.weekdays.copy(),
            "weekdays_paid": self.weekdays_paid.copy(),
        }

    def restore(self, state: dict[str, Integers]) -> None:
        """Take over what `state` returned for the same cells."""
        self.silent_days = state["silent_days"].copy()
        self.weekdays, self.weekdays_paid = state["weekdays"].copy(), state["weekdays_paid"].copy()
