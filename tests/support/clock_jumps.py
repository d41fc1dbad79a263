"""Clocks on the wall that jump by hours under services at work, and what a scenario under them looks like."""

import mmap
import os
import re
import struct
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from scenario import PARTITIONS, STEPS, Scenario
from stream_run import Published, Worker, wait_until

from earlywarn.adapters.kafka.wire import decode_partial

JUMPS = {2: 5, 4: -7, 6: 0, 8: -1, 10: 26}
"""Hours by which the clock is wrong, from a step on."""
FARTHEST_HOURS = 24
"""What must lie at least between the times that a worker has seen by such a clock."""
_HOUR_NS = 3_600_000_000_000
_LOGGED = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ ", re.MULTILINE)


class PythonClock:
    """A wall clock of Python processes that can be moved under them (`wall_clock/sitecustomize.py`)."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(bytes(8))
        self._file = file
        with file.open("r+b") as opened:
            self._offset = mmap.mmap(opened.fileno(), 8)

    @property
    def environment(self) -> dict[str, str]:
        """Return what a process needs to live by it."""
        paths = [str(Path(__file__).with_name("wall_clock")), os.environ.get("PYTHONPATH", "")]
        return {"TEST_WALL_CLOCK": str(self._file), "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def move(self, hours: float) -> None:
        """Set the clock so far off the true one."""
        struct.pack_into("<q", self._offset, 0, int(hours * _HOUR_NS))


def play_with_jumps(
    scenario: Scenario,
    move: Callable[[int], None],
    *,
    detector: Worker,
    seconds: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> Published:
    """Play a scenario whose clocks are moved while records are under way, and what is sent by a clock is folded by it.

    Args:
        scenario: what to play.
        move: sets the clocks so many hours off.
        detector: the only detector, which is waited for.
        seconds: how long to wait for a step, and at the end for all.
        meanwhile: is called again and again while a step is folded.
    """
    longest = max(map(len, scenario.input.logs))

    def jump(step: int) -> None:
        sent = [min(len(log), (step + 1) * longest // STEPS) for log in scenario.input.logs]
        if step in JUMPS:
            move(JUMPS[step])

        def worked() -> bool:
            meanwhile()
            return folded(scenario) == sent and (
                detector.metrics()["earlywarn_partials_folded_total"] == scenario.folded()
            )

        wait_until(worked, seconds, f"all of step {step} is folded")

    return scenario.play(jump, seconds=seconds)


def folded(scenario: Scenario) -> list[int]:
    """Return how many records of each source partition the partials hold by now."""
    found = [0] * PARTITIONS
    for message in scenario.run.read(scenario.run.topics.partials):
        partial = decode_partial(message.value(), "")
        found[partial.partition] = max(found[partial.partition], partial.last + 1)
    return found


def check_jumps_seen(workers: Sequence[Worker]) -> None:
    """See by the times of their logs, which their own clocks put there, that the workers' clocks have jumped."""
    for worker in workers:
        times = [datetime.strptime(found, "%Y-%m-%d %H:%M:%S") for found in _LOGGED.findall(worker.text)]  # noqa: DTZ007  # all local
        hours = (max(times) - min(times)).total_seconds() / 3600
        assert hours > FARTHEST_HOURS, f"{worker.name} has not seen the clock jump:\n{worker.text}"
