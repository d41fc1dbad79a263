"""An aggregator's service without brokers: its consumer is told what it answers, and what is sent is kept."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka.errors import KafkaError
from faust.types import TP

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.batch_transport import Consumer
from earlywarn.adapters.kafka.column_consumer import Extent
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.adapters.kafka.published_blocks import ReadPublished
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.wire import decode_partial
from earlywarn.adapters.stream.aggregator_service import AggregatorService
from earlywarn.aggregation.partial import Partial
from earlywarn.application.aggregator import Aggregator
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import PanelSettings, Settings

RUN = compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))
TOPICS = RunTopics("x")
SOURCE: Any = None  # nothing is released here
PLACES = [TP(TOPICS.transactions, partition) for partition in range(2)]


@dataclass
class Sent:
    """An outbox that keeps what it is given; all of it is acknowledged at once."""

    partials: list[Partial] = field(default_factory=list)
    unacknowledged_bytes: int = 0

    def poll(self) -> None:
        pass

    def check(self) -> None:
        pass

    def send(self, topic: str, value: bytes | None, **_: object) -> None:
        if topic == TOPICS.partials:
            self.partials.append(decode_partial(value, topic))


class Brokers(Consumer):
    """A consumer of a log that is as long as `extents` says, or fails so; it answers when `answering` is set."""

    def __init__(self, extents: Mapping[TP, Extent]) -> None:
        self.logs = dict(extents)
        self.error: KafkaError | None = None
        self.answering = asyncio.Event()
        self.asked = asyncio.Event()
        self.answering.set()
        self.left: set[TP] = set()
        self.sought: dict[TP, int] = {}
        self.marks: dict[TP, Mark] = {}

    async def partition_count(self, topic: str) -> int:
        assert topic == TOPICS.transactions
        return len(self.logs)

    async def extents(self, partitions: Iterable[TP]) -> dict[TP, Extent]:
        self.asked.set()
        await self.answering.wait()
        if self.error is not None:
            raise self.error
        return {tp: self.logs[tp] for tp in partitions}

    async def read_from(self, tp: TP, offset: int) -> None:
        self.sought[tp] = offset
        self.left.discard(tp)

    def leave(self, tp: TP) -> None:
        self.left.add(tp)


def service(
    consumer: Consumer, read_published: ReadPublished = lambda *_: {}, run: Run = RUN
) -> tuple[AggregatorService, Sent]:
    sent = Sent()
    found = AggregatorService(
        Aggregator(run, arrow_batch.decode, flush_seconds=1, idle_seconds=0),
        sent,  # type: ignore[arg-type]  # what it is sent through
        SOURCE,
        TOPICS,
        read_published,
        panels_of=(frozenset({"CH"}),),
        unacknowledged_bytes=1,
        letter_bytes=1 << 20,
    )
    found._app = SimpleNamespace(consumer=consumer)  # type: ignore[assignment]  # of it the consumer alone
    return found, sent


EMPTY = dict.fromkeys(PLACES, Extent(0, 0))
