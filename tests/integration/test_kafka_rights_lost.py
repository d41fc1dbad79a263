"""Rights that a worker loses while it works, or lacks at its start: one line that names them, and the end."""

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from confluent_kafka import Producer
from every_listener import EveryListener
from kafka_clients import settings_of
from kafka_rights import CONNECTION, Service, answers, grant, run_made, service, take
from redis_server import RedisServer
from stream_run import wait_until

from earlywarn.adapters.kafka.connection import confluent_connection, kafka_admin
from earlywarn.adapters.kafka.manifest import read_manifest
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.transactions import Transactions
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError, LogError

PARTITIONS = 8
HOURS = 60
START_MS = 1_551_702_896_000
HOUR_MS = 3_600_000


class Loss(NamedTuple):
    """A right of a user: operations on a resource, whose name follows the run's prefix; and what is told of it."""

    user: str
    operations: str
    kind: str
    name: str
    told: str


READ_LOG = "may not read it; give it READ and DESCRIBE on the topic"
WRITE_LOG = "may not write it; give it WRITE and DESCRIBE on the topic"
JOIN = "may not take part in it; give it READ on the group"
USE = "may not use it; give it WRITE and DESCRIBE on the transactional id"
LOSSES = [
    Loss("aggregator", "READ", "TOPIC", "transactions", READ_LOG),
    Loss("aggregator", "READ DESCRIBE", "TOPIC", "transactions", READ_LOG),
    Loss("aggregator", "READ", "GROUP", "aggregator", JOIN),
    Loss("aggregator", "WRITE", "TOPIC", "partials", WRITE_LOG),
    Loss("detector", "READ", "TOPIC", "partials", READ_LOG),
    Loss("detector", "READ", "GROUP", "detector*", JOIN),
    Loss("detector", "WRITE", "TOPIC", "aggregates", WRITE_LOG),
    Loss("detector", "WRITE", "TOPIC", "alerts aggregates", WRITE_LOG),
    Loss(
        "detector", "WRITE DESCRIBE", "TRANSACTIONAL_ID", "detector.published.*", "give it WRITE and DESCRIBE on the "
    ),
]


@pytest.fixture(scope="module")
def broker(every_listener: EveryListener) -> EveryListener:
    return every_listener


@pytest.fixture
def run(broker: EveryListener, tmp_path: Path) -> Iterator[str]:
    """Return a run of the test's own, with all rights of the table."""
    (tmp_path / "topics").mkdir()
    with run_made(broker, f"lost-{uuid4().hex[:8]}", tmp_path / "topics") as run:
        yield run


def lose(broker: EveryListener, run: str, loss: Loss) -> None:
    with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
        for name in loss.name.split():
            take(admin, loss.user, loss.operations, loss.kind, f"earlywarn.{run}.{name}")


def pay(broker: EveryListener, run: str, first_hour: int = 0) -> None:
    """Let an hourly payment stand in every partition, for so long that days close."""
    producer = Producer(confluent_connection(KafkaSettings(brokers=broker.address)))
    for hour in range(first_hour, first_hour + HOURS):
        for partition in range(PARTITIONS):
            record = {
                "id": f"{partition}-{hour}", "ts": START_MS + hour * HOUR_MS, "amount_minor": 100, "currency": "CHF",
                "mcc": "5411", "region": "CH04", "country": "CH",
            }  # fmt: skip
            producer.produce(RunTopics(run).transactions, json.dumps(record), partition=partition)
    assert producer.flush(30) == 0


def ended(worker: Service) -> str:
    """Wait until a worker has ended by itself, and return its log."""
    try:
        code = worker.process.wait(40)
    except subprocess.TimeoutExpired:
        pytest.fail(f"it goes on:\n{worker.log.read_text()}")
    assert code == 1
    return worker.log.read_text()


@pytest.mark.parametrize(
    "loss", LOSSES, ids=lambda loss: f"{loss.user}-{loss.operations}-{loss.name}".replace(" ", "+")
)
def test_a_right_that_is_lost_is_named_and_ends_the_worker(
    broker: EveryListener, redis_server: RedisServer, run: str, tmp_path: Path, loss: Loss
) -> None:
    with ExitStack() as running:
        workers = {}
        for user in ("aggregator", "detector")[: 1 + (loss.user == "detector")]:
            (tmp_path / user).mkdir()
            worker = workers[user] = running.enter_context(service(broker, run, user, tmp_path / user, redis_server))
            ready = partial(answers, f"{worker.address}/readyz")
            wait_until(ready, 60, f"{user} is ready; its log: {worker.log}")
        pay(broker, run)
        if loss.user == "detector":
            published = "earlywarn_published_messages_total"
            wait_until(lambda: published in metrics(workers["detector"]), 60, "something is published")
        lose(broker, run, loss)
        pay(broker, run, HOURS)
        log = ended(workers[loss.user])
    assert "Traceback" not in log, log
    told = [line for line in log.splitlines() if "ERROR earlywarn.adapters.stream.lifecycle" in line]
    names = [f"earlywarn.{run}.{name.removesuffix('*')}" for name in loss.name.split()]
    assert any(name in line for name in names for line in told), log
    assert all(loss.told in line for line in told)


def test_a_detector_that_may_not_ask_what_is_published_says_so_and_ends(
    broker: EveryListener, redis_server: RedisServer, run: str, tmp_path: Path
) -> None:
    """The client says of a closed group what it says of a broker that is gone: that time is up."""
    group = f"earlywarn.{run}.detector"
    (tmp_path / "own").mkdir()
    with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
        take(admin, "detector", "READ", "GROUP", f"{group}*")
        grant(admin, "detector", "READ", "GROUP", group)
        with service(broker, run, "detector", tmp_path / "own", redis_server) as worker:
            log = ended(worker)
        assert f"consumer group {group}.published: this user {JOIN}" in log
        assert "Traceback" not in log
        grant(admin, "detector", "READ", "GROUP", f"{group}.published")
    with service(broker, run, "detector", tmp_path / "own", redis_server) as worker:
        wait_until(partial(answers, f"{worker.address}/readyz"), 60, "it is ready with both")


def metrics(worker: Service) -> str:
    """Return what a worker tells Prometheus."""
    with urllib.request.urlopen(f"{worker.address}/metrics", timeout=5) as answer:  # noqa: S310  # our own probe
        return str(answer.read().decode())


@pytest.mark.parametrize("step", ["send", "commit", "take_back"])
def test_a_refusal_is_named_by_whatever_step_comes_upon_it_first(
    broker: EveryListener, run: str, tmp_path: Path, step: str
) -> None:
    """The client learns of it in its own thread; the next step then says no more than that it is in a wrong state."""
    settings = settings_of(broker, CONNECTION, tmp_path, user="detector", run=run)
    topic = RunTopics(run).aggregates
    own_id = f"earlywarn.{run}.detector.published.0"
    transactions = Transactions(confluent_connection(settings.kafka), own_id, place="here", fenced="another one")
    transactions.open()
    transactions.send(topic, 0, b"1", b"before")
    transactions.commit()
    lose(broker, run, Loss("detector", "WRITE", "TOPIC", "aggregates", WRITE_LOG))
    transactions.send(topic, 0, b"2", b"after")
    time.sleep(2)  # until the client has been told
    with pytest.raises(LogError, match=f"{topic}: this user {WRITE_LOG}"):
        {
            "send": partial(transactions.send, topic, 0, b"3", b"after"),
            "commit": transactions.commit,
            "take_back": transactions.take_back,
        }[step]()


def test_who_may_not_ask_after_the_manifest_is_not_told_that_there_is_none(
    broker: EveryListener, redis_server: RedisServer, run: str, tmp_path: Path
) -> None:
    """Neither a worker nor a command: to make the topics, as it was told, would have helped nobody."""
    meta = RunTopics(run).meta
    (tmp_path / "own").mkdir()
    settings = settings_of(broker, CONNECTION, tmp_path / "own", user="aggregator", run=run)
    lose(broker, run, Loss("aggregator", "READ", "TOPIC", "meta", READ_LOG))
    with pytest.raises(ConfigError, match=f"{meta}: this user {READ_LOG}"):
        read_manifest(settings)
    lose(broker, run, Loss("aggregator", "DESCRIBE", "TOPIC", "meta", READ_LOG))
    with pytest.raises(ConfigError, match=f"{meta}: this user {READ_LOG}"):
        read_manifest(settings)
    (tmp_path / "worker").mkdir()
    with service(broker, run, "aggregator", tmp_path / "worker", redis_server) as worker:
        log = ended(worker)
    assert f"{meta}: this user {READ_LOG}" in log
    assert "no manifest" not in log
    assert "Traceback" not in log
