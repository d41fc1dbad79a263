"""What a day decides of shocks, for the models to know: levels that are usual now, shocks that are over.

A level that lasts is *accepted*. A shock that is over is *taken back*: its cells expect again what they did before it,
so that its end is no shock, and what comes after it is measured against what was usual. *Settled* is a node of which
another shock of the direction may begin after today.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple, Protocol

import numpy as np

from earlywarn.alerting.book import EpisodeBook, canonical
from earlywarn.alerting.cell_baselines import CellBaselines
from earlywarn.alerting.episode import Episode
from earlywarn.alerting.estimate import is_nearer
from earlywarn.alerting.grouping import Flags, Floats
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import contains


class Models(Protocol):
    """Are told what has been decided of shocks."""

    def accept(self, nodes: list[Node], since: date | None = None) -> None:
        """Take the level of the last days as normal after a shock since then."""

    def take_back(self, cells: Flags, since: date, step: Floats) -> None:
        """Unlearn what cells [K] learned of a shock since then: what was expected before lies `step` [2, K] off."""

    def shake(self, nodes: Flags) -> None:
        """Take the day of some nodes [G] as one of a shock, which says nothing of how uncertain effects are."""

    def settle(self, node: Node, direction: Direction) -> None:
        """Take a shock as over: another one of the direction begins after today."""


class Back(NamedTuple):
    """Cells (bool[K]) that are back from a shock that began on a day."""

    cells: Flags
    since: date


class Decisions:
    """The decisions of a day, until they are told.

    Args:
        book: the episodes; those of which all cells are taken back have nothing more to unlearn.
        baselines: of the day.
    """

    def __init__(self, book: EpisodeBook, baselines: CellBaselines) -> None:
        self._book, self._baselines = book, baselines
        self._levels: dict[Node, date] = {}
        self._back: list[Back] = []
        self._settled: list[tuple[Node, Direction]] = []

    def accept(self, node: Node, since: date) -> None:
        """Take the level of a node as usual after a shock since then."""
        self._levels[node] = since

    def take_back(self, back: Iterable[Back], direction: Direction) -> None:
        """Take shocks of a direction as over, but where a part of them goes on."""
        self._take_back(back, self._goes_on(direction))

    def take_back_shocks_of(self, episodes: Sequence[Episode]) -> None:
        """Take the shocks of open episodes as over; their order decides nothing."""
        goes_on = {direction: self._goes_on(direction) for direction in {each.direction for each in episodes}}
        for episode in episodes:
            cells = self._baselines.inside(episode.region, episode.sector)
            self._take_back([Back(cells, episode.usual_until)], goes_on[episode.direction])

    def _take_back(self, back: Iterable[Back], goes_on: Flags) -> None:
        found = [Back(each.cells & ~goes_on, each.since) for each in back if not goes_on[each.cells].all()]
        found = found or list(back)  # what goes on in all of it is not told apart from it
        self._back += found
        cells = np.any([each.cells for each in found], axis=0)
        for episode in self._book.open.values():
            if not (self._baselines.inside(episode.region, episode.sector) & ~cells).any():
                episode.is_learned, episode.is_taken_back = False, True

    def _goes_on(self, direction: Direction) -> Flags:
        """Return bool[K]: cells of which an open episode, or a level that is usual now, is there today."""
        cells = np.zeros(self._baselines.members.shape[1], dtype=bool)
        for shock in self._book.going_on(direction):
            inside = self._baselines.inside(shock.region, shock.sector)
            before, now = self._baselines.changes(shock.opened_on.toordinal(), shock.region, shock.sector)
            effect = before - now if shock.effect is None else shock.effect
            if not inside.all() and effect and is_nearer(before, effect):
                cells |= inside
        return cells

    def settle(self, node: Node, direction: Direction) -> None:
        """Let another shock of a node begin after today."""
        self._settled.append((node, direction))

    def tell(self, models: Models) -> None:
        """Tell the models; of each cell the oldest shock is taken back, of nodes in others the wider accepted."""
        for node in sorted(self._levels, key=lambda node: canonical((node.region, node.sector))):
            since = self._levels[node]
            alike = (wider for wider in self._levels if self._levels[wider] == since)
            if not any(contains((wider.region, wider.sector), (node.region, node.sector)) for wider in alike):
                models.accept([node], since)
        done = np.zeros(self._baselines.members.shape[1], dtype=bool)
        # Those of one day at once: the order in which episodes were opened, which no snapshot keeps, decides nothing.
        for since in sorted({back.since for back in self._back}):
            cells = np.any([back.cells for back in self._back if back.since == since], axis=0) & ~done
            if cells.any():
                models.take_back(cells, since, self._baselines.step_back(since.toordinal()))
                done |= cells
        for node, direction in self._settled:
            models.settle(node, direction)
        members = self._baselines.members
        shaken = np.zeros(len(members), dtype=bool)
        for episode in self._book.open.values():
            shaken |= ~(members & ~self._baselines.inside(episode.region, episode.sector)).any(axis=1)
        models.shake(shaken)
        self._levels.clear()
        self._back.clear()
        self._settled.clear()
