"""Delivery of what should not have been sent, and on machines that are small: poison, copies, little memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from scenario import SETTINGS, Scenario
from stream_run import StreamRun, wait_until

from earlywarn.adapters.kafka.recount import verify_run

BLOCKS_OF_TWO_WEEKS = 15
POISON: tuple[bytes | None, ...] = (
    b'{"id":"large","ts":1551702896000,"text":"' + b"x" * 900_000 + b'"}',
    b"[" * 50_000,
    b'{"id":' * 20_000,
    json.dumps({"id": "n", "ts": 1e400, "amount_minor": float("nan")}).encode(),
    b'{"id":"t","ts":1551702896000,"amount_minor":1,"currency":"CHF","mcc":"5411","region":"CH04","v":2}',
    b"\x00" * 1_000,
    "{'id': 'ümlaut'}".encode("latin-1"),
)


@pytest.fixture
def run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as found:
        yield found


def test_poison_and_a_tenth_of_garbage(run: StreamRun) -> None:
    """Nothing that is sent stops the fold, and every bit of it is kept with a reason."""
    scenario = Scenario(run, broken_share=0.1)
    scenario.poison(POISON)
    workers = [run.start("aggregator"), run.start("detector")]
    scenario.check(scenario.play())
    letters = {message.value() for message in run.read(run.topics.dead_letters)}
    assert set(POISON) <= letters
    assert all(worker.process.poll() is None for worker in workers)


def test_a_producer_that_sends_everything_three_times(run: StreamRun) -> None:
    """Every offset counts once: copies at the source are three payments (docs/inputs.md)."""
    scenario = Scenario(run, copies=3)
    run.start("aggregator")
    run.start("detector")
    scenario.check(scenario.play())


def test_copies_told_by_their_ids(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> None:
    """De-duplication: three of each, days apart, aggregators killed: one counts, two are kept; `verify` agrees."""
    settings = SETTINGS.replace("[fold]", f"[fold]\ndeduplicate_blocks = {BLOCKS_OF_TWO_WEEKS}")
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, settings, name=name) as run:
        scenario = Scenario(run, copies=3)
        assert scenario.rejected["duplicate"] > 2 * sum(map(len, scenario.input.logs)) // 4
        workers = [run.start_ready("aggregator"), run.start("detector")]

        def kill(step: int) -> None:
            if step in {4, 8}:
                sent = scenario.folded()
                wait_until(lambda: scenario.folded() > sent, 30, "partials of the step")
                workers[0].kill()
                workers[0] = run.start("aggregator")

        scenario.check(scenario.play(kill))
        assert verify_run(run.run).equal
        told = workers[0].metrics()['earlywarn_rejected_transactions_total{reason="duplicate"}']
        assert told > 0


def test_a_worker_that_may_have_almost_nothing_under_way(run: StreamRun) -> None:
    """Back-pressure: it folds no faster than it is acknowledged, and loses nothing by it."""
    scenario = Scenario(run)
    run.start("aggregator", EARLYWARN_SERVICE__UNACKNOWLEDGED_BYTES="1")
    run.start("detector")
    scenario.check(scenario.play())
