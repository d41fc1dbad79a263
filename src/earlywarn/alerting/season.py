"""How far what is usual has moved since a first day, where there is no shock: a baseline of then is carried on by it.

A baseline ends with the day before a shock, and knows of seasons only what the calendar says. Five weeks on, holidays
are over or Christmas is near, and everybody spends more than it expects: a fall would be told too small, and its end as
a rise. What the models of cells without a shock have learned since says how much of that is the season's. On each day
learned a cell moves with its sector elsewhere, if enough of that was without a shock since, else with the rest of the
panel, if enough of that was, else not at all.

Example:
    >>> usual = np.array([[[102.0, 100.0, 100.0], [104.0, 102.0, 100.0], [60.0, 80.0, 100.0]]] * 2)
    >>> sectors, calm_days = np.array([0, 0, 1]), np.array([4, 4, 0])
    >>> movements(usual, sectors, calm_days).round(3)[0].tolist()
    [[0.02, 0.01], [0.02, 0.01]]
"""

from collections.abc import Iterable

import numpy as np

from earlywarn.alerting.grouping import Flags, Floats
from earlywarn.detection.day_scores import DayScores, Integers
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.state import State

_ENOUGH = 0.5
"""Share of what is usually spent."""


class Season:
    """The movement of S sectors since each first day (ordinal), of transactions and amounts, in log units."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._older: dict[int, Floats] = {}  # float64[2, S]: since first days out of the models' sight, until these
        self._leaving = np.zeros((2, 0))  # the same of the day that leaves it next
        self._nodes: tuple[Node, ...] = ()
        self._sectors: Integers = np.zeros(0, dtype=np.int64)  # of each cell
        self._lately = np.zeros((2, 0, 1))  # float64[2, S, W]: since each first day in sight, by its age
        self._day = 0

    def step(self, scores: DayScores, first_days: Iterable[int]) -> None:
        """Take in a day; of first days that the models have forgotten only `first_days` are kept."""
        if scores.nodes != self._nodes:
            self._nodes = scores.nodes
            self._lay_out([node.sector or "" for node in scores.nodes if node.level == "cell"])
        effects, size, self._day = scores.effects, len(self._sectors), scores.day.toordinal()
        window = len(effects.days)
        nothing = np.zeros((2, len(self._names)))
        old = sorted({first for first in first_days if self._day - first >= window})
        self._older = {first: self._older.get(first, nothing) + self._leaving for first in old}
        usual, calm_days = effects.today[:, :size], effects.calm_days[:size]
        moved = np.zeros((2, len(self._names), window))
        moved[:, :, 1:] = np.cumsum(movements(usual, self._sectors, calm_days), axis=2)
        self._lately = moved
        last = np.stack([usual[:, :, -1] / effects.fading[:, :size], usual[:, :, -1]], axis=2)
        self._leaving = movements(last, self._sectors, calm_days - window + 1)[:, :, 0]

    def since(self, first_day: int) -> Floats:
        """Return float64[2, K]: the movement of the cells since a first day; 0 of one that is not kept."""
        age = self._day - first_day
        moved = self._lately[:, :, min(max(age, 0), self._lately.shape[2] - 1)]
        if first_day in self._older:
            moved = moved + self._older[first_day]
        found: Floats = moved[:, self._sectors]
        return found

    def _lay_out(self, sectors: list[str]) -> None:
        """Make room for the sectors of a grown panel; a new one has not moved."""
        names = sorted(set(sectors))
        places = [names.index(name) for name in self._names]

        def grown(moved: Floats) -> Floats:
            found = np.zeros((2, len(names)))
            found[:, places] = moved
            return found

        self._older, self._leaving = {first: grown(moved) for first, moved in self._older.items()}, grown(self._leaving)
        place = {name: at for at, name in enumerate(names)}
        self._names, self._sectors = names, np.array([place[name] for name in sectors], dtype=np.int64)

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "sectors": list(self._names),
            "older": {str(first): moved for first, moved in sorted(self._older.items())},
            "leaving": self._leaving,
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._names, self._nodes = list(saved["sectors"]), ()
        self._older = {int(first): moved.copy() for first, moved in saved["older"].items()}
        self._leaving = saved["leaving"].copy()


def movements(usual: Floats, sectors: Integers, calm_days: Integers) -> Floats:
    """Return float64[2, S, W - 1]: how far what is usual moved by each day learned, today's last one first (log units).

    Args:
        usual: float64[2, K, W], transactions and amounts of a day by what was known 0 .. W - 1 days before; NaN of
            cells that were not heard.
        sectors: int64[K], each cell's.
        calm_days: int64[K], days since each cell was last in a shock; more than a + 1 count by what was known a days
            before.
    """
    later, before = usual[:, :, :-1], usual[:, :, 1:]
    known = np.all((later > 0) & (before > 0), axis=0)
    counted = known & (calm_days[:, None] > np.arange(1, usual.shape[2]))
    inside = (sectors == np.arange(int(sectors.max(initial=-1)) + 1)[:, None]).astype(float)
    to, since = (inside @ np.where(counted, each, 0.0) for each in (later, before))
    whole = inside @ np.where(known, before, 0.0)
    moved, is_known = _log_change(to, since, whole)
    of_panel = _log_change(*(sums.sum(axis=1, keepdims=True) for sums in (to, since, whole)))
    found: Floats = np.where(is_known, moved, np.where(of_panel[1], of_panel[0], 0.0))
    return found


def _log_change(to: Floats, since: Floats, whole: Floats) -> tuple[Floats, Flags]:
    """Return the log change of sums [2, S, W], and of which of them [S, W] enough of the whole is among them."""
    is_known: Flags = (since[1] > 0) & (since[1] >= _ENOUGH * whole[1])
    return np.log(np.where(is_known, to, 1.0) / np.where(is_known, since, 1.0)), is_known
