"""Delivery while what the services stand on goes away: broker, Redis, disk; and while the topic grows."""

import asyncio
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from scenario import PARTITIONS, SETTINGS, Scenario
from stream_run import Published, StreamRun, wait_until

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.topics import ensure_topics
from earlywarn.adapters.redis.connection import connect
from earlywarn.adapters.redis.reader import AlertFilter, RedisReader


@pytest.fixture
def scenario(fresh_kafka: KafkaBroker, fresh_redis: RedisServer, tmp_path: Path) -> Iterator[Scenario]:
    with StreamRun(fresh_kafka.address, fresh_redis.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as run:
        yield Scenario(run)


def in_redis(scenario: Scenario) -> tuple[dict[str, dict[str, str]], set[str]]:
    """Return the latest row of every series, and the latest revision of every alert, as Redis has them."""

    async def read() -> tuple[dict[str, dict[str, str]], set[str]]:
        client = connect(scenario.run.settings.redis)
        try:
            reader = RedisReader(client, scenario.run.topics.run)
            rows = await reader.latest("CH", "day")
            page = await reader.alerts(AlertFilter(), limit=1_000)
            return (
                {series: msgspec.json.decode(row) for series, row in rows.items()},
                {f"{alert.id}/{alert.revision}" for alert in page.alerts},
            )
        finally:
            await client.aclose()

    return asyncio.run(read())


def must_be_in_redis(found: Published) -> tuple[dict[str, dict[str, str]], set[str]]:
    """Return the same of what is published."""
    rows: dict[str, dict[str, str]] = {}
    for value in found.aggregates.values():
        row = msgspec.json.decode(value)
        old = rows.get(row["series_id"])
        if row["bucket"] == "day" and (old is None or (old["start"], old["vintage"]) < (row["start"], row["vintage"])):
            rows[row["series_id"]] = row
    newest: dict[str, int] = {}
    for key in found.alerts:
        alert, revision = key.rsplit("/", 1)
        newest[alert] = max(newest.get(alert, 0), int(revision))
    return rows, {f"{alert}/{revision}" for alert, revision in newest.items()}


def test_the_broker_is_restarted(scenario: Scenario, fresh_kafka: KafkaBroker) -> None:
    """Gone: not ready within ten seconds, few lines of log. Back: the same workers go on by themselves."""
    workers = [scenario.run.start_ready("aggregator"), scenario.run.start_ready("detector")]

    def restart(at: int) -> None:
        if at == 4:
            fresh_kafka.kill()
            wait_until(lambda: not any(worker.ready() for worker in workers), 10, "nobody is ready")
            lines = [len(worker.text.splitlines()) for worker in workers]
            assert all(worker.port is not None and worker.port.ask("/livez") == 200 for worker in workers)
            fresh_kafka.start()
            assert (
                max(len(worker.text.splitlines()) - before for worker, before in zip(workers, lines, strict=True)) < 60
            )
        if at == 7:
            fresh_kafka.stop()
            fresh_kafka.start()

    scenario.check(scenario.play(restart, seconds=180))  # a client that hangs is left behind after 15 s
    assert all(worker.process.poll() is None for worker in workers)


def test_the_broker_stands_still_with_everything_in_the_log(scenario: Scenario, fresh_kafka: KafkaBroker) -> None:
    """For longer than the session timeout, and nothing is sent after it goes on."""
    aggregator = scenario.run.start_ready("aggregator", EARLYWARN_KAFKA__REQUEST_TIMEOUT_SECONDS="7")
    scenario.run.start_ready("detector")
    aggregator.send(signal.SIGSTOP)
    scenario.run.produce(scenario.input.logs)
    scenario.run.end(PARTITIONS)
    fresh_kafka.suspend()
    aggregator.send(signal.SIGCONT)
    wait_until(lambda: "session expired" in aggregator.text, 20, "the aggregator has missed it for long enough")
    fresh_kafka.resume()
    scenario.check(scenario.run.wait_for(scenario.expected, 30))


def test_redis_is_killed_restarted_and_wiped(scenario: Scenario, fresh_redis: RedisServer) -> None:
    """An outage of Redis delays nothing but Redis, and whatever it has lost comes back."""
    scenario.run.start("aggregator")
    detector = scenario.run.start_ready("detector")

    def disturb(at: int) -> None:
        if at == 3:
            fresh_redis.kill()
        if at == 6:
            wait_until(lambda: not detector.ready(), 20, "the detector says that Redis is away")
            fresh_redis.start()
        if at == 8:
            fresh_redis.wipe()

    found = scenario.play(disturb)
    scenario.check(found)
    wait_until(lambda: in_redis(scenario) == must_be_in_redis(found), 60, "Redis holds what is published")


def test_redis_stands_still(kafka: KafkaBroker, fresh_redis: RedisServer, tmp_path: Path) -> None:
    """It takes connections and answers nothing: that is told as one that is gone, in the same time."""
    with StreamRun(kafka.address, fresh_redis.url, tmp_path, SETTINGS, name=f"run-{uuid4().hex[:12]}") as run:
        detector = run.start_ready("detector")
        fresh_redis.suspend()
        try:
            wait_until(lambda: not detector.ready(), 10, "the detector says that Redis is away")
            assert "writing Redis" in detector.missing()
        finally:
            fresh_redis.resume()
        wait_until(detector.ready, 20, "the detector is ready again")
        assert detector.text.count("can be written to again") == 1


def test_no_room_for_snapshots(scenario: Scenario) -> None:
    """The detector goes on without; when there is room again, it writes them again."""
    scenario.run.start("aggregator")
    detector = scenario.run.start_ready("detector")
    resource.prlimit(detector.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    snapshots = scenario.run.folder / "snapshots"

    def make_room(at: int) -> None:
        if at == 7:
            wait_until(lambda: "no snapshot now" in detector.text, 30, "a snapshot fails")
            assert not list(snapshots.rglob("*.snapshot"))
            infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            resource.prlimit(detector.process.pid, resource.RLIMIT_FSIZE, infinite)

    scenario.check(scenario.play(make_room))
    detector.terminate()
    assert list(snapshots.rglob("*.snapshot"))
    assert not list(snapshots.rglob(".draft-*"))


def test_the_topic_grows_in_a_running_system(scenario: Scenario) -> None:
    """Two more partitions: the watermark waits until they are heard, and everything counts."""
    workers = [scenario.run.start_ready("aggregator"), scenario.run.start_ready("detector")]
    logs = scenario.input.logs
    middle = max(len(log) for log in logs) // 2
    scenario.run.produce(logs, stop=middle)
    grown = msgspec.structs.replace(
        scenario.run.settings,
        topics=msgspec.structs.replace(scenario.run.settings.topics, transactions_partitions=PARTITIONS + 2),
    )
    with kafka_admin(grown.kafka) as admin:
        ensure_topics(admin, grown, grow=True)
    # What is left of partitions 0 and 1 goes on in the new ones.
    scenario.run.produce([[], [], logs[2], logs[3], logs[0], logs[1]], start=middle)
    wait_until(lambda: "assigned 6 of 6" in workers[0].text, 60, "the aggregator has the new partitions")
    scenario.run.end(PARTITIONS + 2)
    truth = scenario.input.truth

    def counted() -> bool:
        days = scenario.days()
        return {key: sums for key, sums in days.items() if sums != (0, 0)} == truth

    wait_until(counted, 90, "everything is counted")
    assert scenario.run.published().repeated == []
    assert all(worker.process.poll() is None for worker in workers)
