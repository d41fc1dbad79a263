"""A replay started again: behind its end, for partitions added since, and of a recorded run that was made anew."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from uuid import uuid4

import msgspec
import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import StreamRun, wait_until

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.topic_identity import Identities
from earlywarn.adapters.kafka.topics import delete_topics
from earlywarn.adapters.replay import Pace, RunSource, Told, run_copy
from earlywarn.adapters.replay.log_ends import log_ends
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.errors import LogError

SECONDS = 90
SETTINGS = """
[topics]
transactions_partitions = 2
partials_partitions = 2
[service]
flush_seconds = 0.1
[[panels]]
id = "AT"
countries = ["AT"]
[[panels]]
id = "CH"
countries = ["CH"]
"""


def record(day: int, region: str) -> bytes:
    return msgspec.json.encode(
        {
            "id": f"{region}-{day}", "ts": 1_551_700_000_000 + day * 86_400_000, "amount_minor": 5,
            "currency": "CHF", "mcc": "5411", "region": region, "country": "CH",
        }
    )  # fmt: skip


def earlywarn(run: StreamRun, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "earlywarn", *map(str, arguments)],
        env={**os.environ, **run.environment, **environment},
        capture_output=True, text=True, check=False, timeout=SECONDS, cwd=run.folder,
    )  # fmt: skip


def make_anew(run: StreamRun) -> None:
    """Delete a run's topics and make them again under their names."""
    with kafka_admin(run.settings.kafka) as admin:
        gone = delete_topics(admin, run.topics.run, run.topics.prefix)
    identities = Identities(run.settings.kafka)
    wait_until(lambda: set(identities.now(gone).values()) == {None}, 30, "the topics are gone")
    run.__enter__()


@pytest.fixture
def recorded(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    """Return a run that records and folds nothing."""
    name = f"recorded-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path / "recorded", SETTINGS, name=name) as found:
        yield found


def test_what_came_in_behind_the_end_is_folded_when_the_replay_is_started_again(
    kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path
) -> None:
    """A panel without any record has its own partition of partials, and is waited for as well.

    Some of what is re-entered is too old by then, and becomes a new dead letter.
    """
    run = StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=f"replay-{uuid4().hex[:12]}")
    file = tmp_path / "transactions.jsonl"
    lines = [record(day, region) for day in range(0, 60, 2) for region in ("CH04", "CH05", "CH040x")]
    file.write_bytes(b"\n".join(lines))

    def replayed() -> None:
        finished = earlywarn(run, "replay", file)
        assert finished.returncode == 0, finished.stderr

    replayed()
    first = run.published().aggregates
    mended = earlywarn(run, "dlq", "replay", "--mend", "region=CH06")
    assert (mended.returncode, "30 records re-entered" in mended.stdout) == (0, True)
    assert "a replay that has ended has none" in mended.stderr
    behind = earlywarn(run, "verify")
    assert behind.returncode == 1
    assert "are complete in transactions and not published: its workers are behind or stopped" in behind.stdout
    assert "differences" not in behind.stdout
    grown = earlywarn(run, "topics", "create", "--grow", "--replay", EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS="3")
    assert grown.returncode == 0, grown.stderr
    replayed()
    assert [end.marked for end in log_ends(run.settings.kafka, run.topics.transactions).values()] == [True] * 3
    equal = earlywarn(run, "verify")
    assert (equal.returncode, "83 transactions in 83 records" in equal.stdout) == (0, True), equal.stdout
    found = run.published()
    assert first.items() < found.aggregates.items()
    assert found.repeated == []


def test_a_recorded_run_that_was_made_anew_is_another_input(recorded: StreamRun) -> None:
    """Nothing of it joins what was copied before, and a replay that has ended does not call it replayed."""
    recorded.produce([[record(day, "CH04") for day in range(30)]] * 2)
    arguments = ("replay", "--from-run", recorded.topics.run, "--run", f"{recorded.topics.run}-2")
    finished = earlywarn(recorded, *arguments)
    assert (finished.returncode, "60 records read, 60 sent" in finished.stdout) == (0, True), finished.stderr
    again = earlywarn(recorded, *arguments)
    assert (again.returncode, "60 of them stood there" in again.stdout) == (0, True), again.stderr
    make_anew(recorded)
    recorded.produce([[record(day, "CH05") for day in range(40)]] * 2)
    refused = earlywarn(recorded, *arguments)
    assert refused.returncode == 1
    assert "as it was before its transactions were deleted and made anew" in refused.stderr
    assert f"earlywarn topics delete --run {recorded.topics.run}-2" in refused.stderr


def test_a_copy_goes_on_with_the_partitions_that_it_was_begun_with(recorded: StreamRun) -> None:
    """Whatever the recorded topic has grown by since is no part of it."""
    recorded.produce([[record(day, "CH04") for day in range(30)]] * 2)
    arguments = ("replay", "--from-run", recorded.topics.run, "--run", f"{recorded.topics.run}-2")
    finished = earlywarn(recorded, *arguments)
    assert (finished.returncode, "60 records read, 60 sent" in finished.stdout) == (0, True), finished.stderr
    grown = earlywarn(recorded, "topics", "create", "--grow", EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS="3")
    assert grown.returncode == 0, grown.stderr
    again = earlywarn(recorded, *arguments)
    assert (again.returncode, "60 of them stood there" in again.stdout) == (0, True), again.stderr


@pytest.mark.parametrize("leaves_open", [True, False])
def test_what_stands_in_partitions_that_were_added_meanwhile_is_told(
    recorded: StreamRun, caplog: pytest.LogCaptureFixture, tmp_path: Path, *, leaves_open: bool
) -> None:
    """A run that goes on would lack it for good, and is not filled; empty ones are no matter."""
    brokers, name = recorded.settings.kafka.brokers, f"copy-{uuid4().hex[:12]}"
    run = StreamRun(brokers, "redis://127.0.0.1:1", tmp_path / name, SETTINGS, name=name)
    with run:
        recorded.produce([[b"one"], [b"two"]])
        source = RunSource(recorded.settings.kafka, recorded.topics, leaves_open=leaves_open)
        log, pace = ReplayLog(run.settings.kafka, run.topics), Pace(None, clock=time.monotonic, sleep=time.sleep)
        log.open()
        begun = source.beginning(2)
        log.commit(begun)
        grown = earlywarn(recorded, "topics", "create", "--grow", EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS="3")
        assert grown.returncode == 0, grown.stderr
        copied = source.send(log, begun, pace, lambda _: None)
        assert (copied.sent, "were added" in caplog.text) == (2, False)
        recorded.produce([[], [], [b"three"]])
        told = "partitions [2] were added since this copy was begun, and hold records that are no part of it; delete "
        told += f"the copy (earlywarn topics delete --run {run.topics.run}) and begin it anew"
        if leaves_open:
            with pytest.raises(LogError, match=re.escape(told)):
                source.send(log, copied, pace, lambda _: None)
        else:
            assert source.send(log, copied, pace, lambda _: None).sent == 2
            assert told in caplog.text


def test_a_broker_that_is_away_while_a_run_is_copied_is_waited_for(
    fresh_kafka: KafkaBroker,
    redis_server: RedisServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """For longer than the silence of one that answers, at which a copy is given up."""
    monkeypatch.setattr(run_copy, "_ANSWER_SECONDS", 0.1)
    recorded, run = (
        StreamRun(fresh_kafka.address, redis_server.url, tmp_path / name, SETTINGS, name=name)
        for name in (f"recorded-{uuid4().hex[:12]}", f"copy-{uuid4().hex[:12]}")
    )
    pace = Pace(None, clock=time.monotonic, sleep=time.sleep)
    back = Timer(20, fresh_kafka.start)  # longer than a question waits for its answer

    def tell(_: Told) -> None:
        if back.ident is None:
            fresh_kafka.kill()
            back.start()

    with recorded, run:
        # More than a consumer fetches ahead, so that it is the reading that waits.
        recorded.produce([[record(day, "CH04") + b" " * 9_000 for day in range(10_000)]] * 2)
        source = RunSource(recorded.settings.kafka, recorded.topics)
        log = ReplayLog(run.settings.kafka, run.topics)
        log.open()
        copied = source.send(log, source.beginning(2), pace, tell)
        back.join()
        assert (copied.sent, copied.offsets) == (20_000, {0: 10_000, 1: 10_000})
        assert "waiting for a broker that answers" in caplog.text
        assert len(list(run.read(run.topics.transactions))) == 20_000


def test_a_recorded_run_that_is_made_anew_while_it_is_copied_ends_the_copy(
    recorded: StreamRun, kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path
) -> None:
    """What is not committed is taken back: it might be of either log."""
    recorded.produce([[record(day, "CH04") for day in range(30)]] * 2)
    source = RunSource(recorded.settings.kafka, recorded.topics)
    pace = Pace(None, clock=time.monotonic, sleep=time.sleep)
    name = f"{recorded.topics.run}-2"

    def tell(told: Told) -> None:
        if told.records == 60:
            make_anew(recorded)

    with StreamRun(kafka.address, redis_server.url, tmp_path / "copy", SETTINGS, name=name) as run:
        log = ReplayLog(run.settings.kafka, run.topics)
        log.open()
        with pytest.raises(LogError, match="was deleted and made anew while it was copied"):
            source.send(log, source.beginning(2), pace, tell)
        log.take_back()
        assert list(run.read(run.topics.transactions)) == []
