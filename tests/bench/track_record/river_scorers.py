"""River's drift detectors and anomaly scorers in place of the product's onsets, by the protocol of all contestants.

They see the product's whitened, standardised innovations (mean 0, sd 1 while the models fit) of every log series, one
by one, or each region's sector mix. Of a cell the evidence is the greater one of its count's and its amount's; a scorer
without a direction takes that of the mean of the last week. A scorer begins anew where a level is accepted.
"""

import copy
import math
from collections import deque
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any, Protocol

import numpy as np
from river import anomaly, drift

from earlywarn.detection.drift_monitor import DriftMonitor
from earlywarn.detection.mix_anomaly import MixAnomaly
from earlywarn.detection.mix_parameters import MixParameters
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.detection.region_mix import RegionMixes
from track_record.contestants.contestant import Contestant, State
from track_record.contestants.product import Product
from track_record.sample import Flags, Floats, Integers, Sample

WEEK = 7
DELTAS = tuple(10.0**-exponent for exponent in range(1, 11))
"""Confidences of ADWIN from which its evidence is read: it tells a change or none."""
NEVER = 1e12


class _Tap(DriftMonitor):
    """Keeps the residuals of the last day."""

    last: Floats = np.zeros(0)

    def learn(self, residuals: Floats, seen: Flags) -> Flags:
        """Keep them, and do what a monitor does."""
        self.last = np.where(seen, residuals, np.nan)
        return super().learn(residuals, seen)


class _MixTap(RegionMixes):
    """Keeps the mixes of the last day, and learns none."""

    last: Floats = np.zeros(0)

    def learn(self, shares: Floats) -> Floats:
        """Keep them."""
        self.last = shares
        return np.full(len(self.regions), np.nan)


class _TappedDetector(PanelDetector):
    def _begin(self) -> None:
        super()._begin()
        self._evidence._drift = _Tap(self.parameters.drift)
        self._mixes = _MixTap(self.parameters.mix)


class Tapped(Product):
    """The product, of which one can ask what it whitened.

    Attributes:
        seen: float64[3K], the day's residuals of counts and of amounts, and each cell's part in its region's mix.
    """

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample, kind=_TappedDetector)
        self._cells = len(sample.series)
        self.seen = np.full(3 * self._cells, np.nan)

    def step(self, day: date, counts: Integers, amounts: Integers) -> Floats:
        """Return the product's evidence."""
        found = super().step(day, counts, amounts)
        taps = (self.detector._evidence._drift.last, 2), (self.detector._mixes.last, 1)  # type: ignore[attr-defined]
        # Before the whitening begins nothing has been kept yet.
        self.seen = np.concatenate([last if len(last) else np.full(n * self._cells, np.nan) for last, n in taps])
        return found


class Scorer(Protocol):
    """Something of River's that is told one number a day."""

    def update(self, value: float) -> tuple[float, float]:
        """Return the evidence of a fall and of a rise."""


class _Directed:
    """Gives evidence the direction of the last week's mean."""

    def __init__(self) -> None:
        self._week: deque[float] = deque(maxlen=WEEK)

    def directed(self, value: float, evidence: float) -> tuple[float, float]:
        self._week.append(value)
        return (evidence, 0.0) if sum(self._week) < 0 else (0.0, evidence)


class PageHinkleyScorer:
    """How far PageHinkley's sums stand from their extremes."""

    def __init__(self) -> None:
        self._test: Any = drift.PageHinkley(min_instances=1, delta=0.25, threshold=NEVER, alpha=0.9999)

    def update(self, value: float) -> tuple[float, float]:
        """Return both distances."""
        self._test.update(value)
        up = self._test._sum_increase - self._test._min_increase
        return float(self._test._max_decrease - self._test._sum_decrease), float(up)


class AdwinScorer(_Directed):
    """The smallest delta of a ladder at which ADWIN told a change within the last week, as -log10."""

    def __init__(self) -> None:
        super().__init__()
        adwin: Any = drift.ADWIN  # it is not typed
        self._tests = [adwin(delta=delta, clock=1, grace_period=10, min_window_length=3) for delta in DELTAS]
        self._told: deque[float] = deque(maxlen=WEEK)

    def update(self, value: float) -> tuple[float, float]:
        """Return the evidence; a small part of the value breaks ties between deltas."""
        told = 0.0
        for delta, test in zip(DELTAS, self._tests, strict=True):
            test.update(value)
            if test.drift_detected:
                told = -math.log10(delta)
        self._told.append(told)
        return self.directed(value, max(self._told))


class KswinScorer(_Directed):
    """-log10 of the p-value of KSWIN's Kolmogorov-Smirnov test of the last days against a draw of those before."""

    def __init__(self) -> None:
        super().__init__()
        self._test: Any = drift.KSWIN(alpha=1e-300, window_size=84, stat_size=14, seed=1)

    def update(self, value: float) -> tuple[float, float]:
        """Return the evidence."""
        self._test.update(value)
        return self.directed(value, -math.log10(max(self._test.p_value, 1e-300)) if self._test.p_value else 0.0)


class GaussianScorerScorer(_Directed):
    """-log10 of how far out in its own past's normal distribution the mean of the last week lies."""

    def __init__(self) -> None:
        super().__init__()
        self._model: Any = anomaly.GaussianScorer(window_size=None, grace_period=28)  # type: ignore[no-untyped-call]

    def update(self, value: float) -> tuple[float, float]:
        """Return the evidence."""
        self._week.append(value)
        mean = sum(self._week) / len(self._week)
        evidence = -math.log10(max(1.0 - float(self._model.score_one({}, mean)), 1e-16))
        self._model.learn_one({}, mean)
        return (evidence, 0.0) if mean < 0 else (0.0, evidence)


class MixScorer:
    """The score of half-space trees on a region's sector mix, which has no direction."""

    def __init__(self) -> None:
        self._model: Any = MixAnomaly(MixParameters())

    def update(self, values: dict[str, float]) -> tuple[float, float]:
        """Return the score twice."""
        score = self._model.score_one(values)
        self._model.learn_one(values)
        return score, score


class RiverOnWhitened(Tapped):
    """A scorer for each log series, on what the product whitens; its evidence in place of the product's.

    Args:
        make: a scorer.
        sample: for its cells and nodes.
    """

    def __init__(self, make: Callable[[], Scorer], sample: Sample) -> None:
        super().__init__(sample)
        self._make, self._nodes = make, len(sample.tree.nodes)
        self._scorers = [make() for _ in range(2 * self._cells)]

    def step(self, day: date, counts: Integers, amounts: Integers) -> Floats:
        """Return the evidence of cells, the greater one of count and amount; 0 of other nodes."""
        super().step(day, counts, amounts)
        found = np.zeros((2, self._nodes))
        for place, scorer in enumerate(self._scorers):
            if np.isfinite(self.seen[place]):
                cell = place % self._cells
                found[:, cell] = np.maximum(found[:, cell], scorer.update(float(self.seen[place])))
        return found

    def accept(self, nodes: Flags) -> None:
        """Accept as the product does, and begin the scorers anew."""
        super().accept(nodes)
        for cell in np.flatnonzero(nodes[: self._cells]).tolist():
            self._scorers[cell], self._scorers[cell + self._cells] = self._make(), self._make()

    def state(self) -> State:
        """Return the product's state, and copies of all scorers."""
        return {"product": super().state(), "scorers": copy.deepcopy(self._scorers)}

    def restore(self, saved: State) -> None:
        """Take copies over."""
        super().restore(saved["product"])
        self._scorers = copy.deepcopy(saved["scorers"])


class RiverOnMix(Tapped):
    """A forest for each region's sector mix; of every cell the evidence is its region's.

    Args:
        sample: for its regions.
    """

    def __init__(self, sample: Sample) -> None:
        super().__init__(sample)
        self._tree, self._nodes = sample.tree, len(sample.tree.nodes)
        self._models = [MixScorer() for _ in sample.tree.regions]

    def step(self, day: date, counts: Integers, amounts: Integers) -> Floats:
        """Return the evidence of cells, 0 of other nodes."""
        super().step(day, counts, amounts)
        found, mixes = np.zeros((2, self._nodes)), self.seen[2 * self._cells :]
        for region, model in enumerate(self._models):
            cells = np.flatnonzero(self._tree.region_of == region)
            if np.isfinite(mixes[cells]).all():
                mix = {self._tree.series[cell][1]: float(mixes[cell]) for cell in cells.tolist()}
                found[:, cells] = model.update(mix)[0]
        return found

    def state(self) -> State:
        """Return the product's state, and copies of all forests."""
        return {"product": super().state(), "models": copy.deepcopy(self._models)}

    def restore(self, saved: State) -> None:
        """Take copies over."""
        super().restore(saved["product"])
        self._models = copy.deepcopy(saved["models"])


RIVER: dict[str, Callable[[Sample], Contestant]] = {
    "River PageHinkley on whitened residuals": partial(RiverOnWhitened, PageHinkleyScorer),
    "River ADWIN on whitened residuals": partial(RiverOnWhitened, AdwinScorer),
    "River KSWIN on whitened residuals": partial(RiverOnWhitened, KswinScorer),
    "River GaussianScorer on whitened residuals": partial(RiverOnWhitened, GaussianScorerScorer),
    "River HalfSpaceTrees on the region's sector mix": RiverOnMix,
}
"""In place of the onsets: what River's own detectors find on the same starts, as rows of the ablation."""
