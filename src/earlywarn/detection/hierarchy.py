"""The tree of a panel's nodes: cells, regions, sectors and the panel itself.

A *cell* is one region x sector; every other node is a set of cells. A node above the cells exists only
if it is a set of its own: a region or sector of at least two cells that is not yet the whole panel, and the
panel if it has at least two cells. So no two nodes of a tree carry the same evidence.

Canonical order: cells by (region, sector), regions by code, sectors by code, then the panel. Series only
ever appear; `embedding` says where the old ones went, so that arrays can be laid out anew.

Example:
    >>> tree = NodeTree([("CH01", "05"), ("CH01", "11"), ("CH02", "05"), ("CH02", "11")])
    >>> [node.label for node in tree.nodes[4:]]
    ['CH01 x *', 'CH02 x *', '* x 05', '* x 11', '* x *']
    >>> tree.members.shape
    (9, 4)
    >>> NodeTree([("CH01", "11"), ("CH02", "05")]).embedding([("CH01", "11")]).tolist()
    [0]
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

Level = Literal["cell", "region", "sector", "panel"]
SeriesKey = tuple[str, str]
"""(region, sector) of a cell."""

LEVELS: tuple[Level, ...] = ("cell", "region", "sector", "panel")


class Node(msgspec.Struct, frozen=True):
    """A node of the tree; `region` and `sector` are None above their level."""

    level: Level
    region: str | None = None
    sector: str | None = None

    @property
    def label(self) -> str:
        """Return `region x sector`, a star for what is summed over."""
        return f"{self.region or '*'} x {self.sector or '*'}"


class NodeTree:
    """The nodes over a canonical (strictly ascending) sequence of K series.

    Attributes:
        series: the K keys.
        nodes: the G nodes in canonical order; the first K are the cells, in the order of `series`.
        members: bool[G, K], which cells a node sums.
        region_of, sector_of: int64[K], each cell's position in `regions` and `sectors`.

    Raises:
        ValueError: the series are not strictly ascending.
    """

    def __init__(self, series: Sequence[SeriesKey]) -> None:
        self.series: tuple[SeriesKey, ...] = tuple((region, sector) for region, sector in series)
        for before, after in zip(self.series, self.series[1:], strict=False):
            if before >= after:
                raise ValueError(f"series must be strictly ascending by (region, sector): {before} before {after}")
        self.regions: tuple[str, ...] = tuple(sorted({region for region, _ in self.series}))
        self.sectors: tuple[str, ...] = tuple(sorted({sector for _, sector in self.series}))
        place_region = {region: place for place, region in enumerate(self.regions)}
        place_sector = {sector: place for place, sector in enumerate(self.sectors)}
        self.region_of: npt.NDArray[np.int64] = np.array([place_region[r] for r, _ in self.series], dtype=np.int64)
        self.sector_of: npt.NDArray[np.int64] = np.array([place_sector[s] for _, s in self.series], dtype=np.int64)
        nodes = [Node("cell", region, sector) for region, sector in self.series]
        rows = [np.eye(len(self.series), dtype=bool)]
        for place, region in enumerate(self.regions):
            self._add(nodes, rows, Node("region", region=region), self.region_of == place)
        for place, sector in enumerate(self.sectors):
            self._add(nodes, rows, Node("sector", sector=sector), self.sector_of == place)
        if len(self.series) > 1:
            nodes.append(Node("panel"))
            rows.append(np.ones((1, len(self.series)), dtype=bool))
        self.nodes: tuple[Node, ...] = tuple(nodes)
        self.members: npt.NDArray[np.bool_] = np.concatenate(rows)
        self.index: dict[Node, int] = {node: place for place, node in enumerate(self.nodes)}

    @staticmethod
    def _add(nodes: list[Node], rows: list[npt.NDArray[np.bool_]], node: Node, member: npt.NDArray[np.bool_]) -> None:
        if 1 < int(member.sum()) < len(member):
            nodes.append(node)
            rows.append(member[None, :])

    def level_rows(self, level: Level) -> npt.NDArray[np.int64]:
        """Return the rows of the nodes of one level, ascending."""
        return np.array([place for place, node in enumerate(self.nodes) if node.level == level], dtype=np.int64)

    def embedding(self, earlier: Sequence[SeriesKey]) -> npt.NDArray[np.int64]:
        """Return int64[len(earlier)]: where each earlier series stands now.

        Raises:
            ValueError: an earlier series is gone; series only ever appear.
        """
        place = {key: index for index, key in enumerate(self.series)}
        gone = [key for key in earlier if key not in place]
        if gone:
            raise ValueError(f"series may not disappear from a panel (give them zero transactions): {gone}")
        return np.array([place[key] for key in earlier], dtype=np.int64)
