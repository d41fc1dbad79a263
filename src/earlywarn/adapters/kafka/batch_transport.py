"""A Faust transport that hands an agent all records of a partition and poll as one message.

Faust takes some 280 us for a message. Here a message is a list of `RecordBatch`, so that this is paid for
thousands of records at once. Two things differ from Faust's own driver besides:

- *Where reading starts* is asked of a `Positions` object at every assignment, and nowhere else. The aggregator
  answers with the offset committed at a block's start, the detector with that of its snapshot.
- *What is committed* is what the application has put into `Consumer.marks`: offsets at which it could start
  again, with a word of its own in the commit's metadata. Faust's acknowledgements move nothing.

It is registered under `faust.transports` as `earlywarn-batch` (broker URL `earlywarn-batch://host:port`).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import aiokafka
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT, ConsumerMessage, EventT, Message

from earlywarn.adapters.kafka.record_batch import ColumnFetcher, RecordBatch
from earlywarn.errors import LogError

_POLL_PAUSE_SECONDS = 0.002
_FETCH_WAIT_MS = 250
_COMMIT_ERRORS = (KafkaError, IllegalStateError)


@dataclass(frozen=True, slots=True)
class Mark:
    """An offset to start again from, and what must be known there."""

    offset: int
    metadata: str = ""


class Positions(Protocol):
    """Says where partitions are read from, whenever they are assigned anew."""

    async def start(self, committed: Mapping[TP, Mark | None]) -> Mapping[TP, int]:
        """Return the offset to read each partition from; the keys are all that is assigned now.

        `committed` holds what the group has committed of each, None for nothing. Whatever was known of
        partitions is void with this call.
        """


class ColumnConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka ships no types
    """aiokafka's consumer, giving `RecordBatch`es."""

    async def start(self) -> None:
        """Connect; nothing is assigned yet, so nothing was fetched as single records."""
        await super().start()
        self._fetcher.__class__ = ColumnFetcher


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread in which the consumer's own loop runs: fetching, parsing, heartbeats."""

    logger = driver.logger

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = StickyPartitionAssignor  # what is folded stays where it is, when a worker joins
        return ColumnConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id or None,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=None,
            max_poll_interval_ms=int((conf.broker_max_poll_interval or 0) * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            isolation_level="read_committed",
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def committed(self, partitions: Iterable[TP]) -> dict[TP, Mark | None]:
        """Return what the group has committed, with its metadata."""
        return cast("dict[TP, Mark | None]", await self.call_thread(self._committed, list(partitions)))

    async def _committed(self, partitions: list[TP]) -> dict[TP, Mark | None]:
        coordinator = self._ensure_consumer()._coordinator
        found = await coordinator.fetch_committed_offsets([driver.ensure_aiokafka_TP(tp) for tp in partitions])
        marks: dict[TP, Mark | None] = dict.fromkeys(partitions)
        for tp, committed in found.items():
            if committed.offset >= 0:
                marks[TP(tp.topic, tp.partition)] = Mark(committed.offset, committed.metadata or "")
        return marks

    async def partition_count(self, topic: str) -> int:
        """Return how many partitions a topic has now, as the brokers say."""
        return int(await self.call_thread(self._partition_count, topic))

    async def _partition_count(self, topic: str) -> int:
        client = self._ensure_consumer()._client
        await client.force_metadata_update()
        return len(await client._wait_on_metadata(topic))

    async def seek_all(self, offsets: Mapping[TP, int]) -> None:
        """Read on from these offsets."""
        await self.call_thread(self._seek_all, dict(offsets))

    async def _seek_all(self, offsets: dict[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in offsets.items():
            if tp in self.assignment():
                consumer.seek(driver.ensure_aiokafka_TP(tp), offset)

    async def commit_marks(self, marks: Mapping[TP, Mark]) -> bool:
        """Commit; False if the group or the broker would not have it now (it is tried again)."""
        return bool(await self.call_thread(self._commit_marks, dict(marks)))

    async def _commit_marks(self, marks: dict[TP, Mark]) -> bool:
        offsets = {driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(at.offset, at.metadata) for tp, at in marks.items()}
        try:
            await self._ensure_consumer().commit(offsets)
        except _COMMIT_ERRORS as error:
            self.log.warning("offsets could not be committed now (%s); they will be again", error)
            return False
        return True


class Consumer(driver.Consumer):
    """Delivers one message per partition and poll; commits marks."""

    logger = driver.logger
    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.marks: dict[TP, Mark] = {}
        self._marked: dict[TP, Mark] = {}
        self._read_offset = _NothingRead()

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def perform_seek(self) -> None:
        """Start all assigned partitions where the application says."""
        positions = cast("Transport", self.transport).positions
        if positions is None:
            raise LogError("the batch transport has no `positions`: set them on app.transport before the start")
        assigned = self.assignment()
        self.marks.clear()
        self._marked.clear()
        await self._thread.seek_all(await positions.start(await self._thread.committed(assigned)))

    async def partition_count(self, topic: str) -> int:
        """Return how many partitions a topic has now."""
        return await self._thread.partition_count(topic)

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002  # Faust's signature
        """Commit the marks that moved since the last time."""
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
        found = await super()._getmany(active_partitions, timeout)
        return {tp: [batches] for tp, batches in found.items()}

    def _to_message(self, tp: TP, record: list[RecordBatch]) -> ConsumerMessage:
        value, last = cast("Any", record), record[-1].next - 1
        return ConsumerMessage(
            tp.topic, tp.partition, last, 0.0, 1, None, None, value, None, 0, 0, tp,
            generation_id=self.app.consumer_generation_id,
        )  # fmt: skip

    async def sleep(self, n: Any, **kwargs: Any) -> None:
        """Sleep; where Faust waits a second for a full buffer, a moment is enough."""
        await super().sleep(_POLL_PAUSE_SECONDS if n == 1 else n, **kwargs)


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
