"""What leaves the second fold: rows of aggregates, column-wise, and the closed days that models learn."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from earlywarn.domain.series import CellKey, Resolution, Series

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WINDOWS = ("1h", "24h", "7d", "28d")
"""Rolling windows; a row of a local day has none of the first two."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was to be expected of a bucket has been heard, each as a share of 0..1.

    `partitions`: source partitions that had spoken; `volume`: expected transactions of the feeds
    (named sources, else partitions; regions; sectors) that were not silent; `silent` names the silent.
    """

    partitions: float = 1.0
    volume: float = 1.0
    silent: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Return the smaller of the two shares."""
        return min(self.partitions, self.volume)


@dataclass(frozen=True, slots=True)
class AggregateRows:
    """One vintage of one bucket for n series of a panel.

    `start_seconds` is the bucket's start (epoch), `start` the same as RFC 3339 in local time. Arrays
    have length n; `transactions` and `amount_minor` are exact. A window maps to its sums (n x 2:
    transactions, amount) or is absent while the panel is younger than the window. `year_on_year`
    (n x 2) is the change of the 7-day sum against the one 364 days before, as a share, NaN if unknown.
    """

    panel: str
    bucket: Resolution
    start_seconds: int
    start: str
    series: tuple[Series, ...]
    vintage: Integers
    transactions: Integers
    amount_minor: Integers
    windows: dict[str, Integers]
    year_on_year: Floats
    coverage: Coverage


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """Vintage 0 of a local day of a panel, as models see it: K cells in canonical order.

    `complete` is False for a day that the panel has seen only in part (its first, or one cut short
    by the end of the input): it is published, not judged.
    """

    panel: str
    day: date
    cells: tuple[CellKey, ...]
    transactions: Integers
    amount_minor: Integers
    coverage: Coverage
    complete: bool
