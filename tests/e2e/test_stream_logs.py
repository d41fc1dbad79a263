"""State is of one log: detectors whose log was made anew, was cut short, or is shorter than they knew."""

import shutil

from kafka import TopicPartition
from quarter_days import PARTITIONS, RUN, quarter_days
from redis_server import RedisServer
from stream_run import Log, StreamRun, Worker, expected, wait_until

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.manifest import write_manifest
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics

SETTINGS = f"{RUN}replay = true\n"


def produce_in_steps(run: StreamRun, logs: list[Log], steps: int) -> None:
    """Produce logs in steps, each folded before the next, so that there is a partial of each."""
    length = len(logs[0])
    for step in range(steps):
        before = partials(run)
        run.produce(logs, start=step * length // steps, stop=(step + 1) * length // steps)
        wait_until(lambda: partials(run) >= before + PARTITIONS, 30, "partials of a step")  # noqa: B023  # at once


def partials(run: StreamRun) -> int:
    return sum(1 for _ in run.read(run.topics.partials))


def folded(run: StreamRun, detector: Worker) -> bool:
    return detector.metrics().get("earlywarn_partials_folded_total", 0) >= partials(run) > 0


def lines(worker: Worker, text: str) -> list[str]:
    return [line for line in worker.text.splitlines() if text in line]


def test_topics_made_anew_with_the_old_snapshots_left(run: StreamRun, fresh_redis: RedisServer) -> None:
    """They are told and not used, wherever they end: everything of the new log counts, and nothing of the old one."""
    first = [run.start_ready("aggregator"), run.start_ready("detector")]
    produce_in_steps(run, quarter_days(40, PARTITIONS), 6)
    wait_until(lambda: folded(run, first[1]), 60, "all is folded")
    for worker in first:
        worker.terminate()
    left = sorted((run.folder / "snapshots").rglob("*.snapshot"))
    assert left

    with kafka_admin(run.settings.kafka) as admin:
        assert delete_topics(admin, run.run.settings.run, run.settings.topics.prefix)
        wait_until(lambda: not set(run.topics.all) & set(admin.list_topics()), 60, "the topics are gone")
        ensure_topics(admin, run.settings)
    write_manifest(run.run)
    fresh_redis.wipe()
    detector = run.start_ready("detector")
    run.start_ready("aggregator")
    logs = quarter_days(60, PARTITIONS)
    produce_in_steps(run, logs, 9)
    run.end(PARTITIONS)
    published, rejected = expected(run.run, logs)
    assert len(published.essence) > 1_000
    assert not rejected
    found = run.wait_for(published)
    assert found.essence == published.essence
    assert found.repeated == []
    assert lines(detector, "snapshots of another log than this one")
    assert lines(detector, "reading from 0, published up to 0, the log ends at 0")
    assert detector.metrics()['earlywarn_snapshots_total{outcome="refused"}'] == 1
    assert all(path.exists() for path in left)


def test_partials_that_have_lost_their_beginning(run: StreamRun) -> None:
    """With a snapshot behind the hole nothing is missing; without one the detector stops, and says why."""
    aggregator, first = run.start_ready("aggregator"), run.start_ready("detector")
    logs = quarter_days(40, PARTITIONS)
    half = [log[: len(log) // 2] for log in logs]
    produce_in_steps(run, half, 5)
    wait_until(lambda: folded(run, first), 60, "all is folded")
    first.terminate()
    cut(run, 4)
    second = run.start_ready("detector")
    run.produce(logs, start=len(half[0]))
    run.end(PARTITIONS)
    published, _ = expected(run.run, logs)
    assert run.wait_for(published).essence == published.essence
    second.terminate()
    aggregator.terminate()

    shutil.rmtree(run.folder / "snapshots")
    third = run.start("detector")
    assert third.process.wait(60) == 1
    assert "Traceback" not in third.text
    [line] = lines(third, "ERROR earlywarn.adapters.stream.lifecycle")
    assert "partition 0 of the partials begins at offset 4, and 0 is needed" in line


def cut(run: StreamRun, offset: int) -> None:
    """Delete the partials before an offset."""
    with kafka_admin(run.settings.kafka) as admin:
        admin.delete_records({TopicPartition(run.topics.partials, 0): offset})


def refusal(worker: Worker) -> str:
    """Return the one line with which a worker has ended; no traceback stands before it."""
    assert worker.process.wait(60) == 1, worker.text
    assert "Traceback" not in worker.text
    [line] = lines(worker, "ERROR earlywarn.adapters.stream.lifecycle")
    return line


def test_partials_that_are_made_anew_under_workers(run: StreamRun) -> None:
    """All of them end, and say where to go on; so do those that are started again."""
    workers = [run.start_ready("aggregator"), run.start_ready("detector")]
    produce_in_steps(run, quarter_days(40, PARTITIONS), 2)
    wait_until(lambda: folded(run, workers[1]), 60, "all is folded")
    with kafka_admin(run.settings.kafka) as admin:
        admin.delete_topics([run.topics.partials])
        wait_until(lambda: run.topics.partials not in admin.list_topics(), 60, "the topic is gone")
        ensure_topics(admin, run.settings)
    run.produce(quarter_days(1, PARTITIONS))
    for line in [refusal(each) for each in workers] + [refusal(run.start(each)) for each in ("aggregator", "detector")]:
        assert f"{run.topics.partials}: was deleted" in line
        name = run.run.settings.run
        assert f"Go on in another run: earlywarn replay --from-run {name} --run {name}-2 --open" in line
    assert partials(run) == 0


def test_partials_that_have_more_partitions_than_the_run(run: StreamRun) -> None:
    with kafka_admin(run.settings.kafka) as admin:
        admin.create_partitions({run.topics.partials: 3})
        wait_until(lambda: len(admin.describe_topics([run.topics.partials])[0]["partitions"]) == 3, 60, "it has grown")
    line = refusal(run.start("detector"))
    name = run.run.settings.run
    assert f"{run.topics.partials}: has 3 partitions; Q is 1 in the manifest and never changes in a run" in line
    assert f"go on in another one: earlywarn replay --from-run {name} --run {name}-2 --open" in line
