"""Delivery while the clock on the wall jumps by hours: services read it for headers and logs, never for a result.

The clock that jumps is Python's, of our code and of all libraries written in Python; that of librdkafka, written in C,
does in `tests/by_hand/test_stream_clock.py`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from clock_jumps import PythonClock, check_jumps_seen, play_with_jumps
from kafka_broker import KafkaBroker
from redis_server import RedisServer
from scenario import SETTINGS, Scenario
from stream_run import StreamRun

HOUR = 3_600
ASKED = """
import datetime, json, sys, time
from time import time as time_by_name
DAY = 86_400
def naive(moment, zone):
    return moment.replace(tzinfo=zone).timestamp()
local = datetime.datetime.now().astimezone().tzinfo
ways = {
    "time": time.time,
    "time by name": time_by_name,
    "time_ns": lambda: time.time_ns() / 1e9,
    "clock": lambda: time.clock_gettime(time.CLOCK_REALTIME),
    "clock_ns": lambda: time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9,
    "localtime": lambda: time.mktime(time.localtime()),
    "gmtime": lambda: naive(datetime.datetime(*time.gmtime()[:6]), datetime.UTC),
    "ctime": lambda: time.mktime(time.strptime(time.ctime())),
    "asctime": lambda: time.mktime(time.strptime(time.asctime())),
    "strftime": lambda: time.mktime(time.strptime(time.strftime("%Y%m%d%H%M%S"), "%Y%m%d%H%M%S")),
    "now": lambda: naive(datetime.datetime.now(), local),
    "now in a zone": lambda: datetime.datetime.now(datetime.UTC).timestamp(),
    "utcnow": lambda: naive(datetime.datetime.utcnow(), datetime.UTC),
    "today": lambda: naive(datetime.datetime.today(), local),
    "day": lambda: datetime.date.today().toordinal() * DAY,
    "monotonic": time.monotonic,
    "perf_counter": time.perf_counter,
    "clock that measures": lambda: time.clock_gettime(time.CLOCK_MONOTONIC),
}
assert time.gmtime(0).tm_year == 1970 and time.strftime("%Y", time.gmtime(0)) == "1970"
for _ in sys.stdin:
    print(json.dumps({name: ask() for name, ask in ways.items()}), flush=True)
"""
"""Every way to ask for the time, and three that must not move."""


def test_every_way_to_ask_for_the_time_jumps_and_what_measures_does_not(tmp_path: Path) -> None:
    clock = PythonClock(tmp_path / "clock")
    with subprocess.Popen(  # noqa: S603  # Python, and the code above
        [sys.executable, "-W", "ignore", "-c", ASKED],
        env=clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def ask() -> dict[str, float]:
            print(file=child.stdin, flush=True)
            found: dict[str, float] = json.loads(child.stdout.readline())
            return found

        before = ask()
        for hours in (72, -48):
            clock.move(hours)
            moved = {name: round((now - before[name]) / HOUR, 1) for name, now in ask().items()}
            standing = {name for name in moved if moved[name] == 0}
            assert standing == {"monotonic", "perf_counter", "clock that measures"}
            assert {moved[name] for name in moved if name not in {*standing, "day"}} == {hours}
        child.stdin.close()


@pytest.fixture
def run(kafka: KafkaBroker, redis_server: RedisServer, tmp_path: Path) -> Iterator[StreamRun]:
    name = f"run-{uuid4().hex[:12]}"
    with StreamRun(kafka.address, redis_server.url, tmp_path, SETTINGS, name=name) as found:
        yield found


def test_the_wall_clocks_jump_by_hours(run: StreamRun, tmp_path: Path) -> None:
    """Forward and back, of three workers each its own: everything counts once, every alert is the same, all ready."""
    names = ("aggregator", "aggregator", "detector")
    clocks = [PythonClock(tmp_path / f"clock-{at}") for at in range(len(names))]
    workers = [run.start_ready(name, **clock.environment) for name, clock in zip(names, clocks, strict=True)]
    scenario = Scenario(run)

    def move(hours: int) -> None:
        for clock, sign in zip(clocks, (1, -1, 1), strict=True):
            clock.move(sign * hours)

    def all_ready() -> None:
        assert [worker.missing() for worker in workers] == [""] * len(workers)

    scenario.check(play_with_jumps(scenario, move, detector=workers[-1], seconds=90, meanwhile=all_ready))
    all_ready()
    assert [worker.terminate() < 5 for worker in workers] == [True] * 3
    assert [worker.process.returncode for worker in workers] == [0] * 3
    check_jumps_seen(workers)
