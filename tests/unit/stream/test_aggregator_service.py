"""The aggregator's service while brokers answer late, not at all, or after a rebalance: a consumer that is told how."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError
from faust.types import TP

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.batch_transport import Consumer
from earlywarn.adapters.kafka.column_consumer import Extent
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.adapters.kafka.outbox import Outbox, Parcel
from earlywarn.adapters.kafka.published_blocks import ReadPublished
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.adapters.kafka.wire import decode_partial
from earlywarn.adapters.stream.aggregator_service import AggregatorService
from earlywarn.aggregation.partial import Partial, Row
from earlywarn.application.aggregator import Aggregator, BlockStart
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import PanelSettings, Settings

RUN = compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))
TOPICS = RunTopics("x")
SOURCE: Any = None  # nothing is released here
PLACES = [TP(TOPICS.transactions, partition) for partition in range(2)]
NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}


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

    def leave(self, tp: TP) -> None:
        self.left.add(tp)


def service(
    consumer: Consumer, read_published: ReadPublished = lambda _: {}, run: Run = RUN
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


@pytest.mark.parametrize("error", [KafkaTimeoutError("15 s"), KafkaConnectionError("refused")])
def test_a_broker_that_does_not_say_where_logs_end_is_asked_again(error: KafkaError) -> None:
    """Nothing is said meanwhile, and the worker lives; when it answers, silent partitions are idle."""

    async def live() -> list[Partial]:
        brokers = Brokers(EMPTY)
        worker, sent = service(brokers)
        await worker.start(dict.fromkeys(PLACES))
        brokers.error = error
        await worker.look_for_idle()
        worker.tick()
        assert sent.partials == []
        brokers.error = None
        await worker.look_for_idle()
        return sent.partials

    assert [(each.partition, each.idle, each.last) for each in asyncio.run(live())] == [(0, True, -1), (1, True, -1)]


def test_a_broker_that_forbids_the_question_ends_the_worker() -> None:
    async def live() -> None:
        brokers = Brokers(EMPTY)
        worker, _ = service(brokers)
        await worker.start(dict.fromkeys(PLACES))
        brokers.error = TopicAuthorizationFailedError(TOPICS.transactions)
        await worker.look_for_idle()

    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(live())


@pytest.mark.parametrize("left", [PLACES[:1], PLACES, []])
def test_a_rebalance_while_the_question_is_asked_voids_the_answer(left: list[TP]) -> None:
    """A partition that went, or came back and is begun anew, is not what was asked after."""

    async def live() -> list[Partial]:
        brokers = Brokers(EMPTY)
        worker, sent = service(brokers)
        await worker.start(dict.fromkeys(PLACES))
        brokers.answering.clear()
        brokers.asked.clear()
        asking = asyncio.create_task(worker.look_for_idle())
        await brokers.asked.wait()
        brokers.answering.set()
        await worker.start(dict.fromkeys(left))
        await asking
        return sent.partials

    assert asyncio.run(live()) == []


def test_a_partition_is_not_idle_before_the_end_of_its_log() -> None:
    """An open transaction holds records that nobody reads yet: the log goes on behind the position."""

    async def live() -> list[Partial]:
        brokers = Brokers(EMPTY | {PLACES[0]: Extent(0, 161)})
        worker, sent = service(brokers)
        await worker.start(dict.fromkeys(PLACES))
        await worker.look_for_idle()
        return sent.partials

    assert [each.partition for each in asyncio.run(live())] == [1]


def test_a_log_that_has_lost_a_blocks_start_is_told_at_once_and_read_no_more() -> None:
    """Even if nothing is left in it, so that no record will ever show it; the other partition goes on."""

    async def live() -> tuple[list[Partial], set[TP], list[bool]]:
        brokers = Brokers(EMPTY | {PLACES[0]: Extent(30, 30)})
        worker, sent = service(brokers)
        starts = await worker.start(dict.fromkeys(PLACES))
        assert starts == dict.fromkeys(PLACES, 0)
        await worker.look_for_idle()
        return sent.partials, brokers.left, [each.lost for each in worker.aggregator.partitions.values()]

    sent, paused, lost = asyncio.run(live())
    assert [(each.partition, each.lost, each.idle) for each in sent] == [(0, 30, False), (1, None, True)]
    assert (paused, lost) == ({PLACES[0]}, [True, False])


def test_a_log_that_loses_what_comes_next_while_it_is_read() -> None:
    async def live() -> list[Partial]:
        brokers = Brokers(EMPTY)
        worker, sent = service(brokers)
        await worker.start(dict.fromkeys(PLACES))
        brokers.logs[PLACES[1]] = Extent(5, 9)
        await worker.look_for_idle()
        return sent.partials

    assert [(each.partition, each.lost) for each in asyncio.run(live())] == [(0, None), (1, 5)]


def published(last: int, *, block: int = 0, sealed: bool = False) -> BlockStart:
    """Return what is published of a block of 2,000 offsets."""
    partial = Partial(
        partition=0, partitions=2, block=block, since=-1, last=last, sealed=sealed, event_time_ms=7,
        rows=(Row("CH", "CH04", "grocery", 0, late=False, transactions=3, amount_minor=30),), rejected={"json": 1},
    )  # fmt: skip
    return BlockStart.behind(partial, 2_000)


@pytest.mark.parametrize(
    ("found", "position"),
    [(published(71), 72), (published(99), 100), (published(1_999, sealed=True), 2_000)],
)
def test_a_log_that_has_lost_what_is_published_is_read_on_behind_it(found: BlockStart, position: int) -> None:
    """Be a block's start committed, or nothing any more; a broker that does not answer is asked anew."""

    async def live(mark: Mark | None) -> None:
        asked: list[Mapping[int, int]] = []

        def read_published(begins: Mapping[int, int]) -> Mapping[int, BlockStart]:
            asked.append(begins)
            if len(asked) == 1:
                raise NoAnswerError("no broker")
            return {0: found}

        brokers = Brokers({PLACES[0]: Extent(72, 150), PLACES[1]: Extent(0, 3)})
        worker, sent = service(brokers, read_published)
        assert await worker.start({PLACES[0]: mark, PLACES[1]: None}) == {PLACES[0]: position, PLACES[1]: 0}
        assert asked == [{0: 72}] * 2
        worker.tick()
        assert (sent.partials, brokers.left, worker.counting) == ([], set(), True)

    asyncio.run(live(Mark(0, '{"M":null}')))
    asyncio.run(live(None))


@pytest.mark.parametrize(("found", "needed"), [({}, 0), ({0: published(49)}, 50)])
def test_what_is_not_published_either_is_lost(found: Mapping[int, BlockStart], needed: int) -> None:
    """The record names the first offset that was not folded; a worker that has nothing else is not ready."""

    async def live() -> list[Partial]:
        worker, sent = service(Brokers({PLACES[0]: Extent(72, 150)}), lambda _: found)
        await worker.start({PLACES[0]: None})
        assert not worker.counting
        return sent.partials

    [lost] = asyncio.run(live())
    assert (lost.lost, lost.last + 1, lost.rows, lost.rejected) == (72, needed, (), {})


def test_what_was_committed_is_not_gone_back_behind() -> None:
    """Where partials have lost their end, say: nothing that was acknowledged may be sent as if it came first."""

    async def live() -> list[Partial]:
        worker, sent = service(Brokers({PLACES[0]: Extent(5_000, 6_000)}), lambda _: {0: published(49)})
        await worker.start({PLACES[0]: Mark(4_000, '{"M":9}')})
        return sent.partials

    assert [(each.lost, each.last + 1) for each in asyncio.run(live())] == [(5_000, 4_000)]


def test_who_was_away_goes_on_behind_what_another_has_folded_meanwhile() -> None:
    async def live() -> tuple[list[Partial], dict[TP, int]]:
        brokers = Brokers(EMPTY)
        worker, sent = service(brokers, lambda _: {0: published(99)})
        await worker.start({PLACES[0]: None})
        brokers.logs[PLACES[0]] = Extent(72, 150)
        await worker.look_for_idle()
        return sent.partials, brokers.sought

    assert asyncio.run(live()) == ([], {PLACES[0]: 100})


def test_the_offset_that_is_needed_is_none_that_only_tells_copies(caplog: pytest.LogCaptureFixture) -> None:
    fold = msgspec.structs.replace(RUN.settings.fold, deduplicate_blocks=2)
    run = compose(msgspec.structs.replace(RUN.settings, fold=fold))

    async def live() -> None:
        worker, _ = service(Brokers({PLACES[0]: Extent(4_100, 4_200)}), lambda _: {0: published(4_049, block=2)}, run)
        await worker.start({PLACES[0]: Mark(4_000, '{"M":9}')})

    asyncio.run(live())
    assert "offset 4050 is needed, but the log begins at 4100" in caplog.text


def test_a_full_queue_keeps_what_is_sent_in_order_and_the_loop_moves() -> None:
    """More messages than librdkafka has room for, and a broker that is gone: sending returns, waiting can be ended."""

    async def live() -> tuple[int, bool, int]:
        outbox, parcel = Outbox(NOWHERE | {"queue.buffering.max.messages": 1_000}), Parcel()
        beats = 0

        async def beat() -> None:
            nonlocal beats
            while True:
                beats += 1
                await asyncio.sleep(0.01)

        beating = asyncio.create_task(beat())
        for number in range(3_000):
            outbox.send("t", b"x" * 200, key=b"%d" % number, parcel=parcel)
        settled = await outbox.settle(deadline_seconds=0.5)
        beating.cancel()
        assert [int(each.key) for each in outbox._waiting] == list(range(1_000, 3_000))
        return outbox.unacknowledged_bytes, settled, beats

    waiting_bytes, settled, beats = asyncio.run(live())
    assert waiting_bytes > 3_000 * 200
    assert not settled
    assert beats > 10
