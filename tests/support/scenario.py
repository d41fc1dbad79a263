"""Scenarios of delivery: a run of real services, its input, and what must come out whatever happens meanwhile."""

from collections.abc import Callable, Sequence

from stream_run import Published, StreamRun, expected, final_days
from swiss_logs import PANEL, SwissLogs, swiss_logs

PARTITIONS = 4
STEPS = 12
SETTINGS = f"""
[fold]
block_size = 100
[topics]
transactions_partitions = {PARTITIONS}
replay = true
[service]
flush_seconds = 0.2
commit_seconds = 0.3
idle_seconds = 600.0
[kafka]
session_timeout_seconds = 6
{PANEL}
"""

Step = Callable[[int], None]


class Scenario:
    """A run, its input and what must come out."""

    def __init__(self, run: StreamRun, *, broken_share: float = 0.03, copies: int = 1) -> None:
        self.run = run
        self.input: SwissLogs = swiss_logs(
            run.run, PARTITIONS, days=220, late_share=0.02, broken_share=broken_share, copies=copies
        )
        self.expected, self.rejected = expected(run.run, self.input.logs)

    def poison(self, values: Sequence[bytes | None]) -> None:
        """Put records that cannot be used into the middle of the first log."""
        log = self.input.logs[0]
        log[len(log) // 2 : len(log) // 2] = values
        self.expected, self.rejected = expected(self.run.run, self.input.logs)

    def play(self, step: Step = lambda _: None, *, seconds: float = 90) -> Published:
        """Produce the input in steps, with something happening after each, and wait for the end so long at most."""
        longest = max(len(log) for log in self.input.logs)
        for at in range(STEPS):
            self.run.produce(self.input.logs, start=at * longest // STEPS, stop=(at + 1) * longest // STEPS)
            step(at)
        self.run.end(PARTITIONS)
        return self.run.wait_for(self.expected, seconds)

    def check(self, found: Published) -> None:
        """Compare what is published with what must be."""
        assert found.alerts == self.expected.alerts
        assert found.essence == self.expected.essence
        assert found.repeated == []
        assert {key: sums for key, sums in final_days(found).items() if sums != (0, 0)} == self.input.truth
        letters = {
            message.key(): dict(message.headers())["reason"] for message in self.run.read(self.run.topics.dead_letters)
        }
        assert len(letters) == sum(self.rejected.values())

    def folded(self) -> int:
        """Return how many records of the partials stand in the log."""
        return sum(1 for _ in self.run.read(self.run.topics.partials))

    def days(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Return what is published by now of every cell and day."""
        return final_days(self.run.published())
