"""How much of what comes of each cell can usually be read.

Some of it never can: payments in a currency without a rate, say. That is missing of all days alike, and of none.
A day is held against what can usually be read; if that share has changed for good, the level is another one.
"""

import numpy as np

from earlywarn.aggregation.rows import Flags, Floats, Integers
from earlywarn.domain.state import State

_MEMORY_DAYS = 14
_LEAST = 0.05
"""A cell of which less can usually be read is one of which nothing can: what little is read says nothing of it."""
_SHORT = 0.95
"""Of what can usually be read: with less a day is short, and teaches nothing about what is usual."""


class UsualReading:
    """The usual share that is read of K cells, which are numbered, and only ever become more.

    Example: a cell of which 90 % can be read, as ever, and one that loses a third of it.
        >>> reading = UsualReading()
        >>> brought = np.array([1000, 1000])
        >>> for read in ([0.9, 0.9], [0.9, 0.6]):
        ...     against = reading.against_usual(np.array(read))
        ...     changed = reading.learn(np.array(read), brought, sizeable_transactions=50, forget_days=28)
        >>> against.round(3).tolist(), changed.tolist()
        ([1.0, 0.667], [False, False])
    """

    def __init__(self) -> None:
        self._usual = np.zeros(0)  # 0 while nothing came
        self._short_days = np.zeros(0, np.int64)

    def against_usual(self, read: Floats) -> Floats:
        """Return float64[K], the shares that were `read` of what can usually be, 1 at most."""
        self._widen(len(read))
        return np.minimum(self._ratio(read), 1.0)

    def learn(self, read: Floats, brought: Integers, *, sizeable_transactions: int, forget_days: int) -> Flags:
        """Learn a day; return bool[K], cells whose level is another one from the next day on.

        Either so much has been missing for so long that it is usual, or what usually could not be read can be.

        Args:
            read: float64[K], the share that was read.
            brought: int64[K], what came, in transactions.
            sizeable_transactions: so many must be concerned.
            forget_days: after so many short days in a row what is missing is usual.
        """
        self._widen(len(read))
        ratio, came = self._ratio(read), brought > 0
        short = came & (ratio < _SHORT)
        self._short_days = np.where(short, self._short_days + 1, np.where(came, 0, self._short_days))
        is_usual_now = short & (self._short_days >= forget_days)
        more = (read - self._usual) * brought
        can_be_read_now = came & (self._usual > 0) & (read * _SHORT > self._usual) & (more >= sizeable_transactions)
        anew = is_usual_now | can_be_read_now | (self._usual <= 0)
        learned = np.where(anew, read, self._usual + np.where(short, 0.0, (read - self._usual) / _MEMORY_DAYS))
        self._usual = np.where(came, learned, self._usual)
        self._short_days = np.where(is_usual_now, 0, self._short_days)
        is_sizeable = brought * (1 - read) >= sizeable_transactions
        changed: Flags = (is_usual_now & is_sizeable) | can_be_read_now
        return changed

    def _ratio(self, read: Floats) -> Floats:
        usual = self._usual[: len(read)]
        return np.divide(read, usual, out=np.ones(len(read)), where=usual >= _LEAST)

    def _widen(self, cells: int) -> None:
        more = cells - len(self._usual)
        if more > 0:
            self._usual = np.concatenate([self._usual, np.zeros(more)])
            self._short_days = np.concatenate([self._short_days, np.zeros(more, np.int64)])

    def state(self) -> State:
        """Return the state as arrays."""
        return {"usual": self._usual.copy(), "short_days": self._short_days.copy()}

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._usual, self._short_days = saved["usual"].copy(), saved["short_days"].copy()
