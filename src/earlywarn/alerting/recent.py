"""What the last weeks were against what was expected: the size of a step, without the models' clipping.

The evidence for a step is built from innovations that are clipped, so that one wild day cannot raise an
alarm; its own estimate of the step is therefore too small for large shocks. The size told to people is
the mean log deviation since the onset, corrected for what the baseline has absorbed meanwhile:

    step = mean_j log(observed_j / expected_j) / (1 - a),   a = absorbed today x (n - 1) / 2n,

where n is the number of days since the onset: absorption grows from nothing about linearly.
"""

from collections import deque

import numpy as np

from earlywarn.alerting.grouping import Floats
from earlywarn.detection.day_scores import MEASURES, DayScores, Deviation
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.state import State

DAYS_KEPT = 28
_LEAST_LEFT = 0.3  # of the step in the deviations: what is absorbed beyond says little


class RecentDeviations:
    """The daily log deviations of every node and measure over the last days, NaN where there is none."""

    def __init__(self) -> None:
        self._nodes: tuple[Node, ...] = ()
        self._days: deque[Floats] = deque(maxlen=DAYS_KEPT)

    def learn(self, scores: DayScores) -> None:
        """Take in a day; nodes that are new have no past."""
        if scores.nodes != self._nodes:
            place = {node: at for at, node in enumerate(scores.nodes)}
            old = [place[node] for node in self._nodes]
            for at, values in enumerate(self._days):
                wide = np.full((len(MEASURES), len(scores.nodes)), np.nan)
                wide[:, old] = values
                self._days[at] = wide
            self._nodes = scores.nodes
        self._days.append(np.stack([_log_change(getattr(scores, measure)) for measure in MEASURES]))

    def step(self, node: int, measure: int, days: int, absorbed: float) -> float | None:
        """Return the log step of a node over its last `days` days, None if nothing was observed."""
        recent = [values[measure, node] for values in list(self._days)[-days:]]
        known = [float(value) for value in recent if np.isfinite(value)]
        if not known:
            return None
        share = (absorbed if np.isfinite(absorbed) else 0.0) * (len(known) - 1) / (2 * len(known))
        return float(np.mean(known)) / max(1 - share, _LEAST_LEFT)

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "nodes": [[node.level, node.region, node.sector] for node in self._nodes],
            "days": np.stack(list(self._days)) if self._days else np.zeros((0, len(MEASURES), 0)),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._nodes = tuple(Node(*node) for node in saved["nodes"])
        self._days = deque(saved["days"], maxlen=DAYS_KEPT)


def _log_change(deviation: Deviation) -> Floats:
    known = (deviation.observed > 0) & (deviation.expected > 0)
    change = np.full(len(known), np.nan)
    change[known] = np.log(deviation.observed[known] / deviation.expected[known])
    return change
