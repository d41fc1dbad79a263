"""Many transactions as columns: numbers as arrays, attributes of few values as codes.

A record of the transactions' topic may hold a batch of them (an Arrow IPC stream); a header says so.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from earlywarn.aggregation.identity import Identity, identity
from earlywarn.domain.reject import Reject

CONTENT_TYPE_HEADER = "content-type"
ARROW_STREAM = b"application/vnd.apache.arrow.stream"
"""Value of the header on a record that holds a batch of transactions as an Arrow IPC stream."""
BATCH_LIMIT = 100_000
"""Transactions in one record, and in one block of offsets."""
MESSAGE_BYTES_LIMIT = 8 << 20
"""Unpacked bytes of one record. Only compression makes larger ones (`topics.message_bytes`), and no more is kept."""

Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]

_FEW = 1 << 10  # so many combinations are listed whether or not they occur
_DENSE = 1 << 16  # so many keys have a table of their own, and so do these for each row; more are sorted
_DENSE_PER_ROW = 16


class Coded(NamedTuple):
    """A column of few distinct values: row i has `values[codes[i]]`; without codes every row has the only value.

    Equal values may have several codes, and values that no row has may be listed.
    """

    values: Sequence[Any]
    codes: Codes | None = None

    def at(self, row: int) -> Any:  # noqa: ANN401  # texts, tuples of texts, routes
        """Return the value of one row."""
        return self.values[0 if self.codes is None else self.codes[row]]

    def take(self, rows: npt.NDArray[np.intp]) -> "Coded":
        """Return the column of some rows."""
        return self if self.codes is None else Coded(self.values, self.codes[rows])

    def listed(self, rows: npt.NDArray[np.intp]) -> list[Any]:
        """Return the values of some rows."""
        if self.codes is None:
            return [self.values[0]] * len(rows)
        return [self.values[code] for code in self.codes[rows].tolist()]

    def spread(self, numbers: Sequence[int], size: int) -> npt.NDArray[Any]:
        """Return each row's number, where every value has one; Python's integers if they need more than 64 bits."""
        kept = np.array(numbers, np.int64 if max(numbers) < 1 << 62 else object)
        return np.full(size, kept[0]) if self.codes is None else kept.take(self.codes)

    def flagged(self, flags: Sequence[bool], size: int) -> Mask:
        """Return which rows have a value that is flagged."""
        return np.full(size, flags[0]) if self.codes is None else np.array(flags, bool).take(self.codes)

    def in_order(self, chosen: Mask | None = None) -> list[Any]:
        """Return the values of the chosen rows, all by default, each once, in the order of its first row.

        >>> Coded("abc", np.array([2, 0, 2])).in_order()
        ['c', 'a']
        """
        if self.codes is None:
            return [self.values[0]] if chosen is None or chosen.any() else []
        codes = self.codes if chosen is None else self.codes[chosen]
        first = np.full(len(self.values), len(codes))
        first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # of a place that is written twice the last value stays
        occurring = np.flatnonzero(first < len(codes))
        return [self.values[code] for code in occurring[np.argsort(first[occurring])].tolist()]

    def where(self, wanted: Mask) -> "Coded":
        """Return the column with None in the rows that are not wanted."""
        codes = np.zeros(len(wanted), np.int64) if self.codes is None else self.codes.astype(np.int64)
        return Coded((*self.values, None), np.where(wanted, codes, len(self.values)))

    def merged(self, label_of: Callable[[Any], object]) -> "Coded":
        """Return the column with values of equal label made one: the first of them stands for all."""
        if self.codes is None:
            return self
        labels = list(map(label_of, self.values))
        numbers: dict[object, int] = {}
        places = [numbers.setdefault(label, len(numbers)) for label in labels]
        if len(numbers) == len(labels):
            return self
        stands_for = dict(zip(reversed(labels), reversed(self.values), strict=True))
        values = [stands_for[label] for label in numbers]
        if len(values) == 1:
            return Coded(values)
        return Coded(values, np.array(places, np.min_scalar_type(-len(values) - 1)).take(self.codes))


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionColumns:
    """The transactions of one record, decoded and checked as JSON records are; the fields are those of `Transaction`.

    Attributes:
        ts: epoch milliseconds, shape (rows,); of a rejected row any number.
        amount_minor: minor units of the row's currency, shape (rows,); of a rejected row any number.
        count: shape (rows,); None where each row counts once.
        region, mcc, currency, country, channel, sector, kind, source: absent is None (a purchase for kind), and
            likewise what the row is rejected for.
        merchant: read only where neither mcc nor sector says what was bought, since merchants are many.
        ids: gives the ids of some rows that are not rejected; read only to find copies.
        rejects: by row, why it was not accepted.
    """

    ts: Integers
    amount_minor: Integers
    count: Integers | None
    region: Coded
    mcc: Coded
    currency: Coded
    country: Coded
    channel: Coded
    sector: Coded
    kind: Coded
    source: Coded
    merchant: Callable[[], Coded]
    ids: Callable[[Sequence[int]], Sequence[str]]
    rejects: Mapping[int, Reject]

    def identities(self, rows: Sequence[int]) -> Sequence[Identity]:
        """Return what is the same in copies, of some rows that are not rejected."""
        ids = self.ids(rows)
        if not any(self.source.values) and set(self.kind.values) == {"purchase"}:
            return ids
        places = np.asarray(rows, np.intp)
        return list(map(identity, self.kind.listed(places), self.source.listed(places), ids))


def joint(*columns: Coded) -> Coded:
    """Return one column of tuples: all combinations of values or, where these are many, those that occur.

    >>> joint(Coded("ab", np.array([0, 1, 1])), Coded("x"))
    Coded(values=[('a', 'x'), ('b', 'x')], codes=array([0, 1, 1]))
    """
    size = math.prod(len(column.values) for column in columns)
    codes: Codes | None = None
    if size <= _FEW:
        for column in columns:
            if column.codes is not None:
                codes = column.codes if codes is None else _pair(codes, column.codes, len(column.values), size)
        return Coded(list(product(*(column.values for column in columns))), codes)
    values: list[tuple[Any, ...]] = [()]
    for column in columns:
        width = len(column.values)
        used: Sequence[int] = range(len(values) * width)
        if column.codes is not None:
            keys = column.codes if codes is None else _pair(codes, column.codes, width, len(used))
            if codes is None and width <= len(keys):
                codes = keys
            else:
                occurring, codes = compact(keys, len(used))
                used = occurring.tolist()
        values = [(*values[key // width], column.values[key % width]) for key in used]
    return Coded(values, codes)


def _pair(codes: Codes, others: Codes, width: int, size: int) -> Codes:
    """Return codes of pairs, in as few bytes as they need: short columns stay in the cache."""
    pairs: Codes = codes.astype(np.min_scalar_type(-max(size, width) - 1))
    pairs *= width
    pairs += others.astype(pairs.dtype, copy=False)
    return pairs


def compact(keys: Codes, size: int) -> tuple[Integers, Codes]:
    """Return which of the keys 0..size-1 occur, ascending, and for each row the place of its key among them."""
    if size > max(_DENSE, _DENSE_PER_ROW * len(keys)):
        return np.unique(keys, return_inverse=True)
    seen = np.zeros(size, bool)
    seen[keys] = True
    used = np.flatnonzero(seen)
    if len(used) == size:
        return used, keys
    places = np.empty(size, np.intp)  # only those of `used` are read
    places[used] = np.arange(len(used))
    return used, places.take(keys)
