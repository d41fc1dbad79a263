"""The buckets of one kind (base buckets, or local days) of a panel: values, windows, vintages.

A bucket's vintage 0 is its on-time rows. Late rows make vintages: promptly a row with the value as
known then, and once nothing late can come any more a last one, if it or one of its windows differs
from vintage 0. Windows of vintage 0 sum vintage 0; windows of the last vintage sum last values. Both
are therefore functions of the input alone; only the number of vintages between them depends on timing.

Buckets are numbered by consecutive integers; arrays are int64, K cells x 2 (transactions, amount).
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from earlywarn.aggregation.rows import Integers
from earlywarn.domain.state import State
from earlywarn.errors import LogError

YEAR_DAYS = 364
"""52 weeks: a year ago with the same weekdays."""

_SAFE_SUM = float(1 << 62)

_Reader = Callable[[int, int], Integers | None]


def widen(values: Integers, cells: int) -> Integers:
    """Return `values` (first axis: cells) with zeros for the cells that came later."""
    if len(values) == cells:
        return values
    wide = np.zeros((cells, *values.shape[1:]), np.int64)
    wide[: len(values)] = values
    return wide


class BucketTrack:
    """Values and windows of consecutive buckets. `windows` maps a name to a length in buckets."""

    def __init__(self, windows: Mapping[str, int], *, kept: int) -> None:
        self.windows = dict(windows)
        self.kept = kept
        self.longest = max(windows.values())
        self.closed = 0
        self._on_time: dict[int, Integers] = {}
        self._late: dict[int, dict[int, list[int]]] = {}
        self._dirty: dict[int, dict[int, None]] = {}
        self._first: int | None = None
        self._final_next: int | None = None
        self._vintages: dict[int, dict[tuple[str | None, str | None], int]] = {}
        count = len(self.windows)
        self._lead = np.zeros((0, count, 2), np.int64)
        self._lag = np.zeros((0, count, 2), np.int64)
        self._lag_late = np.zeros((0, count, 2), np.int64)

    # --- vintage 0

    def close(self, index: int, values: Integers) -> dict[str, Integers]:
        """Close the next bucket with its on-time values (K x 2); return its windows that are full."""
        cells = len(values)
        self._on_time[index] = values
        self.closed += 1
        self._lead = self._roll(self._lead, index, cells, values, self._on_time_at)
        total = np.abs(self._lead.astype(np.float64)).sum(axis=0).max(initial=0.0)
        if total > _SAFE_SUM:
            raise LogError(f"the windows of bucket {index} sum to {total:.3g}, beyond 64-bit integers")
        self._first = index if self._first is None else self._first
        return {
            name: self._lead[:, at] for at, (name, length) in enumerate(self.windows.items()) if self.closed >= length
        }

    def _roll(self, sums: Integers, index: int, cells: int, entering: Integers | None, at: _Reader) -> Integers:
        """Return the window sums moved on to `index`; `at` reads what leaves."""
        sums = widen(sums, cells)
        sums = sums.copy() if entering is None else sums + entering[:, None, :]
        for place, length in enumerate(self.windows.values()):
            leaving = at(index - length, cells)
            if leaving is not None:
                sums[:, place] -= leaving
        return sums

    def _on_time_at(self, index: int, cells: int) -> Integers | None:
        values = self._on_time.get(index)
        return None if values is None else widen(values, cells)

    def _late_at(self, index: int, cells: int) -> Integers | None:
        late = self._late.get(index)
        if not late:
            return None
        values = np.zeros((cells, 2), np.int64)
        for cell, pair in late.items():
            values[cell] = pair
        return values

    def latest(self, index: int, cells: int) -> Integers | None:
        """Return the values of a bucket as known now (K x 2), None if it was never closed nor had late rows."""
        on_time, late = self._on_time_at(index, cells), self._late_at(index, cells)
        if on_time is None or late is None:
            return on_time if late is None else late
        return on_time + late

    # --- revisions

    def revise(self, index: int, cell: int, transactions: int, amount_minor: int) -> None:
        """Add late rows to a bucket, open or closed."""
        pair = self._late.setdefault(index, {}).setdefault(cell, [0, 0])
        pair[0] += transactions
        pair[1] += amount_minor
        self._dirty.setdefault(index, {})[cell] = None

    def revisions(self, closed_below: int) -> Iterator[tuple[int, list[int]]]:
        """Give each closed bucket with late news since the last call, and the cells concerned; oldest first."""
        for index in sorted(self._dirty):
            if index < closed_below:
                yield index, list(self._dirty.pop(index))

    def next_vintage(self, index: int, key: tuple[str | None, str | None]) -> int:
        """Return the number of the next vintage of a (region, sector) in a bucket: 1 follows vintage 0."""
        numbers = self._vintages.setdefault(index, {})
        numbers[key] = numbers.get(key, 0) + 1
        return numbers[key]

    def revised(self, index: int) -> frozenset[tuple[str | None, str | None]]:
        """Return every (region, sector) that was revised in a bucket."""
        return frozenset(self._vintages.get(index, ()))

    def covers(self, index: int, length: int) -> bool:
        """Return whether the panel is old enough for a window of `length` buckets that ends at `index`."""
        return self._first is not None and index - length + 1 >= self._first

    # --- last vintages

    def finalise(self, before: int, cells: int) -> Iterator[tuple[int, dict[str, Integers], dict[str, Integers]]]:
        """Give each bucket before `before` whose last values or windows may differ from vintage 0's, oldest first.

        Yields (index, last windows, their late parts), each K x 2 by name.
        """
        if self._first is None:
            return
        if self._final_next is None:
            start = min(self._first, min(self._late, default=self._first))
            if start >= before:
                return
            self._final_next = start
        while self._final_next < before:
            index = self._final_next
            self._final_next += 1
            late = self._late_at(index, cells)
            self._lag = self._roll(self._lag, index, cells, self._on_time_at(index, cells), self._on_time_at)
            self._lag_late = self._roll(self._lag_late, index, cells, late, self._late_at)
            if self._lag_late.any() or index in self._vintages:
                both = self._lag + self._lag_late
                names = list(self.windows)
                yield (
                    index,
                    {name: both[:, at] for at, name in enumerate(names)},
                    {name: self._lag_late[:, at] for at, name in enumerate(names)},
                )
            self._forget(index)

    def _forget(self, index: int) -> None:
        self._vintages.pop(index, None)
        settled = index - self.longest
        late = self._late.pop(settled, None)
        if late and settled in self._on_time:
            values = self._on_time[settled] = self._on_time[settled].copy()
            for cell, pair in late.items():
                values = self._on_time[settled] = widen(values, max(len(values), cell + 1))
                values[cell] += pair
        self._on_time.pop(index - self.kept, None)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        indexes = sorted(self._on_time)
        widths = [len(self._on_time[index]) for index in indexes]
        cells = max(widths, default=0)
        stacked = np.zeros((len(indexes), cells, 2), np.int64)
        for at, index in enumerate(indexes):
            stacked[at, : widths[at]] = self._on_time[index]
        return {
            "closed": self.closed,
            "first": self._first,
            "final_next": self._final_next,
            "vintages": [[i, [[*key, n] for key, n in keys.items()]] for i, keys in self._vintages.items()],
            "indexes": indexes,
            "on_time": stacked,
            "late": [[i, [[c, *pair] for c, pair in cells.items()]] for i, cells in self._late.items()],
            "dirty": [[i, list(cells)] for i, cells in self._dirty.items()],
            "lead": self._lead,
            "lag": self._lag,
            "lag_late": self._lag_late,
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self.closed, self._first, self._final_next = saved["closed"], saved["first"], saved["final_next"]
        self._vintages = {i: {(r, s): n for r, s, n in keys} for i, keys in saved["vintages"]}
        self._on_time = dict(zip(saved["indexes"], saved["on_time"], strict=True))
        self._late = {i: {c: [n, a] for c, n, a in cells} for i, cells in saved["late"]}
        self._dirty = {i: dict.fromkeys(cells) for i, cells in saved["dirty"]}
        self._lead, self._lag, self._lag_late = saved["lead"], saved["lag"], saved["lag_late"]
