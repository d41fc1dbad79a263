"""Records of one partition as columns: what readers of topics are given."""

from bisect import bisect_left
from dataclasses import dataclass

from earlywarn.adapters.kafka.record_pieces import Headers

__all__ = ["Headers", "RecordBatch", "sliced"]


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Some records of one partition, in the log's order.

    Attributes:
        topic, partition: where they stand.
        start: log position before them; everything from here to `next` was read.
        next: log position behind them, which may lie beyond the last record's.
        offsets, values: one entry a record.
        timestamps_ms: the log's times, one a record, or one for all where the broker stamps what it appends.
        headers: one entry a record, or None where no record has any; known ones alone (`record_pieces`).
        held_bytes: about what they take in memory.
    """

    topic: str
    partition: int
    start: int
    next: int
    offsets: list[int]
    values: list[bytes | None]
    timestamps_ms: list[int] | int
    headers: list[Headers] | None = None
    held_bytes: int = 0

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.offsets)


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
        batch.held_bytes,
    )
