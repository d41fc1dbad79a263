"""Sums of a block as columns: what came of whole records of many transactions, until it is sent.

A row of a partial that is made of Python's lists and dictionaries costs as much as twenty transactions of a batch. Here
they become rows when they are sent, and not before.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from earlywarn.aggregation.columns import Codes, Integers, compact
from earlywarn.aggregation.partial import Row

Sums = npt.NDArray[np.int64] | npt.NDArray[np.object_]
Target = tuple[str, str, str]
"""Panel, region, sector."""

SAFE = 1 << 62
"""Below this, sums of two still fit into 64 bits."""


class Entries(NamedTuple):
    """What some records brought: one entry for each bucket, lateness and target, repeats allowed.

    Attributes:
        buckets: epoch seconds.
        late: as 0 and 1.
        targets: numbers of targets.
        transactions, amounts: to be added; Python's integers where 64 bits could be too few.
    """

    buckets: Integers
    late: Integers
    targets: Integers
    transactions: Sums
    amounts: Sums


class ColumnSums:
    """The cumulative sums of a block, as far as they came as columns."""

    def __init__(self) -> None:
        self._targets: dict[Target, int] = {}
        self._sent: list[Entries] = []
        self._new: list[Entries] = []

    def number(self, targets: Sequence[Target]) -> Integers:
        """Return the numbers of targets."""
        numbers = self._targets
        return np.array([numbers.setdefault(target, len(numbers)) for target in targets], np.int64)

    def add(self, entries: Entries) -> None:
        """Add entries; their targets are numbered by `number`."""
        self._new.append(entries)

    def take_changed(self) -> tuple[Row, ...]:
        """Return the cumulative rows that have changed since the last call, by bucket and target."""
        if not self._new:
            return ()
        whole, changed = _summed([*self._sent, *self._new], len(self._targets), sum(len(e.late) for e in self._sent))
        self._sent, self._new = [whole], []
        if not changed.all():
            whole = Entries._make(column[changed] for column in whole)
        return tuple(self._rows(whole))

    def take_all(self) -> tuple[list[Row], list[Row]]:
        """Return what was sent, and what was not, and forget it; rows may repeat a bucket and target."""
        sent, new = ([row for entries in part for row in self._rows(entries)] for part in (self._sent, self._new))
        self._sent, self._new = [], []
        return sent, new

    def _rows(self, entries: Entries) -> Iterator[Row]:
        targets = list(self._targets)
        numbers = entries.targets.tolist()
        names = (map([target[at] for target in targets].__getitem__, numbers) for at in range(3))
        late = map(bool, entries.late.tolist())
        return map(Row, *names, entries.buckets.tolist(), late, entries.transactions.tolist(), entries.amounts.tolist())


def _summed(parts: Sequence[Entries], width: int, sent: int) -> tuple[Entries, npt.NDArray[np.bool_]]:
    """Return the sums of entries of one bucket, lateness and target, and which came after the first `sent` entries."""
    buckets, late, targets = (np.concatenate([part[at] for part in parts]) for at in range(3))
    first = int(buckets.min())
    step = int(np.gcd.reduce(buckets - first)) or 1
    keys = ((buckets - first) // step * 2 + late) * width + targets
    used, places = compact(keys, int(keys.max()) + 1)
    changed = np.zeros(len(used), bool)
    changed[places[sent:]] = True
    moments, numbers = np.divmod(used, width)
    sums = (added_up(np.concatenate([part[at] for part in parts]), places, len(used)) for at in (3, 4))
    return Entries(first + moments // 2 * step, moments % 2, numbers, *sums), changed


def added_up(values: Sums, places: Codes, size: int) -> Sums:
    """Return the sums of the values of each place 0..size-1; Python's integers where 64 bits could be too few."""
    found: npt.NDArray[Any] = np.zeros(size, np.int64 if _fits(values) else object)
    np.add.at(found, places, values)
    return found


def _fits(values: Sums) -> bool:
    """Say whether no sum of some of the values can leave 64 bits."""
    if values.dtype == object:
        return False
    largest = max(int(values.max()), -int(values.min()))
    return largest * len(values) < SAFE or float(np.abs(values).sum(dtype=np.float64)) < SAFE
