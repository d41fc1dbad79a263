"""The buckets of one kind (base buckets, or local days) of a panel: values, windows, vintages.

A bucket's vintage 0 is its on-time rows. Late rows make vintages: promptly a row with value and windows
as known then, and once nothing late can come any more a last one, if it, one of its windows or what it is
compared with differs from vintage 0: the bucket is then *settled*. Windows of vintage 0 sum vintage 0;
windows of the last vintage sum last values; likewise what either is compared with. Both are therefore
functions of the input alone; only the number of vintages between them depends on timing. A row that comes
to a settled bucket (its partition was idle, or joined later) opens it again, and every settled bucket whose
windows hold it.

Buckets are numbered by integers; arrays are int64, K cells x 2 (transactions, amount). Values of a bucket are capped,
so that every window fits into 64 bits (`caps`); late rows are added up exactly, and capped where they are read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from earlywarn.aggregation.caps import capped
from earlywarn.aggregation.rows import Integers
from earlywarn.domain.state import State

YEAR_DAYS = 364
"""52 weeks: a year ago with the same weekdays."""

_SPAN = 168
"""So many buckets at most are summed together: it bounds the memory."""

_LateRows = dict[int, dict[int, list[int]]]
"""By bucket and cell: [transactions, amount]."""


class Revision(NamedTuple):
    """What has become of a bucket: values and full windows of all cells (K x 2), and the cells concerned.

    `filled` are cells of which this bucket has no row yet, though an earlier one has.
    """

    bucket: int
    values: Integers
    windows: dict[str, Integers]
    changed: tuple[int, ...]
    filled: tuple[int, ...] = ()


def widen(values: Integers, cells: int) -> Integers:
    """Return `values` (first axis: cells) with zeros for the cells that came later."""
    if len(values) == cells:
        return values
    wide = np.zeros((cells, *values.shape[1:]), np.int64)
    wide[: len(values)] = values
    return wide


class BucketTrack:
    """Values and windows of buckets in ascending order, closed first and settled later.

    Args:
        windows: their lengths in buckets, by name.
        kept: buckets behind the settled ones that are remembered.
        cap: what a cell holds of a bucket at most.
        compared: a window with which each bucket is compared: it ends so many buckets earlier, and is so long.

    Attributes:
        first: the first bucket with an on-time row; windows that reach behind it are not full.
        settled: every bucket before this one is settled; None before there is one.
    """

    def __init__(
        self,
        windows: Mapping[str, int],
        *,
        kept: int,
        cap: int,
        compared: tuple[int, int] | None = None,
    ) -> None:
        self.windows = dict(windows)
        self._compared = compared
        self.kept = kept
        self.cap = cap
        self.longest = max(windows.values())
        self.first: int | None = None
        self.settled: int | None = None
        self._on_time: dict[int, Integers] = {}
        self._late: _LateRows = {}
        self._reopened: _LateRows = {}
        self._dirty: dict[int, dict[int, None]] = {}
        self._revisions: dict[int, list[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
        self._lead = np.zeros((0, len(self.windows), 2), np.int64)

    # --- vintage 0

    def close(self, index: int, values: Integers, *, begun: bool) -> dict[str, Integers]:
        """Close the next bucket with its on-time values (K x 2, within the cap); return its windows that are full.

        `begun` says whether the panel has had an on-time row. Buckets may be left out: nothing is in them.
        """
        cells = len(values)
        if begun and self.first is None:
            self.first = index
        before = next(reversed(self._on_time), index - 1)
        self._on_time[index] = values
        lead = widen(self._lead, cells) + values[:, None, :]
        for place, length in enumerate(self.windows.values()):
            for leaves in range(before + 1 - length, min(index - length, before) + 1):
                leaving = self._on_time.get(leaves)
                if leaving is not None:
                    lead[: len(leaving), place] -= leaving
        self._lead = lead
        return {name: lead[:, at] for at, (name, length) in enumerate(self.windows.items()) if self.full(index, length)}

    def full(self, index: int, length: int) -> bool:
        """Return whether the panel is old enough for a window of `length` buckets that ends at `index`."""
        return self.first is not None and index - length + 1 >= self.first

    def on_time(self, low: int, high: int, cells: int) -> Integers:
        """Return vintage 0 of the buckets `low` to `high` (excluded), n x K x 2."""
        values = np.zeros((high - low, cells, 2), np.int64)
        for index in range(low, high):
            on_time = self._on_time.get(index)
            if on_time is not None:
                values[index - low, : len(on_time)] = on_time
        return values

    def latest(self, low: int, high: int, cells: int) -> Integers:
        """Return the values of the buckets `low` to `high` (excluded) as known now, n x K x 2."""
        return self._with(self.on_time(low, high, cells), self._late, low)

    # --- later vintages

    def revise(self, index: int, cell: int, transactions: int, amount_minor: int) -> None:
        """Add late rows to a bucket: open, closed or settled."""
        for rows in (self._late, self._reopened) if self.is_settled(index) else (self._late,):
            pair = rows.setdefault(index, {}).setdefault(cell, [0, 0])
            pair[0] += transactions
            pair[1] += amount_minor
        self._dirty.setdefault(index, {})[cell] = None

    def is_settled(self, index: int) -> bool:
        """Return whether what is given of a bucket from now on are last vintages."""
        return self.settled is not None and index < self.settled

    def earliest_late(self) -> int | None:
        """Return the oldest bucket with a late row that is remembered."""
        return min(self._late, default=None)

    def revisions(self, closed_below: int, cells: int) -> Iterator[Revision]:
        """Give each closed bucket with late news since the last call; oldest first."""
        news = sorted(index for index in self._dirty if index < closed_below)
        for span in _spans(news):
            values, windows = self._sums(span, cells)
            for at, index in enumerate(span):
                yield self._revision(index, values[at], windows[at], tuple(self._dirty.pop(index)))

    def settle(self, before: int, cells: int, unborn: Mapping[int, Sequence[int]]) -> Iterator[Revision]:
        """Settle the buckets before `before`; give those that differ from what was published last, oldest first.

        `unborn` are cells to be filled, by bucket.
        """
        oldest = min([*self._late, *self._on_time], default=before)
        if self.settled is None and oldest >= before:
            return
        start = oldest if self.settled is None else self.settled
        yield from self._differing(self._reopened, self._reached(self._reopened, oldest, start), cells, {})
        self._reopened.clear()
        if before > start:
            self.settled = before
            indexes = self._reached(self._late, start, before) | {at for at in unborn if start <= at < before}
            yield from self._differing(self._late, indexes, cells, unborn)
            self._forget(before - self.kept)

    def _reached(self, rows: _LateRows, low: int, high: int) -> set[int]:
        """Return the buckets from `low` to `high` (excluded) with one of `rows` in what is published of them."""
        reaches = [(0, self.longest), *([] if self._compared is None else [self._compared])]
        return {
            index
            for late in rows
            for after, length in reaches
            for index in range(max(late + after, low), min(late + after + length, high))
        }

    def _compared_with(self, index: int, rows: _LateRows) -> set[int]:
        """Return the cells with one of `rows` in the window with which a bucket is compared, if that is full."""
        if self._compared is None or not self.full(index - self._compared[0], self._compared[1]):
            return set()
        end = index - self._compared[0] + 1
        return {cell for at in range(end - self._compared[1], end) for cell in rows.get(at, ())}

    def _differing(
        self, rows: _LateRows, indexes: Iterable[int], cells: int, unborn: Mapping[int, Sequence[int]]
    ) -> Iterator[Revision]:
        for span in _spans(sorted(indexes)):
            low, high = span[0] - self.longest + 1, span[-1] + 1
            added = self._rolled(self._with(np.zeros((high - low, cells, 2), np.int64), rows, low), span)
            values, windows = self._sums(span, cells)
            for at, index in enumerate(span):
                touched = set(np.flatnonzero(added[at].any(axis=(0, 2))).tolist()) | set(rows.get(index, ()))
                touched |= self._compared_with(index, rows)
                filled = tuple(unborn.get(index, ()))
                if touched or filled:
                    yield self._revision(index, values[at], windows[at], tuple(sorted(touched)), filled)

    def _revision(
        self, index: int, values: Integers, windows: Integers, changed: tuple[int, ...], filled: tuple[int, ...] = ()
    ) -> Revision:
        self._revisions.setdefault(index, []).append((changed, filled))
        full = {name: windows[at] for at, (name, length) in enumerate(self.windows.items()) if self.full(index, length)}
        return Revision(index, values, full, changed, filled)

    def revised(self, index: int) -> Sequence[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Return the cells changed, and those filled, of each revision of a bucket so far."""
        return self._revisions.get(index, ())

    # --- windows of any bucket

    def _sums(self, span: Sequence[int], cells: int) -> tuple[Integers, Integers]:
        """Return values (n x K x 2) and windows (n x windows x K x 2) of ascending buckets as known now."""
        low = span[0] - self.longest + 1
        latest = self.latest(low, span[-1] + 1, cells)
        return latest[[index - low for index in span]], self._rolled(latest, span)

    def _rolled(self, values: Integers, span: Sequence[int]) -> Integers:
        """Return the windows that end with each of `span`; `values` begin with the longest window of its first."""
        # Also where a sum from the first on has wrapped round, the difference of two is the window, which fits.
        before = np.concatenate([np.zeros((1, *values.shape[1:]), np.int64), np.cumsum(values, axis=0)])
        ends = np.array(span) - span[0] + self.longest
        return np.stack([before[ends] - before[ends - length] for length in self.windows.values()], axis=1)

    def _with(self, values: Integers, rows: _LateRows, low: int) -> Integers:
        """Add rows to the values (n x K x 2) of the buckets from `low` on, in place."""
        for index in range(low, low + len(values)):
            for cell, pair in rows.get(index, {}).items():
                place = values[index - low, cell]
                place[:] = capped([one + more for one, more in zip(place.tolist(), pair, strict=True)], self.cap)
        return values

    def _forget(self, below: int) -> None:
        for rows in (self._on_time, self._late, self._revisions):
            _drop(rows, below)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        indexes = sorted(self._on_time)
        widths = [len(self._on_time[index]) for index in indexes]
        stacked = np.zeros((len(indexes), max(widths, default=0), 2), np.int64)
        for at, index in enumerate(indexes):
            stacked[at, : widths[at]] = self._on_time[index]
        return {
            "first": self.first,
            "settled": self.settled,
            "indexes": np.array(indexes, np.int64),
            "on_time": stacked,
            "late": _plain(self._late),
            "reopened": _plain(self._reopened),
            "dirty": [[index, list(cells)] for index, cells in self._dirty.items()],
            "revisions": [[index, revisions] for index, revisions in self._revisions.items()],
            "lead": self._lead,
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self.first, self.settled = saved["first"], saved["settled"]
        self._on_time = dict(zip(saved["indexes"].tolist(), saved["on_time"], strict=True))
        self._late = {index: {c: [n, a] for c, n, a in cells} for index, cells in saved["late"]}
        self._reopened = {index: {c: [n, a] for c, n, a in cells} for index, cells in saved["reopened"]}
        self._dirty = {index: dict.fromkeys(cells) for index, cells in saved["dirty"]}
        self._revisions = {
            index: [(tuple(changed), tuple(filled)) for changed, filled in revisions]
            for index, revisions in saved["revisions"]
        }
        self._lead = saved["lead"]


def _spans(indexes: Sequence[int]) -> Iterator[list[int]]:
    """Cut ascending buckets into lists that are less than `_SPAN` long from first to last."""
    span: list[int] = []
    for index in indexes:
        if span and index - span[0] >= _SPAN:
            yield span
            span = []
        span.append(index)
    if span:
        yield span


def _drop(rows: dict[int, Any], below: int) -> None:
    for index in [index for index in rows if index < below]:
        del rows[index]


def _plain(rows: _LateRows) -> list[list[object]]:
    return [[index, [[cell, *pair] for cell, pair in cells.items()]] for index, cells in rows.items()]
