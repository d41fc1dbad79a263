"""The batch transport in Faust applications on a real broker: where reading starts, marks, seeks, rebalances."""

import asyncio
import logging
import time
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from faust.types import TP
from kafka_broker import KafkaBroker
from plain_topics import make_topic
from reading_apps import Reader, fill, numbers, played, reading, until

from earlywarn.adapters.kafka.batch_transport import Transport
from earlywarn.adapters.kafka.column_consumer import ColumnConsumer
from earlywarn.adapters.kafka.connection import aiokafka_connection
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.application.service_settings import KafkaSettings


@pytest.fixture
def settings(kafka: KafkaBroker) -> KafkaSettings:
    return KafkaSettings(brokers=kafka.address, session_timeout_seconds=6, request_timeout_seconds=7)


def test_faust_finds_it_and_delivers_a_polls_records_as_one_message(settings: KafkaSettings) -> None:
    topic = make_topic(settings)
    fill(settings, topic, 500)

    async def scene() -> None:
        reader = Reader(settings, topic)
        assert isinstance(reader.app.transport, Transport)
        async with reading(reader):
            await until(lambda: len(reader.values) == 500, "all is delivered")
            assert reader.values == numbers(0, 500)
            assert reader.told == [{TP(topic, 0): None}]
            fill(settings, topic, 5, begins=500)
            await until(lambda: len(reader.values) == 505, "what comes later")

    played(scene)


def test_the_application_says_where_reading_starts_whatever_is_committed(settings: KafkaSettings) -> None:
    """A mark comes back as it was set, offset and word; only marks are committed, however much was read."""
    topic = make_topic(settings, partitions=2)
    fill(settings, topic, 100, partitions=2)

    async def scene() -> None:
        first, second = Reader(settings, topic), Reader(settings, topic)
        async with reading(first):
            await until(lambda: len(first.values) == 200, "all is delivered")
            first.consumer.marks[TP(topic, 1)] = Mark(40, '{"M":7}')
            assert await first.consumer.commit() or await committed(settings, topic) == {1: (40, '{"M":7}')}
        assert await committed(settings, topic) == {1: (40, '{"M":7}')}
        second.starts = {0: 90}
        async with reading(second):
            await until(lambda: len(second.values) == 10 + 60, "what each is to begin with")
            assert second.told == [{TP(topic, 0): None, TP(topic, 1): Mark(40, '{"M":7}')}]
            starts = {batch.partition: batch.start for batch in reversed(second.batches)}
            assert starts == {0: 90, 1: 40}

    played(scene)


async def committed(kafka: KafkaSettings, topic: str) -> dict[int, tuple[int, str]]:
    """Return what the group of a topic has committed, as an administrator sees it."""
    admin = AIOKafkaAdminClient(**aiokafka_connection(kafka))
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(f"{topic}.group")
    finally:
        await admin.close()
    return {place.partition: (at.offset, at.metadata) for place, at in found.items() if at.offset >= 0}


def test_marks_move_both_ways_and_of_unassigned_partitions_nothing(settings: KafkaSettings) -> None:
    """A fold that begins anew may mark an earlier place; a mark that stands already is not committed again."""
    topic = make_topic(settings)
    fill(settings, topic, 10)

    async def scene() -> None:
        reader = Reader(settings, topic)
        async with reading(reader):
            await until(lambda: reader.owns([0]), "it has begun")
            for mark in (Mark(8, "a"), Mark(4, "b")):
                reader.consumer.marks.update({TP(topic, 0): mark, TP("other", 3): Mark(1)})
                while await committed(settings, topic) != {0: (mark.offset, mark.metadata)}:  # noqa: ASYNC110  # asks a broker
                    await asyncio.sleep(0.1)
            assert not await reader.consumer.commit()

    played(scene)


def test_a_seek_gives_the_same_records_again(settings: KafkaSettings) -> None:
    topic = make_topic(settings)
    fill(settings, topic, 50)

    async def scene() -> None:
        reader = Reader(settings, topic)
        async with reading(reader):
            await until(lambda: len(reader.values) == 50, "all is delivered")
            await reader.consumer.read_from(TP(topic, 0), 20)
            await until(lambda: len(reader.values) == 80, "what stands behind it comes again")
            assert reader.values == numbers(0, 50) + numbers(20, 50)
            await reader.consumer.read_from(TP(topic, 7), 20)  # of nobody's: nothing happens
            [extent] = (await reader.consumer.extents([TP(topic, 0)])).values()
            assert extent == (0, 50)
            assert await reader.consumer.partition_count(topic) == 1

    played(scene)


def test_a_rebalance_starts_every_partition_anew(settings: KafkaSettings) -> None:
    """Who joins gets a share, who leaves gives it back; nobody is assigned between; of few partitions one gets none."""
    topic = make_topic(settings, partitions=2)
    fill(settings, topic, 10, partitions=2)

    async def scene() -> None:
        readers = [Reader(settings, topic) for _ in range(3)]
        async with reading(readers[0]):
            await until(lambda: readers[0].owns([0, 1]), "the first has all")
            seen: list[bool] = []

            async def watch() -> None:
                while True:
                    seen.append(readers[0].consumer.assigned)
                    await asyncio.sleep(0.005)

            watching = asyncio.create_task(watch())
            async with reading(readers[1]):
                await until(lambda: readers[0].owns([0]) or readers[0].owns([1]), "the first has a part")
                [own] = readers[0].told[-1]
                await until(lambda: readers[1].owns([1 - own.partition]), "the second has the other")
                await until(lambda: len(readers[0].values) == len(readers[1].values) == 10, "each reads its own")
                assert False in seen
                assert seen[0]
                async with reading(readers[2]):
                    await until(lambda: any(reader.owns([]) for reader in readers), "one of three has nothing")
                    shares = [{tp.partition for tp in reader.told[-1]} for reader in readers]
                    assert sorted(map(len, shares)) == [0, 1, 1]
            await until(lambda: readers[0].owns([0, 1]), "all comes back to the first")
            await until(lambda: len(readers[0].values) == 20, "which reads it anew")
            watching.cancel()

    played(scene)


def test_a_start_that_cannot_be_answered_is_tried_again(settings: KafkaSettings) -> None:
    """For longer than a request may take, and Faust waits. Nothing is delivered, and the worker is not assigned."""
    topic = make_topic(settings)
    fill(settings, topic, 10)

    async def scene() -> None:
        reader = Reader(settings, topic)
        reader.refuses = True
        began = time.monotonic()
        async with reading(reader):
            await until(
                lambda: time.monotonic() - began > 1.5 * settings.request_timeout_seconds, "longer than a request"
            )
            assert reader.refused > settings.request_timeout_seconds
            assert (reader.values, reader.consumer.assigned) == ([], False)
            reader.refuses = False
            await until(lambda: len(reader.values) == 10, "all is delivered at last")
            assert reader.consumer.assigned

    played(scene)


def test_a_broker_that_is_gone_is_not_asked_without_pause(
    fresh_kafka: KafkaBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """A few attempts a second, of all that a consumer does; and it goes on by itself when the broker is back."""
    kafka = KafkaSettings(brokers=fresh_kafka.address, session_timeout_seconds=6, request_timeout_seconds=10)
    topic = make_topic(kafka)
    attempts: list[float] = []

    def count(record: logging.LogRecord) -> bool:
        if "Unable connect to node" in str(record.msg):
            attempts.append(time.monotonic())
        return False

    caplog.set_level(logging.ERROR, "aiokafka")
    logging.getLogger("aiokafka").addFilter(count)

    async def scene() -> None:
        reader = Reader(kafka, topic)
        async with reading(reader):
            await until(lambda: reader.owns([0]), "it has begun")
            await asyncio.to_thread(fresh_kafka.kill)
            await until(lambda: len(attempts) >= 10, "it has tried")
            assert attempts[-1] - attempts[0] > 1.5
            assert not reader.consumer.assigned
            await asyncio.to_thread(fresh_kafka.start)
            await asyncio.to_thread(fill, kafka, topic, 10)
            await until(lambda: len(reader.values) == 10 and reader.consumer.assigned, "it goes on")

    try:
        played(scene)
    finally:
        logging.getLogger("aiokafka").removeFilter(count)


def test_plain_consumers_have_the_same_patience(settings: KafkaSettings) -> None:
    """Those of the projection: a node that answers is no reason to wait for."""
    topic = make_topic(settings)
    fill(settings, topic, 3)

    async def scene() -> None:
        consumer: Any = ColumnConsumer(**aiokafka_connection(settings))
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, 0)])
            assert await consumer.end_offsets([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): 3}
            assert consumer._client.pauses == {}
        finally:
            await consumer.stop()

    played(scene)
