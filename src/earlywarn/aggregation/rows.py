"""What leaves the second fold: rows of aggregates, column-wise, and the closed days that models learn."""

from collections.abc import Sequence
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
class Gap:
    """Regions of which nothing came of any of several sectors, and what that leaves of the totals above them.

    `regions` are their codes. `panel` is the share of the panel's usual volume that lies in other regions, `sectors`
    the same of each sector of which it is below 1.
    """

    regions: tuple[str, ...] = ()
    panel: float = 1.0
    sectors: tuple[tuple[str, float], ...] = ()

    def heard(self, series: Sequence[Series]) -> Floats:
        """Return float64[n], the share of the usual volume of each series that does not lie in the silent regions."""
        if not self.regions:
            return np.ones(len(series))
        of_sector: dict[str | None, float] = {None: self.panel, **dict(self.sectors)}
        return np.array(
            [
                of_sector.get(each.sector, 1.0) if each.region is None else float(each.region not in self.regions)
                for each in series
            ]
        )


NO_GAP = Gap()
"""No region is silent."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was to be expected of a bucket has been heard, each as a share of 0..1.

    `partitions`: source partitions that had spoken; `volume`: expected transactions of the feeds that were not
    silent; `silent` names the silent. `quiet` names regions of which next to nothing came though the feeds spoke, `gap`
    those of them whose silence is taken for missing data. `forgotten` names silent feeds of which nothing is expected
    from the next day on.
    """

    partitions: float = 1.0
    volume: float = 1.0
    silent: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    gap: Gap = NO_GAP

    @property
    def delivered(self) -> float:
        """Return the share that feeds delivered: with too little of it nothing of the panel can be judged."""
        return min(self.partitions, self.volume)

    @property
    def share(self) -> float:
        """Return the share of the whole panel that was heard, silent regions included."""
        return min(self.delivered, self.gap.panel)


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

    @property
    def volume_heard(self) -> Floats:
        """Return float64[n], the share of the expected volume of each series that was heard.

        The smaller of that of the panel's feeds and of that of the series' own regions: where both are silent, the one
        is taken for the other's reason.
        """
        heard: Floats = np.minimum(self.coverage.volume, self.coverage.gap.heard(self.series))
        return heard

    @property
    def heard(self) -> Floats:
        """Return float64[n], the coverage of each series: as `volume_heard`, partitions that did not speak included."""
        heard: Floats = np.minimum(self.coverage.partitions, self.volume_heard)
        return heard


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
    def heard_cells(self) -> Flags:
        """Return bool[K], cells of which something may be made of the day: those of the regions that are not silent."""
        silent = set(self.coverage.gap.regions)
        return np.array([cell.region not in silent for cell in self.cells], dtype=np.bool_)
