"""Dead letters of batched records are sent a few at a time; what else is due for their partition waits meanwhile."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from faust.types import TP

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.batch_transport import Consumer
from earlywarn.adapters.kafka.column_consumer import Extent
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.adapters.kafka.record_batch import RecordBatch
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.wire import decode_partial
from earlywarn.adapters.stream.aggregator_service import AggregatorService
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER
from earlywarn.application.aggregator import Aggregator
from earlywarn.application.compose import compose
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.transaction import Transaction

RUN = compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))
TOPICS = RunTopics("x")
SOURCE: Any = None  # nothing is released here
PLACE = TP(TOPICS.transactions, 0)
LETTERS, AT_ONCE = 2_500, 1_000
GOOD = Transaction(id="t", ts=1_551_702_896_000, amount_minor=5, currency="CHF", mcc="5411", region="CH04")
ROWS = [GOOD, *(msgspec.structs.replace(GOOD, id=f"t{at}", region="XX") for at in range(LETTERS))]
HEADERS = [(CONTENT_TYPE_HEADER, ARROW_STREAM)]
BATCH = RecordBatch(TOPICS.transactions, 0, 0, 1, [0], [arrow_batch.encode(ROWS)], 4_000_000_000_000, [HEADERS])


@dataclass
class SlowOutbox:
    """An outbox whose broker acknowledges when it is told to; `sent` says what came, in its order."""

    acknowledging: asyncio.Event = field(default_factory=asyncio.Event)
    waited: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[str | int] = field(default_factory=list)
    unacknowledged_bytes: int = 0

    def poll(self) -> None:
        pass

    def check(self) -> None:
        pass

    def send(self, topic: str, value: bytes | None, **_: object) -> None:
        is_partial = topic == TOPICS.partials
        self.sent.append(
            f"{sum(row.transactions for row in decode_partial(value, topic).rows)} counted" if is_partial else 1
        )

    async def settle(self, below_bytes: int = 1, *, deadline_seconds: float | None = None) -> bool:  # noqa: ARG002
        self.waited.set()
        if deadline_seconds is None:
            await self.acknowledging.wait()
        return True


class Empty(Consumer):
    """A consumer of a log of one partition."""

    def __init__(self) -> None:
        self.marks: dict[TP, Mark] = {}

    async def partition_count(self, topic: str) -> int:  # noqa: ARG002
        return 1

    async def extents(self, partitions: object) -> dict[TP, Extent]:  # noqa: ARG002
        return {PLACE: Extent(0, 1)}

    @property
    def assigned(self) -> bool:
        return False  # so that nothing is committed


async def taking() -> tuple[AggregatorService, SlowOutbox, asyncio.Task[None]]:
    """Return a worker that has sent the first letters of a batch and waits."""
    outbox = SlowOutbox()
    worker = AggregatorService(
        Aggregator(RUN, arrow_batch.decode, flush_seconds=0, idle_seconds=0),
        outbox,  # type: ignore[arg-type]  # what it is sent through
        SOURCE,
        TOPICS,
        lambda _: {},
        panels_of=(frozenset({"CH"}),),
        unacknowledged_bytes=1,
        letter_bytes=1 << 20,
    )
    worker._app = SimpleNamespace(consumer=Empty())  # type: ignore[assignment]  # of it the consumer alone
    await worker.start({PLACE: None})
    task = asyncio.create_task(worker._take(BATCH))
    await outbox.waited.wait()
    return worker, outbox, task


def test_nothing_of_the_partition_overtakes_them() -> None:
    async def live() -> list[str | int]:
        worker, outbox, task = await taking()
        assert outbox.sent == [1] * AT_ONCE
        worker.tick()  # more than the flush interval is over
        await worker.look_for_idle()
        assert outbox.sent == [1] * AT_ONCE
        outbox.acknowledging.set()
        await task
        assert outbox.sent == [1] * LETTERS
        worker.tick()
        return outbox.sent[LETTERS:]

    assert asyncio.run(live()) == ["1 counted"]


@pytest.mark.parametrize("committed", [{PLACE: None}, {}])
def test_a_rebalance_leaves_the_rest_to_whoever_goes_on(committed: Mapping[TP, Mark | None]) -> None:
    """Also if the partition comes back to this worker, which then begins its block anew."""

    async def live() -> list[str | int]:
        worker, outbox, task = await taking()
        await worker.start(committed)
        outbox.acknowledging.set()
        await task
        worker.tick()
        return outbox.sent

    assert asyncio.run(live()) == [1] * AT_ONCE


def test_a_worker_that_is_told_to_stop_sends_no_partial_of_what_is_half_sent() -> None:
    async def live() -> list[str | int]:
        worker, outbox, task = await taking()
        await worker.finish(1)
        outbox.acknowledging.set()
        await task
        worker.tick()
        return outbox.sent

    assert asyncio.run(live()) == [1] * AT_ONCE
