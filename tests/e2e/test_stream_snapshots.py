"""Detectors that go on from snapshots: kept anywhere, and when the broker has forgotten what is published."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import pytest
from bucket_server import BUCKET, BucketServer
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka_broker import KafkaBroker
from ports import reserve_port
from redis_server import RedisServer
from scenario import PARTITIONS, SETTINGS, STEPS, Scenario
from stream_run import StreamRun, Worker, wait_until

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.snapshots.names import offset_of


@pytest.fixture
def scenario(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[Scenario]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as run:
        yield Scenario(run)


def read_from(worker: Worker) -> int:
    """Return where a detector began to read."""
    [line] = [line for line in worker.text.splitlines() if "of the partials: reading from" in line]
    return int(line.partition("reading from ")[2].partition(",")[0])


def snapshots(worker: Worker, outcome: str) -> float:
    return worker.metrics().get(f'earlywarn_snapshots_total{{outcome="{outcome}"}}', 0.0)


@pytest.mark.parametrize("url", [f"s3://{BUCKET}/detectors", "redis://"])
def test_a_detector_goes_on_from_a_snapshot_that_another_left(
    scenario: Scenario, bucket_server: BucketServer, url: str
) -> None:
    """In a bucket, or in Redis: whoever takes over reads on from there, and publishes nothing twice."""
    environment = {**bucket_server.environment, "EARLYWARN_SNAPSHOTS__URL": url}
    scenario.run.start("aggregator")
    detectors = [scenario.run.start_ready("detector", **environment)]

    def kill(step: int) -> None:
        if step == STEPS // 2:
            wait_until(lambda: snapshots(detectors[-1], "kept") > 0, 60, "a snapshot")
            detectors[-1].kill()
            detectors.append(scenario.run.start_ready("detector", **environment))

    scenario.check(scenario.play(kill))
    assert read_from(detectors[0]) == 0
    assert read_from(detectors[1]) > 0


def test_a_store_that_hangs_holds_up_no_fold(scenario: Scenario, stack_folder: Path) -> None:
    """Its detector folds on, is told to stop in time, counts what was not kept, and writes again when it answers."""
    with BucketServer(Path(mkdtemp(prefix="s3-", dir=stack_folder)), port=reserve_port()) as store:
        environment = {**store.environment, "EARLYWARN_SNAPSHOTS__URL": f"s3://{BUCKET}/hanging"}
        scenario.run.start("aggregator")
        detector = scenario.run.start_ready("detector", **environment)

        kept: list[float] = []

        def disturb(step: int) -> None:
            if step == 2:
                wait_until(lambda: snapshots(detector, "kept") > 0, 30, "a snapshot")
                store.suspend()
            if step == 6:
                wait_until(lambda: at_rest(scenario, detector), 10, "it folds on")
                assert detector.ready()
                wait_until(lambda: snapshots(detector, "failed") == 1, 40, "it gives up, and counts that")
                assert detector.text.count("no snapshot now") == 1
                kept.append(snapshots(detector, "kept"))
                store.resume()
            if step == 9:
                wait_until(lambda: snapshots(detector, "kept") > kept[0], 30, "the next point tries again")
                store.suspend()

        found = scenario.play(disturb)
        scenario.check(found)
        assert detector.terminate() < 5
        assert detector.process.returncode == 0
        store.resume()
        successor = scenario.run.start_ready("detector", **environment)
        assert read_from(successor) > 0
        assert scenario.run.published().repeated == []


def test_a_broker_that_has_forgotten_what_is_published(scenario: Scenario) -> None:
    """After offsets.retention.minutes without news the newest snapshot says it; nothing is published twice."""
    aggregator = scenario.run.start_ready("aggregator")
    detector = scenario.run.start_ready("detector")
    half = max(map(len, scenario.input.logs)) // 2
    sent = sum(min(half, len(log)) for log in scenario.input.logs)
    scenario.run.produce(scenario.input.logs, stop=half)
    wait_until(lambda: aggregator.metrics().get("earlywarn_records_total", 0) >= sent, 60, "all is read")
    # A detector at rest keeps a last snapshot when it is stopped; one that folds might not come to it in time.
    wait_until(lambda: at_rest(scenario, detector), 60, "all is folded")
    assert scenario.run.published().alerts
    detector.terminate()
    forget(scenario)
    last = scenario.run.start_ready("detector")
    scenario.run.produce(scenario.input.logs, start=half)
    scenario.run.end(PARTITIONS)
    scenario.check(scenario.run.wait_for(scenario.expected))
    assert read_from(last) > 0
    assert "published up to 0," in last.text


def test_a_run_that_rests_has_a_snapshot_of_all_that_is_published(scenario: Scenario) -> None:
    """However soon after the last snapshot its last bucket closed: a worker that is killed repeats nothing."""
    scenario.run.start_ready("aggregator")
    detector = scenario.run.start_ready("detector", EARLYWARN_SNAPSHOTS__LEAST_SECONDS="7")
    half = max(map(len, scenario.input.logs)) // 2
    scenario.run.produce(scenario.input.logs, stop=half)
    wait_until(lambda: published_up_to(scenario) > 0 and at_rest(scenario, detector), 60, "all is folded")
    wait_until(lambda: newest_snapshot(scenario) >= published_up_to(scenario), 15, "a snapshot of all of it")
    detector.kill()
    forget(scenario)
    last = scenario.run.start_ready("detector")
    assert "published up to 0," in last.text
    scenario.run.produce(scenario.input.logs, start=half)
    scenario.run.end(PARTITIONS)
    scenario.check(scenario.run.wait_for(scenario.expected))


def newest_snapshot(scenario: Scenario) -> int:
    """Return the offset of the newest snapshot there is; -1 without any."""
    found = (offset_of(path.name, 0) for path in (scenario.run.folder / "snapshots").rglob("0-*"))
    return max((offset for offset in found if offset is not None), default=-1)


def published_up_to(scenario: Scenario) -> int:
    """Return the offset of the partials up to which the broker knows that all is published."""
    run = scenario.run
    group = {"group.id": f"{run.topics.prefix}{run.topics.run}.detector.published"}
    consumer = Consumer({**confluent_connection(run.settings.kafka), **group})
    [found] = consumer.committed([TopicPartition(run.topics.partials, 0)], timeout=10)
    consumer.close()
    return int(found.offset)


def at_rest(scenario: Scenario, detector: Worker) -> bool:
    """Return whether a detector has folded every partial there is."""
    return detector.metrics().get("earlywarn_partials_folded_total", 0) == scenario.folded() > 0


def forget(scenario: Scenario) -> None:
    """Delete the offsets published up to, as the broker does of a group that has rested."""
    topics = scenario.run.topics
    group = f"{topics.prefix}{topics.run}.detector.published"
    admin = AdminClient(confluent_connection(scenario.run.settings.kafka))
    for deleted in admin.delete_consumer_groups([group]).values():
        deleted.result(30)
