"""What a service sends, through a queue that is much too small for it, to a real broker."""

import asyncio
from random import Random

import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka_broker import KafkaBroker
from plain_topics import make_topic

from earlywarn.adapters.kafka.connection import confluent_connection, kafka_admin
from earlywarn.adapters.kafka.outbox import Outbox, Parcel
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

MESSAGES = 3_000


def test_all_arrives_once_and_in_order_through_a_small_queue(kafka: KafkaBroker) -> None:
    """Absent values and headers as well; a parcel has arrived when all of it has, and nothing is under way then."""
    settings = KafkaSettings(brokers=kafka.address)
    topic = make_topic(settings)
    connection = confluent_connection(settings)

    async def send() -> tuple[list[bool], list[bool], int]:
        outbox, parcel = Outbox({**connection, "queue.buffering.max.messages": 100}), Parcel()
        for at in range(MESSAGES):
            value = None if at % 5 == 4 else b"%d" % at
            outbox.send(topic, value, key=b"%d" % at, partition=0, headers=[("n", b"%d" % at)], parcel=parcel)
        parcel.close()
        before = [parcel.arrived, outbox.has_sent]
        assert await outbox.settle(deadline_seconds=30)
        return before, [parcel.arrived, outbox.has_sent], outbox.unacknowledged_bytes

    assert asyncio.run(send()) == ([False, False], [True, True], 0)
    reader = Consumer({**connection, "group.id": "reader", "enable.auto.commit": False})
    try:
        reader.assign([TopicPartition(topic, 0, 0)])
        found = []
        while len(found) < MESSAGES:
            message = reader.poll(10)
            assert message is not None
            assert message.error() is None
            found.append((message.key(), message.value(), message.headers()))
    finally:
        reader.close()
    assert found == [(b"%d" % at, None if at % 5 == 4 else b"%d" % at, [("n", b"%d" % at)]) for at in range(MESSAGES)]


def test_a_message_that_no_broker_takes_ends_the_sender(kafka: KafkaBroker) -> None:
    settings = KafkaSettings(brokers=kafka.address)
    topic = make_topic(settings, max_message_bytes="1000")

    async def send() -> None:
        outbox = Outbox({**confluent_connection(settings), "topic.metadata.propagation.max.ms": 100})
        outbox.send(topic, Random(1).randbytes(10_000), key=b"k", partition=0, parcel=Parcel())  # compresses to no less
        try:
            await outbox.settle(deadline_seconds=30)
        finally:
            assert not outbox.has_sent

    with pytest.raises(
        LogError, match=f"{topic} could not be delivered: .*too large.* earlywarn topics create --check"
    ):
        asyncio.run(send())
    with kafka_admin(settings) as admin:
        admin.delete_topics([topic])
    with pytest.raises(LogError, match=f"{topic}: does not exist, so nothing .*; run: earlywarn topics create"):
        asyncio.run(send())
    with pytest.raises(LogError, match="cannot be sent"):
        Outbox(confluent_connection(settings)).send(topic, bytes(17 << 20), key=b"k", parcel=Parcel())


def test_what_a_topic_does_not_take_is_known_to_wait(fresh_kafka: KafkaBroker) -> None:
    """While a broker stands still; what is acknowledged waits no more."""
    settings = KafkaSettings(brokers=fresh_kafka.address)
    topic = make_topic(settings)

    async def send() -> None:
        outbox = Outbox(confluent_connection(settings))
        assert outbox.waiting_seconds == 0
        outbox.send(topic, b"first", key=b"k", parcel=Parcel())
        assert await outbox.settle(deadline_seconds=30)
        assert outbox.waiting_seconds == 0
        fresh_kafka.suspend()
        outbox.send(topic, b"second", key=b"k", parcel=Parcel())
        assert not await outbox.settle(deadline_seconds=1)
        assert 1 <= outbox.waiting_seconds < 20
        fresh_kafka.resume()
        assert await outbox.settle(deadline_seconds=30)
        assert outbox.waiting_seconds == 0

    asyncio.run(send())


@pytest.mark.parametrize("partition", [0, -1])
def test_a_topic_that_is_deleted_under_a_sender_is_told_as_missing(kafka: KafkaBroker, partition: int) -> None:
    settings = KafkaSettings(brokers=kafka.address)
    topic = make_topic(settings)

    async def send() -> None:
        outbox = Outbox({**confluent_connection(settings), "topic.metadata.propagation.max.ms": 100})
        outbox.send(topic, b"first", key=b"k", partition=partition, parcel=Parcel())
        assert await outbox.settle(deadline_seconds=30)
        with kafka_admin(settings) as admin:
            admin.delete_topics([topic])
        outbox.send(topic, b"second", key=b"k", partition=partition, parcel=Parcel())
        await outbox.settle(deadline_seconds=30)

    with pytest.raises(LogError, match=f"{topic}: does not exist, so nothing .*; run: earlywarn topics create"):
        asyncio.run(send())
