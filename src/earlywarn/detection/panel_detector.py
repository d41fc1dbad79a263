"""From the closed days of a panel to a score per node and direction: the composition of the estimators.

For each closed day, in this order (K cells, M = 2K log series: K counts, then K amounts):

 1. each log series is predicted by its calendar regression and learned (`regression_bank`);
 2. the clipped, standardised innovations are whitened against each other, with yesterday's correlation (`whitening`);
 3. the whitened innovations are added to the evidence of every node and onset (`onset_bank`), which gives the scores;
 4. drift of a series' model is watched (`drift_monitor`) and answered by a wider level, so that it re-learns;
 5. the sector mix of each region is ranked against its past (`mix_anomaly`);
 6. correlations and mixes learn the day, and a day passes in the random walks.

Here are no thresholds, no episodes and no alerts, no I/O, no clock and no random number but the trees' fixed seed.
The alerting layer calls `accept` when an episode has lasted long enough to be the new normal.

A cell without transactions is missing where few are expected, and evidence (half a payment) where many are; a cell long
silent is dormant. An amount that is not positive (refunds) is missing. See `DetectorParameters`.

Example:
    >>> from datetime import date, timedelta
    >>> class Flat:
    ...     names = ("const",)
    ...     def row(self, region, day):
    ...         return type("Row", (), {"values": (1.0,), "inflation": 1.0})
    >>> detector = PanelDetector(DetectorParameters(ready_days=80), Flat())
    >>> cells = [("CH01", "05"), ("CH02", "05")]
    >>> for age in range(110):
    ...     wave = 1.0 + 0.02 * ((7 * age) % 5 - 2)
    ...     count = np.array([1000 * wave * (0.7 if age >= 100 else 1.0), 1000 / wave]).astype(np.int64)
    ...     scores = detector.step(date(2024, 1, 1) + timedelta(age), cells, count, 50 * count)
    >>> scores.nodes[0].label, bool(scores.ready[0]), bool(scores.down.score[0] > 10)
    ('CH01 x 05', True, True)
    >>> int(scores.down.onset_age_days[0])
    9
"""

from collections.abc import Iterable, Sequence
from datetime import date
from statistics import NormalDist
from typing import Any

import numpy as np

from earlywarn.detection.cell_activity import CellActivity
from earlywarn.detection.day_scores import MEASURES, DayScores, Deviation, Floats, Integers, Measure
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.detection.drift_monitor import DriftMonitor
from earlywarn.detection.hierarchy import Node, NodeTree, SeriesKey
from earlywarn.detection.node_deviation import node_deviations
from earlywarn.detection.node_evidence import absorbed, contributions, evidence
from earlywarn.detection.onset_bank import OnsetBank
from earlywarn.detection.panel_day import DayFeatures, FeatureRow, PanelDay, panel_day
from earlywarn.detection.region_mix import RegionMixes
from earlywarn.detection.regression_bank import Innovation, Prediction, RegressionBank
from earlywarn.detection.whitening import InnovationCorrelation, pair_kinds
from earlywarn.errors import SnapshotError

__all__ = ["DayFeatures", "DayScores", "DetectorParameters", "FeatureRow", "PanelDetector"]


class PanelDetector:
    """The models of one panel, a fold `state, closed day -> scores`.

    Args:
        parameters: see `DetectorParameters`.
        features: the panel's calendar.
    """

    def __init__(self, parameters: DetectorParameters, features: DayFeatures) -> None:
        self.parameters, self.features = parameters, features
        self._reach = NormalDist().inv_cdf(0.5 + parameters.interval_probability / 2)
        self._begin()

    def _begin(self) -> None:
        """Set everything learned to nothing."""
        parameters, features = self.parameters, self.features
        self._day: date | None = None
        self._tree = NodeTree(())
        self._regression = RegressionBank(features.names, parameters.regression)
        self._correlation = InnovationCorrelation(parameters.whitening, np.zeros((0, 0), dtype=np.int64))
        self._onset = OnsetBank(parameters.onset, self._tree)
        self._drift = DriftMonitor(parameters.drift)
        self._mixes = RegionMixes(parameters.mix)
        self._activity = CellActivity(
            zero_evidence_transactions=parameters.zero_evidence_transactions, dormant_days=parameters.dormant_days
        )

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes scored so far, in canonical order."""
        return self._tree.nodes

    def step(
        self,
        day: date,
        series: Sequence[SeriesKey],
        transactions: Integers,
        amount_minor: Integers,
        *,
        usable: bool = True,
    ) -> DayScores:
        """Score the closed day `day`, then learn it.

        Args:
            day: local day, later than the last one; days left out pass without news.
            series: K keys (region, sector), strictly ascending; earlier ones must all be among them.
            transactions: int64[K], 0 where there were none.
            amount_minor: int64[K], minor units.
            usable: False for a break of coverage: the day passes, nothing is learned or scored.

        Raises:
            ValueError: the day is not later, series are missing or unordered, or lengths differ.
        """
        if len(transactions) != len(series) or len(amount_minor) != len(series):
            raise ValueError(f"{day}: {len(series)} series, {len(transactions)} counts, {len(amount_minor)} amounts")
        if self._day is not None and day <= self._day:
            raise ValueError(f"{day}: days must ascend, the last one was {self._day}")
        if tuple(series) != self._tree.series:
            self._grow(NodeTree(series))
        if self._day is not None:
            self._pass_silently((day - self._day).days - 1)
        self._day = day
        observed = np.concatenate([transactions, amount_minor]).astype(np.float64)
        return self._score(panel_day(day, self._tree, self.features, observed), usable=usable)

    def accept(self, nodes: Iterable[Node]) -> None:
        """Take the present level of these nodes as the new normal: level variance jumps, evidence is forgotten.

        Raises:
            KeyError: a node that the panel does not have.
        """
        for node in nodes:
            inside = self._tree.members[self._tree.index[node]]
            both = np.tile(inside, 2)
            self._regression.widen_level(both, self.parameters.accept_level_sd**2)
            self._drift.reset(both)
            self._onset.forget(~(self._tree.members & ~inside[None, :]).any(axis=1))

    def _grow(self, tree: NodeTree) -> None:
        places = tree.embedding(self._tree.series)
        cells = len(tree.series)
        both = np.concatenate([places, places + cells])
        self._regression.embed(both, 2 * cells)
        self._correlation.embed(both, pair_kinds(tree.region_of, tree.sector_of))
        self._onset.embed(tree)
        self._drift.embed(both, 2 * cells)
        self._activity.embed(places, cells)
        self._mixes.lay_out(tree)
        self._regression.count_of = np.tile(np.arange(cells), 2)
        self._regression.dispersion = np.repeat([1.0, self.parameters.ticket_dispersion], cells)
        self._tree = tree

    def _pass_silently(self, days: int) -> None:
        """Let `days` days pass of which nothing is known."""
        self._regression.age(days)
        self._regression.drift_days(days)
        self._onset.age(days)

    def _score(self, seen: PanelDay, *, usable: bool) -> DayScores:
        drifting: tuple[tuple[SeriesKey, Measure], ...] = ()
        footprint = np.zeros((2 * len(self._tree.series), self.parameters.onset.window_days))
        correlation = self._correlation.correlation()
        if usable:
            innovation = self._learn_levels(seen)
            prediction, footprint = innovation.prediction, innovation.footprint
            drifting = self._learn_evidence(innovation, seen)
            amounts = slice(len(self._tree.series), None)
            shares = self._mixes.shares(
                prediction.mean[amounts], innovation.error[amounts], prediction.sd[amounts], innovation.seen[amounts]
            )
            mix = self._mixes.learn(shares)
        else:
            prediction = self._regression.predict(seen.design, seen.inflation, seen.weekday)
            mix = np.full(len(self._mixes.regions), np.nan)
            self._onset.age(1)
            self._regression.age(1)
        deviations = self._deviations(prediction, correlation, seen.observed if usable else seen.observed * np.nan)
        self._regression.drift_days(1)
        down, up = self._onset.scores()
        usable_days = self._usable_days()
        return DayScores(
            day=seen.day,
            usable=usable,
            nodes=self._tree.nodes,
            ready=usable_days >= self.parameters.ready_days,
            usable_days=usable_days,
            down=evidence(down),
            up=evidence(up),
            transactions=deviations[0],
            amount=deviations[1],
            mean_ticket=deviations[2],
            absorbed=np.stack([absorbed(self._tree, footprint, side) for side in (down, up)]),
            contributions=contributions(self._tree, self._onset.by_cell, down, up),
            mix_regions=self._mixes.regions,
            mix_rank=mix,
            drifting=drifting,
        )

    def _learn_levels(self, seen: PanelDay) -> Innovation:
        """Turn the day into log values, missing ones NaN, and let the regressions learn them."""
        cells = len(self._tree.series)
        usual = np.einsum("ij,ij->i", seen.design, self._regression.coefficients)
        values, awake = self._activity.log_values(
            seen.observed[:cells], seen.observed[cells:], usual, self._regression.learned[:cells] > 0
        )
        if awake.any():
            self._regression.anchor(np.tile(awake, 2) & np.isfinite(values), values, seen.design)
        return self._regression.learn(values, seen.design, seen.inflation, seen.weekday)

    def _learn_evidence(self, innovation: Innovation, seen: PanelDay) -> tuple[tuple[SeriesKey, Measure], ...]:
        """Whiten, add to the evidence, watch for drift, learn the correlation; return who drifts."""
        parameters, tree = self.parameters, self._tree
        clipped = np.clip(innovation.z, -parameters.innovation_clip, parameters.innovation_clip)
        # `learned` counts today already.
        mature = innovation.seen & (self._regression.learned > parameters.evidence_after_days)
        drifting = np.zeros(len(mature), dtype=bool)
        precision = self._correlation.precision(mature)
        whitened = precision @ clipped
        response = np.where(mature[:, None], innovation.footprint / innovation.prediction.sd[:, None], 0.0)
        members = tree.members / np.maximum(tree.members.sum(axis=1), 1)[:, None]
        special = members @ seen.inflation[: len(tree.series)] >= parameters.onset.special_inflation
        self._onset.learn(whitened, precision, response, special)
        if mature.any():
            residual = whitened / np.sqrt(np.where(mature, np.diag(precision), 1.0))
            drifting = self._drift.learn(residual, mature)
            self._regression.widen_level(drifting, parameters.drift.level_sd**2)
        self._correlation.learn(clipped, innovation.seen)
        places = np.flatnonzero(drifting).tolist()
        cells = len(tree.series)
        return tuple((tree.series[place % cells], MEASURES[place // cells]) for place in places)

    def _deviations(
        self, prediction: Prediction, correlation: Floats, observed: Floats
    ) -> tuple[Deviation, Deviation, Deviation]:
        cells = len(self._tree.series)
        known = self._regression.learned > 0
        return node_deviations(
            self._tree,
            mean=prediction.mean,
            sd=prediction.sd,
            correlation=correlation,
            observed=observed,
            active=known[:cells] & known[cells:] & ~self._activity.dormant,
            zero_evidence=self.parameters.zero_evidence_transactions,
            reach=self._reach,
        )

    def _usable_days(self) -> Integers:
        learned = self._regression.learned[: len(self._tree.series)]
        totals = [int(np.median(learned[member])) for member in self._tree.members[len(learned) :]]
        return np.concatenate([learned, np.array(totals, dtype=np.int64)])

    def state(self) -> dict[str, Any]:
        """Return everything learned as plain values and arrays, for `domain.state.encode_state`."""
        return {
            "day": self._day.isoformat() if self._day else None,
            "series": [list(key) for key in self._tree.series],
            "features": list(self.features.names),
            "regression": self._regression.state(),
            "correlation": self._correlation.state(),
            "onset": self._onset.state(),
            "drift": self._drift.state(),
            "mixes": self._mixes.state(),
            "silent_days": self._activity.silent_days.copy(),
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
        self._correlation.restore(state["correlation"])
        self._onset.restore(state["onset"])
        self._drift.restore(state["drift"])
        self._mixes.restore(state["mixes"])
        self._activity.silent_days = state["silent_days"].copy()
