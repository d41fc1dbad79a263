"""Which partitions of a paced replay have nothing for long, by the time of its records alone.

The watermark waits for every partition. In live operation a clock says that one is idle; in a replay the clock stands
while it is paused, and runs while its replayer is away. So the replayer, who has the records of all partitions before
it, tells the silent ones how far the time of the others is: after the same records always the same.
"""

from collections.abc import Sequence

_TOLD_SECONDS = 1.0
"""So often a silent partition is told the time, by the speed of the replay."""
_LONGEST_MS = 1e15


class Silences:
    """Hears every record that is sent, and those that an earlier replayer has sent, in their order.

    Args:
        partitions: P.
        idle_seconds: a partition without a record for so long is silent; of the replay's own time.
        speed: event seconds in one second.

    Attributes:
        now_ms: the time of the replay: the newest event time but one (epoch milliseconds), so that one record with a
            wrong time stamp makes nothing of the other partitions late.
    """

    def __init__(self, partitions: int, *, idle_seconds: float, speed: float) -> None:
        self.now_ms = 0
        self._newest_ms: int | None = None
        self._heard_ms = [0] * partitions
        self._silent_ms = _event_ms(idle_seconds, speed)
        self._step_ms = _event_ms(_TOLD_SECONDS, speed)
        self._step = 0

    def hear(self, partition: int, event_ms: int) -> Sequence[int]:
        """Take one record; return the partitions that are to be told the time behind it, in their order."""
        if self._newest_ms is None:
            self._newest_ms = self.now_ms = event_ms
            self._heard_ms = [event_ms] * len(self._heard_ms)
            self._step = event_ms // self._step_ms
        elif event_ms > self._newest_ms:
            self.now_ms, self._newest_ms = self._newest_ms, event_ms
        else:
            self.now_ms = max(self.now_ms, event_ms)
        self._heard_ms[partition] = self.now_ms
        step = self.now_ms // self._step_ms
        if step == self._step:
            return ()
        self._step = step
        return [each for each, heard_ms in enumerate(self._heard_ms) if self.now_ms - heard_ms >= self._silent_ms]


def _event_ms(seconds: float, speed: float) -> int:
    """Return how much event time passes in so many seconds; not less than a millisecond."""
    return int(min(max(seconds * speed * 1000, 1.0), _LONGEST_MS))
