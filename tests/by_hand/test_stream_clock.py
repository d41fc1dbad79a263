"""Delivery while the clock of a whole process jumps by hours, librdkafka's and the C library's with it.

`make test` has the same with Python's clock (tests/e2e/test_stream_clock.py). This one shows besides that a jump of the
clock on which the C client's own waits end delays a run, and loses nothing. It is not part of `make test`: it needs the
Debian package libfaketime, and the client waits for moments of the wall clock, so that a jump may leave it waiting. Of
ten runs on a busy machine eight gave all in time.

    .venv/bin/python -m pytest tests/by_hand/test_stream_clock.py
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from clock_jumps import check_jumps_seen, play_with_jumps
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from scenario import SETTINGS, Scenario
from stream_run import StreamRun

PATIENCE_SECONDS = 240
"""faketime stands before every look at a clock, and half of the CPU goes there, jump or not. A wait of librdkafka into
which a jump falls may last until its transaction is given up and sent again, after a minute; /readyz may say no until
then, and is not looked at here."""


def find_faketime() -> Path:
    """Return the library of faketime that programs with threads take in front of the C library."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "no libfaketimeMT.so.1 below /usr/lib: apt-get install libfaketime"
    return found[0]


class ProcessClock:
    """A clock that can be moved under running processes: libfaketime before the C library, its offset in a file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.move(0)

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

    def move(self, hours: int) -> None:
        """Set the clock forward or back."""
        draft = self._file.with_suffix(".draft")
        draft.write_text(f"{hours:+d}h\n")
        draft.replace(self._file)


@pytest.fixture
def run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as found:
        yield found


def test_the_clock_of_a_process_jumps_by_hours(run: StreamRun, tmp_path: Path) -> None:
    """Forward and back under an aggregator and a detector at work: everything counts once, every alert is the same."""
    clock, scenario = ProcessClock(tmp_path), Scenario(run)
    workers = [run.start_ready(service, **clock.environment) for service in ("aggregator", "detector")]
    scenario.check(play_with_jumps(scenario, clock.move, detector=workers[-1], seconds=PATIENCE_SECONDS))
    assert all(worker.process.poll() is None for worker in workers)
    for worker in workers:
        worker.terminate()  # which it logs, by the last of its clocks
    check_jumps_seen(workers)
