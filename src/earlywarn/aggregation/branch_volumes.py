"""What each feed of a panel brings to each region on one day, beside what is usual."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from earlywarn.aggregation.feed_cells import Counts, FeedCells, FeedName, spread
from earlywarn.aggregation.rows import FeedVolume, Flags, Floats


class BranchVolumes:
    """A day of K cells in R regions.

    Sums over cells are of whole numbers, and only then taken to what is expected: they are the same in any order of the
    cells.

    Args:
        regions: K codes, of the cells by their number.
        readings: what is expected of each feed, and came.
        delivered: what each feed brought of which cell.
        cells: what each feed usually brings of which cell.
        usual_days: what is expected of each feed on a day on which it delivers, whatever the weekday.

    Attributes:
        codes: R regions, in order.
    """

    def __init__(
        self,
        regions: Sequence[str],
        readings: Mapping[FeedName, FeedVolume],
        delivered: Mapping[FeedName, Counts],
        cells: FeedCells,
        usual_days: Mapping[FeedName, float],
    ) -> None:
        codes, self._places = np.unique(np.array(regions, dtype=np.str_), return_inverse=True)
        self.codes: list[str] = codes.tolist()
        self._readings = readings
        self._heard = {name: spread(counts, len(regions)) for name, counts in delivered.items()}
        self._past = {name: cells.past(name, len(regions)) for name in readings}
        self._usual_days = usual_days

    @property
    def cells(self) -> int:
        """Return K."""
        return len(self._places)

    @property
    def everybody(self) -> list[FeedName]:
        """Return the feeds that brought something."""
        return list(self._heard)

    @property
    def sources(self) -> list[FeedName]:
        """Return the named sources among them, in order."""
        return [name for name in sorted(self._heard) if name[0] == "source"]

    @property
    def expecting(self) -> list[FeedName]:
        """Return the feeds of which something is expected."""
        return [name for name, each in self._readings.items() if each.expected > 0]

    def cells_of(self, region: str) -> Flags:
        """Return bool[K], the cells of a region."""
        inside: Flags = self._places == self.codes.index(region)
        return inside

    def regions_of(self, name: FeedName) -> list[str]:
        """Return the regions to which a feed usually brings something."""
        past = self._past.get(name)
        return [] if past is None else [self.codes[at] for at in sorted(set(self._places[past > 0].tolist()))]

    def delivers(self, name: FeedName) -> Flags:
        """Return bool[K], the cells to which a feed usually brings something."""
        found: Flags = self._past[name] > 0
        return found

    def heard_by_region(self, name: FeedName) -> Floats:
        """Return float64[R], what a feed brought to each region."""
        return self._by_region(self._heard[name])

    def expected_by_region(self, name: FeedName) -> Floats:
        """Return float64[R], what is expected of a feed in each region; nothing of one that is not known."""
        past = self._past.get(name)
        return np.zeros(len(self.codes)) if past is None else self._scale(name) * self._by_region(past)

    def heard(self, names: Iterable[FeedName], inside: Flags) -> float:
        """Return what some feeds brought to some cells [K]."""
        return float(sum(self._heard[name][inside].sum() for name in names if name in self._heard))

    def expected(self, names: Iterable[FeedName], inside: Flags) -> float:
        """Return what is expected of some feeds in some cells [K]."""
        return float(sum(self._scale(name) * self._past[name][inside].sum() for name in names))

    def heard_of_cells(self, names: Iterable[FeedName]) -> Floats:
        """Return float64[K], what some feeds brought to each cell."""
        return sum((self._heard[name] for name in names if name in self._heard), start=np.zeros(self.cells))

    def expected_of_cells(self, names: Iterable[FeedName]) -> Floats:
        """Return float64[K], what is expected of some feeds in each cell."""
        return sum((self._scale(name) * self._past[name] for name in names), start=np.zeros(self.cells))

    def usual_of_cells(self, names: Iterable[FeedName]) -> Floats:
        """Return float64[K], what some feeds brought to each cell lately, as on such a weekday (one unit)."""
        weekday = {name: self._readings[name].expected / (self._usual_days.get(name) or 1.0) for name in names}
        return sum((share * self._past[name] for name, share in weekday.items()), start=np.zeros(self.cells))

    def _by_region(self, of_cells: Floats) -> Floats:
        sums: Floats = np.bincount(self._places, weights=of_cells, minlength=len(self.codes)).astype(np.float64)
        return sums

    def _scale(self, name: FeedName) -> float:
        """Return what is expected of a feed for each unit of its past."""
        whole = float(self._past[name].sum())
        return self._readings[name].expected / whole if whole > 0 else 0.0
