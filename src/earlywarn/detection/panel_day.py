"""A closed day as the regressions see it: the calendar's features of every log series, and the values.

Example:
    >>> class Flat:
    ...     names = ("const", "d0")
    ...     def row(self, region, day):
    ...         return type("Row", (), {"values": (1.0, float(day.weekday() == 0)), "inflation": 1.0, "holiday": False})
    >>> tree = NodeTree([("CH01", "05"), ("CH02", "05")])
    >>> seen = panel_day(date(2024, 1, 1), tree, Flat(), np.array([10.0, 20.0, 500.0, 900.0]))
    >>> seen.design.shape, seen.weekday
    ((4, 2), 0)
"""

from collections.abc import Sequence
from datetime import date
from typing import Protocol

import msgspec
import numpy as np

from earlywarn.detection.day_scores import Flags, Floats
from earlywarn.detection.hierarchy import NodeTree


class FeatureRow(Protocol):
    """A day's features in a region: see `domain.day_features`."""

    @property
    def values(self) -> Sequence[float] | Floats:
        """Return the P values, in the order of `DayFeatures.names`."""

    @property
    def inflation(self) -> float:
        """Return the factor on the variance of such a day, 1 on usual ones."""

    @property
    def holiday(self) -> bool:
        """Return whether the region keeps a public holiday."""


class DayFeatures(Protocol):
    """The calendar of a panel: see `domain.day_features`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the P feature names, "const" among them."""

    def row(self, region: str, day: date) -> FeatureRow:
        """Return the features of a day in a region."""


class PanelDay(msgspec.Struct, frozen=True):
    """A day of K cells as M = 2K log series, counts before amounts.

    Attributes:
        day: local day; weekday: 0 = Monday.
        design: float64[M, P], features.
        inflation: float64[M], variance factors.
        observed: float64[M], counts and amounts (minor units); NaN where nothing was heard.
        holiday: float64[K], 1 for cells of a region that keeps a public holiday, else 0.
    """

    day: date
    weekday: int
    design: Floats
    inflation: Floats
    observed: Floats
    holiday: Floats

    @property
    def heard(self) -> Flags:
        """Return bool[K], cells of which the day was heard."""
        heard: Flags = np.isfinite(self.observed[: len(self.observed) // 2])
        return heard


def panel_day(day: date, tree: NodeTree, features: DayFeatures, observed: Floats) -> PanelDay:
    """Return the day of the cells of `tree`, whose counts and amounts are `observed` [2K]."""
    rows = [features.row(region, day) for region in tree.regions]
    values = np.array([row.values for row in rows], dtype=np.float64).reshape(len(rows), len(features.names))
    inflation = np.array([row.inflation for row in rows], dtype=np.float64)
    return PanelDay(
        day=day,
        weekday=day.weekday(),
        design=np.tile(values[tree.region_of], (2, 1)),
        inflation=np.tile(inflation[tree.region_of], 2),
        observed=observed,
        holiday=np.array([row.holiday for row in rows], dtype=np.float64)[tree.region_of],
    )
