"""The past of one feed: its usual volume by weekday and by hour of the week, and for how long it has been quiet.

What is usual is the median of the last four such days. A quiet day is learned, as one without
transactions, when the feed speaks again within a week: so a feed that begins to rest on Sundays is soon
expected to, and a feed that is gone stays expected as it was.
"""

from collections.abc import Mapping
from statistics import median
from typing import Self

from earlywarn.domain.state import State

_REMEMBERED = 4
_WEEK_DAYS = 7


class Feed:
    """The volumes of one feed, in transactions. `slots` is the number of base buckets in a week; 0 knows days only.

    Attributes:
        owed, owed_base: what was expected since the feed last spoke, by days and by base buckets.
        quiet_days: days since it last spoke.
        missed_days: those of them on which others spoke.
        replaced_days: the last of them on which others brought what it would.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.owed = self.owed_base = 0.0
        self.quiet_days = self.missed_days = self.replaced_days = 0
        self._days: list[list[int]] = [[] for _ in range(_WEEK_DAYS)]
        self._base: list[list[int]] = [[] for _ in range(slots)]

    def usual_day(self, weekday: int) -> float:
        """Return the usual volume of a weekday (Monday is 0), 0 while unknown."""
        return _usual(self._days[weekday])

    def usual_days(self) -> float:
        """Return the usual volume of a day on which anything is usual, the mean of the week's; 0 while unknown."""
        usual = [each for each in map(_usual, self._days) if each > 0]
        return sum(usual) / len(usual) if usual else 0.0

    def usual_base(self, slot: int) -> float:
        """Return the usual volume of a base bucket of the week, 0 while unknown."""
        return _usual(self._base[slot])

    def young(self, weekday: int) -> bool:
        """Return whether it has not been seen on enough such weekdays yet."""
        return len(self._days[weekday]) < _REMEMBERED

    def young_base(self, slot: int) -> bool:
        """Return whether it has not been seen in enough such base buckets yet."""
        return len(self._base[slot]) < _REMEMBERED

    def learn_quiet(self, usual: float, *, others_spoke: bool, is_replaced: bool) -> None:
        """Learn that it was quiet on a day of which `usual` was expected."""
        if usual:
            self.replaced_days = self.replaced_days + 1 if is_replaced else 0
        self.owed += usual
        self.quiet_days += 1
        self.missed_days += others_spoke

    def learn(self, weekday: int, volume: int, base: Mapping[int, int]) -> None:
        """Learn a day on which it spoke: its volume, and that of each base bucket of the week that lies in the day."""
        if self.quiet_days < _WEEK_DAYS:
            for back in range(self.quiet_days, 0, -1):
                self._learn_empty((weekday - back) % _WEEK_DAYS)
        self.owed = 0.0
        self.quiet_days = self.missed_days = self.replaced_days = 0
        _push(self._days[weekday], volume)
        for slot, count in base.items():
            _push(self._base[slot], count)

    def _learn_empty(self, weekday: int) -> None:
        _push(self._days[weekday], 0)
        per_day = self.slots // _WEEK_DAYS
        for past in self._base[weekday * per_day : (weekday + 1) * per_day]:
            _push(past, 0)

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "owed": [self.owed, self.owed_base],
            "quiet": [self.quiet_days, self.missed_days, self.replaced_days],
            "days": self._days,
            "base": self._base,
        }

    @classmethod
    def restored(cls, saved: State) -> Self:
        """Return the feed that `state` came from."""
        feed = cls(len(saved["base"]))
        feed.owed, feed.owed_base = saved["owed"]
        feed.quiet_days, feed.missed_days, feed.replaced_days = saved["quiet"]
        feed._days = [list(past) for past in saved["days"]]
        feed._base = [list(past) for past in saved["base"]]
        return feed


def _push(past: list[int], volume: int) -> None:
    past.append(volume)
    del past[:-_REMEMBERED]


def _usual(past: list[int]) -> float:
    return max(0.0, float(median(past))) if len(past) == _REMEMBERED else 0.0
