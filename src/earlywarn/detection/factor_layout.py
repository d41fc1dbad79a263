"""Which series of a large panel stand in one block, and which make up one factor.

A block is the cells of a region, and the factors are the mean innovations of each sector, counts and amounts apart.

Both are bounded, whatever the panel: a block has at most `BLOCK_CELLS` cells (a larger region falls into several), and
the smallest groups beyond `FACTOR_GROUPS` share one factor.

Example:
    >>> layout = FactorLayout(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 1]))
    >>> [place.tolist() for place in layout.places]
    [[[4, 9]], [[0, 1, 5, 6], [2, 3, 7, 8]]]
    >>> layout.factor_of.tolist(), layout.numbers.tolist()
    ([0, 1, 0, 1, 1, 2, 3, 2, 3, 3], [8, 8, 8, 8, 6, 8, 8, 8, 8, 6])
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

BLOCK_CELLS = 64
FACTOR_GROUPS = 64


class FactorLayout:
    """The blocks and factors over M = 2K log series (K counts, then K amounts) of K cells.

    Args:
        region_of, sector_of: int64[K], each cell's region and sector by number.

    Attributes:
        places: int64[n, m] for each size m of blocks, ascending: the series of each block, counts and then amounts.
        factor_of: int64[M], the factor that each series is a part of.
        groups: number of groups of cells with factors; there are `factors` = 2 groups.
        numbers: int64[M], numbers learned of each series: its block's size and the factors.
    """

    def __init__(self, region_of: Integers, sector_of: Integers) -> None:
        self.cells = len(region_of)
        self.places = _blocks(region_of)
        group_of = _largest(sector_of)
        self.groups = int(group_of.max(initial=-1)) + 1
        self.factors = 2 * self.groups
        self.factor_of: Integers = np.concatenate([group_of, group_of + self.groups])
        self.numbers: Integers = np.full(2 * self.cells, self.factors, dtype=np.int64)
        for place in self.places:
            self.numbers[place] += place.shape[1]


def _blocks(region_of: Integers) -> tuple[Integers, ...]:
    """Return int64[n, m] for each size m: the series of blocks of so many."""
    cells = len(region_of)
    by_size: dict[int, list[Integers]] = {}
    for region in np.unique(region_of):
        member = np.flatnonzero(region_of == region)
        for part in np.array_split(member, -(-len(member) // BLOCK_CELLS)):
            by_size.setdefault(2 * len(part), []).append(np.concatenate([part, part + cells]))
    return tuple(np.array(by_size[size], dtype=np.int64) for size in sorted(by_size))


def _largest(group_of: Integers) -> Integers:
    """Return the groups numbered anew in their order: the largest ones, and one for all the others, the last."""
    groups, number, counts = np.unique(group_of, return_inverse=True, return_counts=True)
    if len(groups) <= FACTOR_GROUPS:
        return number.astype(np.int64)
    kept = np.sort(np.argsort(-counts, kind="stable")[: FACTOR_GROUPS - 1])
    place = np.full(len(groups), FACTOR_GROUPS - 1, dtype=np.int64)
    place[kept] = np.arange(FACTOR_GROUPS - 1)
    return place[number]
