"""Topics of what is published, deleted and made anew under a projector at work."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from plain_topics import producer, sent
from redis_records import alert_records, row_records
from redis_server import RedisServer

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.run_logs import RunLogs
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import Identities
from earlywarn.adapters.redis.connection import check_server, connect
from earlywarn.adapters.redis.layout import TOPIC_KINDS, RunLayout
from earlywarn.adapters.redis.outage import Outages
from earlywarn.adapters.redis.projection import RedisProjection
from earlywarn.adapters.stream import projector as under_test
from earlywarn.adapters.stream.failure import Failure
from earlywarn.adapters.stream.projector import Projector, records_of
from earlywarn.application.service_settings import KafkaSettings, RedisSettings

RECORDS = {"aggregates": row_records(5, buckets=2), "alerts": alert_records(5, count=5)}
MORE = {"aggregates": row_records(6, buckets=8), "alerts": alert_records(6, count=20)}
SECONDS = 30


def make(kafka: KafkaSettings, topics: RunTopics) -> None:
    names = [topics.of(kind) for kind in TOPIC_KINDS]
    with kafka_admin(kafka) as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1} for name in names})
        admin.wait_for_topics(names, timeout_ms=30_000)


def delete(kafka: KafkaSettings, topics: RunTopics) -> None:
    names = {topics.of(kind) for kind in TOPIC_KINDS}
    with kafka_admin(kafka) as admin:
        admin.delete_topics(list(names))
        while names & set(admin.list_topics()):
            pass


def produce(kafka: KafkaSettings, topics: RunTopics, records: dict[str, list[tuple[int, bytes | None]]]) -> None:
    sender = producer(kafka)
    for kind in TOPIC_KINDS:
        for _, value in records[kind]:
            sender.produce(topics.of(kind), value, partition=0)
    sent(sender)


async def come(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("records", [RECORDS, MORE], ids=["as long as before", "longer than before"])
def test_what_stands_in_topics_made_anew_is_not_taken_for_more_of_the_old_ones(
    kafka: KafkaBroker,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    records: dict[str, list[tuple[int, bytes | None]]],
) -> None:
    """The projection stops, says so for as long as it lasts, and leaves Redis as it is."""
    monkeypatch.setattr(under_test, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(under_test, "_RETRY_SECONDS", 0.2)
    settings, topics = KafkaSettings(brokers=kafka.address), RunTopics(f"run-{uuid4().hex[:12]}")
    layout = RunLayout(topics.run)
    make(settings, topics)
    produce(settings, topics, RECORDS)

    async def live() -> None:
        client, redis = connect(RedisSettings(url=redis_server.url)), redis_server.url
        projection = RedisProjection(client, topics, stream_length=100, outages=Outages(redis))
        projector = Projector(
            projection,
            lambda: check_server(client, redis),
            records_of(settings, topics),
            lambda: RunLogs(Identities(settings), topics, {}, TOPIC_KINDS),
            Failure(),
        )

        async def kept() -> tuple[dict[bytes, bytes], list[bytes]]:
            return await client.hgetall(layout.positions), sorted(await client.keys(f"earlywarn:{topics.run}:*"))

        async def positions() -> list[int]:
            fields = [layout.position_field(kind, 0) for kind in TOPIC_KINDS]
            return [int(each or 0) for each in await client.hmget(layout.positions, fields)]

        try:
            projector.own([0])
            async with asyncio.timeout(SECONDS):
                while await positions() != [len(RECORDS[kind]) for kind in TOPIC_KINDS]:  # noqa: ASYNC110  # likewise
                    await asyncio.sleep(0.05)
            assert projector.works
            before = await kept()
            await asyncio.to_thread(delete, settings, topics)
            await asyncio.to_thread(make, settings, topics)
            await asyncio.to_thread(produce, settings, topics, records)
            await come(lambda: "run: earlywarn rebuild-redis" in projector.trouble)
            for _ in range(10):
                await asyncio.sleep(0.1)
                assert not projector.works
                assert "was deleted and made anew since Redis was written" in projector.trouble
            assert await kept() == before
        finally:
            projector.stop()
            await asyncio.sleep(0.5)  # its readers come to their ends
            await client.aclose()

    asyncio.run(live())
