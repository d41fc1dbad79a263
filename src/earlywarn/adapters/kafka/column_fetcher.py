"""aiokafka's fetcher, which gives `RecordBatch`es, and unpacks no more at a time than a stated number of bytes.

aiokafka wraps every record into a dataclass of eleven fields, which costs twice what parsing it costs, and unpacks
all that it has fetched at once. Here fetched bytes stay as they are until their turn has come. A poll takes a share of
one partition after the other; what lies between two positions of the log is told, holes included (transaction markers,
aborted records).
"""

import struct
from collections.abc import Generator, Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException, KafkaError
from aiokafka.record.memory_records import MemoryRecords

from earlywarn.adapters.kafka.record_batch import RecordBatch, sliced
from earlywarn.adapters.kafka.record_pieces import Piece, pieces

POLL_BYTES = 8 << 20
"""What a poll gives: about so many bytes in memory, whatever they were in the log."""
SHARE_BYTES = 4 << 20
"""What a partition gives before the next one's turn."""
FETCHED_BYTES = 8 << 20
"""What an answer of a broker holds. Before half of that is given nothing more is asked for: small requests are dear."""

_LOG_APPEND_TIME = 1
_LENGTH_AT, _LENGTH_ENDS = 8, 12  # where a batch's length stands, and where what it counts begins


class _KeptRecords(MemoryRecords):  # type: ignore[misc]  # aiokafka ships no types
    """aiokafka's records of a fetch, which keep the bytes that they are made of."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.raw = raw


fetcher.MemoryRecords = _KeptRecords  # what it makes of an answer of a broker


class ColumnRecords(PartitionRecords):  # type: ignore[misc]  # likewise
    """aiokafka's iterator over fetched records, a piece at a time.

    Aborted and control batches are left out as in its own, but their positions are told: the last piece of a
    fetch may be empty and say only how far the log was read. One that says nothing at all tells of work that was done.
    """

    next_fetch_offset: int
    in_batch = False
    """Whether a batch is under way: it holds what unpacks it, so that no other may be begun before it is through."""

    def _unpack_records(self) -> Iterator[RecordBatch]:
        start = self.next_fetch_offset
        for raw, batch in self._batches():
            if not self._is_skipped(batch):
                for told in self._tell(start, pieces(raw, batch), batch):
                    start = self.next_fetch_offset
                    yield told.pop()
            self.next_fetch_offset = max(self.next_fetch_offset, batch.next_offset)
        if self.next_fetch_offset > start:
            yield RecordBatch(self._tp.topic, self._tp.partition, start, self.next_fetch_offset, [], [], 0)

    def _tell(self, start: int, found: Generator[Piece], batch: Any) -> Iterator[list[RecordBatch]]:
        """Yield what a batch holds; each in a list, to be taken out of it, so that nothing here holds it any longer."""
        for piece in found:
            following = piece.offsets[-1] + 1 if piece.offsets else 0
            self.in_batch = following < batch.next_offset
            if not self.in_batch:
                found.close()  # what unpacks it goes now, and not when this partition has its turn again
            if following <= self.next_fetch_offset:  # nothing, or what was told before
                told = [self._told(start, start, batch, Piece([], [], [], None, piece.held_bytes))]
            else:
                told = [self._told(start, following, batch, piece)]
                start = self.next_fetch_offset = following
            del piece
            yield told

    def _batches(self) -> Iterator[tuple[memoryview, Any]]:
        """Yield batches, as bytes and as aiokafka reads them."""
        raw, at = memoryview(self._records.raw), 0
        while self._records.has_next():
            batch = self._records.next_batch()
            [length] = struct.unpack_from(">i", raw, at + _LENGTH_AT)
            end = at + _LENGTH_ENDS + length
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"{self._tp}: a batch at offset {batch.base_offset} is damaged (CRC)")
            yield raw[at:end], batch
            at = end

    def _told(self, start: int, following: int, batch: Any, piece: Piece) -> RecordBatch:
        """Return what stands between two positions."""
        stamped = batch.timestamp_type == _LOG_APPEND_TIME
        found = RecordBatch(
            self._tp.topic,
            self._tp.partition,
            start,
            following,
            piece.offsets,
            piece.values,
            batch.max_timestamp if stamped else piece.timestamps_ms,
            piece.headers,
            piece.held_bytes,
        )
        before = self.next_fetch_offset
        return sliced(found, before) if piece.offsets and piece.offsets[0] < before else found

    def _is_skipped(self, batch: Any) -> bool:
        """Return whether a batch holds nothing to read: markers, and what a transaction took back."""
        if self._isolation_level and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return True
        return bool(batch.is_control_batch)


class ColumnFetcher(Fetcher):  # type: ignore[misc]  # likewise
    """See the module."""

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> Any:
        wakeup = await super()._proc_fetch_request(assignment, node_id, request)
        for result in self._records.values():
            if type(result) is FetchResult and type(result._partition_records) is PartitionRecords:
                result._partition_records.__class__ = ColumnRecords
                result._partition_records._records_iterator = result._partition_records._unpack_records()
        return wakeup

    def _get_actions_per_node(self, assignment: Any) -> Any:
        requests, *others = super()._get_actions_per_node(assignment)
        return ([] if self._fetched_bytes() >= FETCHED_BYTES // 2 else requests), *others

    def _fetched_bytes(self) -> int:
        held = [getattr(result, "_partition_records", None) for result in self._records.values()]
        return sum(records._records.size_in_bytes() for records in held if records is not None)

    async def fetched_records(
        self,
        partitions: Any,
        timeout: float = 0,  # noqa: ASYNC109  # aiokafka's signature
        max_records: int | None = None,  # noqa: ARG002  # likewise
    ) -> dict[Any, list[RecordBatch]]:
        """Return what a poll gives."""
        found: dict[Any, list[RecordBatch]] = {}
        left = POLL_BYTES
        while left > 0:
            try:
                waits = not found and left == POLL_BYTES  # and never behind a record: a seek might come between
                step = await super().fetched_records(partitions, timeout if waits else 0, 1)
            except KafkaError:
                if not found:
                    raise
                break  # it comes again when it is asked for the next time, and what was found is not lost
            if not step:
                break
            [(place, [batch])] = step.items()
            left -= batch.held_bytes
            if batch.next > batch.start:
                found.setdefault(place, []).append(batch)
            self._give_turn(place, sum(each.held_bytes for each in found.get(place, ())))
        return found

    def _give_turn(self, place: Any, given_bytes: int) -> None:
        """Let the other partitions come before one that has given its share, unless it is amid a batch."""
        records = getattr(self._records.get(place), "_partition_records", None)
        if given_bytes >= SHARE_BYTES and records is not None and not records.in_batch:
            self._records.move_to_end(place)
