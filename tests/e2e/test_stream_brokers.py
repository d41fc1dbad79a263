"""Workers and a broker that is gone for long, or hangs: they wait, come back by themselves, and leave when told to."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import StreamRun, wait_until
from swiss_logs import PANEL

PARTITIONS = 2
REQUEST_SECONDS = 7
SETTINGS = f"""
[topics]
transactions_partitions = {PARTITIONS}
[service]
flush_seconds = 0.2
idle_seconds = 1.0
[kafka]
session_timeout_seconds = 6
request_timeout_seconds = {REQUEST_SECONDS}
{PANEL}
"""
START_MS = 1_551_702_896_000
QUARTER_HOUR_MS = 900_000


def payments(start: int, stop: int) -> list[list[bytes | None]]:
    """Return payments a quarter of an hour apart, for each partition."""
    record = {"amount_minor": 100, "currency": "CHF", "sector": "Food and beverage services", "region": "CH04"}
    return [
        [
            json.dumps(record | {"id": f"{partition}-{at}", "ts": START_MS + at * QUARTER_HOUR_MS}).encode()
            for at in range(start, stop)
        ]
        for partition in range(PARTITIONS)
    ]


@pytest.fixture
def run(fresh_kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(fresh_kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as found:
        yield found


def test_a_broker_that_is_gone_for_longer_than_any_question_waits(run: StreamRun, fresh_kafka: KafkaBroker) -> None:
    """Partitions fall idle while it is gone, and nobody can be asked whether they are: the workers live and wait."""
    workers = [run.start_ready("aggregator"), run.start_ready("detector")]
    run.produce(payments(0, 200))
    wait_until(lambda: workers[0].metrics()["earlywarn_records_total"] == 400, 30, "all is read")
    fresh_kafka.kill()
    asked_in_vain = "where silent partitions end cannot be asked now"
    wait_until(lambda: asked_in_vain in workers[0].text, 3 * REQUEST_SECONDS, "a question has failed")
    assert not any(worker.ready() for worker in workers)
    assert all(worker.port is not None and worker.port.ask("/livez") == 200 for worker in workers)
    fresh_kafka.start()
    wait_until(lambda: all(worker.ready() for worker in workers), 60, "all are ready again")
    published = len(run.published().aggregates)
    run.produce(payments(200, 400))
    wait_until(lambda: len(run.published().aggregates) > published, 60, "they go on")
    assert [worker.process.poll() for worker in workers] == [None, None]


def test_workers_leave_in_time_though_the_broker_hangs(run: StreamRun, fresh_kafka: KafkaBroker) -> None:
    """In the middle of a backlog, with commits and transactions under way; and while they wait for a first answer."""
    workers = [run.start_ready("aggregator"), run.start_ready("detector")]
    run.produce(payments(0, 20_000))
    fresh_kafka.suspend()
    waiting = [run.start("aggregator"), run.start("detector")]
    wait_until(lambda: not any(worker.ready() for worker in workers), 15, "nobody is ready")
    wait_until(lambda: all(worker.port is not None for worker in waiting), 30, "the others wait for a broker")
    seconds = [worker.terminate() for worker in (*workers, *waiting)]
    assert max(seconds) < 5, seconds
    assert [worker.process.returncode for worker in (*workers, *waiting)] == [0] * 4
