"""The first fold over a live log: what an aggregator does with batches of records, without a broker or a clock.

Each assigned source partition is a `BlockFold` and the position in the log up to which it has read. Time is an
argument (`now_seconds`, of any clock that does not go back); it decides only when something is sent and when a
partition is called idle, never what a block holds.
"""

from collections.abc import Container, Mapping

from earlywarn.application.compose import Run
from earlywarn.application.emission import (
    RECEIVED_HEADER,
    BlockStart,
    ColumnsDecoder,
    DeadLetter,
    Emission,
    Headers,
    time_of_receipt,
)
from earlywarn.application.source_partition import SourcePartition

__all__ = [
    "RECEIVED_HEADER",
    "Aggregator",
    "BlockStart",
    "DeadLetter",
    "Emission",
    "Headers",
    "SourcePartition",
    "time_of_receipt",
]


class Aggregator:
    """The assigned partitions of one worker; those of a replay are `finite`, and idle by no clock.

    How long a replay is paused, or its replayer away, says nothing about its partitions: their marks do.
    """

    def __init__(
        self,
        run: Run,
        decode_columns: ColumnsDecoder,
        *,
        flush_seconds: float,
        idle_seconds: float,
        finite: bool = False,
    ) -> None:
        self._run = run
        self._finite = finite
        self._decode_columns = decode_columns
        self._flush_seconds = flush_seconds
        self._idle_seconds = idle_seconds
        self.partitions: dict[int, SourcePartition] = {}

    def assign(self, starts: Mapping[int, BlockStart], partitions: int, now_seconds: float) -> None:
        """Forget all blocks and begin those of `starts`; the topic has `partitions` partitions now."""
        self.partitions = {}
        for partition, start in starts.items():
            self.begin(partition, start, partitions, now_seconds)

    def begin(self, partition: int, start: BlockStart, partitions: int, now_seconds: float) -> None:
        """Begin a partition (anew), whatever was known of it."""
        fold = self._run.block_fold(partition, partitions, position=start.offset, event_time_ms=start.event_time_ms)
        if start.sent is not None:
            fold.resume(start.sent)
        self.partitions[partition] = SourcePartition(
            fold, self._decode_columns, now_seconds, finite=self._finite, end=start.end
        )

    def due(self, now_seconds: float, held: Container[int] = ()) -> list[tuple[int, Emission]]:
        """Return, by partition, what has waited for a flush interval; of those that are held nothing."""
        return [
            (partition, each.flush())
            for partition, each in self.partitions.items()
            if partition not in held
            and each.news_seconds is not None
            and now_seconds - each.news_seconds >= self._flush_seconds
        ]

    def silent(self, now_seconds: float) -> list[int]:
        """Return the partitions that may be idle: nothing came for the idle time, and it was not said yet."""
        if self._finite:
            return []
        return [
            partition
            for partition, each in self.partitions.items()
            if not (each.idle or each.lost) and now_seconds - each.heard_seconds >= self._idle_seconds
        ]

    def confirm_idle(self, partition: int, end_offset: int, now_seconds: float) -> Emission:
        """Say that a partition is idle, if it still is silent and stands at `end_offset`, asked for just now."""
        if partition not in self.silent(now_seconds) or self.partitions[partition].position != end_offset:
            return Emission()
        return self.partitions[partition].flush(idle=True)
