"""The evidence of a panel: whitening, onsets and drift together, day by day, as `panel_detector` needs them.

Example:
    >>> from earlywarn.detection.detector_parameters import DetectorParameters
    >>> evidence = PanelEvidence(DetectorParameters(evidence_after_days=0))
    >>> tree = NodeTree([("CH01", "05")])
    >>> evidence.embed(tree, np.zeros(0, dtype=np.int64))
    >>> for z in [0.5, -0.5, 0.5, -2.0, -2.0, -2.0]:
    ...     found = Innovation(Prediction(np.zeros(2), np.full(2, 0.1), np.zeros((2, 1))), np.full(2, 0.1 * z),
    ...                        np.full(2, z), np.ones(2, dtype=bool), np.ones((2, 21)))
    ...     drifting = evidence.learn(found, np.zeros(1, dtype=bool), learned=np.ones(2, dtype=np.int64))
    >>> evidence.onset.scores()[0].onset_age_days.tolist(), drifting.tolist()
    ([2], [False, False])
"""

from typing import Any

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats, Integers
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.detection.drift_monitor import DriftMonitor
from earlywarn.detection.factor_correlation import FactorCorrelation
from earlywarn.detection.factor_layout import FactorLayout
from earlywarn.detection.hierarchy import Node, NodeTree
from earlywarn.detection.onset_bank import OnsetBank
from earlywarn.detection.regression_bank import Innovation, Prediction  # noqa: F401  # Prediction: for the example
from earlywarn.detection.symmetric_form import SymmetricForm
from earlywarn.detection.whitening import InnovationCorrelation, pair_kinds

_MANY = 4
"""One in so many series is many."""
_LEAST_SERIES = 6
"""So are counts and amounts of three cells at the least: fewer may be outliers together."""


class PanelEvidence:
    """What the innovations of 2K log series say for a step at every node, given each other.

    Args:
        parameters: of the panel's detector.

    Attributes:
        onset: the bank of hypotheses.
    """

    def __init__(self, parameters: DetectorParameters) -> None:
        self.parameters = parameters
        self._tree = NodeTree(())
        self._correlation: InnovationCorrelation | FactorCorrelation = InnovationCorrelation(
            parameters.whitening, np.zeros((0, 0), dtype=np.int64)
        )
        self._drift = DriftMonitor(parameters.drift)
        self.onset = OnsetBank(parameters.onset, self._tree)

    def correlation(self) -> SymmetricForm:
        """Return the correlation of the innovations of the 2K log series."""
        return self._correlation.correlation()

    def learn(self, innovation: Innovation, special: Flags, learned: Integers) -> Flags:
        """Whiten, add to the evidence, watch for drift, learn the correlation; return who drifts [2K].

        Args:
            innovation: today's.
            special: bool[G], nodes of which the day may say little.
            learned: int64[2K], observations of each series, today's included.
        """
        parameters = self.parameters
        mature = innovation.seen & (learned > parameters.evidence_after_days)
        drifting = np.zeros(len(mature), dtype=bool)
        precision = self._correlation.precision(mature)
        clipped = np.clip(innovation.z, -parameters.innovation_clip, parameters.innovation_clip)
        whitened = precision.apply(clipped)
        reach = self._reach(np.abs(innovation.z[mature]))
        told = whitened if reach is None else precision.apply(np.clip(innovation.z, -reach, reach))
        response = np.where(mature[:, None], innovation.footprint / innovation.prediction.sd[:, None], 0.0)
        self.onset.learn(told, precision, response, special)
        if mature.any():
            residual = whitened / np.sqrt(np.where(mature, precision.diagonal(), 1.0))
            drifting = self._drift.learn(residual, mature)
        self._correlation.learn(clipped, innovation.seen)
        return drifting

    def _reach(self, sizes: Floats) -> float | None:
        """Return what one series may say of a day on which many say much (sd); None on any other day.

        An outlier stands apart from the others. Where one in four is beyond the clip, that is the day's scale:
        clipped one by one, a fall of three quarters in some sectors would say no more than a rise of a fifth in
        another, and a fall of all by half would look like contrasts between them.
        """
        many = max(len(sizes) // _MANY, _LEAST_SERIES)
        if len(sizes) < many:
            return None
        scale = float(np.sort(sizes)[-many])
        return self.parameters.clip_multiple * scale if scale > self.parameters.innovation_clip else None

    def forget(self, cells: Flags) -> None:
        """Forget what was said about the flagged cells [K], and about nodes of no others."""
        self._drift.reset(np.tile(cells, 2))
        self.onset.forget(self._tree.sums(np.where(cells, 0.0, 1.0)) == 0)

    def settle(self, node: Node, sign: float) -> None:
        """Let steps of a node in one direction (-1: down, 1: up) begin after today; see `OnsetBank.settle`."""
        self.onset.settle(self._tree.index[node], sign)

    def embed(self, tree: NodeTree, places: Integers) -> None:
        """Lay everything out for a grown `tree`; the old cell i stands at `places[i]`."""
        cells = len(tree.series)
        both = np.concatenate([places, places + cells])
        self._embed_correlation(tree, both)
        self.onset.embed(tree)
        self._drift.embed(both, 2 * cells)
        self._tree = tree

    def _embed_correlation(self, tree: NodeTree, places: Integers) -> None:
        earlier, parameters = self._correlation, self.parameters.whitening
        if 2 * len(tree.series) <= parameters.full_up_to_series and isinstance(earlier, InnovationCorrelation):
            earlier.embed(places, pair_kinds(tree.region_of, tree.sector_of))
            return
        grown = FactorCorrelation(parameters, FactorLayout(tree.region_of, tree.sector_of))
        if isinstance(earlier, FactorCorrelation):
            grown.take(earlier, places)
        else:
            grown.take_full(earlier, places)
        self._correlation = grown

    def state(self) -> dict[str, Any]:
        """Return everything learned."""
        return {"correlation": self._correlation.state(), "onset": self.onset.state(), "drift": self._drift.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same tree and parameters."""
        self._correlation.restore(state["correlation"])
        self.onset.restore(state["onset"])
        self._drift.restore(state["drift"])
