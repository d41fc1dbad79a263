"""A cell by itself: the product's calendar regression of each node's own sums, and a CUSUM of its innovations.

Of the mean u of the standardised innovations of count and amount, over the root of its own exponentially weighted mean
square,

    S' = max(0, S + |direction| u - k),      evidence = S,

for falls and rises. Nothing is known of other series: what the peers say is what this contestant lacks.

Reference: Page (1954), Biometrika 41.
"""

from datetime import date

import numpy as np

from earlywarn.detection.regression_bank import RegressionBank
from earlywarn.detection.regression_parameters import RegressionParameters
from track_record.contestants.contestant import State, Totals
from track_record.sample import Flags, Floats, Integers, Sample

ALLOWANCE = 0.5
"""k: half of the shift that is looked for (standard deviations)."""
CLIP = 4.0
SCALE_RATE = 0.02
EVIDENCE_AFTER_DAYS = 64
LEVEL_VARIANCE = 0.25**2
"""Added to a level that is accepted (squared log units)."""


class OwnCusum:
    """A regression and a CUSUM for each node.

    Args:
        sample: what it will see.
    """

    def __init__(self, sample: Sample) -> None:
        self._nodes = len(sample.tree.nodes)
        self._totals = Totals(sample)
        self._regression = RegressionBank(sample.features.names, RegressionParameters(), size=2 * self._nodes)
        self._scale, self._cusum = np.ones(self._nodes), np.zeros((2, self._nodes))

    def step(self, day: date, counts: Integers, amounts: Integers) -> Floats:
        """Return the sums of both directions."""
        features, inflation = self._totals.calendar(day)
        with np.errstate(divide="ignore"):
            values = np.log(np.concatenate([self._totals.sums(counts), self._totals.sums(amounts)]))
        found = self._regression.learn(values, np.tile(features, (2, 1)), np.tile(inflation, 2), day.weekday())
        self._regression.drift_days(1)
        z = np.clip(found.z, -CLIP, CLIP).reshape(2, self._nodes).mean(axis=0)
        is_due = self._regression.learned[: self._nodes] > EVIDENCE_AFTER_DAYS
        u = np.where(is_due, z / np.sqrt(self._scale), 0.0)
        self._scale = np.where(is_due, (1 - SCALE_RATE) * self._scale + SCALE_RATE * z**2, self._scale)
        self._cusum = np.maximum(self._cusum + np.stack([-u, u]) - ALLOWANCE, 0.0)
        return self._cusum.copy()

    def accept(self, nodes: Flags) -> None:
        """Let the level re-learn, and begin the sums anew."""
        self._regression.widen_level(np.tile(nodes, 2), LEVEL_VARIANCE)
        self._cusum[:, nodes] = 0.0

    def state(self) -> State:
        """Return what was learned."""
        return {"regression": self._regression.state(), "scale": self._scale.copy(), "cusum": self._cusum.copy()}

    def restore(self, saved: State) -> None:
        """Take it over."""
        self._regression.restore(saved["regression"])
        self._scale, self._cusum = saved["scale"].copy(), saved["cusum"].copy()
