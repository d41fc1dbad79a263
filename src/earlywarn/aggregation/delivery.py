"""What of a bucket the feeds delivered, and what a day lacks by its base buckets."""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.feed_cells import STAND_IN_SHARE, FeedCells, FeedName, added, shares
from earlywarn.aggregation.rows import CellShares, FeedVolume, Floats
from earlywarn.domain.state import State

_UNUSUAL = 1.5
"""So many times what is expected in a base bucket is more than a busy hour: what is beyond belongs to another one."""


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
    """What the base buckets of a day lacked: silence that neither begins nor ends at midnight is seen in them.

    What came at another hour is not lacking of the day: a clock that was not put forward or back with everyone else's,
    or an outage after which all is delivered with the time of its arrival.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._expected: dict[FeedName, float] = {}
        self._lacking: dict[FeedName, float] = {}
        self._elsewhere: dict[FeedName, float] = {}
        self._missing = 0.0
        self._silent: dict[str, None] = {}
        self._lost = np.zeros(0)

    def add(self, delivery: Delivery, readings: Mapping[FeedName, FeedVolume], lost: Floats) -> None:
        """Add a base bucket: what each feed was expected to bring and brought, and what was lost of each cell."""
        is_lacking = delivery.volume < 1 or bool(delivery.cells)
        for name, reading in readings.items():
            _add(self._expected, name, reading.expected)
            if is_lacking and reading.name in delivery.silent:
                _add(self._lacking, name, reading.expected)
            else:
                _add(self._elsewhere, name, of_other_hours(reading))
        self._missing += (1 - delivery.volume) * sum(reading.expected for reading in readings.values())
        if is_lacking:
            self._silent |= dict.fromkeys(delivery.silent)
        self._lost = added(self._lost, lost)

    def take(self, day: Delivery, cells_of: FeedCells) -> Delivery:
        """Return what was delivered of the day, by itself and by its base buckets: the less of both."""
        if self._came_elsewhere():
            self._clear()
            return day
        volume = round(1 - self._missing / sum(self._expected.values()), 6) if self._missing else 1.0
        cells = shares(self._lost, cells_of.usual(self._expected)) if self._lost.any() else ()
        silent = tuple(sorted({*day.silent, *self._silent}))
        self._clear()
        both = tuple(min(pair) for pair in zip_longest(day.cells, cells, fillvalue=1.0))
        return Delivery(min(day.volume, volume), silent, both)

    def _came_elsewhere(self) -> bool:
        """Return whether each feed that was silent brought enough of it in other base buckets."""
        return all(came_elsewhere(lacking, self._elsewhere.get(name, 0.0)) for name, lacking in self._lacking.items())

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "expected": _plain(self._expected),
            "lacking": _plain(self._lacking),
            "elsewhere": _plain(self._elsewhere),
            "missing": self._missing,
            "silent": list(self._silent),
            "lost": self._lost.copy(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._expected = _restored(saved["expected"])
        self._lacking = _restored(saved["lacking"])
        self._elsewhere = _restored(saved["elsewhere"])
        self._missing = saved["missing"]
        self._silent = dict.fromkeys(saved["silent"])
        self._lost = saved["lost"].copy()


def of_other_hours(reading: FeedVolume) -> float:
    """Return the transactions of a base bucket that belong to other ones of the day, by what is usual.

    >>> of_other_hours(FeedVolume("a", 4.0, 100, 0.0, False)), of_other_hours(FeedVolume("a", 80.0, 100, 0.0, False))
    (96.0, 0.0)
    """
    return reading.heard - reading.expected if reading.heard > _UNUSUAL * reading.expected else 0.0


def came_elsewhere(lacking: float, elsewhere: float) -> bool:
    """Return whether what base buckets of a day lacked came in other ones: in so far as others may stand in, too."""
    return elsewhere >= STAND_IN_SHARE * lacking


def _add(volumes: dict[FeedName, float], name: FeedName, more: float) -> None:
    volumes[name] = volumes.get(name, 0.0) + more


def _plain(volumes: Mapping[FeedName, float]) -> list[list[object]]:
    return [[*name, each] for name, each in volumes.items()]


def _restored(saved: Iterable[tuple[str, str, float]]) -> dict[FeedName, float]:
    return {(kind, name): each for kind, name, each in saved}
