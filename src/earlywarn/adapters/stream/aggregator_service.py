"""The aggregator: a Faust agent that folds source partitions into partials. It keeps nothing that outlives it.

An offset is committed only at a block's start, when everything sent of the blocks before it is acknowledged; the
newest event time that held there travels in the commit's metadata. Whoever gets the partition next folds the open
block anew and sends the same partials again. If the log does not hold the block's start any more, it goes on behind
what stands of it in the partials (`Lookup`), and folds its other partitions meanwhile.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice

import faust
from aiokafka.errors import KafkaError
from faust.types import TP

from earlywarn.adapters.kafka.batch_transport import Consumer, is_passing
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.adapters.kafka.outbox import Outbox, Parcel
from earlywarn.adapters.kafka.published_blocks import ReadPublished
from earlywarn.adapters.kafka.record_batch import RecordBatch, sliced
from earlywarn.adapters.kafka.run_logs import RunLogs, let_go
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.wire import encode_dead_letter, encode_partial, fold_headers
from earlywarn.adapters.stream import aggregator_metrics, metrics
from earlywarn.adapters.stream.commit_metadata import block_start, commit_mark
from earlywarn.adapters.stream.failure import Failure
from earlywarn.adapters.stream.flood import Flood
from earlywarn.adapters.stream.lookup import Lookup
from earlywarn.aggregation.published import whole
from earlywarn.application.aggregator import Aggregator, BlockStart, DeadLetter, Emission, SourcePartition

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.05
_ASK_SECONDS = 0.5
_LETTERS_AT_ONCE = 1_000


@dataclass(slots=True)
class _UnderWay:
    """What was sent of one partition and is not committed: the open parcel, and closed ones with where they lead."""

    open: Parcel = field(default_factory=Parcel)
    closed: deque[tuple[Parcel, BlockStart]] = field(default_factory=deque)


class AggregatorService:
    """One worker.

    Args:
        aggregator: the fold of its partitions.
        outbox: what it sends through; gated, so that nothing is sent of other logs, or to others, than `logs`.
        logs: those of the run that it reads and writes.
        topics: the run's topics.
        read_published: looks up what stands in the partials of blocks whose start is gone.
        panels_of: the panels that live in each partition q of the partials.
        unacknowledged_bytes: it stops folding while more than so much is under way.
        letter_bytes: the largest dead letter that its topic takes.
    """

    def __init__(
        self,
        aggregator: Aggregator,
        outbox: Outbox,
        logs: RunLogs,
        topics: RunTopics,
        read_published: ReadPublished,
        *,
        panels_of: tuple[frozenset[str], ...],
        unacknowledged_bytes: int,
        letter_bytes: int,
    ) -> None:
        self.aggregator = aggregator
        self.outbox = outbox
        self._logs = logs
        self.topics = topics
        self._panels_of = panels_of
        self._signed = fold_headers(aggregator.fold_fingerprint)
        self._limit_bytes = unacknowledged_bytes
        self._letter_bytes = letter_bytes
        self._under_way: dict[int, _UnderWay] = {}
        self._held: set[int] = set()
        self._ends: dict[int, int] = {}
        self._stood: dict[int, int] = {}
        self._app: faust.App | None = None
        self._stopping = False
        self._failure = Failure()
        self._lookup = Lookup(read_published, self._go_on, self._failure)
        self._flood = Flood(time.monotonic())

    def attach(self, app: faust.App, topic: faust.TopicT) -> None:
        """Make the agent of this worker in a Faust application."""
        self._app = app
        metrics.ASSIGNED.set_function(lambda: len(self.aggregator.partitions) if self.assigned else 0)
        aggregator_metrics.UNACKNOWLEDGED.set_function(lambda: self.outbox.unacknowledged_bytes)
        aggregator_metrics.LOOKED_UP.set_function(lambda: len(self._lookup))
        aggregator_metrics.LOST.set_function(lambda: sum(each.lost for each in self.aggregator.partitions.values()))

        @app.agent(topic)
        async def aggregate(stream: faust.StreamT[list[RecordBatch]]) -> None:
            async for batches in stream:
                with self._failure.noted():
                    for batch in batches:
                        await self._take(batch)

    # --- assignment

    async def start(self, committed: Mapping[TP, Mark | None]) -> Mapping[TP, int]:
        """Begin the open block of every partition anew (`Positions`), or have looked up what is published of it."""
        starts = {tp.partition: block_start(tp, mark) for tp, mark in committed.items()}
        partitions = await self._consumer.partition_count(self.topics.transactions)
        extents = await self._consumer.extents(committed) if committed else {}
        self._lookup.give_up()
        self.aggregator.assign(starts, partitions, time.monotonic())
        self._under_way = {partition: _UnderWay() for partition in starts}
        self._held = set()
        _log.info("assigned %d of %d partitions", len(starts), partitions)
        begins = {tp.partition: extent.start for tp, extent in extents.items()}
        self._ends = {tp.partition: extent.end for tp, extent in extents.items()}
        self._stood = {at: min(end, self.aggregator.partitions[at].block_end) for at, end in self._ends.items()}
        self._look_up({at: begin for at, begin in begins.items() if not self.aggregator.partitions[at].skip(begin)})
        return {tp: self.aggregator.partitions[tp.partition].position for tp in committed}

    @property
    def assigned(self) -> bool:
        """Return whether it is a member of its group and has begun all that it was given."""
        return self._app is not None and self._consumer.assigned

    @property
    def counting(self) -> bool:
        """Return whether it counts anything: false if all that it was given is lost."""
        partitions = self.aggregator.partitions.values()
        return not partitions or not all(each.lost for each in partitions)

    @property
    def _consumer(self) -> Consumer:
        if self._app is None or not isinstance(self._app.consumer, Consumer):
            raise TypeError("attach the service to an application on the batch transport first")
        return self._app.consumer

    # --- folding

    async def _take(self, batch: RecordBatch) -> None:
        partition = self.aggregator.partitions.get(batch.partition)
        if partition is None or partition.lost or self._stopping or batch.next <= partition.position:
            return
        if batch.partition in self._lookup:
            return
        if batch.start > partition.position:
            await self._go_back(batch, partition)
            return
        if batch.start < partition.position:
            batch = sliced(batch, partition.position)
        span = max(batch.next - batch.start, 1)
        stood = min(max(self._stood[batch.partition] - batch.start, 0), span)
        emission = partition.take(batch, time.monotonic())
        again = emission.judged * stood // span
        self._flood.judge(again, again=True)
        self._flood.judge(emission.judged - again)
        if emission.batched_letters and not await self._send_letters(batch, partition, emission.batched_letters):
            return
        self._send(batch.partition, emission)
        if partition.position < batch.next:  # it looks further back for copies
            await self._consumer.seek(TP(batch.topic, batch.partition), partition.position)
            return
        aggregator_metrics.RECORDS.inc(len(batch))
        self.outbox.poll()
        await self.outbox.settle(below_bytes=self._limit_bytes)

    async def _send_letters(
        self, batch: RecordBatch, partition: SourcePartition, letters: Iterable[Iterator[DeadLetter]]
    ) -> bool:
        """Send the dead letters of batched records, no more at once than may be under way.

        Nothing else of the partition is sent meanwhile, since its partials have an order, and nothing any more if this
        is broken off: whoever goes on begins the block anew, as if this worker had died. False says so.
        """
        tp, rest = TP(batch.topic, batch.partition), chain.from_iterable(letters)
        self._held.add(tp.partition)
        while some := list(islice(rest, _LETTERS_AT_ONCE)):
            self._send(tp.partition, Emission(dead_letters=some))
            await asyncio.sleep(0)
            await self.outbox.settle(below_bytes=self._limit_bytes)
            if self._stopping or not self._owns(partition, tp):
                return False
        self._held.discard(tp.partition)
        return True

    async def _go_back(self, batch: RecordBatch, partition: SourcePartition) -> None:
        """Read from where the fold stands, unless the log has lost it."""
        tp = TP(batch.topic, batch.partition)
        try:
            extents = await self._consumer.extents([tp])
        except KafkaError as error:
            if not is_passing(error):
                raise
            _log.warning("where %s-%d begins cannot be asked now (%s)", *tp, error)
            await asyncio.sleep(_ASK_SECONDS)
            if not self._owns(partition, tp):
                return
        else:
            if not self._owns(partition, tp) or not self._reach(partition, extents[tp].start):
                return
        await self._consumer.read_from(tp, partition.position)  # where this comes again, if it was not answered

    def _owns(self, partition: SourcePartition, tp: TP) -> bool:
        """Return whether a partition is still what it was before the loop went on: a rebalance voids all of them."""
        return self.aggregator.partitions.get(tp.partition) is partition

    def _reach(self, partition: SourcePartition, begins: int) -> bool:
        """Return whether the log still has what the fold needs next; else have looked up whether another folded it."""
        if partition.lost or partition.skip(begins):
            return not partition.lost
        self._look_up({partition.fold.partition: begins})
        return False

    def _look_up(self, begins: Mapping[int, int]) -> None:
        """Have looked up what is published of partitions whose logs begin there now; they are not read meanwhile."""
        for each in begins:
            self._consumer.leave(TP(self.topics.transactions, each))
        self._lookup.begin(begins)

    async def _go_on(self, at: int, begins: int, found: BlockStart | None) -> None:
        """Go on behind what is published of a partition; if that does not reach to the log's beginning, it is lost.

        What is found is published anew, so that who comes to it next finds it soon.
        """
        tp, partition = TP(self.topics.transactions, at), self.aggregator.partitions[at]
        if found is not None and found.position >= partition.needed:
            found = replace(found, end=partition.end)
            self.aggregator.begin(at, found, partition.fold.partitions, time.monotonic())
            partition = self.aggregator.partitions[at]
            self._stood[at] = min(self._ends[at], partition.block_end)
        if not partition.skip(begins):
            self._lose(tp, partition, begins)
            return
        if found is not None and found.sent is not None:
            self._send(at, Emission(partials=[whole(found.sent, partition.fold.parameters.block_size)]))
        _log.info(
            "%s-%d: the log begins at %d, behind the start of the open block: going on behind what is published of "
            "it, from offset %d", *tp, begins, partition.needed,
        )  # fmt: skip
        await self._consumer.read_from(tp, partition.position)

    def _lose(self, tp: TP, partition: SourcePartition, begins: int) -> None:
        _log.error(
            "%s-%d: offset %d is needed, but the log begins at %d: retention removed what was not yet folded. Nothing "
            "more of this partition is counted in this run, the others go on: docs/delivery.md, A lost partition",
            *tp, partition.needed, begins,
        )  # fmt: skip
        self._send(tp.partition, partition.lose(begins))
        self._consumer.leave(tp)

    def _send(self, partition: int, emission: Emission) -> None:
        under_way, partials = self._under_way[partition], self.topics.partials
        for letter in emission.dead_letters:
            key, value, headers = encode_dead_letter(letter, self.topics.transactions, self._letter_bytes)
            self.outbox.send(self.topics.dead_letters, value, key=key, headers=headers, parcel=under_way.open)
            aggregator_metrics.REJECTED.labels(letter.reject.reason.value).inc()
            self._flood.reject(letter.reject.reason.value, again=letter.offset < self._stood[partition])
        for partial in emission.partials:
            for q, panels in enumerate(self._panels_of):
                own = partial if len(self._panels_of) == 1 else partial.restrict(panels.__contains__)
                for key, body in encode_partial(own):
                    self.outbox.send(partials, body, key=key, partition=q, headers=self._signed, parcel=under_way.open)
                aggregator_metrics.PARTIALS_SENT.inc()
        if sealed := sum(partial.sealed for partial in emission.partials):
            aggregator_metrics.BLOCKS_SEALED.inc(sealed)
            under_way.open.close()
            under_way.closed.append((under_way.open, self.aggregator.partitions[partition].block_start))
            under_way.open = Parcel()

    # --- the clock's part

    def tick(self) -> None:
        """Send what has waited long enough, mark what may be committed."""
        self.outbox.poll()
        self.outbox.check()
        for partition, emission in self.aggregator.due(time.monotonic(), self._held):
            self._send(partition, emission)
        self._mark()
        if told := self._flood.told(time.monotonic()):
            _log.warning("%s", told)

    async def run(self) -> None:
        """Tick and ask until cancelled, or something fails."""
        works = (self._tick_on(), self._ask_on(), let_go(self.outbox, self._logs), self._failure.raised())
        tasks = [asyncio.create_task(each) for each in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self._lookup.give_up()
            for task in tasks:
                task.cancel()

    async def _tick_on(self) -> None:
        while True:
            self.tick()
            await asyncio.sleep(_TICK_SECONDS)

    async def _ask_on(self) -> None:
        while True:
            await self.look_for_idle()
            await asyncio.sleep(_ASK_SECONDS)

    async def look_for_idle(self) -> None:
        """Ask where the logs of quiet partitions end, and say of those that are read to their end that they are idle.

        A broker that does not answer is asked again; meanwhile nobody is silent. Nothing of it holds up a tick.
        """
        quiet = {
            TP(self.topics.transactions, each): self.aggregator.partitions[each]
            for each in self.aggregator.quiet(time.monotonic())
            if each not in self._held and each not in self._lookup
        }
        if not quiet:
            return
        try:
            extents = await self._consumer.extents(quiet)
        except KafkaError as error:
            if not is_passing(error):
                raise
            self.aggregator.unanswered(time.monotonic())
            _log.warning("where silent partitions end cannot be asked now (%s); it will be again", error)
            return
        now = time.monotonic()
        self.aggregator.answered(now)
        for tp, partition in quiet.items():
            free = not self._stopping and tp.partition not in self._held
            if free and self._owns(partition, tp) and self._reach(partition, extents[tp].start):
                self._send(tp.partition, self.aggregator.confirm_idle(tp.partition, extents[tp].end, now))

    def _mark(self) -> None:
        for partition, under_way in self._under_way.items():
            reached = None
            while under_way.closed and under_way.closed[0][0].arrived:
                reached = under_way.closed.popleft()[1]
            if reached is not None:
                self._consumer.marks[TP(self.topics.transactions, partition)] = commit_mark(reached)

    async def finish(self, deadline_seconds: float) -> None:
        """Fold nothing more; send what is new, wait for it, and commit what is whole, as far as the time goes."""
        self._stopping = True
        self._lookup.give_up()
        end = time.monotonic() + deadline_seconds
        for partition, each in self.aggregator.partitions.items():
            if partition not in self._held:
                self._send(partition, each.flush())
        await self.outbox.settle(deadline_seconds=deadline_seconds)
        self._mark()
        if self.assigned:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._consumer.commit(), end - time.monotonic())
