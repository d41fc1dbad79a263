"""The records of one of Kafka's batches as columns, a piece after the other, each of bounded size.

aiokafka unpacks a batch as a whole and makes a list of all headers of a record, so that whoever may send a message can
take any amount of a reader's memory. Here a window of the unpacked bytes is given to aiokafka's parser at a time, as a
batch that is not compressed; a record that is larger than a window is read by hand. Of headers only those are
kept that earlywarn knows, and of values no more than any message may have.
"""

import struct
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any, NamedTuple, Self

from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch

from earlywarn.adapters.kafka.unpacking import NO_CODEC, Payload
from earlywarn.aggregation.columns import CONTENT_TYPE_HEADER, MESSAGE_BYTES_LIMIT
from earlywarn.application.aggregator import RECEIVED_HEADER
from earlywarn.application.control_marks import CONTROL_HEADER, REENTERED_HEADER

Headers = Sequence[tuple[str, bytes | None]]

KNOWN_HEADERS = frozenset({CONTENT_TYPE_HEADER, CONTROL_HEADER, RECEIVED_HEADER, REENTERED_HEADER})
WINDOW_BYTES = 1 << 20
"""Unpacked bytes that are parsed at once."""
HEADERS_BYTES = 1 << 18
"""What is looked at of the headers of a record larger than a window: they may be a thousand million."""
PIECE_RECORDS = 5_000
"""Records of a piece at most: a record of seven bytes becomes objects of hundreds."""
RECORD_BYTES = 100
"""What a record takes besides its bytes: its offset, its value's object, places in lists."""

_HEADER_BYTES = 61  # of a batch, before its records
_ATTRIBUTES_AT, _RECORDS_AT = 21, 57
_CODEC = 0x07
_FIRST_WITH_HEADERS = 2  # formats before this version are read by aiokafka alone
_KNOWN_IN_BYTES = {name.encode(): name for name in KNOWN_HEADERS}
_OFFSET, _VALUE, _TIMESTAMP, _HEADERS = map(attrgetter, ("offset", "value", "timestamp", "headers"))


class Beginning(bytes):
    """The beginning of a value that is longer than any message may be; its length is that of the whole value."""

    _whole_bytes: int

    @classmethod
    def of(cls, beginning: bytes, whole_bytes: int) -> Self:
        """Return what stands for a value of `whole_bytes`."""
        found = cls(beginning)
        found._whole_bytes = whole_bytes
        return found

    def __len__(self) -> int:
        """Return the bytes that the whole value had."""
        return self._whole_bytes


class Piece(NamedTuple):
    """Some records: one entry each, `headers` None where no record has one that is known.

    `held_bytes` is about what they take. A piece without records tells of bytes that were passed over.
    """

    offsets: list[int]
    values: list[bytes | None]
    timestamps_ms: list[int]
    headers: list[Headers] | None
    held_bytes: int


def pieces(raw: memoryview, batch: Any) -> Generator[Piece]:
    """Yield the records of a batch, in its order; some come again where aiokafka has stumbled over a header's name.

    Args:
        raw: the whole batch as it stands in the log.
        batch: aiokafka's reader of it, from which nothing was read yet.

    Raises:
        CorruptRecordException: it is damaged.
    """
    if batch.magic < _FIRST_WITH_HEADERS:
        yield from _parsed(batch, raw, 0)
        return
    [left] = struct.unpack_from(">i", raw, _RECORDS_AT)
    payload = Payload(raw[_HEADER_BYTES:], batch.compression_type)
    while left:
        ahead = payload.look(WINDOW_BYTES)
        size, records = (len(ahead), left) if len(ahead) < WINDOW_BYTES else _whole_records(ahead)
        if records:
            is_all = batch.compression_type == NO_CODEC and size == len(raw) - _HEADER_BYTES
            window = batch if is_all else _uncompressed(raw, ahead[:size], records)
            yield from _parsed(window, ahead[:size], records)
            payload.go(size)
        else:
            yield from _read(payload, batch)
            records = 1
        left -= records


def _whole_records(ahead: memoryview) -> tuple[int, int]:
    """Return how many bytes at the beginning are whole records, and of how many; none if the first is too long."""
    window = bytes(ahead[:WINDOW_BYTES])
    records = end = 0
    while True:
        at, length, shift = end, 0, 0
        try:
            while (byte := window[at]) > 0x7F:  # the highest bit says that more follow
                length |= (byte & 0x7F) << shift
                shift += 7
                at += 1
        except IndexError:
            return end, records
        following = at + 1 + ((length | byte << shift) >> 1)
        if following > WINDOW_BYTES:
            return end, records
        end = following
        records += 1


def _uncompressed(raw: memoryview, window: memoryview, records: int) -> Any:
    """Return aiokafka's reader of some records of a batch."""
    head = bytearray(raw[:_HEADER_BYTES])
    [attributes] = struct.unpack_from(">h", head, _ATTRIBUTES_AT)
    struct.pack_into(">h", head, _ATTRIBUTES_AT, attributes & ~_CODEC)
    struct.pack_into(">i", head, _RECORDS_AT, records)
    return DefaultRecordBatch(b"".join((head, window)))


def _parsed(batch: Any, window: memoryview, records: int) -> Iterator[Piece]:
    """Yield what aiokafka parses; all by hand if it cannot: it wants the names of headers to be text."""
    found = chain(batch)  # which may be asked for an iterator more than once
    try:
        while some := list(islice(found, PIECE_RECORDS)):
            share = len(window) * len(some) // max(records, len(some))
            yield _piece(some, share + RECORD_BYTES * len(some))
    except UnicodeDecodeError:
        yield from _by_hand(window, batch, records)


def _piece(records: list[Any], held_bytes: int) -> Piece:
    headers: list[Headers] | None = list(map(_HEADERS, records))
    if any(headers):  # type: ignore[arg-type]  # it is a list still
        headers = [_known(each) if each else () for each in headers]  # type: ignore[union-attr]  # likewise
    return Piece(
        list(map(_OFFSET, records)),
        list(map(_VALUE, records)),
        list(map(_TIMESTAMP, records)),
        headers if any(headers) else None,  # type: ignore[arg-type]  # likewise
        held_bytes,
    )


def _known(headers: Headers) -> Headers:
    """Return the headers that are known, each once: of several the last one counts."""
    found: Mapping[str, bytes | None] = {name: value for name, value in headers if name in KNOWN_HEADERS}
    return tuple(found.items())


def _by_hand(window: memoryview, batch: Any, records: int) -> Iterator[Piece]:
    payload = Payload(window, NO_CODEC)
    while records > 0:
        some = [piece for _ in range(min(records, PIECE_RECORDS)) for piece in _read(payload, batch)]
        records -= PIECE_RECORDS
        headers = [each for piece in some for each in piece.headers or [()] * len(piece.offsets)]
        yield Piece(
            [offset for piece in some for offset in piece.offsets],
            [value for piece in some for value in piece.values],
            [time for piece in some for time in piece.timestamps_ms],
            headers if any(headers) else None,
            sum(piece.held_bytes for piece in some),
        )


def _read(payload: Payload, batch: Any) -> Iterator[Piece]:
    """Read one record of any size; between its parts pieces without records tell how far that is."""
    size = payload.varint()
    end = payload.position + size
    payload.take(1)  # attributes, of which there are none
    timestamp_ms = batch.first_timestamp + payload.varint()
    offset = batch.base_offset + payload.varint()
    yield from _passed(payload, payload.varint())  # its key
    size = payload.varint()
    value = None if size < 0 else payload.take(min(size, MESSAGE_BYTES_LIMIT))
    if size > MESSAGE_BYTES_LIMIT:
        value = Beginning.of(value or b"", size)
        yield from _passed(payload, size - MESSAGE_BYTES_LIMIT)
    number = payload.varint()
    text = payload.take(min(end - payload.position, HEADERS_BYTES))
    headers = _headers(text, number)
    yield from _passed(payload, end - payload.position)
    held_bytes = RECORD_BYTES * (1 + min(number, len(text))) + min(max(size, 0), MESSAGE_BYTES_LIMIT)
    yield Piece([offset], [value], [timestamp_ms], [headers] if headers else None, held_bytes)


def _passed(payload: Payload, size: int) -> Iterator[Piece]:
    for step in payload.skip(size):
        yield Piece([], [], [], None, step)


def _headers(text: bytes, number: int) -> Headers:
    """Return the known ones of so many headers, as far as their bytes are there."""
    payload, found = Payload(memoryview(text), NO_CODEC), {}
    try:
        for _ in range(number):
            name = payload.take(payload.varint())
            size = payload.varint()
            value = None if size < 0 else payload.take(size)
            if name in _KNOWN_IN_BYTES:
                found[_KNOWN_IN_BYTES[name]] = value
    except CorruptRecordException:
        pass  # of a record with more bytes of headers than are looked at
    return tuple(found.items())
