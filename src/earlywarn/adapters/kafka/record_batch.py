"""Records of one partition as columns, read off aiokafka's record batches without an object for each record.

aiokafka wraps every record into a dataclass of eleven fields, which costs twice what parsing it costs. Here a
fetched Kafka batch becomes one `RecordBatch`: lists of offsets, values, times and headers, and the positions in
the log between which they lie, holes included (transaction markers, aborted records).
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

Headers = Sequence[tuple[str, bytes | None]]

_LOG_APPEND_TIME = 1
_LENGTH_ENDS = 12  # bytes of a batch before what its length counts
_OFFSET, _VALUE, _TIMESTAMP, _HEADERS = map(attrgetter, ("offset", "value", "timestamp", "headers"))


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Some records of one partition, in the log's order.

    Attributes:
        topic, partition: where they stand.
        start: log position before them; everything from here to `next` was read.
        next: log position behind them, which may lie beyond the last record's.
        offsets, values: one entry a record.
        timestamps_ms: the log's times, one a record, or one for all where the broker stamps what it appends.
        headers: one entry a record, or None where no record has any.
    """

    topic: str
    partition: int
    start: int
    next: int
    offsets: list[int]
    values: list[bytes | None]
    timestamps_ms: list[int] | int
    headers: list[Headers] | None = None

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.offsets)


class _KeptRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka ships no types
    """aiokafka's records of a fetch, which keep the bytes that they are made of."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.raw = raw


fetcher.MemoryRecords = _KeptRecords  # what it makes of an answer of a broker


class _Lenient(bytearray):
    """Bytes whose text may be none: what is no UTF-8 in it is read as signs that name the byte."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Lenient(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "") -> str:  # noqa: ARG002  # as aiokafka calls it
        return super().decode(encoding, "backslashreplace")


def _leniently(raw: bytes, base_offset: int) -> list[Any]:
    """Return the records of a batch in which a header's name is no UTF-8. Kafka's protocol says text; no broker looks.

    aiokafka reads such a batch in no way, and one record of it would end every worker that comes to it.
    """
    start = 0
    while True:
        base, length = struct.unpack_from(">qi", raw, start)
        stop = start + _LENGTH_ENDS + length
        if base == base_offset:
            batch = _DefaultRecordBatchPy(bytearray(raw[start:stop]))
            batch._maybe_uncompress()
            batch._buffer = _Lenient(batch._buffer)
            return list(batch)
        start = stop


class ColumnRecords(PartitionRecords):  # type: ignore[misc]  # aiokafka ships no types
    """aiokafka's iterator over fetched records, a batch at a time.

    Aborted and control batches are left out as in its own, but their positions are told: the last batch of a
    fetch may be empty and say only how far the log was read.
    """

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[RecordBatch]:
        start = self.next_fetch_offset
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"{self._tp}: a batch at offset {batch.base_offset} is damaged (CRC)")
            if not self._is_skipped(batch):
                try:
                    records = list(batch)
                except UnicodeDecodeError:
                    records = _leniently(self._records.raw, batch.base_offset)
                if records and records[0].offset < self.next_fetch_offset:
                    records = [record for record in records if record.offset >= self.next_fetch_offset]
                if records:
                    self.next_fetch_offset = batch.next_offset
                    yield _columns(self._tp, start, batch, records)
                    start = batch.next_offset
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
        if self.next_fetch_offset > start:
            yield RecordBatch(self._tp.topic, self._tp.partition, start, self.next_fetch_offset, [], [], 0)

    def _is_skipped(self, batch: Any) -> bool:
        """Return whether a batch holds nothing to read: markers, and what a transaction took back."""
        if self._isolation_level and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)


def _columns(tp: Any, start: int, batch: Any, records: list[Any]) -> RecordBatch:
    headers = list(map(_HEADERS, records))
    stamped = batch.timestamp_type == _LOG_APPEND_TIME
    return RecordBatch(
        tp.topic,
        tp.partition,
        start,
        batch.next_offset,
        list(map(_OFFSET, records)),
        list(map(_VALUE, records)),
        batch.max_timestamp if stamped else list(map(_TIMESTAMP, records)),
        headers if any(headers) else None,
    )


class ColumnFetcher(Fetcher):  # type: ignore[misc]  # likewise
    """aiokafka's fetcher, whose results iterate over batches."""

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> Any:
        wakeup = await super()._proc_fetch_request(assignment, node_id, request)
        for result in self._records.values():
            if type(result) is FetchResult and type(result._partition_records) is PartitionRecords:
                result._partition_records.__class__ = ColumnRecords
                result._partition_records._records_iterator = result._partition_records._unpack_records()
        return wakeup


def sliced(batch: RecordBatch, position: int) -> RecordBatch:
    """Return what of a batch lies at or behind a position."""
    at = bisect_left(batch.offsets, position)
    return RecordBatch(
        batch.topic,
        batch.partition,
        max(batch.start, position),
        batch.next,
        batch.offsets[at:],
        batch.values[at:],
        batch.timestamps_ms if isinstance(batch.timestamps_ms, int) else batch.timestamps_ms[at:],
        None if batch.headers is None else batch.headers[at:],
    )
