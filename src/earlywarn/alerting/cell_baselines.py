"""What each cell was to do before the first days of open episodes, for as long as these last.

An episode is measured against what the models expected before its first day. They keep the baselines of W days; one
that is older is the oldest kept, times a factor for each cell: what it expected of a usual day by what the next one
does, carried on from day to day. What a total is expected to do is the sum of its cells.

Episodes of one shock begin on few days, so baselines are kept by first day and not by episode.
"""

from collections.abc import Iterable

import numpy as np

from earlywarn.alerting.estimate import Sums, of_day
from earlywarn.alerting.grouping import Flags, Floats, membership
from earlywarn.alerting.season import Season
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.state import State

_Key = tuple[str, str]


class CellBaselines:
    """Baselines of K cells by first day (ordinal), of transactions and amounts (minor units).

    Attributes:
        members: bool[G, K], the cells of each node of today.
        seen: float64[2, K], today's transactions and amounts, 0 where nothing was observed.
    """

    def __init__(self) -> None:
        self.members: Flags = np.zeros((0, 0), dtype=bool)
        self.seen: Floats = np.zeros((2, 0))
        self._nodes: tuple[Node, ...] = ()
        self._place: dict[tuple[str | None, str | None], int] = {}
        self._cells: list[_Key] = []
        self._older: dict[int, Floats] = {}  # float64[3, 2, K]: factors, and sums seen and expected since a first day
        self._oldest = np.zeros((3, 2, 0))  # the same of the oldest first day that the models keep
        self._fading = np.zeros((2, 0))
        self._season = Season()
        self._scores: DayScores | None = None

    def step(self, scores: DayScores, first_days: Iterable[int]) -> None:
        """Take in a day, usable or not; of first days that the models have forgotten only `first_days` are kept."""
        if scores.nodes != self._nodes:
            self._nodes, self.members = scores.nodes, membership(scores.nodes)
            self._place = {(node.region, node.sector): at for at, node in enumerate(scores.nodes)}
            self._lay_out([(node.region or "", node.sector or "") for node in scores.nodes if node.level == "cell"])
        effects, size, day = scores.effects, len(self._cells), scores.day.toordinal()
        self.seen = np.nan_to_num(np.stack([scores.transactions.observed[:size], scores.amount.observed[:size]]))
        usual = np.nan_to_num(effects.today[:, :size, -1])
        first_days, older = set(first_days), {}
        self._season.step(scores, first_days)
        for first in sorted({first for first in first_days if day - first >= len(effects.days)}):
            factors, observed, expected = self._older.get(first, self._oldest)
            factors = factors * self._fading
            now = usual * factors * np.exp(self._season.since(first))
            older[first] = np.stack([factors, observed + self.seen, expected + now])
        self._older, self._scores = older, scores
        self._oldest = np.stack([np.ones((2, size)), effects.observed[:, :size, -1], effects.expected[:2, :size, -1]])
        self._fading = effects.fading[:, :size].copy()

    def inside(self, region: str | None, sector: str | None) -> Flags:
        """Return bool[K]: the cells of a node."""
        cells: Flags = self.members[self._place[region, sector]]
        return cells

    def today(self, first_day: int) -> Floats:
        """Return float64[2, K]: what was expected of the day before a first day, of cells that were heard."""
        scores, age = self._day(first_day)
        expected: Floats = scores.effects.today[:, : len(self._cells), age] * np.exp(self._season.since(first_day))
        return expected * self._older[first_day][0] if first_day in self._older else expected

    def changes(self, first_day: int, region: str | None, sector: str | None) -> tuple[float, float]:
        """Return how far today's amount of a node lies off what was expected before a first day, and off what is now.

        In log units.
        """
        node, today = self._place[region, sector], self._day(first_day)[0].day.toordinal()
        before, now = (self.sums(day, node).estimate("amount", 1.0).effect for day in (first_day, today))
        return before, now

    def step_back(self, first_day: int) -> Floats:
        """Return float64[2, K]: how far what was expected before a first day lies above what is now (log units)."""
        scores, _ = self._day(first_day)
        before, now = self.today(first_day), self.today(scores.day.toordinal())
        return _log_ratio(before, now)

    def apart(self, baseline_day: int, first_day: int, node: int) -> Floats:
        """Return float64[2]: how far what was expected of a node before one first day lies above that before another.

        In log units; 0 where one of the two expected nothing.
        """
        one, other = (self.today(day)[:, self.members[node]].sum(axis=1) for day in (baseline_day, first_day))
        return _log_ratio(one, other)

    def since(self, first_day: int, baseline_day: int | None = None) -> tuple[Floats, Floats]:
        """Return float64[2, K] twice: what was seen since a first day, and what was expected before it (or another)."""
        if baseline_day not in {None, first_day}:
            scores, age = self._day(first_day)
            size = len(self._cells)
            usual, own = self.today(baseline_day), scores.effects.today[:, :size, age]
            times = np.where((usual > 0) & (own > 0), usual / np.where(own > 0, own, 1.0), 1.0)
            return scores.effects.observed[:, :size, age], times * scores.effects.expected[:2, :size, age]
        if first_day in self._older:
            _, observed, expected = self._older[first_day]
            return observed, expected
        scores, age = self._day(first_day)
        size = len(self._cells)
        return scores.effects.observed[:, :size, age], scores.effects.expected[:2, :size, age]

    def sums(self, first_day: int, node: int) -> Sums:
        """Return the sums of the day alone, of a node (its place among today's)."""
        scores, _ = self._day(first_day)
        expected = self.today(first_day)[:, self.members[node]].sum(axis=1)
        seen = np.array([scores.transactions.observed[node], scores.amount.observed[node]])
        return of_day(seen, expected, scores.effects.usual_sd[:, node] ** 2)

    def _day(self, first_day: int) -> tuple[DayScores, int]:
        """Return the day, and the age of the baseline that its models keep of a first day."""
        if self._scores is None:
            raise ValueError("no day has been taken in since the state was made or restored: call step first")
        return self._scores, min(self._scores.day.toordinal() - first_day, len(self._scores.effects.days) - 1)

    def _lay_out(self, cells: list[_Key]) -> None:
        """Make room for the cells of a grown panel; a new one has no past."""
        places = [cells.index(cell) for cell in self._cells]

        def grown(sums: Floats) -> Floats:
            found = np.zeros((3, 2, len(cells)))
            found[0] = 1.0
            found[:, :, places] = sums
            return found

        self._older = {first: grown(sums) for first, sums in self._older.items()}
        self._oldest = grown(self._oldest)
        fading = np.ones((2, len(cells)))
        fading[:, places] = self._fading
        self._cells, self._fading = cells, fading

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values and arrays."""
        return {
            "cells": [list(cell) for cell in self._cells],
            "older": {str(first): sums for first, sums in sorted(self._older.items())},
            "oldest": self._oldest,
            "fading": self._fading,
            "season": self._season.state(),
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._cells = [(region, sector) for region, sector in saved["cells"]]
        self._older = {int(first): sums for first, sums in saved["older"].items()}
        self._oldest, self._fading = saved["oldest"], saved["fading"]
        self._season.restore(saved["season"])


def _log_ratio(one: Floats, other: Floats) -> Floats:
    """Return the log of one by the other; 0 where one of the two is nothing."""
    known = (one > 0) & (other > 0)
    ratio: Floats = np.log(np.where(known, one, 1.0) / np.where(known, other, 1.0))
    return ratio
