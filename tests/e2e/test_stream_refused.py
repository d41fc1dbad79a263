"""Topics that take nothing of what a worker sends: too small, or not there."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from plain_topics import set_config
from redis_server import RedisServer
from scenario import PARTITIONS, SETTINGS, Scenario
from stream_run import StreamRun, wait_until

from earlywarn.adapters.kafka.connection import kafka_admin

WAY_OUT = "earlywarn topics create"


@pytest.fixture
def scenario(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[Scenario]:
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as run:
        yield Scenario(run)


@pytest.mark.parametrize(("service", "kind"), [("detector", "aggregates"), ("aggregator", "partials")])
def test_what_is_refused_for_good_ends_a_worker_with_a_way_out(scenario: Scenario, service: str, kind: str) -> None:
    """A topic that was made too small for its messages: the next worker goes on when that is mended."""
    run = scenario.run
    workers = {each: run.start_ready(each) for each in ("aggregator", "detector")}
    topic, ended = f"{run.topics.prefix}{run.topics.run}.{kind}", workers[service]
    set_config(run.settings.kafka, topic, "max.message.bytes", "100")
    half = max(map(len, scenario.input.logs)) // 2
    run.produce(scenario.input.logs, stop=half)
    wait_until(lambda: ended.process.poll() is not None, 20, "it ends")
    assert ended.process.returncode == 1
    last = [line for line in ended.text.splitlines() if " ERROR " in line][-1]
    assert topic in last
    assert f"{WAY_OUT} --check" in last
    set_config(run.settings.kafka, topic, "max.message.bytes", str(16 << 20))
    run.start(service)
    run.produce(scenario.input.logs, start=half)
    run.end(PARTITIONS)
    scenario.check(run.wait_for(scenario.expected, 60))


@pytest.mark.parametrize(
    ("service", "kind"), [("aggregator", "transactions.dlq"), ("detector", "aggregates"), ("detector", "alerts")]
)
def test_a_worker_does_not_start_without_a_topic_that_it_writes(scenario: Scenario, service: str, kind: str) -> None:
    """It would find out only when there is something to write."""
    run = scenario.run
    topic = f"{run.topics.prefix}{run.topics.run}.{kind}"
    with kafka_admin(run.settings.kafka) as admin:
        admin.delete_topics([topic])
    worker = run.start(service)
    wait_until(lambda: worker.process.poll() is not None, 20, "it ends")
    assert worker.process.returncode == 1
    assert f"{topic}: " in worker.text.splitlines()[-1]
    assert WAY_OUT in worker.text.splitlines()[-1]


@pytest.mark.parametrize(("service", "kind"), [("aggregator", "transactions.dlq"), ("detector", "aggregates")])
def test_a_worker_that_cannot_publish_is_not_ready(scenario: Scenario, service: str, kind: str) -> None:
    """A client asks after a topic that is gone for half a minute, before it says that it is."""
    run = scenario.run
    workers = {each: run.start_ready(each) for each in ("aggregator", "detector")}
    half = max(map(len, scenario.input.logs)) // 2
    run.produce(scenario.input.logs, stop=half)
    wait_until(lambda: bool(run.published().aggregates), 20, "it publishes")
    with kafka_admin(run.settings.kafka) as admin:
        admin.delete_topics([f"{run.topics.prefix}{run.topics.run}.{kind}"])
    run.produce(scenario.input.logs, start=half)
    run.end(PARTITIONS)
    wait_until(lambda: "not publishing" in workers[service].missing(), 60, "it says that it does not")
    assert workers[service].process.poll() is None
