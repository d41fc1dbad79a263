"""A symmetric matrix of blocks and factors, X = B + F F' or X = B - F F', and its inverse in the same shape.

B is block-diagonal (a few dozen cells a block, counts and amounts), F has a few dozen columns. The inverse of the first
is of the second kind (Woodbury's identity):

    inverse(B + F F') = V - G G',   V = inverse(B),   G = V F inverse(C)',   C C' = I + F' V F.

No array here is larger than blocks or factors: all costs are linear in the number of series. Of the inverse over the
series seen only, the others are left out of B and F beforehand, which is exact.

Reference: Woodbury (1950), Inverting modified matrices, Princeton Statistical Research Group memorandum 42; Golub and
Van Loan (2013), Matrix Computations, section 2.1.4.

Example:
    >>> block = np.array([[[2.0, 0.5], [0.5, 1.0]]])
    >>> form = BlockFactorForm((block,), (np.array([[0, 1]]),), np.array([[1.0], [0.5]]))
    >>> inverse = form.inverse(np.ones(2, dtype=bool))
    >>> inverse.apply(form.apply(np.array([1.0, -2.0]))).round(9).tolist()
    [1.0, -2.0]
    >>> form.inverse(np.array([True, False])).diagonal().round(6).tolist()
    [0.333333, 0.0]
"""

import numpy as np
import numpy.typing as npt

from earlywarn.detection.grouping import Grouping
from earlywarn.detection.symmetric_form import pair_forms

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class BlockFactorForm:
    """B + sign F F' over M = 2K log series.

    Args:
        blocks: float64[n, m, m] for each size m of blocks.
        places: int64[n, m] for each size: the series of each block, the counts of its cells and then, in the same
            order, their amounts. Every series stands in one block.
        factors: float64[M, k], F.
        sign: 1.0 or -1.0.
    """

    def __init__(
        self, blocks: tuple[Floats, ...], places: tuple[Integers, ...], factors: Floats, sign: float = 1.0
    ) -> None:
        self.blocks, self.places, self.factors, self.sign = blocks, places, factors, sign

    def apply(self, vector: Floats) -> Floats:
        """Return float64[M], X times `vector` [M]."""
        product: Floats = self.sign * (self.factors @ (self.factors.T @ vector))
        for block, place in zip(self.blocks, self.places, strict=True):
            product[place] += np.matmul(block, vector[place][:, :, None])[:, :, 0]
        return product

    def diagonal(self) -> Floats:
        """Return float64[M], the diagonal of X."""
        diagonal: Floats = self.sign * np.einsum("mk,mk->m", self.factors, self.factors)
        for block, place in zip(self.blocks, self.places, strict=True):
            diagonal[place] += np.einsum("nmm->nm", block)
        return diagonal

    def within(self, steps: Floats, grouping: Grouping) -> Floats:
        """Return float64[size, W]: f_g' X f_g for each column f of `steps` [M, W] and each group g of K cells."""
        cells = len(grouping.group_of)
        if grouping.single:
            diagonal = self.diagonal()
            return pair_forms(diagonal[:cells], self._cross(cells), diagonal[cells:], steps)
        each = np.zeros_like(steps)
        for block, place in zip(self.blocks, self.places, strict=True):
            inside = block
            if grouping.size > 1:
                group_of = grouping.group_of[place % cells]
                inside = block * (group_of[:, :, None] == group_of[:, None, :])
            step = steps[place]
            each[place] = step * np.matmul(inside, step)
        forms = grouping.sums(each[:cells] + each[cells:])
        for group in range(grouping.size):
            member = grouping.cells(group)
            both = np.concatenate([member, member + cells])
            forms[group] += self.sign * ((self.factors[both].T @ steps[both]) ** 2).sum(axis=0)
        return forms

    def _cross(self, cells: int) -> Floats:
        """Return float64[K]: the entry of each cell's count and amount."""
        cross: Floats = self.sign * np.einsum("mk,mk->m", self.factors[:cells], self.factors[cells:])
        for block, place in zip(self.blocks, self.places, strict=True):
            half = place.shape[1] // 2
            cross[place[:, :half]] += np.diagonal(block, offset=half, axis1=1, axis2=2)
        return cross

    def inverse(self, seen: Flags) -> "BlockFactorForm":
        """Return the inverse over the series `seen` [M], 0 in the others' rows; of a positive definite B + F F'.

        Raises:
            ValueError: the form is already the inverse of one.
        """
        if self.sign < 0:
            raise ValueError("only B + F F' can be inverted here: B - F F' is an inverse itself")
        inverses = []
        spread = np.zeros_like(self.factors)
        for block, place in zip(self.blocks, self.places, strict=True):
            both = seen[place][:, :, None] & seen[place][:, None, :]
            left = np.linalg.inv(np.where(both, block, np.eye(place.shape[1])))
            inverse = np.where(both, 0.5 * (left + left.transpose(0, 2, 1)), 0.0)
            inverses.append(inverse)
            spread[place] = np.matmul(inverse, self.factors[place])
        small = np.eye(self.factors.shape[1]) + self.factors.T @ spread
        root = np.linalg.cholesky(0.5 * (small + small.T))
        return BlockFactorForm(tuple(inverses), self.places, np.linalg.solve(root, spread.T).T, -1.0)
