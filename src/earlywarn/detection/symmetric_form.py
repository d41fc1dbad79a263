"""What the models ask of a correlation matrix and of its inverse, however it is kept.

A panel of K cells has M = 2K log series, K counts and then K amounts. Of a symmetric matrix X over them the models
need its product with a vector, its diagonal, and for groups of cells the quadratic forms

    f_g' X f_g,     f_g the vector f, 0 outside of the group g.

`DenseForm` keeps the matrix itself; `block_factor_form` keeps blocks and factors, for large panels.

Example:
    >>> form = DenseForm(np.array([[1.0, 0.5], [0.5, 1.0]]))
    >>> form.apply(np.array([1.0, 1.0])).tolist(), form.diagonal().tolist()
    ([1.5, 1.5], [1.0, 1.0])
    >>> form.within(np.array([[1.0, 2.0], [1.0, 0.0]]), Grouping(np.zeros(1, dtype=np.int64), 1)).tolist()
    [[3.0, 4.0]]
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from earlywarn.detection.grouping import Grouping
from earlywarn.detection.hierarchy import NodeTree

Floats = npt.NDArray[np.float64]


class SymmetricForm(Protocol):
    """A symmetric matrix X over M = 2K log series."""

    def apply(self, vector: Floats) -> Floats:
        """Return float64[M], X times `vector` [M]."""

    def diagonal(self) -> Floats:
        """Return float64[M], the diagonal of X."""

    def within(self, steps: Floats, grouping: Grouping) -> Floats:
        """Return float64[size, W]: f_g' X f_g for each column f of `steps` [M, W] and each group g of K cells."""


class DenseForm:
    """The matrix itself.

    Args:
        matrix: float64[M, M], symmetric.
    """

    def __init__(self, matrix: Floats) -> None:
        self.matrix = matrix

    def apply(self, vector: Floats) -> Floats:
        """Return float64[M], X times `vector` [M]."""
        product: Floats = self.matrix @ vector
        return product

    def diagonal(self) -> Floats:
        """Return float64[M], the diagonal of X."""
        return self.matrix.diagonal()

    def within(self, steps: Floats, grouping: Grouping) -> Floats:
        """Return float64[size, W]: f_g' X f_g for each column f of `steps` [M, W] and each group g of K cells."""
        cells = len(grouping.group_of)
        if grouping.single:
            diagonal = self.matrix.diagonal()
            cross = self.matrix.diagonal(cells)
            return pair_forms(diagonal[:cells], cross, diagonal[cells:], steps)
        inside = self.matrix
        if grouping.size > 1:
            group = np.tile(grouping.group_of, 2)
            inside = inside * (group[:, None] == group[None, :])
        each = steps * (inside @ steps)
        return grouping.sums(each[:cells] + each[cells:])


def node_forms(tree: NodeTree, form: SymmetricForm, steps: Floats) -> Floats:
    """Return float64[G, W]: f_n' X f_n for each column f of `steps` [M, W] and each node n of the tree."""
    forms = [form.within(steps, level.grouping)[level.groups] for level in tree.levels]
    return np.concatenate([np.zeros((0, steps.shape[1])), *forms])


def pair_forms(count: Floats, cross: Floats, amount: Floats, steps: Floats) -> Floats:
    """Return float64[K, W]: the quadratic forms of single cells, of the entries [K] of their 2 x 2 matrices."""
    counts, amounts = steps[: len(count)], steps[len(count) :]
    forms: Floats = count[:, None] * counts**2 + 2.0 * cross[:, None] * counts * amounts + amount[:, None] * amounts**2
    return forms
