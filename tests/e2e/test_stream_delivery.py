"""The delivery contract on a real Kafka and a real Redis: whatever dies, every transaction counts exactly once.

After each scenario: the aggregates (vintage 0 and last) and the alerts are those of an undisturbed run over the same
logs, byte for byte; each is published once; the last vintage is the plain count of the input; every broken record is
in the dead letters.
"""

import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from scenario import PARTITIONS, SETTINGS, Scenario
from stream_run import StreamRun, Worker, wait_until

from earlywarn.adapters.kafka.connection import confluent_connection


@pytest.fixture
def scenario(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[Scenario]:
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as run:
        yield Scenario(run)


def test_an_undisturbed_run_is_the_embedded_run(scenario: Scenario) -> None:
    """And its workers leave in less than five seconds when told to."""
    workers = [scenario.run.start("aggregator"), scenario.run.start("detector")]
    scenario.check(scenario.play())
    assert scenario.input.broken
    aggregator, detector = (worker.metrics() for worker in workers)
    assert aggregator["earlywarn_records_total"] == sum(len(log) for log in scenario.input.logs) + PARTITIONS
    assert sum(
        value for name, value in aggregator.items() if name.startswith("earlywarn_rejected_transactions_total")
    ) == (sum(scenario.rejected.values()))
    assert detector["earlywarn_partials_folded_total"] == scenario.folded()
    both = {name for name in aggregator.keys() & detector.keys() if name.startswith("earlywarn_")}
    assert both == {"earlywarn_assigned_partitions"}  # each tells its own
    for worker in workers:
        assert worker.terminate() < 5
        assert worker.process.returncode == 0


def test_killed_aggregators(scenario: Scenario) -> None:
    rng = Random(1)
    scenario.run.start("detector")
    workers = [scenario.run.start_ready("aggregator") for _ in range(2)]

    def kill(at: int) -> None:
        if at % 4 == 1:
            before = scenario.folded()
            victim = rng.randrange(2)
            workers[victim].kill()
            workers[victim] = scenario.run.start("aggregator")
            wait_until(lambda: scenario.folded() > before, 30, "somebody folds on")

    scenario.check(scenario.play(kill))


def test_killed_detectors(scenario: Scenario) -> None:
    """A second detector takes over from the newest snapshot; the next one from what that left."""
    scenario.run.start("aggregator")
    detectors = [scenario.run.start_ready("detector"), scenario.run.start("detector")]

    def kill(at: int) -> None:
        if at in {4, 8}:
            snapshots = scenario.run.folder / "snapshots"
            wait_until(lambda: any(snapshots.rglob("*.snapshot")), 60, "a snapshot is kept")
            detectors.pop(0).kill()
            detectors.append(scenario.run.start("detector"))

    scenario.check(scenario.play(kill))
    assert any(each.assignments and "reading from 0," not in each.text for each in detectors)


def test_stopped_workers_come_back_as_zombies(scenario: Scenario) -> None:
    """SIGSTOP for longer than the session timeout, then SIGCONT: an aggregator, and a detector that is fenced off."""
    aggregators = [scenario.run.start_ready("aggregator") for _ in range(2)]
    detectors = [scenario.run.start_ready("detector"), scenario.run.start("detector")]

    def stop(at: int) -> None:
        if at == 3:
            stopped(scenario, aggregators[0])
        if at == 6:
            stopped(scenario, detectors[0])
        if at == 9:
            for worker in (aggregators[0], detectors[0]):
                worker.send(signal.SIGCONT)

    scenario.check(scenario.play(stop))


@pytest.mark.parametrize("workers", [1, 2])
def test_all_aggregators_are_stopped_with_everything_in_the_log(scenario: Scenario, workers: int) -> None:
    """For longer than the session timeout, so that their group is empty; and nothing is sent after they go on."""
    aggregators = [scenario.run.start_ready("aggregator") for _ in range(workers)]
    scenario.run.start("detector")
    for each in aggregators:
        each.send(signal.SIGSTOP)
    scenario.run.produce(scenario.input.logs)
    scenario.run.end(PARTITIONS)
    admin = AdminClient(confluent_connection(scenario.run.settings.kafka))
    group = f"{scenario.run.topics.prefix}{scenario.run.topics.run}.aggregator"
    wait_until(
        lambda: not admin.describe_consumer_groups([group])[group].result(10).members, 30, "the group misses them"
    )
    for each in aggregators:
        each.send(signal.SIGCONT)
    scenario.check(scenario.run.wait_for(scenario.expected, 30))


def stopped(scenario: Scenario, worker: Worker) -> None:
    """Stop a worker, and wait until another of its service has been given partitions."""
    service = worker.name.partition("-")[0]
    others = [each for each in scenario.run.workers if each is not worker and each.name.startswith(service)]
    before = sum(each.assignments for each in others)
    worker.send(signal.SIGSTOP)
    wait_until(lambda: sum(each.assignments for each in others) > before, 40, f"another takes over from {worker.name}")


def test_one_to_four_workers_and_back(scenario: Scenario) -> None:
    scenario.run.start("detector")
    workers = [scenario.run.start_ready("aggregator")]

    def scale(at: int) -> None:
        if at == 2:
            workers.extend(scenario.run.start_ready("aggregator") for _ in range(3))
        if at == 8:
            for worker in workers[1:]:
                assert worker.terminate() < 5

    scenario.check(scenario.play(scale))
