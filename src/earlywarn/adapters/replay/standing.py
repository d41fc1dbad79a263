"""How a replay stands, for those who watch it from outside: its probes and metrics."""

import time
from collections.abc import Callable

from earlywarn.adapters.replay.position import ReplayPosition


class Standing:
    """What a replay notes of itself on its way.

    Attributes:
        prepared: topics and position are there; from then on it sends, or is paused, or waits until all is folded.
        sending: it is at the first of these.
        messages: how many of `transactions` this process has made visible, end marks included.
        records: records of the inputs read, with those that an earlier replayer of the run has read.
        newest_ms: the newest event time sent (epoch milliseconds); None before the first, and of a recorded run.
        workers_run: says whether the workers that it started run; asked from another thread.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.prepared = self.sending = False
        self.messages = 0
        self.records = 0
        self.newest_ms: int | None = None
        self.workers_run: Callable[[], bool] = lambda: True
        self._clock = clock
        self._moved_seconds: float | None = None

    def begin(self, position: ReplayPosition) -> None:
        """Note that all is prepared, and where it goes on."""
        self.prepared = self.sending = True
        self.records = position.records

    def commit(self, position: ReplayPosition, messages: int) -> None:
        """Note that so many more messages are visible, and the position behind them."""
        self.records = position.records
        self.messages += messages
        self.move()

    def move(self) -> None:
        """Note that it does not stand still."""
        self._moved_seconds = self._clock()

    @property
    def still_seconds(self) -> float:
        """Return for how long it gives no sign of moving while it sends; before the first record it may sort files."""
        return self._clock() - self._moved_seconds if self.sending and self._moved_seconds is not None else 0.0
