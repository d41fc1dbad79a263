"""A run that goes on in another one: history is copied without an end, workers are started, senders pointed there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import Log, Published, StreamRun, wait_until, without_ids
from swiss_logs import PANEL, swiss_logs

from earlywarn.adapters.kafka.filling import check_filled
from earlywarn.adapters.kafka.manifest import read_manifest
from earlywarn.adapters.replay import Pace, Replay, RunSource, begun, fill
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import ConfigError

PARTITIONS = 4
SETTINGS = f"""
[topics]
transactions_partitions = {PARTITIONS}
[service]
flush_seconds = 0.2
idle_seconds = 600.0
{PANEL}
"""
DAYS = 60


@pytest.fixture
def make_run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Callable[..., StreamRun]:
    """Return a function that gives a run of its own, not entered: its topics are not made yet."""

    def make() -> StreamRun:
        name = f"open-{uuid4().hex[:12]}"
        return StreamRun(kafka.address, redis_server.url, tmp_path / name, SETTINGS, name=name)

    return make


def earlywarn(run: StreamRun, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command with the settings of a run."""
    return subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "earlywarn", *arguments],
        env={**os.environ, **run.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=run.folder,
    )


def filling(run: StreamRun, live: StreamRun) -> Replay:
    """Return what `replay --from-run LIVE --run RUN --open` does."""
    return Replay(
        run=run.run,
        source=RunSource(run.settings.kafka, live.topics, leaves_open=True),
        pace=Pace(None, clock=time.monotonic, sleep=time.sleep),
        aggregators=0,
        environment={},
        logs=run.folder,
    )


def without_ticino(log: Log) -> Log:
    """Return a log whose last third lacks a region: alerts come of it."""
    last = 2 * len(log) // 3
    return log[:last] + [value for value in log[last:] if b"CH07" not in (value or b"")]


def days_of(published: Published) -> set[str]:
    return {msgspec.json.decode(value)["start"][:10] for value in published.aggregates.values()}


def test_a_run_goes_on_in_another_as_if_nothing_had_happened(make_run: Callable[..., StreamRun]) -> None:
    """As the runbook has it, from a copy that was broken off: no vintage, and the alerts of an undisturbed run."""
    with make_run() as live:
        logs = [without_ticino(log) for log in swiss_logs(live.run, PARTITIONS, days=DAYS).logs]
        half = len(logs[0]) // 2
        live.produce(logs, stop=half)
        workers = [live.start("aggregator"), live.start("detector")]
        run = make_run()
        with run:
            command = ("replay", "--from-run", live.topics.run, "--run", run.topics.run, "--open")
            refused = earlywarn(run, *command[:-1])
            assert (refused.returncode, "without end marks (--open)" in refused.stderr) == (1, True), refused.stderr
            log = ReplayLog(run.settings.kafka, run.topics)
            source = RunSource(run.settings.kafka, live.topics, leaves_open=True)
            assert log.open() is None
            log.commit(source.beginning(PARTITIONS))  # as one that was killed behind its first transaction
            early = run.start("aggregator")
            wait_until(lambda: early.process.poll() is not None, 30, "the worker has ended")
            assert "is being filled from run " in early.text
            copied = earlywarn(run, *command)
            assert copied.returncode == 0, copied.stderr
            assert "which goes on: start its workers, then point senders to it" in copied.stdout
            manifest = read_manifest(run.settings)
            assert manifest is not None
            assert not manifest.replay
            run.start("aggregator")
            run.start("detector")
            for each in (live, run):
                each.produce(logs, start=half)
            wait_until(lambda: len(days_of(live.published())) >= DAYS - 3, 60, "days of the first run")
            wait_until(lambda: days_of(run.published()) == days_of(live.published()), 60, "days of the other run")
            wait_until(lambda: len(run.published().alerts) == len(live.published().alerts), 60, "alerts")
            found, expected = run.published(), live.published()
            assert found.aggregates == expected.aggregates
            assert {msgspec.json.decode(value)["vintage"] for value in found.aggregates.values()} == {0}
            assert without_ids(found) == without_ids(expected)
            assert found.alerts
            assert all(worker.process.poll() is None for worker in workers)
            again = earlywarn(run, *command)
            assert again.returncode == 0, again.stderr
            assert run.published().aggregates == expected.aggregates


def test_a_run_that_has_begun_is_not_filled(make_run: Callable[..., StreamRun]) -> None:
    """History would come in behind what stands there, or while its workers take what is not written yet for idle."""
    with make_run() as live, make_run() as run:
        live.produce([[b"one"], [b"two"], [], []])
        run.start_ready("aggregator")
        command = ("replay", "--from-run", live.topics.run, "--run", run.topics.run, "--open")
        refused = earlywarn(run, *command)
        assert refused.returncode == 1
        assert "1 of its aggregators run (group " in refused.stderr, refused.stderr
        run.produce([[b"of a sender"], [], [], []])
        refused = earlywarn(run, *command)
        assert refused.returncode == 1
        assert f"{run.topics.transactions}: records stand there already" in refused.stderr, refused.stderr


def test_a_filling_that_goes_on_looks_for_workers_and_they_for_it(make_run: Callable[..., StreamRun]) -> None:
    """As of one that was killed behind its position, before it had seen a worker that had read none at its start."""
    with make_run() as live, make_run() as run:
        live.produce([[b"one"], [b"two"], [], []])
        worker = run.start_ready("aggregator")
        worker.send(signal.SIGSTOP)  # so that it does not ask again meanwhile
        asked = filling(run, live)
        log = ReplayLog(run.settings.kafka, run.topics)
        assert log.open() is None
        log.commit(asked.source.beginning(PARTITIONS))
        with pytest.raises(ConfigError, match="1 of its aggregators run"):
            fill(asked, lambda _: None)
        worker.send(signal.SIGCONT)
        wait_until(lambda: worker.process.poll() is not None, 30, "the worker has asked as a member, and ended")
        assert "is being filled from run " in worker.text
        assert fill(asked, lambda _: None).position.sent == 2


def test_a_worker_that_starts_while_a_filling_begins(
    make_run: Callable[..., StreamRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for once more when the position stands, and the run is left as it was."""
    with make_run() as live, make_run() as run:
        look = begun._members

        def look_and_start(kafka: KafkaSettings, group: str) -> int:
            found = look(kafka, group)
            if not run.workers:
                run.start_ready("aggregator")
            return found

        monkeypatch.setattr(begun, "_members", look_and_start)
        with pytest.raises(ConfigError, match="1 of its aggregators run"):
            fill(filling(run, live), lambda _: None)
        check_filled(run.settings.kafka, run.topics)
        assert not list(run.read(run.topics.transactions))


def test_the_way_out_of_a_run_that_was_closed(make_run: Callable[..., StreamRun]) -> None:
    """A replay cannot go on; into a run that does, its transactions are copied, also those behind its end."""
    with make_run() as live:
        live.produce([[b"one"], [b"two"], [], []])
        closed, run = make_run(), make_run()
        assert earlywarn(closed, "replay", "--from-run", live.topics.run).returncode == 0
        closed.produce([[b"three"], [], [], []])
        refused = earlywarn(closed, "replay", "--from-run", live.topics.run, "--open")
        assert (refused.returncode, "is a replay: its log is closed" in refused.stderr) == (1, True), refused.stderr
        assert earlywarn(run, "replay", "--from-run", closed.topics.run, "--open").returncode == 0
        values = {(each.partition(), each.value()) for each in run.read(run.topics.transactions)}
        assert values == {(0, b"one"), (1, b"two"), (0, b"three")}
