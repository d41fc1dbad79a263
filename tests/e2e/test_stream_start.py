"""A broker that goes away in the very seconds in which a worker starts: it waits, and goes on by itself."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from scenario import SETTINGS
from stream_run import StreamRun, Worker, wait_until


@pytest.fixture
def run(fresh_kafka: KafkaBroker, fresh_redis: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    with StreamRun(fresh_kafka.address, fresh_redis.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as run:
        yield run


@pytest.mark.parametrize("service", ["aggregator", "detector"])
@pytest.mark.parametrize("seconds", [0.2, 0.7])
def test_a_broker_that_is_killed_while_a_worker_starts_is_waited_for(
    run: StreamRun, fresh_kafka: KafkaBroker, service: str, seconds: float
) -> None:
    worker = run.start(service)
    wait_until(lambda: "probes on" in worker.text, 30, "it begins")
    assert lives(worker, seconds)
    fresh_kafka.kill()
    assert lives(worker, 4), worker.text  # and has tried to go on several times
    fresh_kafka.start()
    wait_until(lambda: ready(worker), 40, f"it goes on:\n{worker.log}")
    assert "Traceback" not in worker.text
    assert len(worker.text.splitlines()) < 60, worker.text
    assert worker.terminate() < 5


def ready(worker: Worker) -> bool:
    assert worker.process.poll() is None, worker.text
    return worker.ready()


def lives(worker: Worker, seconds: float) -> bool:
    """Return whether it has not ended after so many seconds."""
    try:
        worker.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False
