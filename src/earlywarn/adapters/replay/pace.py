"""When a record is due: N times real time by event time, or at once; and pauses."""

from collections.abc import Callable

_LOOK_SECONDS = 0.2
"""How often a waiting replay looks whether it was paused or told to go on."""


class Pace:
    """Keeps a replay to its speed.

    Args:
        speed: event seconds in one second; None for as fast as it goes.
        clock: seconds of a clock that never goes back.
        sleep: waits so many seconds.

    Attributes:
        paused: it stands still from the next record on, and the time of that does not count; a signal's handler may
            set it.
        meanwhile: called whenever a waiting replay looks, paused or not; it may raise to end the wait.
    """

    def __init__(self, speed: float | None, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self.speed = speed
        self.paused = False
        self.meanwhile: Callable[[], None] = lambda: None
        self._clock = clock
        self._sleep = sleep
        self._began: tuple[float, int] | None = None
        self._event_ms: int | None = None
        self._stood_seconds: float | None = None

    def start_anew(self) -> None:
        """Let the next record be due at once, and those behind it by their distance from it."""
        self._began = self._event_ms = None

    def lag_seconds(self) -> float:
        """Return by how much the newest record came, or is still coming, later than it was due; 0 at full speed."""
        if self._began is None or self._event_ms is None:
            return 0.0
        stood = 0.0 if self._stood_seconds is None else self._clock() - self._stood_seconds
        return max(0.0, -self.seconds_until(self._event_ms) - stood)

    def wait_for(self, event_ms: int, before_waiting: Callable[[float], None]) -> None:
        """Return when a record of this time is due; `before_waiting` is told how many seconds there are left.

        The first record is due at once, and so is one that is older than those before it.
        """
        self._event_ms = event_ms
        while True:
            if self.paused:
                self._stand_still(before_waiting)
            seconds = self.seconds_until(event_ms)
            if seconds <= 0:
                return
            before_waiting(seconds)
            self.meanwhile()
            self._sleep(min(max(0.0, self.seconds_until(event_ms)), _LOOK_SECONDS))

    def seconds_until(self, event_ms: int) -> float:
        """Return in how many seconds a record of this time is due; 0 or less for now."""
        if self.speed is None:
            return 0.0
        if self._began is None:
            self._began = (self._clock(), event_ms)
        began_seconds, first_ms = self._began
        return began_seconds + (event_ms - first_ms) / 1000 / self.speed - self._clock()

    def _stand_still(self, before_waiting: Callable[[float], None]) -> None:
        before = self._stood_seconds = self._clock()
        before_waiting(float("inf"))
        while self.paused:
            self.meanwhile()
            self._sleep(_LOOK_SECONDS)
        self._stood_seconds = None
        if self._began is not None:
            self._began = (self._began[0] + self._clock() - before, self._began[1])
