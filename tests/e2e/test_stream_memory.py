"""Memory has a ceiling (docs/operations/memory.md), however much is to be published or refused at once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from kafka.protocol.admin.client_quotas import AlterClientQuotasRequest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import Published, StreamRun, wait_until

from earlywarn.adapters.kafka.connection import confluent_connection, kafka_admin
from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.topic_identity import topic_identity
from earlywarn.adapters.kafka.wire import encode_alert, encode_partial, encode_rows
from earlywarn.aggregation.intake import decode
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.detector import LogFold, Progress

REGIONS, SECTORS, HOURS = 10, 2, 100 * 24
FIRST_MS = int(datetime(2022, 1, 1, 11, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000
SETTINGS = """
[topics]
transactions_partitions = 2
[[panels]]
id = "open"
any_region = true
countries = []
currency = "EUR"
time_zone = "Europe/Berlin"
holiday_countries = ["DE"]
classification = "open"
online_region = false
"""
DETECTOR_MIB = 320
AGGREGATOR_MIB = 240
LARGE = Random(1).randbytes(900_000)
"""No JSON, and refused; its dead letter is as large, and does not get smaller on its way."""


def held_back(run: Run) -> list[Partial]:
    """Return the partials of a partition of two with three months to tell; none closes while the other is silent."""
    block, partials = run.block_fold(0, 2), []
    for hour in range(HOURS):
        records = [
            json.dumps(
                {
                    "id": f"{hour}-{cell}", "ts": FIRST_MS + hour * HOUR_MS, "amount_minor": 2_500 * count,
                    "currency": "EUR", "sector": f"S{cell % SECTORS}", "region": f"R{cell // SECTORS}", "count": count,
                }
            ).encode()
            for cell in range(REGIONS * SECTORS)
            for count in (40 + (7 * cell + 3 * hour) % 11 + hour % 24,)
        ]  # fmt: skip
        sealed, rejected = block.add(range(block.position, block.position + len(records)), decode(records), 1 << 62)
        assert not rejected
        partials += sealed
    return [*partials, *block.end(block.position)]


def append(run: StreamRun, partials: list[Partial]) -> None:
    producer = Producer({**confluent_connection(run.settings.kafka), "message.max.bytes": 16 << 20})
    for partial in partials:
        [(key, value)] = encode_partial(partial)
        producer.produce(run.topics.partials, value, key, 0)
    assert producer.flush(60) == 0


def expected(run: Run, partials: list[Partial]) -> Published:
    fold, found = LogFold(compose_fold(run, 2), position=0, published=Progress(0)), Published()
    for offset, partial in enumerate(partials):
        for output in fold.take(offset, partial):
            if isinstance(output, AggregateRows):
                found.aggregates.update((key.decode(), value) for key, value in encode_rows(output))
            else:
                key, value = encode_alert(output)
                found.alerts[key.decode()] = value
    return found


@pytest.fixture
def run(fresh_kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(fresh_kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as found:
        yield found


def test_a_partial_that_closes_three_months_at_once(run: StreamRun) -> None:
    """It is published in pieces: bounded memory, an end in good time, and nothing repeated or missed."""
    partials = held_back(run.run)
    last = run.run.block_fold(1, 2).end(0)
    append(run, partials)
    log = topic_identity(run.settings.kafka, run.topics.partials)
    group = f"{run.topics.prefix}{run.topics.run}.detector.published"
    looker = Publisher(confluent_connection(run.settings.kafka), group, run.topics.partials, 0, log)

    throttle(run, bytes_per_second=5_000_000)  # none of them comes to the end before it is stopped
    first = run.start_ready("detector")
    append(run, last)
    wait_until(lambda: looker.published().outputs > 0, 120, "a first piece is published")
    first.kill()
    begun = looker.published()
    assert begun.offset == len(partials)

    second = run.start("detector")
    wait_until(lambda: looker.published() > begun, 120, "a second detector goes on")
    assert second.terminate() < 5
    assert second.process.returncode == 0
    again = looker.published()
    assert (again.offset, again.outputs > begun.outputs) == (len(partials), True)

    throttle(run, bytes_per_second=None)
    third = run.start("detector")
    wait_until(lambda: looker.published() == Progress(len(partials) + 1), 120, "the third one comes to the end")
    wait_until(third.ready, 60, "it is ready")
    assert third.memory_mib() < DETECTOR_MIB
    found, whole = run.published(), expected(run.run, [*partials, *last])
    assert len(whole.aggregates) > 4 * 20_000
    assert found.repeated == []
    assert found.aggregates == whole.aggregates
    assert found.alerts == whole.alerts
    looker.close()


def test_a_broker_that_takes_little(fresh_kafka: KafkaBroker, tmp_path: Path) -> None:
    """Back-pressure: an aggregator stops reading when enough is under way, and goes on when it has arrived."""
    records = 75
    with StreamRun(fresh_kafka.address, "redis://127.0.0.1:1", tmp_path, SETTINGS, name="throttled") as run:
        run.produce([[LARGE] * records] * 2)
        throttle(run, bytes_per_second=1_000_000)
        worker = run.start_ready("aggregator")
        limit = run.settings.service.unacknowledged_bytes
        wait_until(lambda: worker.metrics()["earlywarn_unacknowledged_bytes"] >= limit, 60, "enough is under way")
        with pytest.raises(TimeoutError):
            wait_until(lambda: worker.metrics()["earlywarn_records_total"] == 2 * records, 10, "it has read on")
        assert worker.ready()
        throttle(run, bytes_per_second=None)
        wait_until(
            lambda: sum(1 for _ in run.read(run.topics.dead_letters)) == 2 * records, 60, "all letters are there"
        )
        assert worker.memory_mib() < AGGREGATOR_MIB


def throttle(run: StreamRun, *, bytes_per_second: float | None) -> None:
    """Set the quota of everyone who produces, or lift it."""
    change = AlterClientQuotasRequest.EntryData
    quota = change(
        entity=[change.EntityData(entity_type="client-id", entity_name=None)],
        ops=[change.OpData(key="producer_byte_rate", value=bytes_per_second or 0.0, remove=bytes_per_second is None)],
    )
    with kafka_admin(run.settings.kafka) as admin:
        manager = admin._manager  # it has the request, and no call for it yet
        answer = manager.run(manager.send, AlterClientQuotasRequest(entries=[quota], validate_only=False))
    assert [each.error_code for each in answer.entries] == [0]
