"""What leaves the second fold: rows of aggregates, column-wise, and the closed days that models learn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earlywarn.domain.series import CellKey, Resolution, Series

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

CellShares = tuple[float, ...]
"""Of each cell of a panel, by its number, a share of 0..1; of those beyond the end it is 1."""

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


class Branch(NamedTuple):
    """What a feed brings to one region: its name as in `FeedVolume`, and the region's code."""

    feed: str
    region: str


class Behind(NamedTuple):
    """A source, as in `FeedVolume`, from when to when it was behind the others, and the share that it lacked then."""

    feed: str
    since: date
    last: date
    share: float

    def plain(self) -> list[str | float]:
        """Return it as plain values."""
        return [self.feed, self.since.isoformat(), self.last.isoformat(), self.share]

    @classmethod
    def restored(cls, feed: str, since: str, last: str, share: float) -> "Behind":
        """Return what `plain` returned."""
        return cls(feed, date.fromisoformat(since), date.fromisoformat(last), share)


class ReadShare(NamedTuple):
    """Of what came of a total or a cell the share that could be read; both None is the panel.

    `of_usual` is that share of what can usually be read, `judged` the same but where that is too little for anything to
    be made of it: there it is `share`. `of_panel` is what could not be read as a share of all that came of the panel.
    Of a total `is_throughout` says that too little could be read in half of its cells, and two at least.
    """

    region: str | None
    sector: str | None
    share: float
    of_usual: float
    judged: float
    of_panel: float
    is_throughout: bool = False


TotalShares = tuple[tuple[str | None, str | None, float], ...]
"""Totals by region and sector (None: all of them; both: the panel), each with a share of 0..1; of others it is 1."""

_LEAST_OF_A_PANEL = 0.5
"""With less of it delivered nothing is judged: what the other half does says nothing of the whole."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What of a panel was not heard: silent regions, what silent feeds deliver, and what came and could not be read.

    Attributes:
        regions: codes of the regions of which nothing came in any of several sectors.
        totals: region, sector (both None: the panel) and the share of the usual volume that was heard of every total of
            which it is below 1.
        judged: the same of what may be judged (of what came, what can usually be read: `usual_reading`); None if that
            is no other.
        most: the share that may be judged of the cell of which most may.
        unread: totals and cells of which something sizeable could not be read.
        sectorless: some of that came without a sector that is known, and is taken for what cells lack.
    """

    regions: tuple[str, ...] = ()
    totals: TotalShares = ()
    judged: TotalShares | None = None
    most: float = 1.0
    unread: tuple[ReadShare, ...] = ()
    sectorless: bool = False

    @property
    def read(self) -> float:
        """Return the share of what came of the panel that could be read."""
        return next((each.share for each in self.unread if each.region is each.sector is None), 1.0)

    @property
    def read_to_judge(self) -> float:
        """Return the share of what came of the panel that may be judged."""
        return next((each.judged for each in self.unread if each.region is each.sector is None), 1.0)

    @property
    def panel(self) -> float:
        """Return the share of the panel's usual volume that was heard."""
        return _of_panel(self.totals)

    @property
    def panel_to_judge(self) -> float:
        """Return the share of the panel's usual volume that may be judged."""
        return _of_panel(self._to_judge)

    @property
    def _to_judge(self) -> TotalShares:
        return self.totals if self.judged is None else self.judged

    def in_part(self, least_share: float) -> TotalShares:
        """Return the totals of which less than so much may be judged, but for the silent regions."""
        return tuple(total for total in self._to_judge if total[2] < least_share and total[0] not in self.regions)

    def heard(self, totals: Sequence[Series]) -> Floats:
        """Return float64[n], the share that was heard of totals."""
        shares = {(region, sector): share for region, sector, share in self.totals}
        return np.array([shares.get((each.region, each.sector), 1.0) for each in totals], dtype=np.float64)


def _of_panel(totals: TotalShares) -> float:
    return next((share for region, sector, share in totals if region is sector is None), 1.0)


def of_cells(shares: CellShares, numbers: Iterable[int]) -> Floats:
    """Return float64[n], the shares of cells, by their numbers.

    >>> of_cells((0.0, 0.5), [1, 2]).tolist()
    [0.5, 1.0]
    """
    return np.array([shares[at] if at < len(shares) else 1.0 for at in numbers], dtype=np.float64)


NO_GAP = Gap()
"""All of every cell was heard."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was to be expected of a bucket has been heard, each as a share of 0..1.

    `partitions`: source partitions that had spoken; `volume`: expected transactions of the feeds that were not
    silent; `silent` names the silent. `quiet` names regions of which next to nothing came though the feeds spoke. `gap`
    says what silent feeds, those of the quiet regions whose silence is taken for missing data, and records that could
    not be read leave of each series. `forgotten` names silent feeds of which nothing is expected from the next day on.
    Of feeds that speak, `branches` says in which regions they are silent all the same, `branches_forgotten` in which
    nothing is expected of them any more, and `new` to which they bring what they had not, which changes the level of
    cells there. `rests` says that somebody has been silent, of whom nothing is expected today. `behind` names sources
    that bring much less than usual where the others go on.
    """

    partitions: float = 1.0
    volume: float = 1.0
    silent: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    gap: Gap = NO_GAP
    branches: tuple[Branch, ...] = ()
    branches_forgotten: tuple[Branch, ...] = ()
    new: tuple[Branch, ...] = ()
    rests: bool = False
    behind: tuple[Behind, ...] = ()

    @property
    def begins_anew(self) -> bool:
        """Return whether what comes from the next day on lacks what silent feeds had brought."""
        return bool(self.forgotten or self.branches_forgotten)

    @property
    def delivered(self) -> float:
        """Return the share that feeds delivered."""
        return min(self.partitions, self.volume)

    def mutes(self, least_share: float) -> bool:
        """Return whether nothing of the panel can be judged: too little was delivered or read, and that of every cell.

        Less than a part may do where it is known of which cells something is missing: these are missing then, and no
        others. `least_share` is that of the expected volume that must be heard of what is judged.
        """
        if min(self.delivered, self.gap.read_to_judge) >= least_share:
            return False
        is_located = self.partitions >= least_share and self.gap.panel_to_judge < 1
        heard = self.volume * self.gap.read_to_judge
        return not is_located or heard < _LEAST_OF_A_PANEL or self.gap.most < least_share

    @property
    def share(self) -> float:
        """Return the share of the whole panel that was heard, silent regions taken off."""
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
    `volume_heard` (n) is the share of the usual volume of each series that was heard.
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
    volume_heard: Floats

    @property
    def heard(self) -> Floats:
        """Return float64[n], the coverage of each series: as `volume_heard`, partitions that did not speak included."""
        heard: Floats = np.minimum(self.coverage.partitions, self.volume_heard)
        return heard


@dataclass(frozen=True, slots=True)
class ClosedDay:
    """Vintage 0 of a local day of a panel, as models see it: K cells in canonical order.

    `complete` is False for a day that the panel has seen only in part (its first, or one cut short
    by the end of the input): it is published, not judged. `feeds` is what its coverage was read from, `cells_heard`
    (K) the share of the usual volume of each cell that may be judged, `cells_new` (K) whether a source that is new
    brings so much to a cell, or another share of it can be read, that its level is another one from then on.
    `cells_read` (K) is the share of each cell that could be read and may be judged; empty if all of every cell was.
    """

    panel: str
    day: date
    cells: tuple[CellKey, ...]
    transactions: Integers
    amount_minor: Integers
    coverage: Coverage
    complete: bool
    cells_heard: Floats
    cells_new: Flags
    feeds: tuple[FeedVolume, ...] = ()
    cells_read: CellShares = ()

    @property
    def heard(self) -> bool:
        """Return whether anything at all was heard of the day; of one without, no model can say anything."""
        return bool(self.transactions.any() or self.amount_minor.any())

    def heard_in_part(self, least_share: float) -> Flags:
        """Return bool[K], cells of which too much is unheard, in regions that are not silent as a whole."""
        silent = self.coverage.gap.regions
        speaks = np.array([cell.region not in silent for cell in self.cells], dtype=np.bool_)
        return speaks & ~self.heard_cells(least_share)

    def heard_cells(self, least_share: float) -> Flags:
        """Return bool[K], cells of which so much was heard that something may be made of the day."""
        enough: Flags = (self.cells_heard > 0) & (self.cells_heard >= least_share)
        return enough
