"""What of a bucket the feeds delivered, and what a day lacks by its base buckets."""

from collections.abc import Mapping
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.feed_cells import FeedCells, FeedName, added, shares
from earlywarn.aggregation.rows import CellShares, Floats
from earlywarn.domain.state import State


class Delivery(NamedTuple):
    """What of a bucket the feeds delivered.

    Attributes:
        volume: share of the expected transactions, 1 where none were expected.
        silent: who was silent.
        cells: share of the usual volume of each cell, by its number; empty if all of every cell was heard.
    """

    volume: float = 1.0
    silent: tuple[str, ...] = ()
    cells: CellShares = ()


class DayOfBuckets:
    """What the base buckets of a day lacked: silence that neither begins nor ends at midnight is seen in them."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._expected: dict[FeedName, float] = {}
        self._missing = 0.0
        self._silent: dict[str, None] = {}
        self._lost = np.zeros(0)

    def add(self, delivery: Delivery, expected: Mapping[FeedName, float], lost: Floats) -> None:
        """Add a base bucket: what was expected of each feed, and what was lost of each cell."""
        for name, each in expected.items():
            self._expected[name] = self._expected.get(name, 0.0) + each
        self._missing += (1 - delivery.volume) * sum(expected.values())
        if delivery.volume < 1 or delivery.cells:
            self._silent |= dict.fromkeys(delivery.silent)
        self._lost = added(self._lost, lost)

    def take(self, day: Delivery, cells_of: FeedCells) -> Delivery:
        """Return what was delivered of the day, by itself and by its base buckets: the less of both."""
        volume = round(1 - self._missing / sum(self._expected.values()), 6) if self._missing else 1.0
        cells = shares(self._lost, cells_of.usual(self._expected)) if self._lost.any() else ()
        silent = tuple(sorted({*day.silent, *self._silent}))
        self._clear()
        both = tuple(min(pair) for pair in zip_longest(day.cells, cells, fillvalue=1.0))
        return Delivery(min(day.volume, volume), silent, both)

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "expected": [[*name, each] for name, each in self._expected.items()],
            "missing": self._missing,
            "silent": list(self._silent),
            "lost": self._lost.copy(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._expected = {(kind, name): each for kind, name, each in saved["expected"]}
        self._missing = saved["missing"]
        self._silent = dict.fromkeys(saved["silent"])
        self._lost = saved["lost"].copy()
