"""Disjoint groups of cells, and sums, medians and members over each: what a level of the tree of nodes is.

Everything costs as much as there are cells, whatever the number of groups.

Example:
    >>> groups = Grouping(np.array([0, 1, 0, 1, 1]), 2)
    >>> groups.sums(np.array([1.0, 2.0, 3.0, 4.0, 5.0])).tolist(), groups.medians(np.arange(5)).tolist()
    ([4.0, 11.0], [1.0, 3.0])
    >>> groups.cells(1).tolist(), groups.single
    ([1, 3, 4], False)
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Grouping:
    """K cells in `size` groups, none of them empty.

    Args:
        group_of: int64[K], each cell's group, 0 .. size - 1.
        size: number of groups.

    Attributes:
        counts: int64[size], cells of each group.
        single: whether every cell is the group of its own number.
    """

    def __init__(self, group_of: Integers, size: int) -> None:
        self.group_of, self.size = group_of, size
        self.counts: Integers = np.bincount(group_of, minlength=size)
        self.single = size == len(group_of) and bool((group_of == np.arange(size)).all())
        self._order: Integers = np.argsort(group_of, kind="stable")
        self._starts: Integers = np.cumsum(self.counts) - self.counts

    def sums(self, values: Floats) -> Floats:
        """Return float64[size, ...]: sums of `values` [K, ...] over each group."""
        if self.single:
            return values
        sums: Floats = np.add.reduceat(values[self._order], self._starts, axis=0)
        return sums

    def medians(self, values: Integers | Floats) -> Floats:
        """Return float64[size]: medians of `values` [K] over each group."""
        ranked = values[np.lexsort((values, self.group_of))].astype(np.float64)
        lower, upper = self._starts + (self.counts - 1) // 2, self._starts + self.counts // 2
        medians: Floats = 0.5 * (ranked[lower] + ranked[upper])
        return medians

    def cells(self, group: int) -> Integers:
        """Return the cells of a group, ascending."""
        start = self._starts[group]
        return self._order[start : start + self.counts[group]]
