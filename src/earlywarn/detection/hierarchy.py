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
    >>> tree.sums(np.array([1.0, 2.0, 3.0, 4.0])).tolist()
    [1.0, 2.0, 3.0, 4.0, 3.0, 7.0, 4.0, 6.0, 10.0]
    >>> tree.cells_of(6).tolist()
    [True, False, True, False]
    >>> NodeTree([("CH01", "11"), ("CH02", "05")]).embedding([("CH01", "11")]).tolist()
    [0]
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.detection.grouping import Grouping

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
    def key(self) -> tuple[str | None, str | None]:
        """Return region and sector."""
        return (self.region, self.sector)

    @property
    def label(self) -> str:
        """Return `region x sector`, a star for what is summed over."""
        return f"{self.region or '*'} x {self.sector or '*'}"


class LevelNodes(msgspec.Struct, frozen=True):
    """The nodes of one level: they stand in the `rows` of the tree and are the `groups` of `grouping`."""

    rows: slice
    groups: npt.NDArray[np.int64]
    grouping: Grouping


class NodeTree:
    """The nodes over a canonical (strictly ascending) sequence of K series.

    Attributes:
        series: the K keys.
        nodes: the G nodes in canonical order; the first K are the cells, in the order of `series`.
        levels: the nodes by level, in canonical order.
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
        cells = len(self.series)
        regions = Grouping(self.region_of, len(self.regions))
        sectors = Grouping(self.sector_of, len(self.sectors))
        everything = Grouping(np.zeros(cells, dtype=np.int64), min(cells, 1))
        self._nodes: list[Node] = []
        self._levels: list[LevelNodes] = []
        self._add([Node("cell", *key) for key in self.series], Grouping(np.arange(cells), cells), range(cells))
        self._add([Node("region", region=region) for region in self.regions], regions, self._totals(regions))
        self._add([Node("sector", sector=sector) for sector in self.sectors], sectors, self._totals(sectors))
        self._add([Node("panel")], everything, range(int(cells > 1)))
        self.nodes: tuple[Node, ...] = tuple(self._nodes)
        self.levels: tuple[LevelNodes, ...] = tuple(self._levels)
        self.index: dict[Node, int] = {node: place for place, node in enumerate(self.nodes)}

    @staticmethod
    def _totals(grouping: Grouping) -> Sequence[int]:
        """Return the groups that are sets of their own: of at least two cells, and not all."""
        several = (grouping.counts > 1) & (grouping.counts < len(grouping.group_of))
        return [int(group) for group in np.flatnonzero(several)]

    def _add(self, nodes: Sequence[Node], grouping: Grouping, groups: Sequence[int]) -> None:
        start = len(self._nodes)
        self._nodes += [nodes[group] for group in groups]
        if groups:
            rows = slice(start, len(self._nodes))
            self._levels.append(LevelNodes(rows, np.array(groups, dtype=np.int64), grouping))

    def sums(self, cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return float64[G, ...]: sums of `cells` [K, ...] over each node."""
        if not self.levels:
            return cells
        return np.concatenate([level.grouping.sums(cells)[level.groups] for level in self.levels])

    def means(self, cells: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return float64[G, ...]: the same divided by the number of cells."""
        sizes = self.sizes.reshape(-1, *[1] * (cells.ndim - 1))
        means: npt.NDArray[np.float64] = self.sums(cells) / sizes
        return means

    def medians(self, cells: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return float64[G]: medians of `cells` [K] over each node."""
        found = [level.grouping.medians(cells)[level.groups] for level in self.levels]
        return np.concatenate([np.zeros(0), *found])

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Return int64[G], the cells of each node."""
        return np.concatenate([np.zeros(0, np.int64), *(each.grouping.counts[each.groups] for each in self.levels)])

    def cells_of(self, place: int) -> npt.NDArray[np.bool_]:
        """Return bool[K], which cells the node at `place` sums."""
        inside = np.zeros(len(self.series), dtype=bool)
        for level in self.levels:
            if level.rows.start <= place < level.rows.stop:
                inside[level.grouping.cells(int(level.groups[place - level.rows.start]))] = True
        return inside

    def inside(self, cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return bool[G], the nodes all of whose cells are some of `cells` (bool[K])."""
        whole: npt.NDArray[np.bool_] = self.means(cells.astype(np.float64)) == 1.0
        return whole

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
