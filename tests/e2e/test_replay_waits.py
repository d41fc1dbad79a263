"""A replay that is paused before it has begun, and one whose broker goes away: both wait, and one says so."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from command_line import PANEL, REPOSITORY, SAMPLE
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from stream_run import Port, StreamRun, wait_until
from swiss_logs import PANEL as SWISS_PANEL

from earlywarn.adapters.kafka.topic_scan import newest_value
from earlywarn.adapters.replay.position import KEY, ReplayPosition, decode_position

SECONDS = 180
UNHURRIED = 425 * 86_400 / 30
"""Speed at which the whole sample takes half a minute."""


@contextmanager
def replay(
    run: StreamRun, *arguments: object, program: Sequence[object] = ("-m", "earlywarn", "replay")
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `earlywarn replay` of the sample with the settings of a run; its log lies in the run's folder."""
    with (run.folder / "replay.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [
                sys.executable, *map(str, program), SAMPLE, "--config", PANEL, "--mapping", "swiss-cards",
                "--run", run.topics.run, "--out", run.folder / "out", *map(str, arguments),
            ],
            env={**os.environ, **run.environment, "EARLYWARN_SERVICE__PORT": "0"},
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=run.folder,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def log_of(run: StreamRun) -> str:
    return (run.folder / "replay.log").read_text(encoding="utf-8")


def position(run: StreamRun) -> ReplayPosition | None:
    found = newest_value(run.settings.kafka, run.topics.meta, KEY)
    return None if found is None else decode_position(found)


@pytest.fixture
def run(fresh_kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> StreamRun:
    """Return a run whose topics are not made yet."""
    return StreamRun(fresh_kafka.address, redis_server.url, tmp_path, SWISS_PANEL, name=f"replay-{uuid4().hex[:12]}")


def test_a_pause_that_is_asked_for_while_modules_are_loaded_holds_from_the_first_record(run: StreamRun) -> None:
    with replay(run, "--no-workers") as process:
        wait_until(lambda: "msgspec" in Path(f"/proc/{process.pid}/maps").read_text(), 30, "modules are being loaded")
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: process.poll() is not None or bool(transactions_made(run)), SECONDS, "the topics are made")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(5)
        assert position(run) is None
        process.send_signal(signal.SIGUSR2)
        wait_until(lambda: bool((found := position(run)) and found.ended), SECONDS, "all is sent")


def transactions_made(run: StreamRun) -> list[object]:
    try:
        return [*run.read(run.topics.transactions), run]
    except KeyError:
        return []


def told(run: StreamRun) -> list[dict[str, object]]:
    """Return the revisions of a run's alerts in their order, without what names the run."""
    found = [msgspec.json.decode(message.value()) for message in run.read(run.topics.alerts)]
    names = ("id", "run", "parent", "children", "supersedes")
    return [{name: value for name, value in alert.items() if name not in names} for alert in found]


def test_a_pause_changes_nothing(
    fresh_kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes many times as long as a partition may be silent, and some have nothing at all.

    Days close meanwhile, and all is as it is at full speed.
    """
    monkeypatch.setenv("EARLYWARN_SERVICE__IDLE_SECONDS", "0.3")
    monkeypatch.setenv("EARLYWARN_TOPICS__TRANSACTIONS_PARTITIONS", "32")
    whole, paused = (
        StreamRun(fresh_kafka.address, redis_server.url, tmp_path / name, SWISS_PANEL, name=name)
        for name in (f"whole-{uuid4().hex[:12]}", f"paused-{uuid4().hex[:12]}")
    )
    with replay(whole) as process:
        assert process.wait(SECONDS) == 0, log_of(whole)
    with replay(paused, "--speed", UNHURRIED) as process:

        def sent(records: int) -> bool:
            assert process.poll() is None, log_of(paused)
            found = position(paused)
            return found is not None and found.sent >= records

        wait_until(lambda: sent(12_000) and bool(paused.published().aggregates), SECONDS, "days are closed")
        process.send_signal(signal.SIGUSR1)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(8)
        process.send_signal(signal.SIGUSR2)
        assert process.wait(SECONDS) == 0, log_of(paused)
    assert told(paused) == told(whole) != []


def test_a_replay_is_not_ready_and_ends_when_a_worker_dies(run: StreamRun) -> None:
    """Also while it is paused."""
    with replay(run, "--speed", 1) as process:
        wait_until(lambda: position(run) is not None or process.poll() is not None, SECONDS, "it sends")
        process.send_signal(signal.SIGUSR1)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        [worker] = [each for each in children if b"aggregator" in Path(f"/proc/{each}/cmdline").read_bytes()]
        os.kill(int(worker), signal.SIGKILL)
        assert process.wait(30) == 1, log_of(run)
    assert "earlywarn: aggregator-0 has ended with -9; the end of " in log_of(run)


def test_the_replayer_answers_probes_and_goes_on_when_its_broker_is_back(
    run: StreamRun, fresh_kafka: KafkaBroker
) -> None:
    """Ready while it sends and while it is paused, and not while no broker answers; the metrics say how far it is."""
    with replay(run, "--speed", UNHURRIED, "--no-workers", program=[REPOSITORY / "services" / "replayer"]) as process:
        wait_until(lambda: "probes on http" in log_of(run), SECONDS, "the probes answer")
        port = Port(int(log_of(run).partition("probes on http://127.0.0.1:")[2].split()[0]))
        wait_until(lambda: port.ask("/readyz") == 200, SECONDS, "it is ready")

        def figures() -> dict[str, float]:
            lines = port.answer("/metrics")[1].splitlines()
            return {name: float(text) for name, text in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

        wait_until(lambda: figures()["earlywarn_replay_messages_total"] > 500, 30, "it sends")
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: figures()["earlywarn_replay_paused"] == 1, 5, "it is paused")
        assert port.ask("/readyz") == 200
        sent = figures()["earlywarn_replay_messages_total"]
        fresh_kafka.kill()
        wait_until(lambda: port.answer("/readyz") == (503, "not connected to a broker\n"), 10, "it is not ready")
        assert port.ask("/livez") == 200
        process.send_signal(signal.SIGUSR2)
        fresh_kafka.start()
        wait_until(lambda: port.ask("/readyz") == 200, 30, "it is ready again")
        wait_until(lambda: figures()["earlywarn_replay_messages_total"] > sent, 60, "it sends again")
        told = figures()
        assert told["earlywarn_replay_position_records"] >= told["earlywarn_replay_messages_total"]
        assert told["earlywarn_replay_event_seconds"] > 1_546_000_000
        assert told["earlywarn_replay_lag_seconds"] >= 0
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM, log_of(run)
        assert "earlywarn: SIGUSR1: paused; SIGUSR2 lets it go on\n" in log_of(run)
        assert "earlywarn: SIGTERM: ends (exit code 143); the same command goes on behind the last" in log_of(run)


@pytest.mark.parametrize("stage", ["sending", "folding"])
def test_a_replay_whose_broker_is_away_says_that_it_waits_and_goes_on(
    run: StreamRun, fresh_kafka: KafkaBroker, stage: str
) -> None:
    """A line now and then, whatever the client library would like to tell; nothing is lost, and it ends well."""
    speed = "max" if stage == "folding" else UNHURRIED
    with replay(run, "--speed", speed) as process:

        def reached() -> bool:
            assert process.poll() is None, log_of(run)
            found = position(run)
            return found is not None and (found.ended if stage == "folding" else found.sent > 0)

        wait_until(reached, SECONDS, f"it is {stage}")
        fresh_kafka.kill()
        # A scan of a topic that has begun, as the look for the end marks, gives a broker two request timeouts.
        promised_seconds = 2 * run.settings.kafka.request_timeout_seconds + 15
        wait_until(lambda: "earlywarn: " in log_of(run), promised_seconds, "it says that it waits")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(15)
        lines = log_of(run).splitlines()
        assert len(lines) <= 4, lines
        assert all(line.startswith("earlywarn: ") and "rdkafka#" not in line for line in lines), lines
        fresh_kafka.start()
        assert process.wait(SECONDS) == 0, log_of(run)
    assert "22,458 sent" in log_of(run)
    assert "Traceback" not in log_of(run)
