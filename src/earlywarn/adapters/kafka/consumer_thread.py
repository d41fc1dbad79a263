"""The thread of the batch transport in which the consumer's own loop runs: fetching, parsing, heartbeats.

It is asked past Faust's queue, which has two places, so that a question to a broker that is gone holds up no other
and ends when whoever asked is cancelled.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from earlywarn.adapters.kafka.column_consumer import ColumnConsumer, Extent

_T = TypeVar("_T")
_FETCH_WAIT_MS = 250
_LEAVE_SECONDS = 1.0
_COMMIT_ERRORS = (KafkaError, IllegalStateError)


@dataclass(frozen=True, slots=True)
class Mark:
    """An offset to start again from, and what must be known there."""

    offset: int
    metadata: str = ""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """See the module."""

    logger = driver.logger
    _placing: object = None

    async def _ask(self, question: Coroutine[Any, Any, _T]) -> _T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(question, self.thread_loop))

    async def on_thread_stop(self) -> None:
        """Leave the group, if the broker answers in time; it notices without."""
        try:
            await asyncio.wait_for(super().on_thread_stop(), _LEAVE_SECONDS)
        except TimeoutError:
            self.log.warning("the broker does not answer; the group will miss this worker by itself")

    def _create_worker_consumer(self, transport: Any) -> ColumnConsumer:
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
        return await self._ask(self._committed(list(partitions)))

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
        return await self._ask(self._partition_count(topic))

    async def _partition_count(self, topic: str) -> int:
        client = self._ensure_consumer()._client
        await client.force_metadata_update()
        return len(await client._wait_on_metadata(topic))

    async def extents(self, partitions: Iterable[TP]) -> dict[TP, Extent]:
        """Return where logs begin and end now; see `ColumnConsumer.extents`."""
        return await self._ask(self._extents(list(partitions)))

    async def _extents(self, partitions: list[TP]) -> dict[TP, Extent]:
        consumer = cast("ColumnConsumer", self._ensure_consumer())
        found = await consumer.extents([driver.ensure_aiokafka_TP(tp) for tp in partitions])
        return {TP(tp.topic, tp.partition): extent for tp, extent in found.items()}

    @property
    def is_member(self) -> bool:
        """Return whether the group's coordinator is known and has not told to join anew."""
        coordinator = None if self._consumer is None else self._consumer._coordinator
        if coordinator is None or coordinator.coordinator_id is None:
            return False
        return not coordinator._rejoin_needed_fut.done()

    async def seek_all(self, offsets: Mapping[TP, int], placing: object) -> None:
        """Read on from these offsets, where they are assigned; whatever is polled from then on bears `placing`."""
        await self._ask(self._seek_all(dict(offsets), placing))

    async def _seek_all(self, offsets: dict[TP, int], placing: object) -> None:
        await self._seek_each(offsets)
        self._placing = placing

    async def _fetch_records(self, *args: Any, **kwargs: Any) -> Any:
        """Return what a poll gives, and under which seek of all it was read.

        A poll that waits outlives a rebalance. What it finds moves the position when it ends, so that it is of the
        seek before its end, whenever it began: taken for one of before, it would be dropped and never read again.
        """
        found = await super()._fetch_records(*args, **kwargs)  # it waits for nothing behind its first record
        return self._placing, found

    async def _seek_each(self, offsets: dict[TP, int]) -> None:
        consumer = self._ensure_consumer()
        for tp, offset in offsets.items():
            if tp in self.assignment():
                consumer.seek(driver.ensure_aiokafka_TP(tp), offset)

    async def read_from(self, tp: TP, offset: int) -> None:
        """Read on from an offset, also what was left, if it is assigned."""
        await self._ask(self._read_from(tp, offset))

    async def _read_from(self, tp: TP, offset: int) -> None:
        await self._seek_each({tp: offset})
        if tp in self.assignment():
            self._ensure_consumer().resume(driver.ensure_aiokafka_TP(tp))

    def leave(self, tp: TP) -> None:
        """Fetch nothing more of a partition, and let go what was fetched of it with the next poll."""
        self.thread_loop.call_soon_threadsafe(self._leave, tp)

    def _leave(self, tp: TP) -> None:
        if tp in self.assignment():
            self._ensure_consumer().pause(driver.ensure_aiokafka_TP(tp))

    async def commit_marks(self, marks: Mapping[TP, Mark]) -> bool:
        """Commit; False if the group or the broker would not have it now (it is tried again)."""
        return await self._ask(self._commit_marks(dict(marks)))

    async def _commit_marks(self, marks: dict[TP, Mark]) -> bool:
        offsets = {driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(at.offset, at.metadata) for tp, at in marks.items()}
        try:
            await self._ensure_consumer().commit(offsets)
        except _COMMIT_ERRORS as error:
            self.log.warning("offsets could not be committed now (%s); they will be again", error)
            return False
        return True
