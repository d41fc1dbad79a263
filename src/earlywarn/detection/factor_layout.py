"""Which series of a large panel stand in one block, and which make up one factor.

A block is the cells of a region, and the factors are the mean innovations of each sector, counts and amounts apart.
Where there are no more regions than sectors their means are factors as well: the factors at most double.

Both are bounded, whatever the panel: a block has at most `BLOCK_CELLS` cells (a larger region falls into several), and
the smallest groups beyond `FACTOR_GROUPS` share one factor.

Example:
    >>> layout = FactorLayout(np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 1]))
    >>> [place.tolist() for place in layout.places]
    [[[4, 9]], [[0, 1, 5, 6], [2, 3, 7, 8]]]
    >>> [factors.tolist() for factors in layout.factor_sets], layout.numbers.tolist()
    ([[0, 1, 0, 1, 1, 2, 3, 2, 3, 3]], [8, 8, 8, 8, 6, 8, 8, 8, 8, 6])
    >>> [factors.tolist() for factors in FactorLayout(np.array([0, 0, 1]), np.array([0, 1, 1])).factor_sets]
    [[0, 1, 1, 2, 3, 3], [4, 4, 5, 6, 6, 7]]
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
        factor_sets: int64[M] each, the factor of each series: of its sector, and where they are any of its region.
        groups: number of groups of sectors; the factors of the first set are 2 groups.
        factors: number of all factors, k.
        numbers: int64[M], numbers learned of each series: its block's size and the factors.
    """

    def __init__(self, region_of: Integers, sector_of: Integers) -> None:
        self.cells = len(region_of)
        self.places = _blocks(region_of)
        sectors, regions = _largest(sector_of), _largest(region_of)
        self.groups, of_regions = _count(sectors), _count(regions)
        self.factors = 2 * self.groups
        self.factor_sets: list[Integers] = [np.concatenate([sectors, sectors + self.groups])]
        if of_regions <= self.groups:
            self.factor_sets.append(self.factors + np.concatenate([regions, regions + of_regions]))
            self.factors += 2 * of_regions
        self.numbers: Integers = np.full(2 * self.cells, self.factors, dtype=np.int64)
        for place in self.places:
            self.numbers[place] += place.shape[1]

    def member(self) -> npt.NDArray[np.float64]:
        """Return float64[M, k]: each series' weight in each factor, 1 by the number of its series."""
        member = np.zeros((2 * self.cells, self.factors))
        for factor_of in self.factor_sets:
            member[np.arange(2 * self.cells), factor_of] = 1.0
        weights: npt.NDArray[np.float64] = member / np.maximum(member.sum(axis=0), 1.0)
        return weights


def _count(group_of: Integers) -> int:
    return int(group_of.max(initial=-1)) + 1


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
