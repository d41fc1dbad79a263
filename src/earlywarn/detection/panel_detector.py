"""SKELETON: the public face of the detection layer; the body follows."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Protocol

import msgspec

from earlywarn.detection.day_scores import DayScores, Integers
from earlywarn.detection.hierarchy import Node, SeriesKey


class FeatureRow(Protocol):
    """A day's features in a region: see `domain.day_features`."""

    values: Sequence[float]
    inflation: float


class DayFeatures(Protocol):
    """The calendar of a panel: see `domain.day_features`."""

    names: tuple[str, ...]

    def row(self, region: str, day: date) -> FeatureRow:
        """Return the features of a day in a region."""


class DetectorParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the composition (nested structs of each estimator follow)."""

    ready_days: int = 64
    interval_probability: float = 0.95


class PanelDetector:
    """From the closed days of a panel to a score per node and direction."""

    def __init__(self, parameters: DetectorParameters, features: DayFeatures) -> None: ...

    def step(
        self,
        day: date,
        series: Sequence[SeriesKey],
        transactions: Integers,
        amount_minor: Integers,
        *,
        usable: bool = True,
    ) -> DayScores:
        """Score the closed day `day`, then learn it. Days ascend strictly; gaps are days without news."""
        raise NotImplementedError

    def accept(self, nodes: Iterable[Node]) -> None:
        """Take the present level of these nodes as the new normal: level variance jumps, evidence is forgotten."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """Return everything learned as plain values and arrays."""
        raise NotImplementedError

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state of the same parameters and features."""
        raise NotImplementedError
