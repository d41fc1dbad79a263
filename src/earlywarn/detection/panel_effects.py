"""The effects of a panel: baselines and sums together, day by day, as `panel_detector` needs them.

Example:
    >>> from datetime import date
    >>> from earlywarn.detection.regression_parameters import RegressionParameters
    >>> tree = NodeTree([("CH01", "05")])
    >>> bank = RegressionBank(("const",), RegressionParameters(window_days=3), size=2)
    >>> effects = PanelEffects(EffectParameters(), window_days=3, features=1)
    >>> effects.embed(tree, np.zeros(0, dtype=np.int64))
    >>> for count in [100.0] * 40 + [70.0] * 2:
    ...     observed = np.array([count, 50 * count])
    ...     seen = PanelDay(date(2024, 1, 1), 0, np.ones((2, 1)), np.ones(2), observed, np.zeros(1))
    ...     values = np.log(seen.observed)
    ...     effects.begin(bank, values, active=np.ones(1, dtype=bool), awake=np.zeros(1, dtype=bool))
    ...     innovation = bank.learn(values, seen.design, seen.inflation, seen.weekday)
    ...     effects.learn(bank, innovation, seen, DenseForm(np.eye(2)), mature=np.ones(1, dtype=bool),
    ...                   special=np.zeros(1, dtype=bool))
    >>> found = effects.effects(np.ones(1, dtype=bool))
    >>> (100 * np.expm1(found.effect[1, 0])).round().tolist(), found.today[0, 0].round().tolist()
    ([-28.0, -30.0, -20.0], [98.0, 100.0, 100.0])
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from earlywarn.detection.baselines import Baselines
from earlywarn.detection.cell_activity import HALF_MINOR_UNIT
from earlywarn.detection.day_scores import Effects, Flags, Floats, Integers
from earlywarn.detection.effect_bank import EffectBank, EffectParameters, log_effect
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.mean_ratio import MeanRatio
from earlywarn.detection.node_deviation import heard_sums, log_variances, node_sums
from earlywarn.detection.panel_day import PanelDay
from earlywarn.detection.regression_bank import Innovation, RegressionBank
from earlywarn.detection.symmetric_form import DenseForm, SymmetricForm  # noqa: F401  # DenseForm: for the example


class PanelEffects:
    """What was seen at every node since each of the last W days, and what was expected before it.

    Args:
        parameters: see `EffectParameters`.
        window_days: W.
        features: P.
    """

    def __init__(self, parameters: EffectParameters, *, window_days: int, features: int) -> None:
        self._tree = NodeTree(())
        self._baselines = Baselines(window_days, features)
        self._bank = EffectBank(parameters, self._tree, window_days)
        self._ratio = MeanRatio(
            memory=parameters.mean_memory, clip=parameters.mean_clip, start_days=parameters.mean_start_days
        )

    @property
    def ratio(self) -> Floats:
        """Return float64[2K]: of means to medians, as it was expected of the last day (`mean_ratio`)."""
        ratio: Floats = self._baselines.ratio[0]
        return ratio

    @property
    def ratio_now(self) -> Floats:
        """Return float64[2K]: of means to medians, with the last day learned."""
        return self._ratio.get()

    def age(self, bank: RegressionBank, active: Flags, days: int) -> None:
        """Let `days` days pass of which nothing is known."""
        if days > 0:
            self._baselines.remember(bank, self._ratio.get(), active, days=days)
            self._bank.age(days)
            self._bank.fading = self._fading(bank)

    def begin(self, bank: RegressionBank, values: Floats, *, active: Flags, awake: Flags) -> None:
        """Keep what `bank` knows before it learns the day's log `values` [2K].

        Args:
            bank: the regressions, anchored already for the cells `awake` [K] from a long silence.
            values: the day's log values, NaN where missing.
            active: bool[K], cells of which something is expected.
            awake: bool[K].
        """
        cells = len(active)
        begun = bank.begin(values)
        heard = np.isfinite(values)
        restarting = np.tile(begun[:cells] | begun[cells:] | awake, 2)
        self._ratio.restart(restarting)
        self._baselines.remember(bank, self._ratio.get(), active | (heard[:cells] & heard[cells:]))
        self._baselines.restart(restarting)

    def learn(
        self,
        bank: RegressionBank,
        innovation: Innovation,
        seen: PanelDay,
        correlation: SymmetricForm,
        *,
        mature: Flags,
        special: Flags,
    ) -> None:
        """Add the day to the sums; `mature`, `special` [G] as in `EffectBank.learn`.

        Of cells that were not heard nothing is expected either.
        """
        heard = np.tile(seen.heard, 2)
        means = np.where(heard, self._baselines.means(seen.design), 0.0)
        noise = self._baselines.usual_noise(seen.inflation, seen.weekday)
        oldest = np.log(np.maximum(means[-1], np.finfo(float).tiny))
        usual_sd = bank.usual_sd(innovation.prediction, seen.design, noise, oldest)
        self._bank.learn(
            heard_sums(self._tree, seen.observed),
            node_sums(self._tree, means.T),
            log_variances(self._tree, means[-1], usual_sd, correlation),
            mature,
            special,
        )
        usual = bank.observation_variance(self._baselines.variance[0], innovation.prediction.mean)
        self._ratio.learn(
            innovation.prediction.mean,
            innovation.error,
            innovation.prediction.sd,
            seen=innovation.seen,
            heard=heard & np.tile(self._baselines.active[0], 2),
            weight=usual / innovation.prediction.sd**2,
        )
        self._bank.fading = self._fading(bank)

    def _fading(self, bank: RegressionBank) -> Floats:
        """Return float64[2, G]: see `day_scores.Effects`."""
        oldest, next_oldest = node_sums(self._tree, self._baselines.oldest_two(bank.usual_week).T).transpose(2, 0, 1)
        return np.where(next_oldest > 0, oldest / np.where(next_oldest > 0, next_oldest, 1.0), 1.0)

    def effects(self, mature: Flags) -> Effects:
        """Return the estimates as of the last day."""
        return self._bank.effects(mature)

    def take_back(self, bank: RegressionBank, series: Flags, age_days: int) -> None:
        """Let the flagged series [2K] unlearn the last days, if the baseline before so old a first day is kept."""
        if age_days < self._baselines.window_days:
            bank.unlearn(series, self._baselines.coefficients[age_days].astype(np.float64))
            self._ratio.set(series, self._baselines.ratio[age_days])

    def take_back_scale(self, bank: RegressionBank, series: Flags, age_days: int) -> None:
        """Let the flagged series [2K] vary again as they did before a first day; older ones as in the oldest kept."""
        age = min(age_days, self._baselines.window_days - 1)
        bank.variance[series] = self._baselines.variance[age, series]
        bank.weekday_factor[series] = self._baselines.weekday_factor[age, series]

    def shake(self, nodes: Flags) -> None:
        """Let nodes [G] be in a shock that is told: see `EffectBank.shake`."""
        self._bank.shake(nodes)

    @property
    def in_shock(self) -> Flags:
        """Return bool[K]: cells of which the last day was one of a shock that is told."""
        in_shock: Flags = self._bank.calm_days[: len(self._tree.series)] == 0
        return in_shock

    def remaining(self, bank: RegressionBank, designs: Sequence[Floats]) -> Floats:
        """Return float64[2K]: by how much the last days lie above what `bank` would expect of them now (log units).

        Of each cell those on which it was heard count; of one that was heard on none of them nothing is known, 0.

        Nothing at all counts as half a payment a day, payments of nothing as half a minor unit (see `cell_activity`).

        Args:
            bank: the regressions.
            designs: features float64[2K, P] of the last days, of today's first; at most W.
        """
        cells, age = len(self._tree.series), len(designs) - 1
        heard = self._bank.heard[:cells, : len(designs)]
        usual = np.zeros((2, cells))
        for day, design in enumerate(designs):
            means = self._ratio.get() * np.exp(np.einsum("mp,mp->m", design, bank.coefficients))
            usual += np.where(heard[:, day], means.reshape(2, cells), 0.0)
        days = np.maximum(heard.sum(axis=1), 1)
        observed, expected = self._bank.observed[:, :cells, age] / days, usual / days
        step = log_effect(observed, expected)[:2]
        unpaid = (observed[0] > 0) & (observed[1] <= 0) & (expected[1] > 0)
        step[1, unpaid] = np.log(HALF_MINOR_UNIT / expected[1, unpaid])
        # Where next to nothing is expected of a payment no effect is told, but a level that was taken there is left.
        paid = (observed > 0).all(axis=0) & (expected > 0).all(axis=0)
        step[1, paid] = np.log(observed[1, paid] / expected[1, paid])
        return step.ravel()

    def embed(self, tree: NodeTree, places: Integers) -> None:
        """Lay everything out for a grown `tree`; the old cell i stands at `places[i]`."""
        cells = len(tree.series)
        self._baselines.embed(np.concatenate([places, places + cells]), 2 * cells)
        self._ratio.embed(np.concatenate([places, places + cells]), 2 * cells)
        self._bank.embed(tree)
        self._tree = tree

    def state(self) -> dict[str, Any]:
        """Return everything learned."""
        return {"baselines": self._baselines.state(), "sums": self._bank.state(), "ratio": self._ratio.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same tree and window."""
        self._baselines.restore(state["baselines"])
        self._bank.restore(state["sums"])
        self._ratio.restore(state["ratio"])
