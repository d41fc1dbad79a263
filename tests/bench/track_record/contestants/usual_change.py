"""What offices do: a fixed threshold on the change of a week's spending against a year ago.

The sum of the last seven days of a node's amounts against the same seven weekdays a year (364 days) before; where no
year is there yet, against the mean of the four weeks before. The evidence is the size of the log change. There is no
rule of acceptance: a fixed threshold knows none.
"""

from collections import deque
from datetime import date

import numpy as np

from track_record.contestants.contestant import State, Totals
from track_record.sample import Flags, Floats, Integers, Sample

WEEK, WEEKS_BEFORE, YEAR = 7, 4, 364


class UsualChange:
    """Change of a week's spending of each node.

    Args:
        sample: what it will see.
    """

    def __init__(self, sample: Sample) -> None:
        self._totals = Totals(sample)
        self._past: deque[Floats] = deque(maxlen=YEAR + WEEK)

    def step(self, _day: date, _counts: Integers, amounts: Integers) -> Floats:
        """Return the size of the change, by its direction."""
        self._past.append(self._totals.sums(amounts))
        days = list(self._past)
        if len(days) < (1 + WEEKS_BEFORE) * WEEK:
            return np.zeros((2, len(days[0])))
        if len(days) == YEAR + WEEK:
            usual = np.sum(days[:WEEK], axis=0)
        else:
            usual = np.sum(days[-(1 + WEEKS_BEFORE) * WEEK : -WEEK], axis=0) / WEEKS_BEFORE
        change = np.log(np.maximum(np.sum(days[-WEEK:], axis=0), 1.0) / np.maximum(usual, 1.0))
        evidence: Floats = np.maximum(np.stack([-change, change]), 0.0)
        return evidence

    def accept(self, nodes: Flags) -> None:
        """Accept nothing."""

    def state(self) -> State:
        """Return the days that are remembered."""
        return {"past": tuple(self._past)}

    def restore(self, saved: State) -> None:
        """Take them over."""
        self._past = deque(saved["past"], maxlen=YEAR + WEEK)
