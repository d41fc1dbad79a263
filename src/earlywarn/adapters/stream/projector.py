"""Keeps Redis up to date with what is published: a task beside the fold, which never waits for it."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial

from aiokafka.errors import KafkaError

from earlywarn.adapters.kafka.lost_beginnings import lost_beginning
from earlywarn.adapters.kafka.rights import missing_right
from earlywarn.adapters.kafka.run_logs import SILENCE_SECONDS, RunLogs
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import topic_identities
from earlywarn.adapters.kafka.topic_reader import read_partition
from earlywarn.adapters.redis.layout import TOPIC_KINDS, TopicKind
from earlywarn.adapters.redis.projection import RecordSource, RedisProjection, project_run
from earlywarn.adapters.redis.records import Record
from earlywarn.adapters.stream.failure import Failure
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import EarlywarnError

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 5.0


def records_of(kafka: KafkaSettings, topics: RunTopics, *, to_end: bool = False) -> RecordSource:
    """Return what reads a run's aggregates and alerts for the projection, and logs what is removed before it came."""

    async def read(kind: TopicKind, partition: int, position: int) -> AsyncGenerator[Sequence[Record], None]:
        topic = topics.of(kind)

        def lost(begin: int) -> None:
            _log.warning("%s", lost_beginning(topic, partition, begin, position, topics.run))

        async for batches in read_partition(kafka, topic, partition, position, to_end=to_end, lost=lost):
            yield [record for batch in batches for record in zip(batch.offsets, batch.values, strict=True)]

    return read


def logs_of(kafka: KafkaSettings, topics: RunTopics) -> dict[TopicKind, str]:
    """Return which logs a run's aggregates and alerts are, as far as their names tell no more.

    Raises:
        LogError: there is no such topic.
        ConfigError: no broker answers, or it refuses.
    """
    found = topic_identities(kafka, [topics.of(kind) for kind in TOPIC_KINDS])
    return {kind: found[topics.of(kind)] for kind in TOPIC_KINDS}


class Projector:
    """Projects the partitions that this worker owns, for as long as it does.

    Args:
        projection: into Redis.
        check: asks Redis whether it will do and has lost nothing: before it is written to, and every few seconds.
        read: reads the topics.
        new_logs: gives the topics as they are when it is first asked which logs they are.
        failure: is told of an error that it does not know, which ends it.
    """

    def __init__(
        self,
        projection: RedisProjection,
        check: Callable[[], Awaitable[object]],
        read: RecordSource,
        new_logs: Callable[[], RunLogs],
        failure: Failure,
    ) -> None:
        self.trouble = ""
        self._answered = False
        self._checked_seconds = 0.0
        self._projection = projection
        self._check = check
        self._read = read
        self._new_logs = new_logs
        self._failure = failure
        self._task: asyncio.Task[None] | None = None

    def own(self, partitions: Sequence[int]) -> None:
        """Project these partitions from now on, and no others."""
        self.stop()
        self._task = self._failure.task(self._project(list(partitions)) if partitions else self._look())

    def stop(self) -> None:
        """Project nothing more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    @property
    def works(self) -> bool:
        """Return whether Redis takes what it is given: it has answered, and does."""
        if self._task is None:
            return True
        return self._answered and not self.trouble and not self._projection.outages.seconds

    async def _look(self) -> None:
        """See that Redis would do, with nothing to write yet: whoever takes partitions over finds out too late."""
        while True:
            try:
                await self._ask()
            except EarlywarnError as error:
                self.trouble = str(error)
                _log.error("Redis could not be kept up to date: %s", self.trouble)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self.trouble, self._answered = "", True
                return

    async def _ask(self) -> None:
        """Ask Redis, however long it is away."""
        await self._projection.outages.wait_out(self._check)
        self._checked_seconds = time.monotonic()

    async def _project(self, partitions: list[int]) -> None:
        while True:
            try:
                await self._ask()
                logs = self._new_logs()
                ids = await asyncio.to_thread(logs.check)
                await self._projection.claim({kind: ids[kind] for kind in TOPIC_KINDS})
                await project_run(self._projection, partitions, partial(self._read_on, logs))
            except (EarlywarnError, KafkaError) as error:
                self.trouble = missing_right(error) or str(error)
                _log.error("Redis is not kept up to date: %s", self.trouble)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _read_on(
        self, logs: RunLogs, kind: TopicKind, partition: int, position: int
    ) -> AsyncGenerator[Sequence[Record], None]:
        """Read what is of these logs for sure; an answer, be there anything new or not, is the end of a trouble.

        Raises:
            LogError: a topic was deleted, or made anew; or Redis has lost what it had.
            ConfigError: Redis will not do any more.
        """
        known = time.monotonic()
        async with aclosing(self._read(kind, partition, position)) as batches:
            async for records in batches:
                if time.monotonic() - self._checked_seconds > SILENCE_SECONDS:
                    await self._ask()
                if records or time.monotonic() - known > SILENCE_SECONDS:
                    await logs.confirmed()
                    known = time.monotonic()
                if self.trouble:
                    _log.warning("Redis is kept up to date again")
                self.trouble, self._answered = "", True  # Redis has said where it is
                yield records
