"""Records of a batch in pieces: the same as aiokafka reads them, whatever the window, the codec and the sizes."""

import struct
from collections.abc import Iterator, Sequence
from sys import getrefcount
from typing import Any

import pytest
from aiokafka.codec import snappy_encode
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from raw_batches import CODECS, batch, header, huge_value, packed, record

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka import record_pieces
from earlywarn.adapters.kafka.column_fetcher import ColumnRecords, _KeptRecords
from earlywarn.adapters.kafka.record_batch import RecordBatch
from earlywarn.adapters.kafka.record_pieces import KNOWN_HEADERS, Beginning, Piece, pieces
from earlywarn.adapters.kafka.unpacking import Payload
from earlywarn.adapters.kafka.wire import CUT_HEADER, encode_dead_letter
from earlywarn.aggregation.columns import MESSAGE_BYTES_LIMIT
from earlywarn.aggregation.intake import decode_one
from earlywarn.application.aggregator import RECEIVED_HEADER, DeadLetter, time_of_receipt
from earlywarn.domain.reject import Reject, RejectReason

FIRST_MS = 1_551_702_896_000
PLACE = TopicPartition("transactions", 3)
NO_TEXT = b"\xff\xfe"
Header = tuple[bytes, bytes | None]
Raw = tuple[bytes | None, Sequence[Header], bytes | None]
"""Value, headers and key of a record."""

names = st.sampled_from([*(name.encode() for name in KNOWN_HEADERS), b"", b"traceparent", NO_TEXT])
texts = st.none() | st.binary(max_size=40)
records = st.lists(
    st.tuples(st.none() | st.binary(max_size=300), st.lists(st.tuples(names, texts), max_size=4), texts),
    min_size=1,
    max_size=40,
)


def batch_of(some: Sequence[Raw], codec: str, *, base: int = 0) -> bytes:
    parts = [
        record(at, value, b"".join(header(*each) for each in headers), len(headers), key=key)
        for at, (value, headers, key) in enumerate(some)
    ]
    return struct.pack(">q", base) + batch(len(some), packed([b"".join(parts)], codec), codec, first_ms=FIRST_MS)[8:]


def told(raw: bytes) -> Iterator[Piece]:
    return pieces(memoryview(raw), MemoryRecords(raw).next_batch())


def flat(found: Sequence[Piece]) -> list[tuple[int, bytes | None, int, dict[str, bytes | None]]]:
    return [
        (offset, value, time, dict(named))
        for each in found
        for offset, value, time, named in zip(
            each.offsets, each.values, each.timestamps_ms, each.headers or [()] * len(each.offsets), strict=True
        )
    ]


@pytest.mark.parametrize("codec", CODECS)
@given(some=records, window=st.integers(1, 400), piece=st.integers(1, 9))
def test_pieces_are_the_records_that_were_written(codec: str, some: list[Raw], window: int, piece: int) -> None:
    """Of headers the known ones, of several the last; names that are no text hide no record."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_pieces, "WINDOW_BYTES", window)
        patch.setattr(record_pieces, "PIECE_RECORDS", piece)
        found = list(told(batch_of(some, codec, base=1_000)))
    last = {offset: rest for offset, *rest in flat(found)}  # what came again is the same
    assert sorted(last) == list(range(1_000, 1_000 + len(some)))
    for at, (value, headers, _) in enumerate(some):
        known = {name.decode(): text for name, text in headers if name.decode("latin-1") in KNOWN_HEADERS}
        assert last[1_000 + at] == [value, FIRST_MS + at, known]
    assert all(each.held_bytes > 0 for each in found)
    assert all(len(each.offsets) <= piece for each in found)


def columns(raw: bytes, *, position: int = 0) -> Iterator[RecordBatch]:
    return ColumnRecords(PLACE, _KeptRecords(raw), None, position, None, None, check_crcs=True, isolation_level=1)


@given(some=records, start=st.integers(0, 39), window=st.integers(60, 400))
def test_reading_begins_anywhere_and_leaves_nothing_out(some: list[Raw], start: int, window: int) -> None:
    """Positions join, what stands before the start is not told, also where aiokafka stumbles in mid-batch."""
    both = batch_of(some, "zstd") + batch_of(some, "none", base=len(some))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_pieces, "WINDOW_BYTES", window)
        patch.setattr(record_pieces, "PIECE_RECORDS", 3)
        position = start = min(start, len(some))
        values: list[bytes | None] = []
        for each in columns(both, position=start):
            assert each.start == position <= each.next
            position = each.next
            values += each.values
    assert position == 2 * len(some)
    assert values == [value for value, _, _ in some + some][start:]


def test_a_batch_that_is_through_is_not_held() -> None:
    """The last piece of a batch ends what unpacks it, also when nobody asks for more; what was given is not kept."""
    raw = batch_of([(b"x" * 500_000, (), None)] * 5, "zstd")
    found: Any = columns(raw)
    amid = []
    for _ in range(3):
        last = next(found)
        amid.append((len(last), found.in_batch))
    assert amid == [(2, True), (2, True), (1, False)]
    assert getrefcount(last) == 2, "it is held here, and by the question"


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_a_value_longer_than_any_may_be_is_not_held(codec: str) -> None:
    """Its beginning is kept, and its length is told; on the way there are signs of work, none for too many bytes."""
    size = 5 * MESSAGE_BYTES_LIMIT
    found = list(told(huge_value(size, codec)))
    *way, last = found
    assert len(way) == size // (1 << 20) - MESSAGE_BYTES_LIMIT // (1 << 20)
    assert {(len(each.offsets), each.held_bytes) for each in way} == {(0, 1 << 20)}
    [value] = last.values
    assert isinstance(value, Beginning)
    assert (len(value), bytes.__len__(value)) == (size, MESSAGE_BYTES_LIMIT)


def test_what_becomes_of_such_a_value() -> None:
    """As JSON and as a batch it is too large, by its whole length; its dead letter says what it is the beginning of."""
    value = Beginning.of(b"{" * 9_000, 30_000_000)
    for outcome in (decode_one(value), arrow_batch.decode(value)):
        assert isinstance(outcome, Reject)
        assert outcome.reason is RejectReason.TOO_LARGE
        assert outcome.detail.startswith("30000000 bytes, at most ")
    _, kept, headers = encode_dead_letter(DeadLetter(0, 7, value, 0, outcome), "transactions", 8_192)
    assert kept == b"{" * 4_096
    assert dict(headers)[CUT_HEADER] == b"30000000"


def test_a_batched_record_of_the_most_bytes_is_read() -> None:
    for size, reason in (
        (MESSAGE_BYTES_LIMIT, RejectReason.NOT_ARROW),
        (MESSAGE_BYTES_LIMIT + 1, RejectReason.TOO_LARGE),
    ):
        outcome = arrow_batch.decode(bytes(size))
        assert isinstance(outcome, Reject)
        assert outcome.reason is reason


def test_headers_of_a_large_record_are_looked_at_as_far_as_stated() -> None:
    """Behind that they are passed over: a record may have a thousand million of them."""
    number = record_pieces.WINDOW_BYTES
    many = header(b"", None) * number
    known = header(RECEIVED_HEADER.encode(), b"5")
    for headers, expected in ((known + many, {RECEIVED_HEADER: b"5"}), (many + known, {})):
        raw = batch(1, packed([record(0, b"v", headers, number + 1)], "zstd"), "zstd")
        [*_, last] = told(raw)
        assert (last.values, dict((last.headers or [()])[0])) == ([b"v"], expected)
        assert last.held_bytes > 8 << 20, "it ends a poll, so that the loop goes on"


def test_a_time_of_receipt_that_is_written_too_long_is_none() -> None:
    assert time_of_receipt(b" " * 51 + b"1551702896000", 7, finite=True) == FIRST_MS
    assert time_of_receipt(b" " * 52 + b"1551702896000", 7, finite=True) == 7


@pytest.mark.parametrize("cut", [1, 40])
def test_a_batch_that_ends_too_early_is_an_error(cut: int) -> None:
    whole = record(0, b"v" * 100)
    for codec in ("none", "snappy"):
        with pytest.raises(CorruptRecordException):
            list(told(batch(1, packed([whole[:-cut]], codec), codec)))
    payload = Payload(memoryview(b"\x80\x80"), 0)
    with pytest.raises(CorruptRecordException):
        payload.varint()


def test_snappy_of_the_java_library() -> None:
    """It frames blocks of 32 KiB."""
    data = bytes(range(256)) * 400
    raw = memoryview(snappy_encode(data))
    payload = Payload(raw, CODECS.index("snappy"))
    assert payload.take(70_000) + payload.take(len(data) - 70_000) == data
    assert payload.look(1) == b""
