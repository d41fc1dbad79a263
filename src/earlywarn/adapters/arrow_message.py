"""What one message that claims to be an Arrow IPC stream holds: looked through before any of it is read.

pyarrow reads what a stream describes and allocates what it claims. So the descriptions are looked at first: of a
batch nothing may be compressed or sent in pieces, and everything has a limit. Then a decoded message takes no more
memory than its own bytes and what its rows need.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
from pyarrow import ipc

from earlywarn.aggregation.columns import BATCH_LIMIT
from earlywarn.domain.transaction import Transaction

REQUIRED = ("id", "ts", "amount_minor", "currency")
NUMBERS = ("ts", "amount_minor", "count", "v")
FIELDS = frozenset(Transaction.__struct_fields__)
UNREADABLE = (pa.ArrowException, OSError, EOFError, ValueError, IndexError, struct.error)
"""What pyarrow raises for damaged messages, and what reading their descriptions does."""

_CACHED, _CACHED_BYTES = 16, 1 << 18  # schemas with their dictionaries
_DICTIONARIES_LIMIT = 256
_DESCRIPTION_LIMIT = 1 << 18  # bytes of one Arrow message's own description; a transaction's schema takes 2,000
_HEADER, _LENGTH, _DATA, _IS_DELTA, _COMPRESSION = 2, 0, 1, 2, 3  # slots in Message, RecordBatch, DictionaryBatch


class DamagedError(ValueError):
    """Why a message is no batch of transactions."""


class Layout(NamedTuple):
    """The columns of a message that are fields of a transaction, in its order; those of type null are left out."""

    names: tuple[str, ...]
    positions: tuple[int, ...]


def look_through(value: bytes) -> Layout:
    """Return the layout of a message that can be read safely.

    Raises:
        DamagedError: another schema, compressed buffers, dictionaries in pieces, not one record batch, more than
            `BATCH_LIMIT` rows, bytes behind the end.
        UNREADABLE: damaged.
    """
    source = pa.BufferReader(value)
    position = beginning = 0
    for message in ipc.MessageReader.open_stream(source):
        if beginning:
            raise DamagedError(f"a {message.type} behind the record batch; a message ends with it")
        if message.type == "record batch":
            beginning = position
            batch = _Table.described(message)
            if not 0 <= batch.number(_LENGTH) <= BATCH_LIMIT:
                raise DamagedError(f"{batch.number(_LENGTH)} rows; at most {BATCH_LIMIT}")
            batch.check_buffers()
        position = source.tell()
    if not beginning:
        raise DamagedError("no record batch")
    if source.tell() != len(value):
        raise DamagedError(f"{len(value) - source.tell()} bytes behind the end of the stream")
    read = _read_beginning if beginning <= _CACHED_BYTES else _read_beginning.__wrapped__
    return read(value[:beginning])


@lru_cache(_CACHED)
def _read_beginning(beginning: bytes) -> Layout:
    """Read schema and dictionaries, which are often those of the message before."""
    schema, *dictionaries = ipc.MessageReader.open_stream(pa.BufferReader(beginning))
    _check_size(schema)
    if len(dictionaries) > _DICTIONARIES_LIMIT:
        raise DamagedError(f"{len(dictionaries)} dictionaries; a transaction has fewer columns")
    for message in dictionaries:
        if message.type != "dictionary":
            raise DamagedError(f"a {message.type} before the record batch")
        dictionary = _Table.described(message)
        if dictionary.truth(_IS_DELTA):
            raise DamagedError("a dictionary in pieces (delta); send it whole")
        dictionary.child(_DATA).check_buffers()
    columns = ipc.open_stream(beginning).schema  # which minds the type of the message; `ipc.read_schema` does not
    problem = problem_of(columns)
    if problem:
        raise DamagedError(problem)
    places = [
        (name, at)
        for at, name in enumerate(columns.names)
        if name in FIELDS and not pa.types.is_null(columns.field(at).type)
    ]
    return Layout(tuple(name for name, _ in places), tuple(at for _, at in places))


def _check_size(message: ipc.Message) -> None:
    if message.metadata.size > _DESCRIPTION_LIMIT:
        raise DamagedError(f"a {message.type} described in {message.metadata.size} bytes; at most {_DESCRIPTION_LIMIT}")


def problem_of(schema: pa.Schema) -> str:
    """Return why a schema is not that of transactions, empty if it is."""
    names = [name for name in schema.names if name in FIELDS]
    for name in REQUIRED:
        if name not in names:
            return f"no column {name}"
    for name in names:
        if names.count(name) > 1:
            return f"column {name} stands twice"
        kind = schema.field(name).type
        if pa.types.is_null(kind) and name not in REQUIRED:
            continue
        if name in NUMBERS:
            if not pa.types.is_integer(kind) or pa.types.is_uint64(kind):
                return f"column {name} is of type {kind}, not int64"
        elif not _is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
            return f"column {name} is of type {kind}, not string"
    return ""


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of a flat buffer, which is what Arrow describes its messages with (Message.fbs); pyarrow shows less."""

    data: bytes
    start: int

    @classmethod
    def described(cls, message: ipc.Message) -> "_Table":
        """Return what describes the content of a message."""
        _check_size(message)
        data = message.metadata.to_pybytes()
        return cls(data, struct.unpack_from("<I", data)[0]).child(_HEADER)

    def check_buffers(self) -> None:
        """Refuse a record batch with compressed buffers: they would grow to any size."""
        if self.at(_COMPRESSION):
            raise DamagedError("compressed buffers; leave that to Kafka")

    def at(self, slot: int) -> int:
        """Return where the value of a slot stands, 0 where it is absent."""
        slots = self.start - struct.unpack_from("<i", self.data, self.start)[0]
        at = 4 + 2 * slot
        if at >= struct.unpack_from("<H", self.data, slots)[0]:
            return 0
        offset: int = struct.unpack_from("<H", self.data, slots + at)[0]
        return self.start + offset if offset else 0

    def child(self, slot: int) -> "_Table":
        at = self.at(slot)
        if not at:
            raise DamagedError("an Arrow message that describes nothing")
        return _Table(self.data, at + struct.unpack_from("<I", self.data, at)[0])

    def number(self, slot: int) -> int:
        at = self.at(slot)
        return int(struct.unpack_from("<q", self.data, at)[0]) if at else 0

    def truth(self, slot: int) -> bool:
        at = self.at(slot)
        return bool(at and self.data[at])
