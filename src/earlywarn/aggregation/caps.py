"""How large the sums of a panel may be: a cap for each, so that no amount, however wrong, ends a fold.

Every window and every day that is published must fit into 64 bits. A cell's base bucket is capped such that those of 28
of the longest days do; a total adds up cells without end, and is capped by itself. What is capped is a function of the
rows alone, not of their order: a sum is exact until it is read.
"""

from collections.abc import Sequence

import numpy as np

from earlywarn.aggregation.column_sums import SAFE
from earlywarn.aggregation.rows import Integers

LONGEST_WINDOW_DAYS = 28
_LONGEST_DAY_SECONDS = 25 * 3600
TOTAL_CAP = SAFE
_SURELY_BELOW = float(TOTAL_CAP >> 1)
"""Where a sum of doubles is no more, the one of integers stays below the cap, in whatever order they are added."""


def day_cap() -> int:
    """Return what a cell's local day holds at most, of transactions and of minor units."""
    return SAFE // LONGEST_WINDOW_DAYS


def base_cap(base_seconds: int) -> int:
    """Return the same of a base bucket.

    >>> base_cap(3600), day_cap() // base_cap(3600)
    (6588122883467697, 25)
    """
    return day_cap() // (_LONGEST_DAY_SECONDS // base_seconds)


def capped(sums: Sequence[int], cap: int) -> list[int]:
    """Return sums of any size within a cap.

    >>> capped([3, -(10**30)], 100)
    [3, -100]
    """
    return [max(-cap, min(cap, each)) for each in sums]


def totals_of(membership: Integers, values: Integers) -> Integers:
    """Return the sums (G x n) of the rows of `values` (K x n) that `membership` (G x K, of 0 and 1) takes, capped."""
    found: Integers
    if np.abs(values.astype(np.float64)).sum(axis=0).max(initial=0.0) <= _SURELY_BELOW:
        found = membership @ values
    else:
        exact = membership.astype(object) @ values.astype(object)
        found = np.clip(exact, -TOTAL_CAP, TOTAL_CAP).astype(np.int64)
    return found
