"""A Faust transport that hands an agent all records of a partition and poll as one message.

Faust takes some 280 us for a message. Here a message is a list of `RecordBatch`, so that this is paid for
thousands of records at once. Three things differ from Faust's own driver besides:

- *Where reading starts* is asked of a `Positions` object at every assignment, and nowhere else. The aggregator
  answers with the offset committed at a block's start, the detector with that of its snapshot.
- *What is committed* is what the application has put into `Consumer.marks`: offsets at which it could start
  again, with a word of its own in the commit's metadata. Faust's acknowledgements move nothing.
- *How much is in memory* is counted in unpacked bytes: agents are given about `POLL_BYTES` at once, and no more while
  they are not through with as much.

A broker that is gone is waited for: where reading starts is asked again until it answers, and until then nothing is
delivered and `Consumer.assigned` is false.

It is registered under `faust.transports` as `earlywarn-batch` (broker URL `earlywarn-batch://host:port`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, cast
from weakref import WeakSet

from aiokafka.errors import KafkaError, KafkaTimeoutError
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, ConsumerMessage, EventT, Message

from earlywarn.adapters.kafka.column_consumer import Extent
from earlywarn.adapters.kafka.column_fetcher import POLL_BYTES
from earlywarn.adapters.kafka.consumer_thread import ConsumerThread, Mark
from earlywarn.adapters.kafka.record_batch import RecordBatch
from earlywarn.errors import LogError

_POLL_PAUSE_SECONDS = 0.002
_FULL_PAUSE_SECONDS = 0.01  # as much as `POLL_BYTES` is work for ten times that
_RETRY_SECONDS = 0.5
_MESSAGE_BYTES = 2_000  # what a message of Faust takes besides its batches; there may be thousands of a record each


class Positions(Protocol):
    """Says where partitions are read from, whenever they are assigned anew."""

    async def start(self, committed: Mapping[TP, Mark | None]) -> Mapping[TP, int]:
        """Return the offset to read each partition from; the keys are all that is assigned now.

        `committed` holds what the group has committed of each, None for nothing. Whatever was known of
        partitions is void with this call.
        """


class Consumer(driver.Consumer):
    """Delivers one message per partition and poll; commits marks."""

    logger = driver.logger
    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.marks: dict[TP, Mark] = {}
        self._marked: dict[TP, Mark] = {}
        self._starting: asyncio.Task[None] | None = None
        self._placed = False
        self._read_offset = _NothingRead()
        self._given: WeakSet[Message] = WeakSet()  # Faust counts a message when an agent takes it, and not in the queue

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def assigned(self) -> bool:
        """Return whether this worker is a member of its group, and has started all that it was given, be it nothing."""
        return self._placed and self._thread.is_member

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Deliver nothing more until partitions are assigned and started anew."""
        self._give_up()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Have the application told of an empty share as well, for which Faust would seek nothing."""
        await super().on_partitions_assigned(assigned, generation_id)
        if not assigned:
            await self.perform_seek()

    async def perform_seek(self) -> None:
        """Start all assigned partitions where the application says; until that is done nothing is delivered.

        Faust takes a seek that lasts longer than a request for the end of the service, and would never read again: a
        longer one goes on behind this.
        """
        self._give_up()
        starting = self._starting = asyncio.create_task(self._start_assigned())
        await asyncio.wait([starting], timeout=self.app.conf.broker_request_timeout / 2)
        if not starting.done():
            starting.add_done_callback(self._crash_with)
        elif not starting.cancelled():
            starting.result()

    async def _start_assigned(self) -> None:
        starting = asyncio.current_task()
        positions = cast("Transport", self.transport).positions
        if positions is None:
            raise LogError("the batch transport has no `positions`: set them on app.transport before the start")
        while True:
            try:
                starts = await positions.start(await self._thread.committed(self.assignment()))
                await self._thread.seek_all(starts, starting)
            except KafkaError as error:
                if not is_passing(error):
                    raise
                self.log.warning("where to start reading cannot be asked now (%s); it will be again", error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._placed = True
                return

    def _give_up(self) -> None:
        """Void what is started, or about to be."""
        self._placed = False
        self.marks.clear()
        self._marked.clear()
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None

    def _crash_with(self, starting: asyncio.Task[None]) -> None:
        error = None if starting.cancelled() else starting.exception()
        if error is not None:
            self.add_future(self.crash(error))

    async def partition_count(self, topic: str) -> int:
        """Return how many partitions a topic has now."""
        return await self._thread.partition_count(topic)

    async def extents(self, partitions: Iterable[TP]) -> dict[TP, Extent]:
        """Return where the logs of partitions begin and end now, open transactions included.

        Raises:
            KafkaError: no answer; `is_passing` tells whether it is worth asking again.
        """
        return await self._thread.extents(partitions)

    async def read_from(self, tp: TP, offset: int) -> None:
        """Read a partition on from an offset, also one that was left, if it is still assigned."""
        await self._thread.read_from(tp, offset)

    def leave(self, tp: TP) -> None:
        """Read nothing more of a partition for as long as it is assigned, or until `read_from`."""
        self._thread.leave(tp)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002  # Faust's signature
        """Commit the marks that moved since the last time."""
        if not self.marks:
            return False  # nor may there be a consumer yet whose assignment could be asked for
        assigned = self.assignment()
        news = {tp: mark for tp, mark in self.marks.items() if tp in assigned and mark != self._marked.get(tp)}
        if not news or not await self._thread.commit_marks(news):
            return False
        self._marked.update(news)
        return True

    def ack(self, message: Message) -> bool:
        """Note that the agent is through with a message; that moves no offset."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def verify_all_partitions_active(self) -> None:
        """Leave slow partitions to our own metrics: an open block commits nothing, and that is no livelock."""

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:  # noqa: ASYNC109
        if not self._placed:
            await asyncio.sleep(_POLL_PAUSE_SECONDS)
            return {}
        if self._given_bytes() >= POLL_BYTES:
            await asyncio.sleep(_FULL_PAUSE_SECONDS)
            return {}
        placing, found = cast("Any", await super()._getmany(active_partitions, timeout))
        if placing is not self._starting:
            return {}  # it was read before a seek of all, done or to come, and is read again behind it
        return {tp: [batches] for tp, batches in found.items()}

    def _given_bytes(self) -> int:
        """Return what agents were given and are not through with, however many messages it is in."""
        unfinished = [message for message in self._given if not message.acked]  # a last one may live on in the agent
        messages: list[list[RecordBatch]] = [cast("Any", message.value) for message in unfinished]
        return sum(_MESSAGE_BYTES + sum(batch.held_bytes for batch in batches) for batches in messages)

    def _to_message(self, tp: TP, record: list[RecordBatch]) -> ConsumerMessage:
        value, last = cast("Any", record), record[-1].next - 1
        message = ConsumerMessage(
            tp.topic, tp.partition, last, 0.0, 1, None, None, value, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip
        self._given.add(message)
        return message

    async def sleep(self, n: Any, **kwargs: Any) -> None:
        """Sleep; where Faust waits a second for a full buffer, a moment is enough."""
        await super().sleep(_POLL_PAUSE_SECONDS if n == 1 else n, **kwargs)


def is_passing(error: KafkaError) -> bool:
    """Return whether a question that failed so may be answered later."""
    return any((error.retriable, isinstance(error, KafkaTimeoutError)))


class _NothingRead(dict[TP, Any]):
    """In place of Faust's record of what it has read: the fold knows its position, and seeks go both ways."""

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: Any) -> None:
        pass

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Remember nothing."""


class Transport(driver.Transport):
    """See the module; `positions` must be set before the app starts."""

    Consumer = Consumer
    positions: Positions | None = None


class BatchSchema(Schema[Any, Any]):
    """The schema of a topic read through this transport: a message's value is its list of batches."""

    def compile(self, app: AppT, **kwargs: Any) -> Callable[..., Awaitable[EventT[Any]]]:  # noqa: ARG002  # Faust's signature
        """Return the function that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Message, *, propagate: bool = False) -> EventT[Any]:  # noqa: ARG001  # likewise
            return create_event(None, message.value, None, message)

        return decode
