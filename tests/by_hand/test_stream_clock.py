"""Delivery while the clock on the wall jumps by hours: services read it for headers and logs, never for a result.

Not part of `make test`: it needs the Debian package faketime, and the Kafka client waits for moments of the wall clock,
so that a jump may leave it waiting. Of ten runs on a busy machine eight gave all in time.

    .venv/bin/python -m pytest tests/by_hand/test_stream_clock.py
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from scenario import PARTITIONS, SETTINGS, STEPS, Scenario
from stream_run import StreamRun, Worker, wait_until

from earlywarn.adapters.kafka.wire import decode_partial

JUMPS = {2: "+5h", 4: "-7h", 6: "+0h", 8: "-1h", 10: "+26h"}
"""What the services' clock shows against the true one, from a step on."""

PATIENCE_SECONDS = 120
"""faketime stands before every look at a clock, and half of the CPU goes there, jump or not. A wait of librdkafka into
which a jump falls may last until its transaction is given up and sent again, after a minute; /readyz may say no until
then, and is not looked at here."""
LOGGED = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ ", re.MULTILINE)


def find_faketime() -> Path:
    """Return the library of faketime that programs with threads take in front of the C library."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "no libfaketimeMT.so.1 below /usr/lib: apt-get install faketime"
    return found[0]


class WallClock:
    """A clock that can be moved under running processes: libfaketime before the C library, its offset in a file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.move("+0h")

    @property
    def environment(self) -> dict[str, str]:
        """Return what a process needs to live by it; the clock that only measures stays true, as it does in a jump."""
        return {
            "LD_PRELOAD": str(find_faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds between looks at the file: without, each call reads it
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def move(self, offset: str) -> None:
        """Set the clock forward or back."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(offset + "\n")
        draft.replace(self._file)


@pytest.fixture
def run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as found:
        yield found


def test_the_wall_clock_jumps_by_hours(run: StreamRun, tmp_path: Path) -> None:
    """Forward and back under an aggregator and a detector at work: everything counts once, every alert is the same."""
    clock, scenario = WallClock(tmp_path), Scenario(run)
    longest = max(map(len, scenario.input.logs))
    workers = [run.start_ready(service, **clock.environment) for service in ("aggregator", "detector")]

    def jump(step: int) -> None:
        if step in JUMPS:
            sent = [min(len(log), (step + 1) * longest // STEPS) for log in scenario.input.logs]
            wait_until(
                lambda: folded(run) == sent, PATIENCE_SECONDS, f"all of step {step} is folded: by the clock of before"
            )
            clock.move(JUMPS[step])

    scenario.check(scenario.play(jump, seconds=2 * PATIENCE_SECONDS))
    assert all(worker.process.poll() is None for worker in workers)
    for worker in workers:
        worker.kill()
        assert shown_hours(worker) > 24, f"{worker.name} has not seen the clock jump:\n{worker.text}"


def folded(run: StreamRun) -> list[int]:
    """Return how many records of each partition the partials hold by now."""
    found = [0] * PARTITIONS
    for message in run.read(run.topics.partials):
        partial = decode_partial(message.value(), "")
        found[partial.partition] = max(found[partial.partition], partial.last + 1)
    return found


def shown_hours(worker: Worker) -> float:
    """Return how far the times of a worker's log lie apart, which its own clock puts there."""
    times = [datetime.strptime(found, "%Y-%m-%d %H:%M:%S") for found in LOGGED.findall(worker.text)]  # noqa: DTZ007  # all local
    return (max(times) - min(times)).total_seconds() / 3600
