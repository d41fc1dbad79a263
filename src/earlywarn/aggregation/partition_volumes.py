"""What source partitions usually bring: how much of a bucket is missing if some have not spoken for all of it.

Keys decide what comes into a partition, so that one may bring half of everything, and another nothing, ever. A
partition is therefore missed by what it brought in the same hours of the four weeks before it fell silent; in the
first week, of the days before. It stays expected for four weeks of silence, by event time; one that is lost for good.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from earlywarn.domain.panel import Panel
from earlywarn.domain.state import State

_DAY = 86_400
_WEEK = 7 * _DAY
FORGET_SECONDS = 28 * _DAY
_KEPT_SECONDS = 2 * FORGET_SECONDS + _DAY
"""Of one that has been silent for as long as it is expected, what is compared is as long before that."""

_SPOKEN = 0.5


class PartitionVolumes:
    """Accepted transactions of one source partition, by panel and base bucket, of the last eight weeks.

    What is ahead of the watermark comes on top: of one partition that is read before the others.
    """

    def __init__(self) -> None:
        self._days: dict[int, dict[tuple[str, int], int]] = {}

    def add(self, rows: Iterable[tuple[str, int, int]], watermark_seconds: int) -> None:
        """Add to base buckets (panel, start in epoch seconds, transactions); forget what is long closed."""
        for panel, bucket, transactions in rows:
            day = self._days.get(bucket // _DAY)
            if day is None:
                self._days = {
                    at: each for at, each in self._days.items() if at * _DAY >= watermark_seconds - _KEPT_SECONDS
                }
                day = self._days[bucket // _DAY] = {}
            day[panel, bucket] = day.get((panel, bucket), 0) + transactions

    @property
    def begins(self) -> int:
        """Return when the first day of which anything is kept begins, in UTC (epoch seconds); far ahead if none."""
        return min(self._days, default=1 << 40) * _DAY

    def within(self, panel: Panel, start: int, stop: int) -> int:
        """Return what was brought from `start` to `stop`, in transactions times the seconds of a base bucket."""
        base, total = panel.calendar.base_bucket_seconds, 0
        for bucket in range(start - start % base, stop, base):
            transactions = self._days.get(bucket // _DAY, {}).get((panel.id, bucket), 0)
            total += max(transactions, 0) * (min(stop, bucket + base) - max(start, bucket))
        return total

    def state(self) -> State:
        """Return the state as plain values."""
        return {"rows": [[*key, count] for day in self._days.values() for key, count in day.items()]}

    @classmethod
    def restored(cls, saved: State) -> "PartitionVolumes":
        """Return what `state` was of."""
        volumes = cls()
        for panel, bucket, count in saved["rows"]:
            volumes._days.setdefault(bucket // _DAY, {})[panel, bucket] = count
        return volumes


class Standing(NamedTuple):
    """A partition at the close of a bucket.

    Attributes:
        volumes: what it has brought.
        silent_from: the epoch second up to which it has spoken, if that is before the bucket's end and no more of it is
            waited for; else None.
        lost: whether nothing more will come of it.
    """

    volumes: PartitionVolumes
    silent_from: int | None = None
    lost: bool = False


def heard_share(partitions: Sequence[Standing], panel: Panel, start: int, until: int) -> float:
    """Return how much of what partitions usually bring to a bucket of a panel was brought by those that have spoken.

    It is 1 where nothing is usual yet.

    Args:
        partitions: all of the source.
        panel: whose bucket it is. Where it only knows days, a record stands anywhere in its day: a partition
            that has brought half of a usual day has spoken for it.
        start: epoch seconds.
        until: its end.
    """
    if all(each.silent_from is None for each in partitions):
        return 1.0
    begins = min((each.volumes.begins for each in partitions), default=until)
    period, count = (_WEEK, 4) if start - _WEEK >= begins else (_DAY, 6)
    usual = missing = 0.0
    counted = unknown = 0
    for volumes, silent_from, lost in partitions:
        if silent_from is not None and not lost and silent_from < start - FORGET_SECONDS:
            continue
        first = 1 if silent_from is None else -((silent_from - until) // period)
        backs = [at * period for at in range(first, first + count) if start - at * period >= begins]
        whole = _mean(volumes, panel, start, until, backs)
        counted += 1
        unknown += lost and not whole
        usual += whole
        if silent_from is not None and (panel.resolution == "hour" or silent_from < start):
            missing += _mean(volumes, panel, max(silent_from, start), until, backs)
        elif silent_from is not None:
            brought = volumes.within(panel, start, until)
            missing += whole - brought if brought < _SPOKEN * whole else 0.0
    of_known = 1 - missing / usual if usual else 1.0
    # What one would have brought that is lost with all that it ever had, nobody knows: as much as the others.
    return round(of_known * (1 - unknown / max(counted, 1)), 6)


def _mean(volumes: PartitionVolumes, panel: Panel, start: int, until: int, backs: Sequence[int]) -> float:
    """Return what was brought so many seconds before on average."""
    return sum(volumes.within(panel, start - back, until - back) for back in backs) / max(len(backs), 1)
