"""What each cell adds to the evidence of each node: computed for the nodes that are asked for.

Example:
    >>> tree = NodeTree([("CH01", "05"), ("CH02", "05")])
    >>> by_cell = np.array([[[3.0], [-1.0]]])
    >>> nothing, effect = np.zeros(3, dtype=np.int64), np.array([0.5, 0.5, -0.2])
    >>> [Contributions(tree, by_cell, nothing, nothing, effect)[node].tolist() for node in (0, 2)]
    [[1.5, 0.0], [-0.6000000000000001, 0.2]]
"""

import numpy as np
import numpy.typing as npt

from earlywarn.detection.hierarchy import NodeTree

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Contributions:
    """Each cell's part of the linear evidence of G nodes, as of one day.

    Args:
        tree: G nodes over K cells.
        by_cell: float64[D, K, W], see `onset_bank.OnsetBank`; copied.
        shape, age: int64[G], the shape and age of each node's hypothesis.
        effect: float64[G], its step (log units).
    """

    def __init__(self, tree: NodeTree, by_cell: Floats, shape: Integers, age: Integers, effect: Floats) -> None:
        self._tree, self._by_cell = tree, by_cell.copy()
        self._shape, self._age, self._effect = shape, age, effect

    def __getitem__(self, node: int) -> Floats:
        """Return float64[K]: log-likelihood units, positive supports the hypothesis; 0 outside of the node."""
        parts = self._by_cell[self._shape[node], :, self._age[node]] * self._effect[node]
        return np.where(self._tree.cells_of(node), parts, 0.0)
