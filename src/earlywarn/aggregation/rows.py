"""What leaves the second fold: rows of aggregates, column-wise, and the closed days that models learn."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earlywarn.domain.series import CellKey, Resolution, Series

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

WINDOWS = ("1h", "24h", "7d", "28d")
"""Rolling windows; a row of a local day has none of the first two."""
_SECTORS_OF_A_SILENCE = 2


class FeedVolume(NamedTuple):
    """What a feed (a source partition, or a named source) brought to a bucket, in transactions.

    `expected` is its usual volume in such a bucket, 0 while unknown; `owed` what was expected of it in the buckets
    before this one since it last spoke. A `young` feed has too short a past for an expectation.
    """

    name: str
    expected: float
    heard: int
    owed: float
    young: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was to be expected of a bucket has been heard, each as a share of 0..1.

    `partitions`: source partitions that had spoken; `volume`: expected transactions of the feeds that were not
    silent; `silent` names the silent. `quiet` names regions of which next to nothing came though the feeds spoke: that
    lowers no share, see `ClosedDay.silent_regions`. `forgotten` names silent feeds of which nothing is expected from
    the next day on.
    """

    partitions: float = 1.0
    volume: float = 1.0
    silent: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Return the smaller of the two shares."""
        return min(self.partitions, self.volume)


class Loss(NamedTuple):
    """A partition of which nothing more is counted: its log begins at `begins`, and `needed` is before that.

    `event_time_ms` is the newest event that was accepted of it, None if none was.
    """

    partition: int
    needed: int
    begins: int
    event_time_ms: int | None


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
    by the end of the input): it is published, not judged. `feeds` is what its coverage was read from.
    """

    panel: str
    day: date
    cells: tuple[CellKey, ...]
    transactions: Integers
    amount_minor: Integers
    coverage: Coverage
    complete: bool
    feeds: tuple[FeedVolume, ...] = ()

    @property
    def heard(self) -> bool:
        """Return whether anything at all was heard of the day; of one without, no model can say anything."""
        return bool(self.transactions.any() or self.amount_minor.any())

    @property
    def silent_regions(self) -> tuple[str, ...]:
        """Return the quiet regions whose silence is taken for missing data: all of several sectors at once.

        Of a region with one sector it may be what happened to that sector.
        """
        quiet = {name.removeprefix("region ") for name in self.coverage.quiet}
        sectors = Counter(cell.region for cell in self.cells)
        return tuple(sorted(region for region in quiet if sectors[region] >= _SECTORS_OF_A_SILENCE))

    @property
    def heard_cells(self) -> Flags:
        """Return bool[K], cells of which something may be made of the day: those of the regions that are not silent."""
        silent = set(self.silent_regions)
        return np.array([cell.region not in silent for cell in self.cells], dtype=np.bool_)
