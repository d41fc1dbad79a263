"""The sector mixes of all regions of a panel, each judged by its own `MixAnomaly`.

A sector's value is the residual of its share in the region's amount, e_k - log(sum of observed / sum of expected)
over the cells seen, in predictive standard deviations, mapped to [0, 1] by the normal distribution function; a sector
not seen today stands at 0.5, where it tells nothing. A shock that the whole region shares leaves the mix alone.

Example:
    >>> from earlywarn.detection.hierarchy import NodeTree
    >>> mixes = RegionMixes(MixParameters())
    >>> mixes.lay_out(NodeTree([("CH01", "05"), ("CH01", "11"), ("CH02", "05")]))
    >>> mixes.regions
    ('CH01',)
    >>> mixes.shares(np.log([100.0, 300.0, 50.0]), np.log([0.8, 0.8, 1.0]), np.full(3, 0.1), np.ones(3, bool)).tolist()
    [0.5, 0.5, 0.5]
"""

import math
from typing import Any

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.mix_anomaly import MixAnomaly
from earlywarn.detection.mix_parameters import MixParameters

SECTORS_MIN = 2
"""A region needs so many sectors to have a mix."""


class RegionMixes:
    """One `MixAnomaly` for each region of at least two sectors.

    Args:
        parameters: see `MixParameters`.
    """

    def __init__(self, parameters: MixParameters) -> None:
        self.parameters = parameters
        self._tree = NodeTree(())
        self._models: dict[str, MixAnomaly] = {}

    @property
    def regions(self) -> tuple[str, ...]:
        """Return the regions with a mix, ascending."""
        return tuple(self._models)

    def lay_out(self, tree: NodeTree) -> None:
        """Follow a grown `tree`: a region whose sectors have changed starts afresh, the others go on."""
        before = _sizes(self._tree)
        self._models = {
            region: self._models[region]
            if region in self._models and before[region] == size
            else MixAnomaly(self.parameters)
            for region, size in _sizes(tree).items()
            if size >= SECTORS_MIN
        }
        self._tree = tree

    def shares(self, usual: Floats, error: Floats, sd: Floats, seen: Flags) -> Floats:
        """Return float64[K] in [0, 1]: how each cell's share in its region's amount compares with the expected one.

        NaN in regions of which nothing was seen.

        Args:
            usual: float64[K], predicted log amounts.
            error: float64[K], innovations of the log amounts.
            sd: float64[K], predictive standard deviations.
            seen: bool[K], cells with an amount today.
        """
        tree = self._tree
        median = np.where(seen, np.exp(usual), 0.0)
        observed = np.bincount(tree.region_of, median * np.exp(error), len(tree.regions))
        expected = np.bincount(tree.region_of, median, len(tree.regions))
        with np.errstate(divide="ignore", invalid="ignore"):
            common = np.log(observed / expected)[tree.region_of]
        residual = np.where(np.isfinite(common), np.where(seen, (error - common) / sd, 0.0), np.nan)
        return np.array([0.5 + 0.5 * math.erf(value / math.sqrt(2)) for value in residual.tolist()])

    def learn(self, shares: Floats) -> Floats:
        """Rank each region's mix by its own past, learn it, and return float64[regions with a mix]; NaN if unknown."""
        tree, ranks = self._tree, []
        for region, model in self._models.items():
            inside = np.flatnonzero(tree.region_of == tree.regions.index(region)).tolist()
            if np.isnan(shares[inside]).any():
                ranks.append(np.nan)
                continue
            ranks.append(model.rank_and_learn_one({tree.series[cell][1]: float(shares[cell]) for cell in inside}))
        return np.array(ranks, dtype=np.float64)

    def state(self) -> dict[str, Any]:
        """Return what was learned, by region."""
        return {region: model.state() for region, model in self._models.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same tree."""
        like: dict[tuple[str, ...], MixAnomaly] = {}
        for region, model in self._models.items():
            features = tuple(state[region]["features"])
            model.restore(state[region], like.get(features))
            like[features] = model


def _sizes(tree: NodeTree) -> dict[str, int]:
    counts = np.bincount(tree.region_of, minlength=len(tree.regions)).tolist()
    return dict(zip(tree.regions, counts, strict=True))
