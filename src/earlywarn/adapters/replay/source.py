"""What is replayed, and what is told of it on the way."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from earlywarn.adapters.replay.pace import Pace
from earlywarn.adapters.replay.position import ReplayPosition
from earlywarn.adapters.replay.replay_log import ReplayLog


class Told(NamedTuple):
    """How far a replay is: records read, and the newest event time sent (epoch milliseconds, None before the first)."""

    records: int
    event_time_ms: int | None


Tell = Callable[[Told], None]


class Source(Protocol):
    """Something that can be replayed."""

    @property
    def batched(self) -> bool:
        """Return whether messages hold many transactions."""

    def beginning(self, partitions: int) -> ReplayPosition:
        """Return the position before its first record, for a topic of so many partitions."""

    def send(self, log: ReplayLog, position: ReplayPosition, pace: Pace, tell: Tell) -> ReplayPosition:
        """Send all behind a position, in transactions with the positions that they lead to; return the last one."""
