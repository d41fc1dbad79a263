"""The models of a panel: what they have learned, what they are told of shocks, and their state.

Of each cell a regression of payments and of amounts, of each node the evidence of steps, the effects since each of the
last first days, each region's mix, what forecasts of the next days missed. `panel_detector` lets a day pass through
them.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from statistics import NormalDist
from typing import Any

import numpy as np

from earlywarn.detection.cell_activity import CellActivity
from earlywarn.detection.day_scores import Flags, Floats, Integers
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.detection.forecast import ForecastModels, Known
from earlywarn.detection.hierarchy import Node, NodeTree
from earlywarn.detection.new_levels import NewLevels
from earlywarn.detection.panel_day import DayFeatures, panel_day
from earlywarn.detection.panel_effects import PanelEffects
from earlywarn.detection.panel_evidence import PanelEvidence
from earlywarn.detection.panel_forecast import PanelForecast
from earlywarn.detection.region_mix import RegionMixes
from earlywarn.detection.regression_bank import RegressionBank
from earlywarn.domain.alert import Direction
from earlywarn.domain.known_event import NO_EVENTS, KnownEvents
from earlywarn.errors import SnapshotError


class PanelModels:
    """Everything that is learned of one panel.

    Args:
        parameters: see `DetectorParameters`.
        features: the panel's calendar.
        events: what is known of days and cells beforehand.
    """

    def __init__(self, parameters: DetectorParameters, features: DayFeatures, events: KnownEvents = NO_EVENTS) -> None:
        self.parameters, self.features, self.events = parameters, features, events
        self._reach = NormalDist().inv_cdf(0.5 + parameters.interval_probability / 2)
        self._begin()

    def _begin(self) -> None:
        """Set everything learned to nothing."""
        parameters, features = self.parameters, self.features
        self._day: date | None = None
        self._tree = NodeTree(())
        self._regression = RegressionBank(features.names, parameters.regression)
        self._evidence = PanelEvidence(parameters)
        self._effects = PanelEffects(
            parameters.effect, window_days=parameters.onset.window_days, features=len(features.names)
        )
        self._mixes = RegionMixes(parameters.mix)
        self._activity = CellActivity(
            zero_evidence_transactions=parameters.zero_evidence_transactions, dormant_days=parameters.dormant_days
        )
        self._new_levels = NewLevels(parameters.new_level_days)
        self._forecasts = ForecastModels(parameters.forecast, features.names)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes scored so far, in canonical order."""
        return self._tree.nodes

    @property
    def _active(self) -> Flags:
        """Return bool[K], cells of which something is expected."""
        known = self._regression.learned > 0
        cells = len(self._tree.series)
        return known[:cells] & known[cells:] & ~self._activity.dormant

    @property
    def _mature(self) -> Flags:
        """Return bool[G], nodes whose models are settled enough to be measured."""
        mature: Flags = self._usable_days() > self.parameters.evidence_after_days
        return mature

    def _ready(self, usable_days: Integers) -> Flags:
        """Return bool[G], nodes whose warm-up is over after their `usable_days` [G]."""
        ready: Flags = usable_days >= self.parameters.ready_days
        return ready

    @property
    def _known(self) -> Known:
        """Return what forecasts start from."""
        in_shock = np.tile(self._effects.in_shock, 2)
        return Known(self._regression, self._effects.ratio_now, self._active, in_shock)

    def _usable_days(self) -> Integers:
        learned = self._regression.learned[: len(self._tree.series)]
        return self._tree.medians(learned).astype(np.int64)

    def forecast(self) -> PanelForecast | None:
        """Return what is expected of every node on the next days, without new shocks; None before the first day."""
        if self._day is None:
            return None
        horizon = range(1, self.parameters.forecast.horizon_days + 1)
        unseen = np.full(2 * len(self._tree.series), np.nan)
        ahead = [panel_day(self._day + timedelta(days), self._tree, self.features, unseen) for days in horizon]
        closed = np.stack([self._closed_on(day.weekday, unseen[: len(self._tree.series)]) for day in ahead])
        ready = self._ready(self._usable_days())
        return self._forecasts.forecast(self._day, ahead, self._known, closed=closed, ready=ready)

    def _closed_on(self, weekday: int, count: Floats) -> Flags:
        """Return bool[K], cells that are closed on a weekday on which `count` was seen of them."""
        cells = len(count)
        usual_day = np.einsum("ij,j->i", self._regression.coefficients[:cells], self._regression.usual_week)
        return self._activity.closed(weekday, count, usual_day)

    def accept(self, nodes: Iterable[Node], since: date | None = None) -> None:
        """Take the level of the last days as the normal of these nodes; evidence about them is forgotten.

        A shock is a step of the level and of nothing else: what the calendar's effects have learned since its first
        day is taken back, each series moves to where its last days were, and its level's variance jumps.

        Args:
            nodes: which.
            since: first day of the shock; nothing is taken back without one, or if it is out of the models' sight.

        Raises:
            KeyError: a node that the panel does not have.
        """
        if self._day is None:
            return
        inside = np.zeros(len(self._tree.series), dtype=bool)
        for node in nodes:
            inside |= self._tree.cells_of(self._tree.index[node])
        both = np.tile(inside, 2)
        if since is not None:
            self._effects.take_back(self._regression, both, (self._day - since).days)
        past = [self._day - timedelta(days=age) for age in range(self.parameters.accept_days)]
        designs = [panel_day(day, self._tree, self.features, np.empty(0)).design for day in past]
        self._regression.move_level(both, self._effects.remaining(self._regression, designs))
        self._regression.widen_level(both, self.parameters.accept_level_sd**2)
        self._evidence.forget(inside)
        self._forecasts.forget(both)
        self.shake(self._tree.inside(inside))

    def take_back(self, cells: Flags, since: date, step: Floats) -> None:
        """Let some cells expect again what they did before a shock that is over; evidence about them is forgotten.

        Args:
            cells: bool[K], which.
            since: first day of the shock.
            step: float64[2, K], how far what was expected before it lies above what is expected today (log units):
                where the first day is out of the models' sight, their levels move by that.
        """
        if self._day is None:
            return
        both, age = np.tile(cells, 2), (self._day - since).days
        is_in_sight = age < self.parameters.onset.window_days
        self._effects.take_back(self._regression, both, age if is_in_sight else 0)
        if not is_in_sight:
            self._regression.move_level(both, step.ravel())
        self._effects.take_back_scale(self._regression, both, age)
        self._regression.narrow_level(both)
        self._evidence.forget(cells)
        self._forecasts.forget(both)
        self.shake(self._tree.inside(cells))

    def shake(self, nodes: Flags) -> None:
        """Take the day of some nodes (bool[G]) as one of a shock, which says nothing of how uncertain effects are."""
        self._effects.shake(nodes)

    def settle(self, node: Node, direction: Direction) -> None:
        """Take a shock of a node as decided: another one of the direction begins after today.

        Raises:
            KeyError: a node that the panel does not have.
        """
        self._evidence.settle(node, -1.0 if direction == "down" else 1.0)

    def begin_anew(self, cells: Flags) -> None:
        """Expect nothing of some cells [K] until their new level is known (`new_levels`); forget the evidence.

        For days from which on a part of what was delivered of them comes no more, or more comes: that is no shock.
        """
        self._activity.rest(cells)
        self._new_levels.begin(cells)
        self._evidence.forget(cells)
        self._forecasts.forget(np.tile(cells, 2), begun=True)

    def _grow(self, tree: NodeTree) -> None:
        places = tree.embedding(self._tree.series)
        cells = len(tree.series)
        both = np.concatenate([places, places + cells])
        self._regression.embed(both, 2 * cells)
        self._evidence.embed(tree, places)
        self._effects.embed(tree, places)
        self._activity.embed(places, cells)
        self._new_levels.embed(places, cells)
        self._mixes.lay_out(tree)
        self._forecasts.embed(tree, places)
        self._regression.count_of = np.tile(np.arange(cells), 2)
        self._regression.dispersion = np.repeat([1.0, self.parameters.ticket_dispersion], cells)
        self._tree = tree

    def _pass_silently(self, days: int) -> None:
        """Let `days` days pass of which nothing is known."""
        self._regression.age(days)
        self._regression.drift_days(days)
        self._evidence.onset.age(days)
        self._effects.age(self._regression, self._active, days)

    def state(self) -> dict[str, Any]:
        """Return everything learned as plain values and arrays, for `domain.state.encode_state`."""
        return {
            "day": self._day.isoformat() if self._day else None,
            "series": [list(key) for key in self._tree.series],
            "features": list(self.features.names),
            "regression": self._regression.state(),
            "evidence": self._evidence.state(),
            "effects": self._effects.state(),
            "mixes": self._mixes.state(),
            "activity": self._activity.state(),
            "new_levels": self._new_levels.state(),
            "forecasts": self._forecasts.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a state of the same parameters and features.

        Raises:
            SnapshotError: the state was written with other features or another window.
        """
        if tuple(state["features"]) != self.features.names:
            raise SnapshotError(f"the state's features {state['features']} are not the panel's {self.features.names}")
        self._begin()
        self._grow(NodeTree([(region, sector) for region, sector in state["series"]]))
        self._day = date.fromisoformat(state["day"]) if state["day"] else None
        self._regression.restore(state["regression"])
        self._evidence.restore(state["evidence"])
        self._effects.restore(state["effects"])
        self._mixes.restore(state["mixes"])
        self._activity.restore(state["activity"])
        self._new_levels.restore(state["new_levels"])
        self._forecasts.restore(state["forecasts"])
