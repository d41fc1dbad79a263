"""Times of day: a profile of the local clock on days of 23, 24 and 25 hours."""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_HOUR_MS = 3_600_000


class LocalDay(NamedTuple):
    """A local day in epoch milliseconds: [start_ms, end_ms)."""

    start_ms: int
    end_ms: int


def local_day(day: date, zone: ZoneInfo) -> LocalDay:
    """Return the bounds of a local day, 23 or 25 hours apart where the clocks change."""
    start, end = (_midnight_ms(moment, zone) for moment in (day, day + timedelta(days=1)))
    return LocalDay(start, end)


def _midnight_ms(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * 1000


def event_times(
    day: date, zone: ZoneInfo, profile: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return `count` epoch milliseconds within the local day, by the 24 weights of the local clock's hours.

    An hour that the clock shows twice is drawn twice as often, one that it leaves out never.
    """
    start_ms, end_ms = local_day(day, zone)
    starts = np.arange(start_ms, end_ms, _HOUR_MS, dtype=np.int64)
    lengths = np.minimum(starts + _HOUR_MS, end_ms) - starts
    clock = [datetime.fromtimestamp(int(moment) / 1000, zone).hour for moment in starts]
    weights = profile[clock] * lengths
    hours = rng.choice(len(starts), size=count, p=weights / weights.sum())
    times: NDArray[np.int64] = starts[hours] + (rng.random(count) * lengths[hours]).astype(np.int64)
    return times
