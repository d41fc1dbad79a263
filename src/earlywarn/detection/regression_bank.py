"""Bayesian calendar regressions of M log series at once: the array face and the formulas.

Computes, for each series i with features x (P of them, a constant first among equals) and a log value y,

    prediction   m = x'b,  s2 = V + x'Sx,  V = max(R f w, phi / E[count])
    innovation   e = y - m,  z = e / s
    learning     k = h Sx / s2,  b' = b + k e,  S' = S - h (Sx)(Sx)' / s2,  h = min(1, H / |z|)
    passing      S[const] += q R and S[weekday] += q_w R for each day

R is an exponentially weighted, Huberised variance of one observation (`robust_scale`), f the day's variance
factor from the calendar, w a slowly learned factor of the weekday, phi / E[count] the Poisson floor (1 for a
log count; 1 + cv^2 of a ticket for a log amount). The prior of S is fixed by feature name, so that a day
type never seen has a wide s and cannot alarm.

The *footprint* g[a] is what a unit step that started a days ago adds to today's innovation: 1 at its start, then
less, as the regression learns it. With D[a] = db/d(step), it is exact: g[a] = 1 - x'D[a], D'[a] = D[a] + k g[a].

References: West and Harrison (1997), Bayesian Forecasting and Dynamic Models, chapters 4 and 10; Huber (1981),
Robust Statistics, chapter 7 (weights); Willsky and Jones (1976), IEEE Trans. Automatic Control 21 (footprint).

Example:
    >>> bank = RegressionBank(("const", "d0"), RegressionParameters(), size=2)
    >>> x = np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> for _ in range(60):
    ...     seen = bank.learn(np.array([5.0, np.nan]), x, np.ones(2), weekday=1)
    >>> bank.predict(x, np.ones(2), weekday=1).mean.round(2).tolist()
    [5.0, 0.0]
    >>> seen.footprint[0, :2].round(2).tolist(), seen.footprint[1, 0].item()
    ([1.0, 0.96], 0.0)
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.detection.regression_parameters import LEVEL_FEATURE, PRIOR_SD, WEEKDAY_FEATURES, RegressionParameters
from earlywarn.detection.robust_scale import memory_at, next_variance
from earlywarn.errors import ConfigError, SnapshotError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_LEAST_VARIANCE_LEFT = 0.05
"""Share of a level's variance that is left when what widened it is taken back; rounding must not leave none."""


class Prediction(msgspec.Struct, frozen=True):
    """One day ahead, for M series: `mean` and `sd` (log units), and Sx [M, P] for the learning."""

    mean: Floats
    sd: Floats
    covariance_x: Floats


class Innovation(msgspec.Struct, frozen=True):
    """What a day said beyond its prediction, for M series; 0 where nothing was seen.

    Attributes:
        prediction: what was expected (the first value of a series is its own prediction).
        error: float64[M], log units; z: float64[M], the same in predictive sd.
        seen: bool[M]. footprint: float64[M, W], effect of a unit step by age, 0 before the series began.
    """

    prediction: Prediction
    error: Floats
    z: Floats
    seen: Flags
    footprint: Floats


class RegressionBank:
    """M calendar regressions over the same P features.

    Args:
        names: the P feature names; one must be "const".
        parameters: see `RegressionParameters`.
        size: M.

    Attributes:
        count_of: int64[M], the series whose expected value exp(m) is the count of the Poisson floor, -1 for none.
        dispersion: float64[M], phi of the floor.
        learned: int64[M], observations learned by each series.
        usual_week: float64[P], the mean features of a week without special days.
        widened: float64[M], what deliberate widening still adds to the level's variance: it is learned away, by
            (1 - k[const])^2 a day.

    Raises:
        ConfigError: no constant among the names, or a name twice.
    """

    def __init__(self, names: Sequence[str], parameters: RegressionParameters, *, size: int = 0) -> None:
        self.names, self.parameters = tuple(names), parameters
        if LEVEL_FEATURE not in self.names or len(set(self.names)) < len(self.names):
            raise ConfigError(f"features need distinct names, {LEVEL_FEATURE!r} among them: {self.names}")
        self.level = self.names.index(LEVEL_FEATURE)
        self.drift = np.zeros(len(self.names))
        self.drift[[place for place, name in enumerate(self.names) if name in WEEKDAY_FEATURES]] = (
            parameters.weekday_drift
        )
        self.drift[self.level] = parameters.level_drift
        self._is_rare = np.array([name not in (LEVEL_FEATURE, *WEEKDAY_FEATURES) for name in self.names])
        self.usual_week = np.array([1 / 7 if name in WEEKDAY_FEATURES else 0.0 for name in self.names])
        self.usual_week[self.level] = 1.0
        self.prior = np.array([PRIOR_SD.get(name, parameters.prior_sd_unknown) for name in self.names]) ** 2
        self._allocate(size)

    def _allocate(self, size: int) -> None:
        features, window = len(self.names), self.parameters.window_days
        self.coefficients = np.zeros((size, features))
        self.covariance = np.tile(np.diag(self.prior), (size, 1, 1))
        self.variance = np.full(size, self.parameters.variance_start)
        self.weekday_factor = np.ones((size, 7))
        self.learned = np.zeros(size, dtype=np.int64)
        # Half the memory: a footprint need not be known to more than seven digits.
        self.sensitivity: npt.NDArray[np.float32] = np.zeros((size, window, features), dtype=np.float32)
        self.widened = np.zeros(size)
        self.count_of = np.full(size, -1, dtype=np.int64)
        self.dispersion = np.zeros(size)

    def predict(self, design: Floats, inflation: Floats, weekday: int) -> Prediction:
        """Return the prediction of a day; `design` [M, P], `inflation` [M] (variance factor), weekday 0 = Monday."""
        mean = np.einsum("ij,ij->i", design, self.coefficients)
        return self._predict(design, inflation, weekday, mean)

    def _predict(self, design: Floats, inflation: Floats, weekday: int, mean: Floats) -> Prediction:
        covariance_x = np.matmul(self.covariance, design[:, :, None])[:, :, 0]
        noise = self.observation_variance(self.variance * inflation * self.weekday_factor[:, weekday], mean)
        total = noise + np.maximum(np.einsum("ij,ij->i", design, covariance_x), 0.0)
        return Prediction(mean, np.sqrt(total), covariance_x)

    def observation_variance(self, noise: Floats, mean: Floats) -> Floats:
        """Return `noise` [M], the variance of one observation around `mean`, but not below that of a Poisson count."""
        floored = self.count_of >= 0
        if not floored.any():
            return noise
        # At least half a payment is expected: below that the logarithm means nothing.
        count = np.exp(np.maximum(mean[self.count_of], np.log(0.5)))
        return np.where(floored, np.maximum(noise, self.dispersion / count), noise)

    def usual_sd(self, prediction: Prediction, design: Floats, noise: Floats, mean: Floats) -> Floats:
        """Return the sd of an undisturbed day [M]: of one observation's variance `noise` around `mean`, and of doubt.

        The doubt is what is not known of the coefficients, without what `widen_level` added to that.
        """
        doubt = np.einsum("ij,ij->i", design, prediction.covariance_x) - self.widened
        sd: Floats = np.sqrt(self.observation_variance(noise, mean) + np.maximum(doubt, 0.0))
        return sd

    def begin(self, values: Floats) -> Flags:
        """Start the level of series without a past at their first value; return which do [M]."""
        fresh: Flags = np.isfinite(values) & (self.learned == 0)
        self.coefficients[fresh, self.level] = values[fresh]
        return fresh

    def learn(
        self, values: Floats, design: Floats, inflation: Floats, weekday: int, *, level_alone: Flags | None = None
    ) -> Innovation:
        """Predict the log `values` [M] (not finite = not seen), learn them, and return the innovations.

        Of series that are `level_alone` [M] nothing but the level is learned: a shock is a step of that, and its days
        say nothing of weekdays and holidays (a consider filter: Schmidt 1966, Advances in Control Systems 3). None: of
        none. Of a day far out nothing is learned of its kind of day (`RegressionParameters.outlier`).
        """
        seen = np.isfinite(values)
        self.begin(values)
        mean = np.einsum("ij,ij->i", design, self.coefficients)
        prediction = self._predict(design, inflation, weekday, mean)
        error = np.where(seen, np.where(seen, values, 0.0) - mean, 0.0)
        z = error / prediction.sd
        outlying = (np.abs(z) > self.parameters.outlier) & (inflation < self.parameters.closure_inflation)
        considered = outlying[:, None] & self._is_rare
        if level_alone is not None:
            considered |= level_alone[:, None] & (np.arange(len(self.names)) != self.level)
        footprint = self._learn_effects(prediction, error, z, seen, design, considered)
        self._learn_scale(prediction, error, seen, weekday)
        self.learned += seen
        return Innovation(prediction, error, z, seen, footprint)

    def _learn_effects(
        self, prediction: Prediction, error: Floats, z: Floats, seen: Flags, design: Floats, considered: Flags
    ) -> Floats:
        """Learn all coefficients but those `considered` [M, P], and return the footprint."""
        parameters = self.parameters
        limit = np.where(self.learned > parameters.start_days, parameters.huber, parameters.huber_start)
        weight = np.where(seen, limit / np.maximum(np.abs(z), limit), 0.0) / prediction.sd**2
        learned = np.matmul(self.sensitivity, design[:, :, None].astype(np.float32))[:, :-1, 0]
        footprint: Floats = 1.0 - learned.astype(np.float64)
        footprint = np.concatenate([np.ones((len(footprint), 1)), footprint], axis=1)
        footprint *= seen[:, None]
        footprint[np.arange(parameters.window_days)[None, :] > self.learned[:, None]] = 0.0
        self.age(1)
        gain = np.where(considered, 0.0, prediction.covariance_x * weight[:, None])
        self.sensitivity += footprint[:, :, None].astype(np.float32) * gain[:, None, :].astype(np.float32)
        self.coefficients += gain * error[:, None]
        # Both factors alike, so that the matrix stays symmetric to the last bit (its triangle is the state).
        half = prediction.covariance_x * np.sqrt(weight)[:, None]
        known = half[:, :, None] * half[:, None, :]
        known[considered[:, :, None] & considered[:, None, :]] = 0.0
        self.covariance -= known
        self.widened *= (1.0 - gain[:, self.level]) ** 2
        return footprint

    def _learn_scale(self, prediction: Prediction, error: Floats, seen: Flags, weekday: int) -> None:
        parameters, scale = self.parameters, self.parameters.scale
        due = seen & (self.learned > parameters.scale_delay_days)
        # The part of the squared error that one observation's variance R answers for.
        share = error**2 * self.variance / prediction.sd**2
        memory = memory_at(self.learned - (parameters.start_days // 2), scale)
        variance = np.maximum(next_variance(self.variance, share, memory, scale), parameters.variance_min)
        factor = self.weekday_factor[:, weekday]
        relative = np.minimum(share, scale.clip**2 * self.variance) / variance * factor
        target = parameters.weekday_shrink + (1.0 - parameters.weekday_shrink) * relative
        updated = (1.0 - parameters.weekday_rate) * factor + parameters.weekday_rate * target
        bounded = np.clip(updated, parameters.weekday_min, parameters.weekday_max)
        self.weekday_factor[:, weekday] = np.where(due, bounded, factor)
        self.variance = np.where(due, variance, self.variance)

    def age(self, days: int) -> None:
        """Make the onsets `days` older; today's begins with no effect learned yet."""
        days = min(days, self.parameters.window_days)
        if days:
            self.sensitivity = np.concatenate(
                [np.zeros_like(self.sensitivity[:, :days]), self.sensitivity[:, : self.sensitivity.shape[1] - days]],
                axis=1,
            )

    def drift_days(self, days: int) -> None:
        """Let levels and weekday effects wander for `days` days, where anything is known."""
        wander = (self.learned > 0)[:, None] * self.variance[:, None] * self.drift[None, :] * days
        np.einsum("ijj->ij", self.covariance)[...] += wander

    def widen_level(self, series: Flags, variance: float) -> None:
        """Add `variance` (squared log units) to the level of the flagged series, so that it re-learns."""
        self.covariance[series, self.level, self.level] += variance
        self.widened[series] += variance

    def narrow_level(self, series: Flags) -> None:
        """Take back from the level of the flagged series what is left of the variance that `widen_level` added."""
        level = self.level
        variance = np.maximum(self.covariance[series, level, level], self.parameters.variance_min)
        left = np.sqrt(np.clip(1.0 - self.widened[series] / variance, _LEAST_VARIANCE_LEFT, 1.0))[:, None]
        # Row and column alike, so that the matrix stays positive and symmetric.
        self.covariance[series, level, :] *= left
        self.covariance[series, :, level] *= left
        self.widened[series] = 0.0

    def unlearn(self, series: Flags, coefficients: Floats) -> None:
        """Take former coefficients [M, P] of the flagged series; no step is learned of any onset then."""
        self.coefficients[series] = coefficients[series]
        self.sensitivity[series] = 0.0

    def move_level(self, series: Flags, step: Floats) -> None:
        """Add `step` [M] (log units) to the level of the flagged series."""
        self.coefficients[series, self.level] += step[series]

    def anchor(self, series: Flags, levels: Floats, variance: Floats) -> None:
        """Start the level of the flagged series anew at `levels` [M], known to `variance` [M] (0: as a first day's)."""
        level = self.level
        self.coefficients[series, level] = levels[series]
        self.covariance[series, level, :] = 0.0
        self.covariance[series, :, level] = 0.0
        self.covariance[series, level, level] = np.where(variance > 0, variance, self.prior[level])[series]
        self.sensitivity[series] = 0.0
        self.widened[series] = 0.0

    def embed(self, places: Integers, size: int) -> None:
        """Lay the series out anew: old series i stands at `places[i]` of `size`; the others start afresh.

        `count_of` and `dispersion` are the caller's to set again.
        """
        state = self.state()
        self._allocate(size)
        fresh = self.state()
        for name, old in state.items():
            fresh[name][places] = old
        self.restore(fresh)

    def state(self) -> dict[str, Any]:
        """Return what was learned as arrays; of the covariances the upper triangle."""
        rows, columns = np.triu_indices(len(self.names))
        return {
            "coefficients": self.coefficients.copy(),
            "covariance": self.covariance[:, rows, columns],
            "variance": self.variance.copy(),
            "weekday_factor": self.weekday_factor.copy(),
            "learned": self.learned.copy(),
            "sensitivity": self.sensitivity.copy(),
            "widened": self.widened.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned, of the same features and window.

        Raises:
            SnapshotError: the arrays do not fit the features.
        """
        size, features, window = len(state["coefficients"]), len(self.names), self.parameters.window_days
        if state["coefficients"].shape != (size, features) or state["sensitivity"].shape != (size, window, features):
            raise SnapshotError(
                f"a regression's state of shape {state['sensitivity'].shape} does not fit {features} features and "
                f"{window} days: it was written under another configuration"
            )
        count_of, dispersion = self.count_of, self.dispersion
        self._allocate(size)
        if len(count_of) == size:
            self.count_of, self.dispersion = count_of, dispersion
        rows, columns = np.triu_indices(features)
        self.covariance[:, rows, columns] = state["covariance"]
        self.covariance[:, columns, rows] = state["covariance"]
        for name in ("coefficients", "variance", "weekday_factor", "learned", "sensitivity", "widened"):
            setattr(self, name, state[name].copy())
