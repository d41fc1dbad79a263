"""The product's own loop for one panel, ready to be stopped and resumed: detector, desk, and the desk's acceptance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.desk import AlertDesk
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.application.backtest.plan import BacktestPlan
from earlywarn.application.compose import Run
from earlywarn.application.scoring import scored
from earlywarn.detection import MODEL_VERSION
from earlywarn.detection.hierarchy import Node
from earlywarn.detection.mix_parameters import MixParameters
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.domain.alert import Alert
from earlywarn.domain.state import State

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

_Number = TypeVar("_Number", np.float64, np.bool_)

DOWN, UP = 0, 1
"""Places of the directions in the second last axis of evidence and alarms."""


class Judged(msgspec.Struct, frozen=True):
    """One day's judgement: the G nodes and their evidence, float64[2, G] (down, up), 0 where no node is ready.

    `ready` is bool[G]: the day counts for the node. `opened` is the number of economic alerts without a
    parent that the desk opened; `named` is bool[2, G]: it opened an economic alert of this very node.
    """

    nodes: tuple[Node, ...]
    evidence: Floats
    ready: Flags
    opened: int
    named: Flags


class Judge:
    """Detector and desk of one panel at one alarm threshold: a fold `state, closed day -> evidence`.

    Args:
        detector: makes the panel's detector.
        desk: makes the panel's desk for a threshold (nats); its rule of acceptance is part of the loop.
        threshold: evidence at which a node alarms.
    """

    def __init__(
        self, detector: Callable[[], PanelDetector], desk: Callable[[float], AlertDesk], threshold: float
    ) -> None:
        self.threshold = threshold
        self._detector = detector()
        self._desk = desk(threshold)

    def step(self, closed: ClosedDay) -> Judged:
        """Judge and learn one closed day, as a run would."""
        scores = scored(closed, self._detector, self._desk)
        alerts = self._desk.step(scores, closed, self._detector)
        ready = scores.ready & scores.usable
        return Judged(
            nodes=scores.nodes,
            evidence=np.where(ready, np.stack([scores.down.score, scores.up.score]), 0.0),
            ready=ready,
            opened=sum(_opens(alert) and alert.parent is None for alert in alerts),
            named=_named(scores.nodes, [alert for alert in alerts if _opens(alert)]),
        )

    def state(self) -> State:
        """Return the state before the next day; later steps leave it alone."""
        return {"detector": self._detector.state(), "desk": self._desk.state()}

    def restore(self, saved: State) -> None:
        """Take over a state, which may be restored any number of times."""
        self._detector.restore(saved["detector"])
        self._desk.restore(saved["desk"])


def judge_of(run: Run, panel: str) -> Callable[[float], Judge]:
    """Return the maker of judges of a panel of a run, by alarm threshold.

    Raises:
        KeyError: the run has no such panel.
    """
    equipped = {each.panel.id: each for each in run.panels}[panel]
    # The sector mix explains alerts and decides none; its trees would take most of the time of a restore.
    parameters = msgspec.structs.replace(run.settings.detection, mix=MixParameters(trees=1, height=1))
    letterhead = Letterhead(
        run=run.settings.run, exercise=True, model_version=MODEL_VERSION, config_hash=run.fingerprint
    )

    def detector() -> PanelDetector:
        return PanelDetector(parameters, equipped.features, equipped.events)

    def desk(threshold: float) -> AlertDesk:
        alerts = msgspec.structs.replace(run.settings.alerts, alarm_evidence=threshold)
        return AlertDesk(panel, alerts, letterhead, run.names, equipped.events)

    return lambda threshold: Judge(detector, desk, threshold)


def alarms(evidence: Floats, threshold: float) -> Flags:
    """Return where the desk's rule alarms: above the threshold, and not below the other direction.

    Args:
        evidence: float64[..., 2, G], down and up.
        threshold: the same unit (nats).
    """
    return (evidence > threshold) & (evidence >= evidence[..., ::-1, :])


def embed(values: npt.NDArray[_Number], nodes: Sequence[Node], index: dict[Node, int]) -> npt.NDArray[_Number]:
    """Return the last axis of `values` (over `nodes`) laid out by `index`; nodes absent from either are zero."""
    laid_out = np.zeros((*values.shape[:-1], len(index)), dtype=values.dtype)
    known = [place for place, node in enumerate(nodes) if node in index]
    laid_out[..., [index[nodes[place]] for place in known]] = values[..., known]
    return laid_out


@dataclass(frozen=True, slots=True)
class Replay:
    """What all trials of a panel share: the maker of judges by threshold, T closed days in order, and the plan.

    `coverage` is what decides whether a shocked day was still heard.
    """

    judge_at: Callable[[float], Judge]
    days: Sequence[ClosedDay]
    plan: BacktestPlan
    coverage: CoverageParameters

    @property
    def middle(self) -> int:
        """Return the place of the first day of the second half of what follows the warm-up."""
        return (self.plan.warm_up_days + len(self.days)) // 2


def _opens(alert: Alert) -> bool:
    return alert.kind == "economic" and alert.status == "open"


def _named(nodes: Sequence[Node], alerts: Sequence[Alert]) -> Flags:
    about = [
        {(alert.region, alert.sector) for alert in alerts if alert.direction == direction}
        for direction in ("down", "up")
    ]
    return np.array([[(node.region, node.sector) in told for node in nodes] for told in about], dtype=bool)
