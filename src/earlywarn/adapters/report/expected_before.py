"""What was expected before first days that are followed, of cells that have fallen silent for long too.

Nothing is expected any more of a cell that is dormant (`detection.cell_activity`), so its baselines end, and those that
begin when it wakes know its new level alone. A fall to nothing would seem to be over then. What was expected last of
the same weekday stands in.
"""

from collections.abc import Iterable

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.estimate import Sums
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.effect_bank import at_usual_ticket
from earlywarn.detection.hierarchy import Node

Floats = npt.NDArray[np.float64]
_WEEK_DAYS = 7


class _Carried(msgspec.Struct):
    """Of a first day, float64[7, 2, K]: what was expected last of each weekday; bool[K]: cells whose baseline ended."""

    weekdays: Floats
    ended: npt.NDArray[np.bool_]


class ExpectedBefore:
    """Expectations of K cells before the first days that are followed (ordinals): transactions and amounts."""

    def __init__(self) -> None:
        self._baselines = CellBaselines()
        self._carried: dict[int, _Carried] = {}
        self._today: dict[int, Floats] = {}
        self._nodes: tuple[Node, ...] = ()
        self._cells: list[tuple[str | None, str | None]] = []

    def step(self, scores: DayScores, first_days: Iterable[int]) -> None:
        """Take in a day; of first days only `first_days` are kept."""
        first_days = set(first_days)
        self._baselines.step(scores, first_days)
        self._lay_out(scores.nodes)
        weekday, size = scores.day.weekday(), len(self._cells)
        heard = scores.heard[:size]  # of a cell that was not, nothing is expected today, and it is none that ended
        carried, self._carried, self._today = self._carried, {}, {}
        for first in sorted(first_days):
            kept = carried.get(first) or _Carried(np.zeros((_WEEK_DAYS, 2, size)), np.zeros(size, dtype=np.bool_))
            expected = self._baselines.today(first)
            kept.ended |= heard & (expected <= 0).all(axis=0) & (kept.weekdays > 0).any(axis=(0, 1))
            known = np.isfinite(expected) & heard
            kept.weekdays[weekday] = np.where(known & ~kept.ended, expected, kept.weekdays[weekday])
            self._today[first] = np.where(known & kept.ended, kept.weekdays[weekday], expected)
            self._carried[first] = kept

    def today(self, first_day: int) -> Floats:
        """Return float64[2, K]: what was expected of the day before a first day, NaN of cells that were not heard."""
        found = self._today.get(first_day)
        return self._baselines.today(first_day) if found is None else found

    def apart(self, baseline_day: int, first_day: int, node: int) -> Floats:
        """Return how far what was expected before one first day lies above that before another: `CellBaselines`."""
        return self._baselines.apart(baseline_day, first_day, node)

    def sums(self, first_day: int, node: int) -> Sums:
        """Return the sums of the day alone, of a node (its place among today's)."""
        sums = self._baselines.sums(first_day, node)
        usual = self.today(first_day)[:, self._baselines.members[node]].sum(axis=1)
        worth = float(at_usual_ticket(np.array([sums.transactions, sums.amount]), usual))
        transactions, amount = usual.tolist()
        return msgspec.structs.replace(
            sums, expected_transactions=transactions, expected_amount=amount, at_usual_ticket=worth
        )

    def _lay_out(self, nodes: tuple[Node, ...]) -> None:
        """Make room for the cells of a grown panel."""
        if nodes is self._nodes:
            return
        cells = [(node.region, node.sector) for node in nodes if node.level == "cell"]
        places = [cells.index(cell) for cell in self._cells]
        for first, kept in self._carried.items():
            weekdays, ended = np.zeros((_WEEK_DAYS, 2, len(cells))), np.zeros(len(cells), dtype=np.bool_)
            weekdays[:, :, places], ended[places] = kept.weekdays, kept.ended
            self._carried[first] = _Carried(weekdays, ended)
        self._nodes, self._cells = nodes, cells
