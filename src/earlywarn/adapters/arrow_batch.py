"""A batch of transactions as one message: an Arrow IPC stream of a schema, its dictionaries and one record batch.

Columns are the fields of a transaction, by name, in any order; unknown ones are ignored. Required: `id`, `ts`,
`amount_minor`, `currency`. Numbers are integers (`ts` in epoch milliseconds), everything else is text, best
dictionary-encoded where values are few. Null is an absent field. Buffers are not compressed: Kafka compresses.

A row is accepted or rejected exactly as the JSON record of its fields would be (`ArrowBatch.records` writes it):
what a look at the columns does not clear is judged by the intake of JSON itself. A message that is damaged or of
another schema is one reject.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, get_args

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import compute, ipc

from earlywarn.adapters.arrow_arrays import Mask, dictionary_and_codes, lengths, nulls, numbers
from earlywarn.adapters.arrow_message import FIELDS, NUMBERS, REQUIRED, UNREADABLE, look_through, problem_of
from earlywarn.aggregation.columns import BATCH_LIMIT, MESSAGE_BYTES_LIMIT, Coded, Integers, TransactionColumns
from earlywarn.aggregation.intake import decode_one
from earlywarn.domain.country import COUNTRY_CODES
from earlywarn.domain.money import CURRENCY_CODES
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.sector import is_mcc
from earlywarn.domain.transaction import (
    COUNT_LIMIT,
    EARLIEST_MS,
    ID_LENGTH,
    LATEST_MS,
    PAYMENT_LIMIT_MINOR,
    TEXT_LENGTH,
    Channel,
    Kind,
    Transaction,
)
from earlywarn.errors import InputError

_CODED = ("region", "mcc", "currency", "country", "channel", "sector", "kind", "source")
_DEFAULTS: dict[str, Any] = {"kind": "purchase", "count": 1, "v": 1}
_LISTED: dict[str, Callable[[str], bool]] = {
    "currency": frozenset(CURRENCY_CODES).__contains__,
    "country": frozenset(COUNTRY_CODES).__contains__,
    "channel": frozenset(get_args(Channel)).__contains__,
    "kind": frozenset(get_args(Kind)).__contains__,
    "mcc": is_mcc,
}
_DETAIL_LENGTH = 160
_JSON_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class ArrowBatch:
    """One decoded message."""

    columns: TransactionColumns
    _arrays: dict[str, pa.Array]

    def records(self, rows: Sequence[int]) -> list[bytes]:
        """Return some rows as the JSON records that they stand for, in the message's order of columns.

        A text beyond its limit, for which the row was rejected, is cut one character behind the limit.
        """
        return list(_as_json(self._arrays, rows))


def encode(transactions: Sequence[Transaction]) -> bytes:
    """Return one message that holds the transactions, in their order.

    Raises:
        InputError: more than `BATCH_LIMIT` of them.
    """
    arrays: dict[str, pa.Array] = {}
    for name in Transaction.__struct_fields__:
        values = list(map(attrgetter(name), transactions))
        if name in REQUIRED or values.count(_DEFAULTS.get(name)) < len(values):
            arrays[name] = pa.array(values, pa.int64() if name in NUMBERS else pa.string())
    return encode_table(pa.table(arrays))


def encode_table(table: pa.Table) -> bytes:
    """Return one message that holds the rows of a table; columns that are no field of a transaction are left out.

    Raises:
        InputError: a required column is missing, one has another type, or there are more than `BATCH_LIMIT` rows.
    """
    problem = problem_of(table.schema)
    if problem:
        raise InputError(f"{problem}; rename or cast the columns of the table")
    if table.num_rows > BATCH_LIMIT:
        raise InputError(f"{table.num_rows} rows in one message; write at most {BATCH_LIMIT}")
    names = [name for name in table.column_names if name in FIELDS]
    table = table.select(names).unify_dictionaries()
    batch = pa.RecordBatch.from_arrays([_shortly(name, table.column(name).combine_chunks()) for name in names], names)
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    message: bytes = sink.getvalue().to_pybytes()
    return message


def _shortly(name: str, column: pa.Array) -> pa.Array:
    """Return a column of few values as a dictionary with the shortest codes.

    The dictionary is in order, so that messages with the same values have the same, which a reader notices.
    """
    if name not in (*_CODED, "merchant") or pa.types.is_null(column.type):
        return column
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    size = len(column.dictionary)
    order = compute.sort_indices(column.dictionary)
    place = np.empty(size, np.int64)
    place[order.to_numpy()] = np.arange(size)
    code = pa.int8() if size <= 1 << 7 else pa.int16() if size <= 1 << 15 else pa.int32()
    return pa.DictionaryArray.from_arrays(
        pa.array(place).take(column.indices).cast(code), column.dictionary.take(order)
    )


def decode(value: bytes | None) -> ArrowBatch | Reject:
    """Decode one message into columns, or say why it is no batch of transactions at all."""
    if value is None:
        return Reject(reason=RejectReason.NULL_VALUE)
    if len(value) > MESSAGE_BYTES_LIMIT:
        return Reject(reason=RejectReason.TOO_LARGE, detail=f"{len(value)} bytes, at most {MESSAGE_BYTES_LIMIT}")
    try:
        layout = look_through(value)
        batch = ipc.open_stream(value).read_next_batch()
        arrays = [batch.column(at) for at in layout.positions]
        return _Reader(dict(zip(layout.names, arrays, strict=True))).read()
    except UNREADABLE as error:
        return Reject(reason=RejectReason.NOT_ARROW, detail=str(error)[:_DETAIL_LENGTH])


class _Reader:
    """Turns the arrays of a record batch into columns; collects the rows that are not surely good."""

    def __init__(self, arrays: dict[str, pa.Array]) -> None:
        self._arrays = arrays
        self._doubtful: list[int] = []

    def read(self) -> ArrowBatch:
        """Check every array and return the columns.

        Raises:
            UNREADABLE: an array whose parts do not fit each other.
        """
        columns: dict[str, Any] = {name: self._coded(name) for name in _CODED}
        for name in ("id", "card", "merchant_id", "merchant"):
            self._check_lengths(name)
        columns |= {
            "ts": self._numbers("ts", EARLIEST_MS, LATEST_MS - 1),
            "amount_minor": self._numbers("amount_minor", -PAYMENT_LIMIT_MINOR, PAYMENT_LIMIT_MINOR),
            "count": self._counts(columns["kind"]),
            "merchant": partial(self._coded, "merchant"),
            "ids": self._ids,
        }
        self._numbers("v", 1, 1)
        rejects: dict[int, Reject] = {}
        if self._doubtful:
            rows = sorted(set(self._doubtful))
            outcomes = zip(rows, map(decode_one, _as_json(self._arrays, rows)), strict=True)
            rejects = {row: outcome for row, outcome in outcomes if isinstance(outcome, Reject)}
        return ArrowBatch(TransactionColumns(**columns, rejects=rejects), self._arrays)

    def _ids(self, rows: Sequence[int]) -> list[str]:
        array = self._arrays["id"]
        if len(rows) < len(array):
            array = array.take(pa.array(rows, pa.int64()))
        ids: list[str] = array.to_pylist()
        return ids

    def _doubt(self, mask: Mask) -> None:
        self._doubtful += np.flatnonzero(mask).tolist()

    def _numbers(self, name: str, least: int, most: int) -> Integers | None:
        array = self._arrays.get(name)
        if array is None:
            return None
        found = numbers(array, _DEFAULTS.get(name, least))
        if array.null_count and name in REQUIRED:
            self._doubt(nulls(array))
        if found.min(initial=least) < least or found.max(initial=most) > most:
            self._doubt((found < least) | (found > most))
        return found

    def _counts(self, kind: Coded) -> Integers | None:
        """Return the counts without their sign, which is doubted in purchases alone."""
        found = self._numbers("count", -COUNT_LIMIT, COUNT_LIMIT)
        if found is None or found.min(initial=0) >= 0:
            return found
        self._doubt((found < 0) & kind.flagged([value == "purchase" for value in kind.values], len(found)))
        return np.abs(found)

    def _check_lengths(self, name: str) -> None:
        """Doubt texts by their bytes, which are at least as many as the characters; absent is of length 0."""
        texts, codes = self._arrays.get(name), None
        if texts is None:
            return
        if pa.types.is_dictionary(texts.type):
            texts, codes = dictionary_and_codes(texts)
        least, most = (1, ID_LENGTH) if name == "id" else (0, TEXT_LENGTH)
        found = lengths(texts)
        if found.min(initial=least) < least or found.max(initial=most) > most or (least and codes is not None):
            bad = np.append((found < least) | (found > most), least > 0)
            self._doubt(bad[:-1] if codes is None else bad.take(codes))

    def _coded(self, name: str) -> Coded:
        array, absent = self._arrays.get(name), _DEFAULTS.get(name)
        if array is None:
            return Coded((absent,))
        dictionary, codes = dictionary_and_codes(array)
        values = dictionary.to_pylist()
        if array.null_count:
            values.append(None)
        is_good = _LISTED.get(name, _is_short)
        bad = [name in REQUIRED if value is None else not is_good(value) for value in values]
        if True in bad:
            self._doubt(np.array(bad).take(codes))
            values = [None if wrong else value for value, wrong in zip(values, bad, strict=True)]
        if absent is not None:
            values = [absent if value is None else value for value in values]
        return Coded(values) if len(values) == 1 else Coded(values, codes)


def _is_short(text: str) -> bool:
    return len(text) <= TEXT_LENGTH


def _as_json(arrays: dict[str, pa.Array], rows: Sequence[int]) -> Iterator[bytes]:
    """Yield rows as JSON records; a null is a field that is not there.

    A dictionary can give one long text to every row, so texts are cut one character behind the limit, where they
    are as wrong as before, and rows are written a few at a time.
    """
    bounded = {
        name: _shortened(array) if pa.types.is_dictionary(array.type) else array for name, array in arrays.items()
    }
    for start in range(0, len(rows), _JSON_ROWS):
        places = pa.array(rows[start : start + _JSON_ROWS], pa.int64())
        taken = {name: array.take(places) for name, array in bounded.items()}
        texts = [
            each.dictionary_decode() if pa.types.is_dictionary(each.type) else _shortened(each)
            for each in taken.values()
        ]
        for row in pa.table(texts, names=list(taken)).to_pylist():
            yield msgspec.json.encode({name: value for name, value in row.items() if value is not None})


def _shortened(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        return pa.DictionaryArray.from_arrays(array.indices, _shortened(array.dictionary))
    return array if pa.types.is_integer(array.type) else compute.utf8_slice_codeunits(array, 0, TEXT_LENGTH + 1)
