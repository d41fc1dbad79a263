"""Splitting a cell's amount over its transactions: log-normal, exact in minor units."""

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def split_amounts(totals: Integers, counts: Integers, sigma: float, rng: np.random.Generator) -> Integers:
    """Return `counts[i]` amounts for each i, one after the other, that sum to `totals[i]` exactly.

    Amounts are shares of the total in proportion to log-normal draws (shape `sigma`), rounded to
    minor units by largest remainder; ties go to the earlier draw. Totals of empty cells must be 0.

    >>> split_amounts(np.array([1000, 7]), np.array([3, 2]), 0.8, np.random.default_rng(1)).shape
    (5,)
    """
    cell = np.repeat(np.arange(len(counts)), counts)
    weights = np.exp(sigma * rng.standard_normal(len(cell)))
    sums = np.bincount(cell, weights=weights, minlength=len(counts))
    exact = weights * (totals[cell] / sums[cell])
    amounts: Integers = np.floor(exact).astype(np.int64)
    fractions = exact - amounts
    granted = np.bincount(cell, weights=amounts, minlength=len(counts)).astype(np.int64)
    left: Integers = totals - granted
    # In exact arithmetic 0 <= left < counts; where floats strayed, the whole rounds go to everyone.
    rounds: Integers = np.where(counts > 0, left // np.maximum(counts, 1), 0)
    amounts += rounds[cell]
    left -= rounds * counts
    order = np.lexsort((np.arange(len(cell)), -fractions, cell))
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(cell)) - starts[cell[order]]
    amounts[order] += rank < left[cell[order]]
    return amounts
