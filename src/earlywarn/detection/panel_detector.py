"""From the closed days of a panel to a score per node and direction: the composition of the estimators.

For each closed day, in this order (K cells, M = 2K log series: K counts, then K amounts):

 1. each log series is predicted by its calendar regression and learned (`regression_bank`);
 2. the clipped, standardised innovations are whitened against each other, with yesterday's correlation (`whitening`);
 3. they are added to the evidence of every node and onset (`onset_bank`), which gives the scores (`panel_evidence`);
    what was seen and what the models would expect without a shock are added up for every node and first day
    (`baselines`, `effect_bank`), which gives the sizes (`panel_effects`);
 4. drift of a series' model is watched (`drift_monitor`) and answered by a wider level, so that it re-learns;
 5. the sector mix of each region is ranked against its past (`mix_anomaly`);
 6. what was forecast of the day is held against it (`forecast`), which enters no score;
 7. correlations and mixes learn the day, and a day passes in the random walks.

Here are no thresholds, no episodes and no alerts, no I/O, no clock and no random number but the trees' fixed seed.
The alerting layer calls `accept` when an episode has lasted long enough to be the new normal.

A cell without transactions is missing where few are expected, and evidence (half a payment) where many are, and so is
an amount that is not positive; a cell long silent is dormant, and one that has none on a weekday is closed then. See
`DetectorParameters`. What is known of a day beforehand makes it say less or nothing: `known_days`.

Example:
    >>> from datetime import date, timedelta
    >>> class Flat:
    ...     names = ("const",)
    ...     def row(self, region, day):
    ...         return type("Row", (), {"values": (1.0,), "inflation": 1.0, "holiday": False})
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

from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np

from earlywarn.detection.day_scores import MEASURES, DayScores, Deviation, Flags, Floats, Integers, Measure
from earlywarn.detection.detector_parameters import DetectorParameters
from earlywarn.detection.hierarchy import NodeTree, SeriesKey
from earlywarn.detection.known_days import KnownDay, known_day
from earlywarn.detection.new_levels import beside_level
from earlywarn.detection.node_deviation import node_deviations
from earlywarn.detection.node_evidence import contributions, evidence
from earlywarn.detection.nowcast import Before, Expectation, evidence_before
from earlywarn.detection.panel_day import DayFeatures, FeatureRow, PanelDay, panel_day
from earlywarn.detection.panel_models import PanelModels
from earlywarn.detection.regression_bank import Innovation, Prediction
from earlywarn.detection.symmetric_form import SymmetricForm

__all__ = ["DayFeatures", "DayScores", "DetectorParameters", "FeatureRow", "PanelDetector"]


_MOST_OF_A_NODE = 0.5


class PanelDetector(PanelModels):
    """The models of one panel, a fold `state, closed day -> scores`.

    Args:
        parameters: see `DetectorParameters`.
        features: the panel's calendar.
        events: what is known of days and cells beforehand.
    """

    def step(
        self,
        day: date,
        series: Sequence[SeriesKey],
        transactions: Integers,
        amount_minor: Integers,
        *,
        usable: bool = True,
        heard: Flags | None = None,
    ) -> DayScores:
        """Score the closed day `day`, then learn it.

        Args:
            day: local day, later than the last one; days left out pass without news.
            series: K keys (region, sector), strictly ascending; earlier ones must all be among them.
            transactions: int64[K], 0 where there were none.
            amount_minor: int64[K], minor units.
            usable: False for a break of coverage: the day passes, nothing is learned or scored.
            heard: bool[K], False for cells of which nothing was heard: their day is missing, and totals are judged
                without them, as without those that a known event mutes. None: all.

        Raises:
            ValueError: the day is not later, series are missing or unordered, or lengths differ.
        """
        if len(transactions) != len(series) or len(amount_minor) != len(series):
            raise ValueError(f"{day}: {len(series)} series, {len(transactions)} counts, {len(amount_minor)} amounts")
        if self._day is not None and day <= self._day:
            raise ValueError(f"{day}: days must ascend, the last one was {self._day}")
        if self._day is not None:
            self._forecasts.begin(self._day, self._known)
        if tuple(series) != self._tree.series:
            self._grow(NodeTree(series))
        if self._day is not None:
            self._pass_silently((day - self._day).days - 1)
        self._day = day
        known = known_day(self.events, day, series)
        if known is not None:
            heard = ~known.muted if heard is None else heard & ~known.muted
            usable = usable and bool(heard.any())
        observed = np.concatenate([transactions, amount_minor]).astype(np.float64)
        if heard is not None:
            observed[~np.tile(heard, 2)] = np.nan
        closed = self._closed(day.weekday(), observed[: len(series)], usable=usable)
        expected_of = np.where(np.tile(closed, 2), np.nan, observed)
        seen = panel_day(day, self._tree, self.features, expected_of)
        if usable and self._new_levels.looking.any():
            seen = self._looked_at(seen)
        silent_days = self._activity.silent_days
        scores = self._score(seen, observed, known, usable=usable)
        if known is not None:
            # What is muted is not silent: nobody has asked.
            self._activity.silent_days = np.where(known.muted, silent_days, self._activity.silent_days)
        return scores

    def expected(self, day: date) -> tuple[Expectation, Before]:
        """Return what is expected of the running `day`, and the evidence of the days before it; nothing is learned.

        Raises:
            ValueError: the day is not later than the last one that was learned, or none was.
        """
        if self._day is None or day <= self._day:
            raise ValueError(f"{day}: expected of days after the last one learned, which was {self._day}")
        cells = len(self._tree.series)
        seen = panel_day(day, self._tree, self.features, np.full(2 * cells, np.nan))
        prediction = self._regression.predict(seen.design, seen.inflation, seen.weekday)
        open_cells = self._active & ~self._closed_on(seen.weekday, np.full(cells, np.nan))
        means = np.where(np.tile(open_cells, 2), self._effects.ratio * np.exp(prediction.mean), 0.0)
        learned = np.matmul(self._regression.sensitivity, seen.design[:, :, None].astype(np.float32))[:cells, :, 0]
        weight = self._tree.sums(means[:cells])[:, None]
        left = self._tree.sums(means[:cells, None] * (1.0 - learned))
        footprint = np.where(weight > 0, left / np.where(weight > 0, weight, 1.0), 0.0)
        expectation = Expectation(means, prediction.sd, self._evidence.correlation(), self._special(seen, known=None))
        return expectation, evidence_before(self._evidence.onset, footprint)

    def _looked_at(self, seen: PanelDay) -> PanelDay:
        """Look for new levels; cells of which one is looked for are as not heard."""
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log(seen.observed)
        looking = self._new_levels.look(values, beside_level(self._regression, seen.design))
        return msgspec.structs.replace(seen, observed=np.where(np.tile(looking, 2), np.nan, seen.observed))

    def _closed(self, weekday: int, count: Floats, *, usable: bool) -> Flags:
        """Return bool[K], cells that are closed today, and learn on which weekdays they are."""
        closed = self._closed_on(weekday, count)
        if usable:
            self._activity.learn_weekday(weekday, count, self._regression.learned[: len(count)] > 0)
        return closed

    def _score(self, seen: PanelDay, observed: Floats, known: KnownDay | None, *, usable: bool) -> DayScores:
        """Score and learn what was seen; `observed` [2K] has also what nothing is expected of."""
        special = self._special(seen, known)
        if known is not None:
            seen = self._widened(seen, known)
        drifting: tuple[tuple[SeriesKey, Measure], ...] = ()
        correlation = self._evidence.correlation()
        if usable:
            innovation = self._learn_levels(seen, known)
            self._forecasts.learn(seen, self._regression, innovation, self._known, correlation)
            prediction = innovation.prediction
            self._effects.learn(self._regression, innovation, seen, correlation, mature=self._mature, special=special)
            drifts = self._evidence.learn(innovation, special, self._regression.learned)
            self._regression.widen_level(drifts, self.parameters.drift.level_sd**2)
            drifting = self._named(drifts)
            amounts = slice(len(self._tree.series), None)
            shares = self._mixes.shares(
                prediction.mean[amounts], innovation.error[amounts], prediction.sd[amounts], innovation.seen[amounts]
            )
            mix = self._mixes.learn(shares)
        else:
            prediction = self._regression.predict(seen.design, seen.inflation, seen.weekday)
            mix = np.full(len(self._mixes.regions), np.nan)
            self._pass_silently(1)
        deviations = self._deviations(prediction, correlation, observed, heard=seen.heard if usable else None)
        if usable:
            self._regression.drift_days(1)
        down, up = self._evidence.onset.scores()
        usable_days = self._usable_days()
        effects = self._effects.effects(self._mature)
        return DayScores(
            day=seen.day,
            usable=usable,
            nodes=self._tree.nodes,
            ready=self._ready(usable_days),
            usable_days=usable_days,
            holiday=self._tree.means(seen.holiday) >= _MOST_OF_A_NODE,
            down=evidence(down, effects.effect, effects.sd, effects.special, sign=-1.0),
            up=evidence(up, effects.effect, effects.sd, effects.special, sign=1.0),
            transactions=deviations[0],
            amount=deviations[1],
            mean_ticket=deviations[2],
            effects=effects,
            reach=self._reach,
            contributions=contributions(self._tree, self._evidence.onset.by_cell, down, up),
            mix_regions=self._mixes.regions,
            mix_rank=mix,
            drifting=drifting,
            muted=np.zeros(len(self._tree.nodes), dtype=bool)
            if known is None
            else self._tree.means(known.muted.astype(np.float64)) >= 1.0,
        )

    def _special(self, seen: PanelDay, known: KnownDay | None) -> Flags:
        """Return bool[G], nodes of which the day may say little: by the calendar, or as events widen all of it."""
        least = self.parameters.onset.special_inflation
        inflation = seen.inflation[: len(self._tree.series)]
        special: Flags = self._tree.means(inflation) >= least
        if known is not None:
            # Cell by cell: however wide the event of one region is, it makes no special day of the panel's.
            by_cell = known.widened | (inflation >= least)
            special = special | (self._tree.means(by_cell.astype(np.float64)) >= 1.0)
        return special

    def _widened(self, seen: PanelDay, known: KnownDay) -> PanelDay:
        """Return a day with the variance factors that known events make of it (`known_days`)."""
        usual = self._regression.variance * self._regression.weekday_factor[:, seen.weekday]
        return msgspec.structs.replace(seen, inflation=seen.inflation + np.tile(known.variance, 2) / usual)

    def _learn_levels(self, seen: PanelDay, known: KnownDay | None) -> Innovation:
        """Turn the day into log values, missing ones NaN, and let the regressions learn them.

        A day that a known event widens says nothing of days of its kind, nor of how much days vary.
        """
        cells = len(self._tree.series)
        usual = np.einsum("ij,ij->i", seen.design, self._regression.coefficients)
        values, awake = self._activity.log_values(
            seen.observed[:cells], seen.observed[cells:], usual, self._regression.learned[:cells] > 0
        )
        if awake.any():
            self._anchor(seen, values, usual, awake)
        self._effects.begin(self._regression, values, active=self._active, awake=awake)
        regression, level_alone = self._regression, np.tile(self._effects.in_shock, 2)
        if known is None:
            return regression.learn(values, seen.design, seen.inflation, seen.weekday, level_alone=level_alone)
        widened = np.tile(known.widened, 2)
        variance, weekday_factor = regression.variance, regression.weekday_factor.copy()
        innovation = regression.learn(
            values, seen.design, seen.inflation, seen.weekday, level_alone=level_alone | widened
        )
        regression.variance = np.where(widened, variance, regression.variance)
        regression.weekday_factor = np.where(widened[:, None], weekday_factor, regression.weekday_factor)
        return innovation

    def _anchor(self, seen: PanelDay, values: Floats, usual: Floats, awake: Flags) -> None:
        """Start new levels for cells [K]: those found, else today's; `usual` [2K] was predicted."""
        noise = self._regression.observation_variance(self._regression.variance, usual)
        found, variance = self._new_levels.levels(noise)
        levels = np.where(variance > 0, found, values - beside_level(self._regression, seen.design))
        self._regression.anchor(np.tile(awake, 2) & np.isfinite(values), levels, variance)
        self._new_levels.end(awake)
        self._forecasts.forget(np.tile(awake, 2), begun=True)

    def _named(self, drifting: Flags) -> tuple[tuple[SeriesKey, Measure], ...]:
        places, cells = np.flatnonzero(drifting).tolist(), len(self._tree.series)
        return tuple((self._tree.series[place % cells], MEASURES[place // cells]) for place in places)

    def _deviations(
        self, prediction: Prediction, correlation: SymmetricForm, observed: Floats, *, heard: Flags | None
    ) -> tuple[Deviation, Deviation, Deviation]:
        """Return today's deviations; of the cells `heard` [K] something is expected. None: nothing of the panel was."""
        return node_deviations(
            self._tree,
            mean=prediction.mean,
            sd=prediction.sd,
            correlation=correlation,
            ratio=self._effects.ratio,
            observed=observed * np.nan if heard is None else observed,
            active=self._active if heard is None else self._active & heard,
            zero_evidence=self.parameters.zero_evidence_transactions,
            reach=self._reach,
        )
