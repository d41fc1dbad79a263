"""The detector: a Faust agent that folds partials, and publishes aggregates and alerts, each once.

Reading starts at the newest snapshot's own offset. What was published before is folded again and not published
again: the transaction that publishes also moves the offset published up to. A snapshot is written only of what is
published. The fold runs in a thread of its own, so that probes answer while a large panel is judged.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import faust
from faust.types import TP

from earlywarn.adapters.kafka.batch_transport import Consumer
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.record_batch import RecordBatch, sliced
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.transactions import FencedError
from earlywarn.adapters.kafka.wire import (
    Message,
    decode_change,
    decode_partial,
    encode_alert,
    encode_rows,
    is_change,
)
from earlywarn.adapters.stream import metrics
from earlywarn.adapters.stream.failure import Failure
from earlywarn.adapters.stream.fold_metrics import show_fold
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.detector import LogFold, Outputs, SnapshotRhythm, SnapshotStore, recover
from earlywarn.application.fold import RunFold
from earlywarn.application.service_settings import SnapshotSettings
from earlywarn.errors import LogError, SnapshotError

_log = logging.getLogger(__name__)
_MESSAGES_PER_TRANSACTION = 20_000
_TICK_SECONDS = 0.5
_LOST_SECONDS = 60.0


@dataclass(slots=True)
class _Partition:
    """One owned partition q of the partials."""

    log: LogFold
    publisher: Publisher
    rhythm: SnapshotRhythm
    target: int
    """The end of the log when it was assigned; before it is reached the fold is catching up."""

    @property
    def caught_up(self) -> bool:
        """Return whether it has folded all that was there when it began."""
        return self.log.position >= self.target


class DetectorService:
    """One worker.

    Args:
        new_fold: makes the empty second fold of a partition q.
        new_publisher: makes the publisher of a partition q.
        store: of snapshots.
        topics: the run's topics.
        snapshots: how often they are written.
    """

    def __init__(
        self,
        *,
        new_fold: Callable[[int], RunFold],
        new_publisher: Callable[[int], Publisher],
        store: SnapshotStore,
        topics: RunTopics,
        snapshots: SnapshotSettings,
        on_assigned: Callable[[list[int]], None] = lambda _: None,
    ) -> None:
        self.topics = topics
        self._new_fold = new_fold
        self._new_publisher = new_publisher
        self._store = store
        self._snapshots = snapshots
        self._on_assigned = on_assigned
        self._partitions: dict[int, _Partition] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fold")
        self._app: faust.App | None = None
        self._stopping = False
        self._lost_seconds: float | None = None
        self._failure = Failure()

    def attach(self, app: faust.App, topic: faust.TopicT) -> None:
        """Make the agent of this worker in a Faust application."""
        self._app = app
        metrics.ASSIGNED.set_function(lambda: len(self._partitions) if self.assigned else 0)

        @app.agent(topic)
        async def detect(stream: faust.StreamT[list[RecordBatch]]) -> None:
            async for batches in stream:
                with self._failure.noted():
                    for batch in batches:
                        await self._take(batch)

    @property
    def assigned(self) -> bool:
        """Return whether it is a member of its group and has restored all that it was given."""
        return self._app is not None and self._consumer.assigned

    @property
    def caught_up(self) -> bool:
        """Return whether every owned partition is folded up to where it stood at the assignment."""
        whole = self.assigned and self._lost_seconds is None
        return whole and all(each.caught_up for each in self._partitions.values())

    @property
    def _consumer(self) -> Consumer:
        if self._app is None or not isinstance(self._app.consumer, Consumer):
            raise TypeError("attach the service to an application on the batch transport first")
        return self._app.consumer

    # --- assignment

    async def start(self, committed: Mapping[TP, Mark | None]) -> Mapping[TP, int]:
        """Restore what is owned now (`Positions`); what the group has committed plays no part."""
        ends = await self._consumer.highwaters(*committed) if committed else {}
        loop = asyncio.get_running_loop()
        given_up, self._partitions = self._partitions, {}
        # In the thread, behind what it is still folding of them.
        for each in given_up.values():
            await loop.run_in_executor(self._thread, each.publisher.close)
        for tp in sorted(committed):
            opened = await loop.run_in_executor(self._thread, self._open, tp.partition, ends.get(tp, 0))
            self._partitions[tp.partition] = opened
        self._lost_seconds = None
        self._on_assigned(sorted(self._partitions))
        return {tp: self._partitions[tp.partition].log.position for tp in committed}

    def _open(self, partition: int, end: int) -> _Partition:
        publisher = self._new_publisher(partition)
        published = publisher.open()
        recovered = recover(partition, self._store, lambda: self._new_fold(partition))
        for problem in recovered.problems:
            _log.warning("%s", problem)
        _log.info(
            "partition %d of the partials: reading from %d, published up to %d, the log ends at %d",
            partition, recovered.position, published, end,
        )  # fmt: skip
        # A snapshot holds only what is published, and the broker forgets offsets of a run that rests for long.
        published = max(published, recovered.position)
        show_fold(partition, recovered.fold)
        return _Partition(
            LogFold(recovered.fold, position=recovered.position, published=published),
            publisher,
            SnapshotRhythm(
                every_bytes=self._snapshots.every_bytes,
                least_seconds=self._snapshots.least_seconds,
                now_seconds=time.monotonic(),
            ),
            end,
        )

    # --- folding

    async def _take(self, batch: RecordBatch) -> None:
        partition = self._partitions.get(batch.partition)
        if partition is None or self._stopping or batch.next <= partition.log.position:
            return
        position = partition.log.position
        if batch.start > position:
            await self._consumer.seek(TP(batch.topic, batch.partition), position)
            return
        if batch.start < position:
            batch = sliced(batch, position)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._fold, partition, batch)
        except FencedError as error:
            self._lose(batch.partition, partition, error)

    def _lose(self, q: int, partition: _Partition, error: FencedError) -> None:
        """Fold a partition no more that another detector has; the group will say which are ours."""
        if self._partitions.get(q) is partition:
            _log.warning("%s; waiting to be assigned anew", error)
            self._partitions.pop(q).publisher.close()
            self._lost_seconds = time.monotonic()

    def _fold(self, partition: _Partition, batch: RecordBatch) -> None:
        """Fold a batch, publish what comes of it, and keep a snapshot if one is due. Runs in the thread."""
        log = partition.log
        buckets, uncounted = log.closed_buckets, log.fold.uncounted_transactions
        waiting: list[tuple[str, Message]] = []
        headers = batch.headers or [()] * len(batch)
        for offset, value, named in zip(batch.offsets, batch.values, headers, strict=True):
            place = f"{batch.topic}-{batch.partition}-{offset}"
            if named and is_change(named):
                outputs = log.change(offset, decode_change(value, place))
            else:
                outputs = log.take(offset, decode_partial(value, place))
            if outputs is not None:
                waiting += self._messages(outputs)
            if len(waiting) >= _MESSAGES_PER_TRANSACTION:
                self._publish(partition, waiting)
                waiting = []
        if waiting:
            self._publish(partition, waiting)
        log.position = batch.next
        metrics.PARTIALS_FOLDED.inc(len(batch))
        show_fold(batch.partition, log.fold)
        if log.fold.uncounted_transactions > uncounted:
            _log.warning(
                "%d accepted transactions stand in no aggregate, %d so far: a partition was idle for longer than "
                "fold.revision_horizon_days and came back with older ones; see docs/delivery.md, Uncounted",
                log.fold.uncounted_transactions - uncounted, log.fold.uncounted_transactions,
            )  # fmt: skip
        partition.rhythm.note((len(value or b"") for value in batch.values), log.closed_buckets - buckets)
        if log.fold.succession.in_force and partition.rhythm.is_due(time.monotonic()):
            self._save(batch.partition, partition)

    @staticmethod
    def _publish(partition: _Partition, messages: list[tuple[str, Message]]) -> None:
        partition.publisher.publish(messages, partition.log.position)
        for topic, count in Counter(topic for topic, _ in messages).items():
            metrics.PUBLISHED.labels(topic).inc(count)

    def _messages(self, outputs: Outputs) -> list[tuple[str, Message]]:
        messages: list[tuple[str, Message]] = []
        for output in outputs.outputs:
            if isinstance(output, AggregateRows):
                messages += [(self.topics.aggregates, message) for message in encode_rows(output)]
            else:
                messages.append((self.topics.alerts, encode_alert(output)))
        return messages

    def _save(self, q: int, partition: _Partition) -> None:
        """Keep a snapshot; if that fails the old ones stand, and the log is longer to read again."""
        snapshot = partition.log.fold.snapshot()
        try:
            self._store.save(q, partition.log.position, snapshot)
        except SnapshotError as error:
            metrics.SNAPSHOTS.labels("failed").inc()
            _log.error("no snapshot now: %s", error)
        else:
            metrics.SNAPSHOTS.labels("kept").inc()
            metrics.SNAPSHOT_BYTES.labels(q).set(len(snapshot))
        partition.rhythm.done(time.monotonic())

    # --- life

    async def run(self) -> None:
        """Wait for a failure; all that this service does comes from its log.

        Raises:
            LogError: it lost a partition to another detector, and the group did not deal them anew.
        """
        failing = asyncio.create_task(self._failure.raised())
        try:
            while not failing.done():
                await asyncio.wait([failing], timeout=_TICK_SECONDS)
                if self._lost_seconds is not None and time.monotonic() - self._lost_seconds > _LOST_SECONDS:
                    raise LogError(
                        f"{self.topics.partials}: another detector publishes for a partition that the group gave to "
                        "this one; is a detector of the same run running in another group or cluster?"
                    )
            failing.result()
        finally:
            failing.cancel()

    async def finish(self, deadline_seconds: float) -> None:
        """Fold nothing more; keep a last snapshot of what is published."""
        self._stopping = True
        loop = asyncio.get_running_loop()
        saves = [
            loop.run_in_executor(self._thread, self._save, q, partition)
            for q, partition in self._partitions.items()
            if partition.rhythm.is_news and partition.log.fold.succession.in_force
        ]
        if saves:
            await asyncio.wait(saves, timeout=deadline_seconds)
