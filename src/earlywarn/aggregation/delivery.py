"""What of a bucket the feeds delivered, and what a day lacks by its base buckets."""

from itertools import zip_longest
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.feed_cells import added, shares
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
        self._missing = self._expected = 0.0
        self._silent: dict[str, None] = {}
        self._lost = self._usual = np.zeros(0)

    def add(self, delivery: Delivery, expected: float, lost: Floats, usual: Floats) -> None:
        """Add a base bucket, of which so much was expected."""
        self._expected += expected
        self._missing += (1 - delivery.volume) * expected
        if delivery.volume < 1 or delivery.cells:
            self._silent |= dict.fromkeys(delivery.silent)
        self._lost, self._usual = added(self._lost, lost), added(self._usual, usual)

    def take(self, day: Delivery) -> Delivery:
        """Return what was delivered of the day, by itself and by its base buckets: the less of both."""
        volume = round(1 - self._missing / self._expected, 6) if self._missing else 1.0
        cells = shares(self._lost, self._usual)
        silent = tuple(sorted({*day.silent, *self._silent}))
        self._clear()
        both = tuple(min(pair) for pair in zip_longest(day.cells, cells, fillvalue=1.0))
        return Delivery(min(day.volume, volume), silent, both)

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "volume": [self._missing, self._expected],
            "silent": list(self._silent),
            "cells": [self._lost.copy(), self._usual.copy()],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._missing, self._expected = saved["volume"]
        self._silent = dict.fromkeys(saved["silent"])
        self._lost, self._usual = (each.copy() for each in saved["cells"])
