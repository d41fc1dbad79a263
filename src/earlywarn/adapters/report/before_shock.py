"""What was expected of the last days before the shocks that are open: the models have learned a part of these.

A model follows a shock from its first day on, so after a week its own prediction lies half-way. What the report says of
the last week is against the level from before an open alert's first day, as the alert itself is.
"""

from collections import deque
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from earlywarn.adapters.report.expected_before import ExpectedBefore
from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.alert import Alert
from earlywarn.domain.series import holds

Floats = npt.NDArray[np.float64]
CellKey = tuple[str | None, str | None]
_WEEK_DAYS = 7


class _Day(NamedTuple):
    """A day: its cells, what its models predicted of them [2, K], by each baseline [2, K, W], and by followed ones."""

    ordinal: int
    cells: tuple[CellKey, ...]
    predicted: Floats
    baselines: Floats
    followed: dict[int, Floats]


class Expected(NamedTuple):
    """What was expected of the cells of a day before open shocks: transactions and amounts [2, K]."""

    cells: tuple[CellKey, ...]
    values: Floats


class BeforeShock:
    """Keeps the baselines of the last seven days."""

    def __init__(self) -> None:
        self._days: deque[_Day] = deque(maxlen=_WEEK_DAYS)

    def keep(self, scores: DayScores, baselines: ExpectedBefore, first_days: Iterable[int]) -> None:
        """Take in a judged day; `first_days` are those that are followed."""
        cells = tuple((node.region, node.sector) for node in scores.nodes if node.level == "cell")
        size = len(cells)
        followed = {first: baselines.today(first) for first in first_days}
        predicted = np.stack([scores.transactions.expected[:size], scores.amount.expected[:size]])
        self._days.append(_Day(scores.day.toordinal(), cells, predicted, scores.effects.today[:, :size], followed))

    def expected(self, alerts: Iterable[Alert]) -> dict[int, Expected]:
        """Return, by day (ordinal), what was expected before economic alerts, where one holds a cell."""
        shocks = sorted(
            ((date.fromisoformat(alert.opened_on).toordinal(), alert) for alert in alerts), key=lambda each: -each[0]
        )
        return {day.ordinal: Expected(day.cells, _replaced(day, shocks)) for day in self._days}


def _replaced(day: _Day, shocks: Iterable[tuple[int, Alert]]) -> Floats:
    values = day.predicted.copy()
    for first, alert in shocks:  # of several that hold a cell the earliest comes last, and stays
        age = day.ordinal - first
        if age < 0 or (age >= day.baselines.shape[2] and first not in day.followed):
            continue
        baseline = day.followed[first] if first in day.followed else day.baselines[:, :, age]
        held = np.array([holds((alert.region, alert.sector), cell) for cell in day.cells], dtype=bool)
        values[:, held] = np.where(np.isfinite(values[:, held]), baseline[:, held], values[:, held])
    return values
