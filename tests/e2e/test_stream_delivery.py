"""The delivery contract on a real Kafka and a real Redis: whatever dies, every transaction counts exactly once.

After each scenario: the aggregates (vintage 0 and last) and the alerts are those of an undisturbed run over the same
logs, byte for byte; each is published once; the last vintage is the plain count of the input; every broken record is
in the dead letters.
"""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import Published, StreamRun, Worker, expected, final_days, wait_until
from swiss_logs import PANEL, SwissLogs, swiss_logs

pytestmark = pytest.mark.stack

PARTITIONS = 4
STEPS = 12
SETTINGS = f"""
[fold]
block_size = 100
[topics]
transactions_partitions = {PARTITIONS}
[service]
flush_seconds = 0.2
commit_seconds = 0.3
idle_seconds = 600.0
[kafka]
session_timeout_seconds = 6
{PANEL}
"""

Step = Callable[[int], None]


class Scenario:
    """A run, its input and what must come out."""

    def __init__(self, run: StreamRun, **logs: Any) -> None:
        self.run = run
        self.input: SwissLogs = swiss_logs(run.run, PARTITIONS, days=220, late_share=0.02, broken_share=0.03, **logs)
        self.expected, self.rejected = expected(run.run, self.input.logs)

    def play(self, step: Step = lambda _: None) -> Published:
        """Produce the input in steps, with something happening after each, and wait for the end."""
        longest = max(len(log) for log in self.input.logs)
        for at in range(STEPS):
            self.run.produce(self.input.logs, start=at * longest // STEPS, stop=(at + 1) * longest // STEPS)
            step(at)
        self.run.end(PARTITIONS)
        return self.run.wait_for(self.expected)

    def check(self, found: Published) -> None:
        """Compare what is published with what must be."""
        assert found.alerts == self.expected.alerts
        assert found.essence == self.expected.essence
        assert found.repeated == []
        assert {key: sums for key, sums in final_days(found).items() if sums != (0, 0)} == self.input.truth
        letters = {
            message.key(): dict(message.headers())["reason"] for message in self.run.read(self.run.topics.dead_letters)
        }
        assert len(letters) == sum(self.rejected.values())

    def folded(self) -> int:
        """Return how many records of the partials stand in the log."""
        return sum(1 for _ in self.run.read(self.run.topics.partials))


@pytest.fixture
def scenario(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[Scenario]:
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as run:
        yield Scenario(run)


def test_an_undisturbed_run_is_the_embedded_run(scenario: Scenario) -> None:
    """And its workers leave in less than five seconds when told to."""
    workers = [scenario.run.start("aggregator"), scenario.run.start("detector")]
    scenario.check(scenario.play())
    assert scenario.input.broken
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
