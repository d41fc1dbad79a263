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


_LOOK_SECONDS = 1.0
"""Between two looks at the partitions at most, the broker's answer included, if nothing is the matter."""


class Aggregator:
    """The assigned partitions of one worker; those of a replay are `finite`, and idle by no clock.

    How long a replay is paused, or its replayer away, says nothing about its partitions: their marks do.
    Nor does time in which no broker answered, or nobody looked, say that nothing comes: senders wait for it as well.
    So the broker is asked from the half of the idle time on.
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
        self._looked_seconds: float | None = None
        self.fold_fingerprint = run.fold_fingerprint
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

    def quiet(self, now_seconds: float) -> list[int]:
        """Look, and return the partitions to ask after: they may be idle before long, if they are not already."""
        self.answered(now_seconds)
        return self._silent(now_seconds, self._idle_seconds / 2)

    def silent(self, now_seconds: float) -> list[int]:
        """Return the partitions that may be idle: nothing came for the idle time, and it was not said yet."""
        return self._silent(now_seconds, self._idle_seconds)

    def _silent(self, now_seconds: float, seconds: float) -> list[int]:
        if self._finite:
            return []
        return [
            partition
            for partition, each in self.partitions.items()
            if not (each.idle or each.lost) and now_seconds - each.heard_seconds >= seconds
        ]

    def answered(self, now_seconds: float) -> None:
        """Note that somebody looks, or that the broker has answered: what was missed since the last time is no silence.

        If it was much of the idle time, that begins anew; else it is longer by so much.
        """
        looked, self._looked_seconds = self._looked_seconds, now_seconds
        missed = 0.0 if looked is None else now_seconds - looked - _LOOK_SECONDS
        if missed >= self._idle_seconds / 4:
            self.unanswered(now_seconds)
        elif missed > 0:
            for each in self.partitions.values():
                each.heard_seconds = min(each.heard_seconds + missed, now_seconds)

    def unanswered(self, now_seconds: float) -> None:
        """Note that the broker has not answered: the idle time of every partition begins anew."""
        self._looked_seconds = now_seconds
        for each in self.partitions.values():
            each.heard_seconds = now_seconds

    def confirm_idle(self, partition: int, end_offset: int, now_seconds: float) -> Emission:
        """Say that a partition is idle, if it still is silent and stands at `end_offset`, asked for just now."""
        if partition not in self.silent(now_seconds) or self.partitions[partition].position != end_offset:
            return Emission()
        return self.partitions[partition].flush(idle=True)
