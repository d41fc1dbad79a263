"""Workers and a broker that is gone for long, or hangs: they wait, come back by themselves, and leave when told to."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from short_runs import folded_open
from stream_run import StreamRun, wait_until, without_ids
from swiss_logs import PANEL, swiss_logs

PARTITIONS = 2
IDLE_SECONDS = 6.0
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


def test_a_broker_that_is_gone_for_longer_than_the_idle_time_leaves_nobody_idle(
    fresh_kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path
) -> None:
    """Senders that waited for it deliver soon after its return, one partition after another: no day closes early."""
    settings = SETTINGS.replace("idle_seconds = 1.0", f"idle_seconds = {IDLE_SECONDS}")
    with StreamRun(fresh_kafka.address, redis_server.url, tmp_path, settings, name=f"run-{uuid4().hex[:12]}") as run:
        logs = swiss_logs(run.run, PARTITIONS, days=60).logs
        logs = [
            [value for at, value in enumerate(log) if at < 2 * len(log) // 3 or b"CH07" not in (value or b"")]
            for log in logs
        ]
        alone = folded_open(run, logs)
        assert alone.alerts
        half = len(logs[0]) // 2
        run.produce(logs, stop=half)
        worker = run.start_ready("aggregator")
        sent = sum(len(log[:half]) for log in logs)
        wait_until(lambda: worker.metrics()["earlywarn_records_total"] == sent, 30, "all is read")
        fresh_kafka.kill()
        gone = time.monotonic()
        wait_until(lambda: time.monotonic() > gone + IDLE_SECONDS, 30, "it is gone for longer than the idle time")
        fresh_kafka.start()
        back = time.monotonic()
        wait_until(lambda: time.monotonic() > back + 1, 30, "a second later senders have noticed that it is back")
        run.produce(logs, start=half)
        run.start("detector")
        wait_until(lambda: len(run.published().essence) >= len(alone.essence), 60, "all days")
        found = run.published()
        assert without_ids(found) == without_ids(alone)
        assert found.aggregates == alone.aggregates
        assert worker.process.poll() is None


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
