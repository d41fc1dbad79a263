"""The product's detector, without the desk."""

from datetime import date, timedelta

import msgspec
import numpy as np

from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.detection.mix_parameters import MixParameters
from earlywarn.detection.panel_detector import DayFeatures, PanelDetector
from track_record.contestants.contestant import State
from track_record.sample import Flags, Floats, Integers, Sample

FEW_TREES = MixParameters(trees=1, height=1)
"""The sector mix decides no evidence here; its trees would take most of the time of a restore."""


class Product:
    """`PanelDetector` as the desk drives it: a level is accepted with the first day of its shock.

    Args:
        sample: what it will see.
        parameters: of the detector; None for those that a run has by default.
        kind: the class of the detector.
        features: the calendar; None for the sample's.
    """

    def __init__(
        self,
        sample: Sample,
        parameters: DetectorParameters | None = None,
        kind: type[PanelDetector] = PanelDetector,
        features: DayFeatures | None = None,
    ) -> None:
        self._series = sample.series
        chosen = msgspec.structs.replace(parameters or DetectorParameters(), mix=FEW_TREES)
        self.detector = kind(chosen, features or sample.features)
        self._first_days: list[date] = []

    def step(self, day: date, counts: Integers, amounts: Integers) -> Floats:
        """Return the scores of the nodes whose warm-up is over."""
        scores = self.detector.step(day, self._series, counts, amounts)
        falls = scores.down.score >= scores.up.score
        ages = np.where(falls, scores.down.onset_age_days, scores.up.onset_age_days)
        self._first_days = [day - timedelta(age) for age in ages.tolist()]
        found: Floats = np.stack([scores.down.score, scores.up.score]) * (scores.ready & scores.usable)
        return found

    def accept(self, nodes: Flags) -> None:
        """Accept as the desk does, node by node, each with the first day of its shock."""
        for place in np.flatnonzero(nodes).tolist():
            self.detector.accept([self.detector.nodes[place]], self._first_days[place])

    def state(self) -> State:
        """Return the detector's state."""
        return self.detector.state()

    def restore(self, saved: State) -> None:
        """Take over a state."""
        self.detector.restore(saved)
