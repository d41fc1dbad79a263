"""The forecast of every node of a panel for the next H days, with intervals that follow the errors of past forecasts.

Without new shocks, of cells: the regression's log mean by the calendar of each day, corrected by what past forecasts
missed (`forecast_origin`, `horizon_projection`), times the ratio of means to medians; of totals: the sum of their
cells'. With s[h] the log sd of a day as one day ahead has it, of which what is not known of the coefficients is a part,
the level's random walk of h - 1 days added, for totals joined by `node_forecast`,

    interval of probability p = expected exp(-+ q[p] c[h] d[level, measure] s[h]),

q, c and d learned from past forecasts (`horizon_scale`). What is learned: one day in a few is kept as an origin, and
each day is held against what the origins of the last H days forecast of it. Nothing of that enters a score.

References: Jorda (2005), American Economic Review 95; Gibbs and Candes (2021), NeurIPS (adaptive conformal inference).

Example:
    >>> from earlywarn.detection.regression_parameters import RegressionParameters
    >>> from earlywarn.detection.symmetric_form import DenseForm
    >>> tree, bank = NodeTree([("CH01", "05")]), RegressionBank(("const",), RegressionParameters(), size=2)
    >>> models, calm = ForecastModels(ForecastParameters(horizon_days=14), bank.names), np.zeros(2, dtype=bool)
    >>> models.embed(tree, np.zeros(0, dtype=np.int64))
    >>> known = Known(bank=bank, ratio=np.ones(2), active=np.ones(1, dtype=bool), in_shock=calm)
    >>> for age in range(60):
    ...     day, values = date(2024, 1, 1) + timedelta(age), np.log([100.0 + age % 3, 5000.0])
    ...     seen = PanelDay(day, day.weekday(), np.ones((2, 1)), np.ones(2), np.exp(values), np.zeros(1))
    ...     models.begin(day - timedelta(1), known)
    ...     models.learn(seen, bank, bank.learn(values, seen.design, seen.inflation, seen.weekday), known,
    ...                  DenseForm(np.eye(2)))
    >>> ahead = [PanelDay(day + timedelta(h), 0, np.ones((2, 1)), np.ones(2), np.ones(2), np.zeros(1))
    ...          for h in range(1, 15)]
    >>> found = models.forecast(day, ahead, known, closed=np.zeros((14, 1), dtype=bool), ready=np.ones(1, dtype=bool))
    >>> found.expected[:2, 0, 0].round().tolist(), bool(found.upper_95[0, 0, 0] > found.upper_80[0, 0, 0] > 101)
    ([101.0, 5000.0], True)
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np

from earlywarn.detection.cell_activity import HALF_PAYMENT
from earlywarn.detection.day_scores import MEASURES, Flags, Floats, Integers
from earlywarn.detection.forecast_origin import ForecastOrigin
from earlywarn.detection.forecast_parameters import ForecastParameters
from earlywarn.detection.hierarchy import LEVELS, NodeTree
from earlywarn.detection.horizon_projection import HorizonProjection
from earlywarn.detection.horizon_scale import HorizonScale
from earlywarn.detection.node_deviation import node_sums
from earlywarn.detection.node_forecast import log_errors, node_forecast, node_union
from earlywarn.detection.panel_day import PanelDay
from earlywarn.detection.panel_forecast import PROBABILITIES, PanelForecast
from earlywarn.detection.regression_bank import Innovation, RegressionBank
from earlywarn.detection.regression_parameters import LEVEL_FEATURE, SEASON_FEATURES, WEEKDAY_FEATURES
from earlywarn.detection.shock_level import ShockLevel
from earlywarn.detection.symmetric_form import SymmetricForm


class Known(msgspec.Struct, frozen=True):
    """What the models of a panel of K cells know at the end of a day.

    Attributes:
        bank: the regressions. ratio: float64[2K], of means to medians.
        active: bool[K], cells of which something is expected.
        in_shock: bool[2K], series that were in a shock that is told.
    """

    bank: RegressionBank
    ratio: Floats
    active: Flags
    in_shock: Flags


class ForecastModels:
    """What is learned of a panel's past forecasts.

    Args:
        parameters: see `ForecastParameters`.
        names: the P features of the regressions.

    Attributes:
        projection, scale: what forecasts missed, and how far they erred.
        last: float64[2K], last innovation, in usual sd. weekdays: float64[2K, 7], what remained of each weekday.
        union: float64[3, G], see `node_forecast`.
        origins: those of the last H days that are kept.
    """

    def __init__(self, parameters: ForecastParameters, names: Sequence[str]) -> None:
        self.parameters = parameters
        self.projection, self.scale = HorizonProjection(parameters), HorizonScale(parameters)
        self._season: Flags = np.array([name in SEASON_FEATURES for name in names])
        self._rare = np.array([name not in (LEVEL_FEATURE, *WEEKDAY_FEATURES) for name in names], dtype=np.float64)
        self._tree = NodeTree(())
        self._levels: Integers = np.zeros(0, dtype=np.int64)
        self._shock = ShockLevel()
        self.last, self.weekdays = np.zeros(0), np.zeros((0, 7))
        self._season_now = np.zeros((0, int(self._season.sum())))
        self.union = np.zeros((len(MEASURES), 0))
        self.origins: list[ForecastOrigin] = []

    def begin(self, day: date, known: Known) -> None:
        """Let a day begin: the one before it was `day`, and is over with all that was decided of it."""
        horizon = timedelta(self.parameters.horizon_days)
        self.origins = [each for each in self.origins if day - each.day < horizon]
        begun = known.in_shock & ~self._shock.followed
        for each in self.origins:
            each.telling = each.telling & ~begun
        if self._is_origin(day):
            # Series that are hardly known say nothing of how far forecasts of others err.
            settled = known.bank.learned > known.bank.parameters.start_days
            origin = self._origin(day, known).halved()
            origin.active &= settled
            self.origins.append(origin)
        self._shock.follow(known.in_shock)

    def _is_origin(self, day: date) -> bool:
        return day.toordinal() % self.parameters.origin_every_days == 0

    def _origin(self, day: date, known: Known) -> ForecastOrigin:
        bank = known.bank
        sd, coefficients = np.sqrt(bank.variance), bank.coefficients.copy()
        coefficients[:, bank.level] += self._shock.step(
            known.in_shock, bank.coefficients[:, bank.level], self.parameters.clip * sd
        )
        near, share = self.projection.coefficients()
        return ForecastOrigin(
            day=day,
            coefficients=coefficients,
            season=self._season,
            season_part=np.einsum("mp,mp->m", self._season_now, bank.coefficients[:, self._season]),
            sd=sd,
            last=self.last.copy(),
            weekdays=self.weekdays.copy(),
            doubt=np.einsum("mpp->mp", bank.covariance) * self._rare,
            ratio=known.ratio.copy(),
            active=np.tile(known.active, 2),
            telling=np.ones(len(self.last), dtype=bool),
            near=near,
            share=share,
        )

    def learn(
        self,
        seen: PanelDay,
        bank: RegressionBank,
        innovation: Innovation,
        known: Known,
        correlation: SymmetricForm,
    ) -> None:
        """Hold a day that `bank` has learned against its forecasts; of `known` the ratio and what is active count."""
        prediction, clip = innovation.prediction, self.parameters.clip
        means = np.where(np.tile(known.active, 2), known.ratio * np.exp(prediction.mean), 0.0)
        if self._is_origin(seen.day) or not np.isfinite(self.union).any():
            self.union = node_union(self._tree, means, prediction.sd, correlation)
        self._learn_errors(seen, bank, innovation)
        self._season_now = seen.design[:, self._season]
        of_day = np.sqrt(seen.inflation)
        left = np.clip(innovation.error / (np.sqrt(bank.variance) * of_day), -clip, clip) / of_day
        memory = self.parameters.weekday_memory
        weekday = self.weekdays[:, seen.weekday]
        self.weekdays[:, seen.weekday] = np.where(innovation.seen, memory * weekday + (1.0 - memory) * left, weekday)
        self.last = left
        # What is seen beyond all that the bank expects but the level.
        beyond = prediction.mean + innovation.error - np.einsum("mp,mp->m", seen.design, bank.coefficients)
        self._shock.learn(np.where(innovation.seen, beyond + bank.coefficients[:, bank.level], np.nan))

    def _learn_errors(self, seen: PanelDay, bank: RegressionBank, innovation: Innovation) -> None:
        """Learn what the kept origins forecast of the day."""
        horizon = timedelta(self.parameters.horizon_days)
        origins = [each for each in self.origins if seen.day - each.day <= horizon]
        if not origins:
            return
        clip, ages = self.parameters.clip, np.array([(seen.day - each.day).days for each in origins])
        values = innovation.prediction.mean + innovation.error
        reach = clip * np.sqrt(seen.inflation)
        heard = np.isfinite(seen.observed)
        used = np.flatnonzero(seen.design.any(axis=0))
        rare = used[self._rare[used] > 0]
        squares, variances = seen.design[:, rare] ** 2, bank.covariance[:, rare, rare]
        features, errors, weights, means, counted, doubts = [], [], [], [], [], []
        for age, origin in zip(ages.tolist(), origins, strict=True):
            plain, of_day = origin.parts(seen.design, seen.weekday, used)
            weight = innovation.seen & origin.telling & origin.active
            features.append(of_day)
            errors.append(np.where(weight, np.clip((values - plain) / origin.sd, -reach, reach), 0.0))
            weights.append(weight / seen.inflation)
            doubts.append(origin.doubted(squares, variances, rare))
            counts = heard & origin.active
            counted.append(np.where(counts, seen.observed, 0.0))
            means.append(np.where(counts, origin.ratio * np.exp(origin.mean(plain, of_day, age)), 0.0))
        self.projection.learn(ages, np.stack(features), np.stack(errors), np.stack(weights))
        sd = np.sqrt(innovation.prediction.sd[:, None] ** 2 + np.stack(doubts, axis=1) + self._wander(bank, ages))
        expected, spread = node_forecast(self._tree, np.stack(means, axis=1), sd, self.union)
        error = log_errors(node_sums(self._tree, np.stack(counted, axis=1)), expected)
        self.scale.learn(ages, np.moveaxis(error / spread, 2, 0), self._levels)

    def _wander(self, bank: RegressionBank, ages: Integers) -> Floats:
        """Return float64[2K, n], what the levels' random walks add to the variance beyond the first day."""
        wander: Floats = (bank.drift[bank.level] * bank.variance)[:, None] * (ages - 1)
        return wander

    def forecast(
        self, day: date, ahead: Sequence[PanelDay], known: Known, *, closed: Flags, ready: Flags
    ) -> PanelForecast:
        """Return the forecast made after `day`.

        Args:
            day: the last day that was learned.
            ahead: the next H days, of which nothing is seen.
            known: what is known at its end.
            closed: bool[H, K], cells that are closed on the weekday of each.
            ready: bool[G].
        """
        origin, bank, ages = self._origin(day, known), known.bank, np.arange(1, len(ahead) + 1)
        means, sds = np.zeros((2, len(origin.active), len(ahead)))
        for place, seen in enumerate(ahead):
            plain, features = origin.parts(seen.design, seen.weekday, np.flatnonzero(seen.design.any(axis=0)))
            mean = origin.ratio * np.exp(origin.mean(plain, features, place + 1))
            means[:, place] = np.where(origin.active & ~np.tile(closed[place], 2), mean, 0.0)
            sds[:, place] = bank.predict(seen.design, seen.inflation, seen.weekday).sd
        sds = np.sqrt(sds**2 + self._wander(bank, ages))
        expected, spread = node_forecast(self._tree, means, sds, self.union)
        is_shut = (expected[0] == 0) & self._tree.sums(known.active.astype(np.float64))[:, None].astype(bool)
        expected[:2, expected[0] == 0] = np.nan
        expected[:2, is_shut] = 0.0
        width = np.where(is_shut, 0.0, self.scale.get(self._levels) * spread)
        ends = [self._interval(expected, width * self.scale.reach(each)) for each in PROBABILITIES]
        return PanelForecast(
            made_on=day,
            days=tuple(seen.day for seen in ahead),
            nodes=self._tree.nodes,
            ready=ready,
            expected=expected,
            lower_80=ends[0][0],
            upper_80=ends[0][1],
            lower_95=ends[1][0],
            upper_95=ends[1][1],
        )

    @staticmethod
    def _interval(expected: Floats, width: Floats) -> tuple[Floats, Floats]:
        """Return both ends; a lower one of less than half a payment is none at all."""
        lower = expected * np.exp(-width)
        least = HALF_PAYMENT * np.stack([np.ones_like(expected[2]), expected[2], np.zeros_like(expected[2])])
        return np.where(lower < least, 0.0, lower), expected * np.exp(width)

    def forget(self, series: Flags, *, begun: bool = False) -> None:
        """Forget what remained of series [2K] that have moved to another level; `begun`: that have begun anew."""
        self._shock.forget(series)
        self.last[series] = 0.0
        self.weekdays[series] = 0.0
        for origin in self.origins:
            origin.telling = origin.telling & ~series
            if begun:
                origin.active = origin.active & ~series

    def embed(self, tree: NodeTree, places: Integers) -> None:
        """Lay everything out for a grown `tree`; the old cell i stands at `places[i]`."""
        cells = len(tree.series)
        both = np.concatenate([places, places + cells])
        self._lay_out(tree)
        last, weekdays = self.last, self.weekdays
        self.last, self.weekdays = np.zeros(2 * cells), np.zeros((2 * cells, 7))
        self.last[both], self.weekdays[both] = last, weekdays
        season, self._season_now = self._season_now, np.zeros((2 * cells, int(self._season.sum())))
        self._season_now[both] = season
        self._shock.embed(both, 2 * cells)
        self.origins = [each.embedded(both, 2 * cells) for each in self.origins]
        self.union = np.full((len(MEASURES), len(tree.nodes)), np.nan)

    def _lay_out(self, tree: NodeTree) -> None:
        self._tree = tree
        self._levels = np.array([LEVELS.index(node.level) for node in tree.nodes], dtype=np.int64)

    def state(self) -> dict[str, Any]:
        """Return everything learned."""
        return {
            "projection": self.projection.state(),
            "scale": self.scale.state(),
            "shock": self._shock.state(),
            "origins": [each.state() for each in self.origins],
            "last": self.last.copy(),
            "weekdays": self.weekdays.copy(),
            "season_now": self._season_now.copy(),
            "union": self.union.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same tree, features and parameters."""
        self.projection.restore(state["projection"])
        self.scale.restore(state["scale"])
        self._shock.restore(state["shock"])
        self.origins = [ForecastOrigin.of_state(each) for each in state["origins"]]
        self.last, self.weekdays = state["last"].copy(), state["weekdays"].copy()
        self._season_now, self.union = state["season_now"].copy(), state["union"].copy()
