"""Faust applications on the batch transport that keep what they are given, for tests on a real broker."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress

import faust
from aiokafka.errors import KafkaTimeoutError
from faust.types import TP
from plain_topics import producer, sent

from earlywarn.adapters.kafka.batch_transport import Consumer
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.adapters.kafka.record_batch import RecordBatch
from earlywarn.adapters.stream.faust_app import batch_topic, faust_app
from earlywarn.application.service_settings import KafkaSettings, ServiceSettings

SECONDS = 60
_SERVICE = ServiceSettings(commit_seconds=0.2)


class Reader:
    """An application that keeps what it is given, and starts where `starts` says, else at what is committed, else at 0.

    Attributes:
        batches: delivered since the last start.
        told: what it was told at every start.
        refuses, refused: questions of a start fail; how many have.
    """

    def __init__(self, kafka: KafkaSettings, topic: str, *, group: str = "") -> None:
        self.batches: list[RecordBatch] = []
        self.told: list[dict[TP, Mark | None]] = []
        self.starts: dict[int, int] = {}
        self.refuses, self.refused = False, 0
        self.app = faust_app(group or f"{topic}.group", kafka, _SERVICE, self)

        @self.app.agent(batch_topic(self.app, topic))
        async def take(stream: faust.StreamT[list[RecordBatch]]) -> None:
            async for batches in stream:
                self.batches += batches

    @property
    def consumer(self) -> Consumer:
        assert isinstance(self.app.consumer, Consumer)
        return self.app.consumer

    @property
    def values(self) -> list[bytes | None]:
        return [value for batch in self.batches for value in batch.values]

    async def start(self, committed: Mapping[TP, Mark | None]) -> Mapping[TP, int]:
        if self.refuses:
            self.refused += 1
            raise KafkaTimeoutError("nobody answers")
        self.told.append(dict(committed))
        self.batches.clear()
        return {tp: self.starts.get(tp.partition, mark.offset if mark else 0) for tp, mark in committed.items()}

    def owns(self, partitions: Iterable[int]) -> bool:
        """Return whether it has started these partitions, and is a member of its group."""
        wanted = set(partitions)
        return bool(self.told) and {tp.partition for tp in self.told[-1]} == wanted and self.consumer.assigned


@asynccontextmanager
async def reading(*readers: Reader) -> AsyncIterator[None]:
    """Let applications run."""
    try:
        for reader in readers:
            await reader.app.start()
        yield
    finally:
        for reader in readers:
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.app.stop(), 10)


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


def played(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 3 * SECONDS))


def fill(kafka: KafkaSettings, topic: str, records: int, *, partitions: int = 1, begins: int = 0) -> None:
    sender = producer(kafka, linger_ms=100)
    for at in range(begins, begins + records):
        for partition in range(partitions):
            sender.produce(topic, b"%d" % at, partition=partition)
    sent(sender)


def numbers(first: int, last: int) -> list[bytes | None]:
    return [b"%d" % at for at in range(first, last)]
