"""Several panels over several partitions of the partials, and two detectors that share them: one of them dies."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import Log, Published, StreamRun, Worker, expected, wait_until

PARTITIONS, STEPS, DAYS, RISES_ON = 4, 8, 160, 140
START_MS = 1_551_702_896_000
DAY_MS = 86_400_000
PANELS = {"CH": ("CHF", ("CH01", "CH04")), "DE": ("EUR", ("DE21", "DE30"))}
SETTINGS = f"""
[topics]
transactions_partitions = {PARTITIONS}
partials_partitions = 2
replay = true
[fold]
block_size = 100
[service]
flush_seconds = 0.2
commit_seconds = 0.3
idle_seconds = 600.0
[kafka]
session_timeout_seconds = 6
[[panels]]
id = "CH"
countries = ["CH"]
resolution = "day"
[[panels]]
id = "DE"
countries = ["DE"]
resolution = "day"
"""


@pytest.fixture
def run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as found:
        yield found


def payments() -> list[Log]:
    """Return logs in which spending rises in Germany for two weeks."""
    rng, logs = Random(4), [[] for _ in range(PARTITIONS)]
    for day in range(DAYS):
        noon_ms = START_MS + day * DAY_MS  # one time for all of a day: none of them is late
        for country, (currency, regions) in PANELS.items():
            share = 1.4 if country == "DE" and RISES_ON <= day < RISES_ON + 15 else 1.0
            for region in regions:
                for mcc in ("5411", "5812"):
                    record = {
                        "id": f"{day}-{region}-{mcc}", "ts": noon_ms,
                        "amount_minor": int(share * rng.randint(90_000, 110_000)), "currency": currency, "mcc": mcc,
                        "region": region, "country": country, "count": int(share * rng.randint(900, 1_100)),
                    }  # fmt: skip
                    for partition, log in enumerate(logs):
                        log.append(json.dumps({**record, "id": f"{record['id']}-{partition}"}).encode())
    return logs


def owned(worker: Worker) -> set[str]:
    """Return the partitions q that a detector has been given, ever."""
    return {
        line.partition("partition ")[2].partition(" ")[0] for line in worker.text.splitlines() if "reading from" in line
    }


def unnumbered(published: Published) -> dict[str, dict[str, object]]:
    """Return the alerts without their numbers, of which every partition q has its own."""
    return {key: json.loads(value) | {"sequence": 0} for key, value in published.alerts.items()}


def test_one_of_two_detectors_dies(run: StreamRun) -> None:
    """Each has a partition; the one left takes the other over from its snapshot, and goes on with its own."""
    logs = payments()
    published, rejected = expected(run.run, logs)
    assert ("DE", "economic") in {(alert["panel"], alert["kind"]) for alert in unnumbered(published).values()}
    assert not rejected
    run.start_ready("aggregator")
    detectors = [run.start("detector"), run.start("detector")]
    wait_until(
        lambda: all(worker.port and worker.metrics()["earlywarn_assigned_partitions"] == 1 for worker in detectors),
        60, "each detector has one of the two partitions",
    )  # fmt: skip
    victim, other = detectors

    def are_kept() -> bool:
        return {path.name[0] for path in (run.folder / "snapshots").rglob("*.snapshot")} == {"0", "1"}

    longest = max(map(len, logs))
    for step in range(STEPS):
        run.produce(logs, start=step * longest // STEPS, stop=(step + 1) * longest // STEPS)
        if step == STEPS // 2:
            wait_until(are_kept, 60, "snapshots of both partitions")
            victim.kill()
            wait_until(lambda: owned(other) == {"0", "1"}, 60, "the other one has both")
            run.start("detector")
    run.end(PARTITIONS)
    found = run.wait_for(published)
    assert unnumbered(found) == unnumbered(published)
    numbers: dict[int, list[int]] = {}
    for message in run.read(run.topics.alerts):
        numbers.setdefault(message.partition(), []).append(json.loads(message.value())["sequence"])
    assert numbers
    assert all(each == list(range(1, len(each) + 1)) for each in numbers.values())
    assert found.essence == published.essence
    assert found.repeated == []
