"""What each cell of a panel usually brings on a day of the week: the weights by which totals are heard in part.

What is usual is the median of the last four such weekdays, as of a feed; 0 while there are fewer.
"""

import numpy as np

from earlywarn.aggregation.rows import Flags, Floats, Integers
from earlywarn.domain.state import State

_REMEMBERED = 4
_WEEK_DAYS = 7


class UsualVolumes:
    """The last transactions of K cells by weekday; cells are numbered, and only ever become more.

    Example:
        >>> volumes = UsualVolumes()
        >>> for count in (10, 30, 20, 40):
        ...     volumes.learn(0, np.array([count, 7]), np.array([True, count > 10]))
        >>> volumes.usual(0, 2).tolist(), volumes.usual(1, 2).tolist()
        ([25.0, 0.0], [0.0, 0.0])
    """

    def __init__(self) -> None:
        self._past = np.zeros((0, _WEEK_DAYS, _REMEMBERED), np.int64)
        self._days = np.zeros((0, _WEEK_DAYS), np.int64)

    def usual(self, weekday: int, cells: int) -> Floats:
        """Return float64[K], what is usual of each of so many cells on a weekday (Monday is 0), in transactions."""
        self._widen(cells)
        middle = np.sort(self._past[:, weekday], axis=1)[:, 1:3].mean(axis=1)
        known = self._days[:, weekday] >= _REMEMBERED
        usual: Floats = np.where(known, np.maximum(middle, 0.0), 0.0)
        return usual

    def learn(self, weekday: int, transactions: Integers, heard: Flags) -> None:
        """Learn a day of K cells, of those that were `heard` [K]."""
        self._widen(len(transactions))
        past = self._past[heard, weekday]
        self._past[heard, weekday] = np.concatenate([past[:, 1:], transactions[heard, None]], axis=1)
        self._days[heard, weekday] += 1

    def _widen(self, cells: int) -> None:
        more = cells - len(self._past)
        if more > 0:
            self._past = np.concatenate([self._past, np.zeros((more, _WEEK_DAYS, _REMEMBERED), np.int64)])
            self._days = np.concatenate([self._days, np.zeros((more, _WEEK_DAYS), np.int64)])

    def state(self) -> State:
        """Return the state as arrays."""
        return {"past": self._past.copy(), "days": self._days.copy()}

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._past, self._days = saved["past"].copy(), saved["days"].copy()
