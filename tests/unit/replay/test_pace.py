"""The speed of a replay, by a clock that the test moves."""

import os
import signal

import pytest

from earlywarn.adapters.replay.pace import Pace
from earlywarn.cli.replay import paused_by_signals


class Clock:
    """Stands still but for sleeping, during which something may happen."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.during: dict[int, object] = {}
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.slept.append(seconds)
        happens = self.during.get(len(self.slept))
        if callable(happens):
            happens()


def paced(speed: float | None) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace(speed, clock=lambda: clock.seconds, sleep=clock.sleep), clock


def test_records_come_by_their_distance_in_event_time() -> None:
    """An hour of events in a second; the first and whatever is older than the newest come at once."""
    pace, clock = paced(3_600)
    came = []
    for event_ms in (5_000_000, 5_000_000 + 1_800_000, 5_000_000 + 900_000, 5_000_000 + 7_200_000):
        pace.wait_for(event_ms, lambda _: None)
        came.append(round(clock.seconds - 100, 6))
    assert came == [0, 0.5, 0.5, 2.0]


def test_at_full_speed_nothing_waits() -> None:
    pace, clock = paced(None)
    pace.wait_for(10**13, lambda _: None)
    assert clock.slept == []


def test_the_time_of_a_pause_does_not_count() -> None:
    pace, clock = paced(1)
    told: list[float] = []
    pace.wait_for(1_000_000, told.append)
    pace.paused = True
    clock.during[50] = lambda: setattr(pace, "paused", False)  # after ten seconds of a fifth each
    pace.wait_for(1_001_000, told.append)
    assert told[0] == float("inf")
    assert round(clock.seconds - 100, 6) == 11.0


def test_a_record_lags_by_what_it_comes_late_pauses_aside() -> None:
    pace, clock = paced(1)
    lags = [pace.lag_seconds()]
    pace.wait_for(1_000_000, lambda _: None)
    clock.seconds += 30
    lags.append(pace.lag_seconds())
    pace.wait_for(1_010_000, lambda _: None)
    lags.append(pace.lag_seconds())
    pace.paused = True
    clock.during[50] = lambda: lags.append(pace.lag_seconds())
    clock.during[60] = lambda: setattr(pace, "paused", False)
    pace.wait_for(1_012_000, lambda _: None)
    lags.append(pace.lag_seconds())
    pace.wait_for(2_000_000, lambda _: None)
    lags.append(pace.lag_seconds())
    assert [round(lag, 6) for lag in lags] == [0, 30, 20, 18, 18, 0]


def test_what_waits_is_told_for_how_long_before_it_does() -> None:
    pace, _ = paced(1)
    told: list[float] = []
    pace.wait_for(1_000, told.append)
    pace.wait_for(1_500, told.append)
    assert [round(each, 6) for each in told] == [0.5, 0.3, 0.1]


def test_signals_pause_and_resume_and_say_so(capfd: pytest.CaptureFixture[str]) -> None:
    pace, _ = paced(1)
    before = signal.getsignal(signal.SIGUSR1)
    with paused_by_signals(pace):
        os.kill(os.getpid(), signal.SIGUSR1)
        assert pace.paused
        os.kill(os.getpid(), signal.SIGUSR2)
        assert not pace.paused
    assert capfd.readouterr().err.splitlines() == [
        "earlywarn: SIGUSR1: paused; SIGUSR2 lets it go on",
        "earlywarn: SIGUSR2: goes on",
    ]
    assert signal.getsignal(signal.SIGUSR1) is before
