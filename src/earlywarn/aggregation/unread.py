"""What of a panel's buckets was not accepted, by cell: it came, and was not understood.

Such transactions were spent all the same. What is read of a cell is the accepted among all that came, and what is
missing of it is no fall. Of a feed they are heard: who sends what cannot be read is not silent. What never can be read
is missing of every day alike: it lowers what is read, and a change can still be judged (`usual_reading`).
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from earlywarn.aggregation.cell_groups import CellGroups, Total
from earlywarn.aggregation.feed_cells import Counts, FeedName, product, shares, spread
from earlywarn.aggregation.feed_counts import add_counts, plain, restored
from earlywarn.aggregation.partial import OTHER_SOURCES
from earlywarn.aggregation.rows import CellShares, Flags, Floats, Integers, ReadShare
from earlywarn.aggregation.usual_reading import SHORT, UsualReading
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import State

_OTHERS = ("source", OTHER_SOURCES)
_CELLS_OF_A_WHOLE = 2
"""Of a total with one cell that is short nothing is known but of that cell."""
NOTHING_LOST: CellShares = ()


class UnreadBuckets:
    """Collects what was not accepted, in transactions, until its base bucket and its day are closed.

    `feeds_limit` named sources of a bucket are told apart, the first by name.
    """

    def __init__(self, feeds_limit: int) -> None:
        self._feeds_limit = feeds_limit
        self._open: dict[int, dict[FeedName, Counts]] = {}
        self._today: dict[FeedName, Counts] = {}

    def add(self, bucket: int, feed: FeedName, cell: int, transactions: int) -> None:
        """Add transactions of a feed to an open base bucket (epoch seconds) of a cell, by its number."""
        feeds = self._open.setdefault(bucket, {})
        add_counts(feeds.setdefault(feed, {}), {cell: transactions})
        if len(feeds) > 2 * self._feeds_limit:
            self._limit(feeds)

    def close_base(self, bucket: int) -> dict[FeedName, Counts]:
        """Return what was not accepted of a bucket, by feed."""
        feeds = self._open.pop(bucket, {})
        self._limit(feeds)
        for feed, counts in feeds.items():
            add_counts(self._today.setdefault(feed, {}), counts)
        self._limit(self._today)
        return feeds

    def close_day(self) -> dict[FeedName, Counts]:
        """Return what was not accepted of the day whose base buckets are closed, by feed."""
        today, self._today = self._today, {}
        return today

    def forget_before(self, bucket: int) -> None:
        """Forget base buckets that are passed over."""
        self._open = {each: feeds for each, feeds in self._open.items() if each >= bucket}

    def _limit(self, feeds: dict[FeedName, Counts]) -> None:
        """Count the last sources by name together: in the end the same are left, in whatever order they came."""
        named = sorted(feed for feed in feeds if feed[0] == "source" and feed != _OTHERS)
        for feed in named[self._feeds_limit :]:
            add_counts(feeds.setdefault(_OTHERS, {}), feeds.pop(feed))

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "open": [[bucket, plain(feeds)] for bucket, feeds in self._open.items()],
            "today": plain(self._today),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._open = {bucket: restored(feeds) for bucket, feeds in saved["open"]}
        self._today = restored(saved["today"])


class ReadCells:
    """What was read of K cells of a bucket.

    Args:
        transactions: int64[K], what was accepted.
        unread: what was not, by the number of a cell.
        usual: how much of each cell can usually be read; None where nothing is to be judged.

    Attributes:
        brought: int64[K], both.
        read: float64[K], the share that was read of each cell.
        shares: the same in steps of a thousandth; empty if all of every cell was.
        judged: likewise what may be judged (`UsualReading.against_usual`).

    Example:
        >>> read = ReadCells(np.array([0, 300, 70]), {0: 1, 1: 100})
        >>> read.shares, read.brought.tolist()
        ((0.0, 0.75, 1.0), [1, 400, 70])
    """

    def __init__(self, transactions: Integers, unread: Counts, usual: UsualReading | None = None) -> None:
        self.brought = transactions
        self._lost = np.zeros(len(transactions), np.int64)
        self.read = np.ones(len(transactions))
        self.shares = self.judged = self._of_usual = NOTHING_LOST
        if unread:
            lost = spread(unread, len(transactions))
            self._lost = lost.astype(np.int64)
            self.brought = transactions + self._lost
            all_of_it = np.maximum(transactions, 0) + lost
            self.read = 1.0 - np.divide(lost, all_of_it, out=np.zeros(len(lost)), where=all_of_it > 0)
            self.shares = _of_whole(self.read)
            if usual is not None:
                against = usual.against_usual(self.read, self.brought)
                self._of_usual, self.judged = map(_of_whole, against)

    @property
    def weights(self) -> Integers | None:
        """Return int64[K], what cells weigh of which nothing is known to be usual; None if all of every cell was read.

        What never can be read is not known to be usual, and is missing all the same.
        """
        return np.maximum(self.brought, 0) if self.shares else None

    def unread_regions(self, cells: Sequence[CellKey], born: Flags, usual: Floats) -> frozenset[str]:
        """Return the regions of which nothing was read in any cell that brings something, and something came in each.

        They speak, however little it is that they say.
        """
        if not self.shares:
            return frozenset()
        matters = born & ((usual > 0) if usual.any() else True)
        read: set[str] = set()
        unread: set[str] = set()
        for cell, share, counts in zip(cells, self.shares, matters.tolist(), strict=True):
            if counts:
                (unread if share <= 0 else read).add(cell.region)
        return frozenset(unread - read)

    def told(
        self, cells: Sequence[CellKey], born: Flags, usual: Floats, sizeable_transactions: int, groups: CellGroups
    ) -> tuple[ReadShare, ...]:
        """Return the panel, regions, sectors and cells of which so many transactions or more were left unread.

        A cell weighs what is usual of it, or what came where that is not known. A row that stands for a cell may not
        even say how many transactions it stands for.
        """
        if not self.shares:
            return ()
        shares = [_all_of(each, len(self.brought)) for each in (self.shares, self._of_usual, self.judged)]
        weights = np.where(born, np.where(usual > 0, usual, np.maximum(self.brought, 0)), 0.0)
        missing = np.maximum(self._lost, np.rint(weights * (1 - shares[0])).astype(np.int64)) * born
        halves = np.rint(2 * weights).astype(np.int64)  # what is usual is a median of four
        sizes = groups.sums(cells, halves)
        lost = [groups.sums(cells, halves * np.rint(1000 * (1 - each)).astype(np.int64)) for each in shares]
        counted, short = (groups.sums(cells, each.astype(np.int64)) for each in (weights > 0, shares[0] < SHORT))
        whole = max(sizes[None, None], 1)
        found: dict[Total, ReadShare] = {}
        for at in np.flatnonzero((missing >= sizeable_transactions) & (shares[0] < 1)).tolist():
            read, of_usual, judged = (float(each[at]) for each in shares)
            of_panel = round(int(halves[at]) * (1 - read) / whole, 6)
            found[cells[at].region, cells[at].sector] = ReadShare(*cells[at], read, of_usual, judged, of_panel)
        for total, number in groups.sums(cells, missing).items():
            if lost[0][total] and number >= sizeable_transactions:
                read, of_usual, judged = (round(1 - each[total] / 1000 / sizes[total], 6) for each in lost)
                of_panel = round(lost[0][total] / 1000 / whole, 6)
                is_throughout = short[total] >= max(_CELLS_OF_A_WHOLE, counted[total] / 2)
                found[total] = ReadShare(*total, read, of_usual, judged, of_panel, is_throughout)
        return tuple(found[place] for place in sorted(found, key=_order))


def both(one: CellShares, other: CellShares) -> CellShares:
    """Return the shares of cells of which a share was delivered, and of that a share was read.

    >>> both((0.5, 1.0, 0.9), (0.5, 0.25, 0.9)), both((), (0.5,))
    ((0.25, 0.25, 0.81), (0.5,))
    """
    if not one or not other:
        return one or other
    size = max(len(one), len(other))
    pairs = zip(one + (1.0,) * (size - len(one)), other + (1.0,) * (size - len(other)), strict=True)
    return tuple(product(*pair) for pair in pairs)


def _of_whole(read: Floats) -> CellShares:
    """Return shares in steps of a thousandth; empty if all of every cell was read."""
    found = shares(1.0 - read, np.ones(len(read)))
    return found if min(found, default=1.0) < 1 else NOTHING_LOST


def _all_of(read: CellShares, cells: int) -> Floats:
    return np.array(read) if read else np.ones(cells)


def of_feeds(unread: Mapping[FeedName, Counts]) -> Counts:
    """Return what several feeds brought of each cell."""
    found: Counts = {}
    for counts in unread.values():
        add_counts(found, counts)
    return found


def totals_of(unread: Mapping[FeedName, Counts]) -> dict[FeedName, int]:
    """Return what each feed brought of all cells together."""
    return {feed: sum(counts.values()) for feed, counts in unread.items()}


def _order(place: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(each or "" for each in place)
