"""How much of what comes of each cell can usually be read.

Some of it never can: payments in a currency without a rate, say. A day is held against what can usually be read, since
a change can still be seen in that; if that share has changed for good, the level is another one. Where less than
`USABLE` can usually be read, nothing is made of what little is: how much came is guesswork then.
"""

import numpy as np

from earlywarn.aggregation.rows import Flags, Floats, Integers
from earlywarn.domain.state import State

USABLE = 0.6
"""Of what comes: of a cell of which less can usually be read no day may be judged."""
_USABLE_AGAIN = 0.65
"""Of what comes: so much must usually be read of such a cell before its days may be judged again."""
SHORT = 0.95
"""Of what can usually be read: with less a day is short, and teaches nothing about what is usual."""
_MEMORY_DAYS = 14
_CHANCE = 4.0
"""Standard deviations of a share of so many payments within which it is as usual."""


class UsualReading:
    """The usual share that is read of K cells, which are numbered, and only ever become more.

    Example: a cell of which 90 % can be read, as ever, one that loses a third of it, and one that is hardly ever read.
        >>> reading = UsualReading()
        >>> brought = np.array([1000, 1000, 1000])
        >>> for read in ([0.9, 0.9, 0.1], [0.9, 0.6, 0.1]):
        ...     of_usual, judged = reading.against_usual(np.array(read), brought)
        ...     changed = reading.learn(np.array(read), brought, sizeable_transactions=50, forget_days=28)
        >>> of_usual.round(3).tolist(), judged.round(3).tolist(), changed.tolist()
        ([1.0, 0.667, 1.0], [1.0, 0.667, 0.1], [False, False, False])
    """

    def __init__(self) -> None:
        self._usual = np.zeros(0)  # 0 while nothing came
        self._short_days = np.zeros(0, np.int64)
        self._unusable = np.zeros(0, np.bool_)

    def against_usual(self, read: Floats, brought: Integers) -> tuple[Floats, Floats]:
        """Return float64[K] twice: the shares that were `read` of what can usually be, and what may be judged of them.

        That is the same, but of cells of which too little can usually be read `read` itself. What is not known to be
        usual is taken to be. `brought` is int64[K], what came, in transactions.
        """
        self._widen(len(read))
        of_usual = self._ratio(read, brought)
        unusable = np.where(self._usual[: len(read)] > 0, self._unusable[: len(read)], read < USABLE)
        return of_usual, np.where(unusable, read, of_usual)

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
        came = brought > 0
        short = came & (self._ratio(read, brought) < SHORT)
        self._short_days = np.where(short, self._short_days + 1, np.where(came, 0, self._short_days))
        is_usual_now = short & (self._short_days >= forget_days)
        more = (read - self._usual) * brought
        is_more = more >= np.maximum(sizeable_transactions, self._by_chance(brought) * brought)
        can_be_read_now = came & (self._usual > 0) & (read * SHORT > self._usual) & is_more
        anew = is_usual_now | can_be_read_now | (self._usual <= 0)
        learned = np.where(anew, read, self._usual + np.where(short, 0.0, (read - self._usual) / _MEMORY_DAYS))
        self._usual = np.where(came, learned, self._usual)
        self._unusable = (self._usual > 0) & (self._usual < np.where(self._unusable, _USABLE_AGAIN, USABLE))
        self._short_days = np.where(is_usual_now, 0, self._short_days)
        is_sizeable = brought * (1 - read) >= sizeable_transactions
        changed: Flags = (is_usual_now & is_sizeable) | can_be_read_now
        return changed

    def _ratio(self, read: Floats, brought: Integers) -> Floats:
        """Return float64[K], shares of what is usual, 1 where that is not known, or it is no less but by chance."""
        usual = self._usual[: len(read)]
        is_nothing = (read <= 0) & (usual >= USABLE)
        is_less = is_nothing | ((usual > 0) & (read < usual - self._by_chance(brought)))
        return np.divide(read, usual, out=np.ones(len(read)), where=is_less)

    def _by_chance(self, brought: Integers) -> Floats:
        """Return float64[K], by how much a share of so many payments may differ from the usual one by chance."""
        usual = np.clip(self._usual[: len(brought)], 0.0, 1.0)
        by_chance: Floats = _CHANCE * np.sqrt(usual * (1 - usual) / np.maximum(brought, 1))
        return by_chance

    def _widen(self, cells: int) -> None:
        more = cells - len(self._usual)
        if more > 0:
            self._usual = np.concatenate([self._usual, np.zeros(more)])
            self._short_days = np.concatenate([self._short_days, np.zeros(more, np.int64)])
            self._unusable = np.concatenate([self._unusable, np.zeros(more, np.bool_)])

    def state(self) -> State:
        """Return the state as arrays."""
        return {
            "usual": self._usual.copy(),
            "short_days": self._short_days.copy(),
            "unusable": self._unusable.copy(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._usual, self._short_days = saved["usual"].copy(), saved["short_days"].copy()
        self._unusable = saved["unusable"].copy()
