"""Which cells each feed of a panel delivers, and what a silent feed leaves unheard of each.

A feed is expected as a whole (see `feed`); how that spreads over cells goes by what it brought on the days on which it
spoke, recent ones counting most. So an acquirer of one region is missed there and nowhere else, however little of the
panel that is.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np

from earlywarn.aggregation.rows import CellShares, FeedVolume, Flags, Floats
from earlywarn.domain.state import State

FeedName = tuple[str, str]
"""Kind (partition, source) and name."""
Counts = dict[int, int]
"""Transactions by the number of a cell."""

_MEMORY_DAYS = 10
"""A day on which a feed spoke takes a tenth off the past, so that no weekday decides alone."""
_UNIT = 1000.0
"""The past is in whole thousandths of transactions: sums of whole numbers are the same in any order of the cells."""
STAND_IN_SHARE = 0.5
"""If so much of what a silent feed would bring comes in another way, it is taken over: what is less is news."""
_WHOLE_SHARE = 0.8
"""Of feeds that are known so much of it is asked: more than on most days chance alone could bring."""
_SHARES = tuple(at / 1000 for at in range(1001))  # shared: a panel keeps a share for each cell and bucket of an outage


class FeedCells:
    """What each feed brought to each cell, the past weighted. Cells are numbered, and only ever become more.

    Example: of two feeds that bring as much as each other, one delivers cell 1 alone, and is silent.
        >>> cells, a, b = FeedCells(), ("source", "a"), ("source", "b")
        >>> cells.learn(a, {0: 80, 1: 20})
        >>> cells.learn(b, {1: 100})
        >>> volumes = {a: FeedVolume("a", 100.0, 97, 0.0, False), b: FeedVolume("b", 100.0, 0, 0.0, False)}
        >>> usual = cells.usual({a: 100.0, b: 100.0})
        >>> missing = cells.usual({b: 100.0})
        >>> shares(cells.lost(volumes, missing, {a: {0: 78, 1: 19}}), usual)
        (1.0, 0.167)

    If the other one has taken over what it brought, nothing is lost.
        >>> shares(cells.lost(volumes, missing, {a: {0: 78, 1: 115}}), usual)
        ()
    """

    def __init__(self) -> None:
        self._past: dict[FeedName, Floats] = {}

    def learn(self, name: FeedName, counts: Counts) -> None:
        """Learn a day on which a feed spoke."""
        past = self._past.get(name, np.zeros(0))
        self._past[name] = _sum([past, -np.floor(past / _MEMORY_DAYS), _UNIT * spread(counts)])

    def forget(self, name: FeedName) -> None:
        """Forget a feed."""
        self._past.pop(name, None)

    def forget_cells(self, name: FeedName, inside: Flags) -> None:
        """Forget what a feed brought to some cells [K]."""
        past = self.past(name, len(inside))
        self._past[name] = np.where(inside, 0.0, past)

    def past(self, name: FeedName, cells: int) -> Floats:
        """Return float64[K], what a feed brought to the first cells, in whole numbers of a unit of its own."""
        past = self._past.get(name, np.zeros(0))[:cells]
        return np.concatenate([np.maximum(past, 0.0), np.zeros(cells - len(past))])

    def of(self, name: FeedName) -> frozenset[int]:
        """Return the cells to which a feed has brought something of late."""
        return frozenset(np.flatnonzero(self._past.get(name, np.zeros(0)) > 0).tolist())

    def lost(
        self,
        volumes: Mapping[FeedName, FeedVolume],
        missing: Floats,
        delivered: Mapping[FeedName, Counts],
        *,
        may_be_taken_over: bool = True,
    ) -> Floats:
        """Return float64[K]: what is missing of each cell of a bucket, in transactions.

        Empty if it is not known where the silent deliver; zeros if somebody has taken over.

        What feeds bring that are too young for an expectation stands in for what is missing. If half of it or more is
        there in that way, somebody has taken over, and nothing is missing. Neither is it if all together bring to the
        cells of the silent nearly what is usual.

        Args:
            volumes: what is expected of each feed in the bucket.
            missing: float64[K], what the silent would have brought.
            delivered: what each feed brought.
            may_be_taken_over: whether feeds that are known may have taken over. They have from the first day of
                silence on or not at all: later a good day would be taken for it.
        """
        if not missing.any():
            return np.zeros(0)
        usual = _sum([np.zeros(len(missing)), self.usual({name: each.expected for name, each in volumes.items()})])
        missing = added(missing, np.zeros(len(usual)))
        young = [delivered[name] for name, each in volumes.items() if each.young and name in delivered]
        new = np.where(missing > 0, np.maximum(_among(young, len(usual)), 0.0), 0.0)
        share = np.divide(missing, usual, out=np.zeros(len(usual)), where=usual > 0)
        # Sums that decide do not hang on the order of the cells, which is that of their arrival.
        seen = math.fsum(share * _among(delivered.values(), len(usual)))
        is_whole = may_be_taken_over and seen >= math.fsum(share * (usual - (1 - _WHOLE_SHARE) * missing))
        if is_whole or math.fsum(new) >= STAND_IN_SHARE * math.fsum(missing):
            return np.zeros(len(usual))
        return np.clip(missing - new, 0.0, None)

    def usual(self, expected: Mapping[FeedName, float]) -> Floats:
        """Return float64[K]: what is usual of each cell where so much is expected of each feed, in transactions."""
        return _sum(self._spread_of(name, each) for name, each in expected.items() if each > 0)

    def _spread_of(self, name: FeedName, expected: float) -> Floats:
        past = np.maximum(self._past.get(name, np.zeros(0)), 0.0)
        whole = past.sum()
        return expected / whole * past if whole > 0 else past

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {"past": [[*name, past.copy()] for name, past in sorted(self._past.items())]}

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._past = {(kind, name): past.copy() for kind, name, past in saved["past"]}


def shares(lost: Floats, usual: Floats) -> CellShares:
    """Return the share that was heard of each cell, in steps of a thousandth; empty if all of every cell was.

    Either may be of fewer cells: nothing is lost, or usual, of the others.
    """
    lost, usual = added(lost, np.zeros(len(usual))), added(usual, np.zeros(len(lost)))
    heard = np.clip(1.0 - np.divide(lost, usual, out=np.zeros(len(usual)), where=usual > 0), 0.0, 1.0)
    return tuple(_SHARES[at] for at in np.rint(1000 * heard).astype(np.int64).tolist()) if lost.any() else ()


def product(one: float, other: float) -> float:
    """Return a share of a share, in steps of a thousandth."""
    return _SHARES[round(1000 * one * other)]


def added(one: Floats, other: Floats) -> Floats:
    """Return the sum of two arrays over the first cells, each as far as it goes."""
    return _sum([one, other])


def _among(counts: Iterable[Counts], cells: int) -> Floats:
    """Return float64[K]: the sums over the first cells."""
    return _sum([np.zeros(cells), *map(spread, counts)])[:cells]


def spread(counts: Counts, cells: int = 0) -> Floats:
    """Return the transactions of cells as an array, at least of the first so many cells."""
    found = np.zeros(max(max(counts, default=-1) + 1, cells))
    found[list(counts)] = list(counts.values())
    return found


def _sum(arrays: Iterable[Floats]) -> Floats:
    """Return the sum of arrays over the first cells, each as far as it goes."""
    parts = list(arrays)
    found = np.zeros(max(map(len, parts), default=0))
    for part in parts:
        found[: len(part)] += part
    return found
