"""The detector: a Faust agent that folds partials, and publishes aggregates and alerts, each once.

Reading starts at the newest snapshot's own offset. What was published before is folded again and not published
again: the transaction that publishes also moves the progress. The fold runs in a thread of its own
(`detector_partition`), so that probes answer while a large panel is judged.

State is of one log, so which one it is is asked at every assignment, whenever the log looks shorter than it was, and
every few seconds. A broker that does not say is asked until it does, and nothing of the log is folded meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from earlywarn.adapters.kafka.batch_transport import Consumer, is_passing
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.adapters.kafka.manifest import check_partials
from earlywarn.adapters.kafka.record_batch import RecordBatch, sliced
from earlywarn.adapters.kafka.run_logs import SILENCE_SECONDS, RunLogs
from earlywarn.adapters.kafka.transactions import FencedError
from earlywarn.adapters.stream import detector_metrics, metrics
from earlywarn.adapters.stream.detector_partition import DetectorPartition, DetectorParts
from earlywarn.adapters.stream.failure import Failure
from earlywarn.adapters.stream.probes import UNPUBLISHED_SECONDS
from earlywarn.application.snapshots import LogExtent, SnapshotStore, lost_beginning
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.5
_ASK_SECONDS = 0.5
_LOST_SECONDS = 60.0


class DetectorService:
    """One worker.

    Args:
        parts: what its partitions are made of.
        logs: those of the run that it reads, the partials.
        new_store: makes the store of a log's snapshots.
        on_assigned: is told of the partitions whenever they are dealt anew.
        failure: of what works beside it; its own if there is nothing.
    """

    def __init__(
        self,
        parts: DetectorParts,
        *,
        logs: RunLogs,
        new_store: Callable[[str], SnapshotStore],
        on_assigned: Callable[[list[int]], None] = lambda _: None,
        failure: Failure | None = None,
    ) -> None:
        self._parts = parts
        self._logs = logs
        self._new_store = new_store
        self._on_assigned = on_assigned
        self._log = ""
        self._partitions: dict[int, DetectorPartition] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fold")
        self._app: faust.App | None = None
        self._stopping = False
        self._lost_seconds: float | None = None
        self._failure = failure or Failure()

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
    def publishes(self) -> bool:
        """Return whether brokers take what it publishes: nothing has waited for them for long."""
        return all(each.waiting_seconds < UNPUBLISHED_SECONDS for each in self._partitions.values())

    @property
    def _consumer(self) -> Consumer:
        if self._app is None or not isinstance(self._app.consumer, Consumer):
            raise TypeError("attach the service to an application on the batch transport first")
        return self._app.consumer

    # --- assignment

    async def start(self, committed: Mapping[TP, Mark | None]) -> Mapping[TP, int]:
        """Restore what is owned now (`Positions`); what the group has committed plays no part."""
        with self._failure.noted(unless=lambda error: isinstance(error, KafkaError) and is_passing(error)):
            return await self._start(committed)  # which is asked again then

    async def _start(self, committed: Mapping[TP, Mark | None]) -> Mapping[TP, int]:
        begins = await self._consumer.earliest_offsets(*committed) if committed else {}
        ends = await self._consumer.highwaters(*committed) if committed else {}
        topics = self._parts.topics
        check_partials(topics, self._parts.partitions, await self._consumer.partition_count(topics.partials))
        loop = asyncio.get_running_loop()
        given_up, self._partitions = self._partitions, {}
        for each in given_up.values():
            each.give_up()
            await loop.run_in_executor(self._thread, each.close)  # behind what it is still folding
        if committed:
            self._log = (await self._logs.confirmed())["partials"]
            store = await loop.run_in_executor(self._thread, self._open_store)
        for tp in sorted(committed):
            extent = LogExtent(self._log, tp.partition, begins.get(tp, 0), ends.get(tp, 0))
            opened = await loop.run_in_executor(self._thread, DetectorPartition, self._parts, store, extent)
            self._partitions[tp.partition] = opened
        self._lost_seconds = None
        self._on_assigned(sorted(self._partitions))
        return {tp: self._partitions[tp.partition].position for tp in committed}

    def _open_store(self) -> SnapshotStore:
        """Return the store of the log's snapshots; say if there are some of other logs."""
        store = self._new_store(self._log)
        for place in store.strangers():
            detector_metrics.SNAPSHOTS.labels("refused").inc()
            _log.warning(
                "%s: snapshots of another log than this one (%s): its topics were deleted and made anew, or are of "
                "another cluster. They are not used; delete them if nobody else does",
                place, self._log,
            )  # fmt: skip
        return store

    # --- folding

    async def _take(self, batch: RecordBatch) -> None:
        partition = self._partitions.get(batch.partition)
        if partition is None or self._stopping:
            return
        position = partition.position
        if batch.start > position:
            await self._go_back(batch, partition)
            return
        if batch.start < position:
            await self._logs.confirmed()  # a log that is made anew begins at 0 as well
            if batch.next <= position or not self._owns(partition):
                return
            batch = sliced(batch, position)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, partition.fold, batch)
        except FencedError as error:
            self._lose(partition, error)

    async def _go_back(self, batch: RecordBatch, partition: DetectorPartition) -> None:
        """Read from where the fold stands, unless the log has lost it."""
        tp, position = TP(batch.topic, batch.partition), partition.position
        try:
            begin = (await self._consumer.earliest_offsets(tp))[tp]
        except KafkaError as error:
            if not is_passing(error):
                raise
            _log.warning("where %s-%d begins cannot be asked now (%s)", *tp, error)
            await asyncio.sleep(_ASK_SECONDS)
        else:
            if begin > position and self._owns(partition):
                raise LogError(lost_beginning(LogExtent(self._log, batch.partition, begin, begin), position))
        if self._owns(partition):
            await self._consumer.read_from(tp, position)  # where this comes again, if it was not answered

    def _owns(self, partition: DetectorPartition) -> bool:
        """Return whether a partition is still what it was before the loop went on: an assignment voids all of them."""
        return self._partitions.get(partition.q) is partition and not self._stopping

    async def _watch_log(self) -> None:
        """Ask now and then whether the log is the run's; what comes in a new one may look like repeats, or not come.

        Raises:
            LogError: it is another one, or gone.
        """
        while True:
            await asyncio.sleep(SILENCE_SECONDS)
            await self._logs.confirmed()

    async def _keep_snapshots(self) -> None:
        """Look now and then whether a snapshot is due, between folds: what comes next may be long in coming."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            for each in list(self._partitions.values()):
                await asyncio.get_running_loop().run_in_executor(self._thread, each.save_due)

    def _lose(self, partition: DetectorPartition, error: FencedError) -> None:
        """Fold a partition no more that another detector has; the group will say which are ours."""
        if self._partitions.get(partition.q) is partition:
            _log.warning("%s; waiting to be assigned anew", error)
            self._partitions.pop(partition.q).close()
            self._lost_seconds = time.monotonic()

    # --- life

    async def run(self) -> None:
        """Wait for a failure; all that this service does but to keep snapshots comes from its log.

        Raises:
            LogError: it lost a partition to another detector, and the group did not deal them anew.
        """
        beside = (self._failure.raised(), self._watch_log(), self._keep_snapshots())
        failing = [asyncio.create_task(each) for each in beside]
        try:
            while True:
                done, _ = await asyncio.wait(failing, timeout=_TICK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    each.result()
                if self._lost_seconds is not None and time.monotonic() - self._lost_seconds > _LOST_SECONDS:
                    raise LogError(
                        f"{self._parts.topics.partials}: another detector publishes for a partition that the group "
                        "gave to this one; is a detector of the same run running in another group or cluster?"
                    )
        finally:
            for each in failing:
                each.cancel()

    async def finish(self, deadline_seconds: float) -> None:
        """Fold nothing more; keep a last snapshot of what is published, as far as the time goes.

        A fold that is under way has half of the time to come to its end, and is broken off then: whoever goes on
        begins at the last snapshot, and publishes behind what was published.
        """
        self._stopping = True
        saves = [asyncio.create_task(self._save_last(each)) for each in self._partitions.values()]
        if saves:
            _, left = await asyncio.wait(saves, timeout=deadline_seconds / 2)
            for each in self._partitions.values() if left else ():
                each.give_up()
            if left:
                await asyncio.wait(left, timeout=deadline_seconds / 2)

    async def _save_last(self, partition: DetectorPartition) -> None:
        """Wait for the snapshot that is under way, then for the last one, which comes behind what is being folded."""
        await asyncio.wrap_future(partition.saved)
        await asyncio.get_running_loop().run_in_executor(self._thread, partition.save_last)
        await asyncio.wrap_future(partition.saved)
