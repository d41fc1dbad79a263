"""The aggregator's service while brokers answer late, not at all, or after a rebalance: a consumer that is told how."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError
from faust.types import TP
from told_consumer import EMPTY, PLACES, TOPICS, Brokers, service

from earlywarn.adapters.kafka.column_consumer import Extent
from earlywarn.adapters.kafka.outbox import Outbox, Parcel
from earlywarn.aggregation.partial import Partial

NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}


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
