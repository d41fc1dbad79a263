"""Bayesian calendar regression of one log series, in River's interface.

The formulas, their parameters and references are those of `regression_bank`, of which this is the face for one
series: a Kalman regression of a log count or log amount on calendar features, with a random-walk level,
slowly drifting weekday effects, fixed priors by feature name, Huber weights and an exponentially weighted
observation variance with weekday factors.

Features are taken by name as they appear: a new one starts at its prior, a missing one is 0. The constant is
always there. The weekday of the variance factor is read from the dummies d0 (Monday) .. d5; none set is
Sunday. The reserved feature "inflation" is no regressor but the day's variance factor (1 if absent).
Time passes with each call of `learn_one`, a value that is not finite included.

Example:
    >>> from datetime import date, timedelta
    >>> model = CalendarRegression()
    >>> for age in range(120):
    ...     weekday = (date(2024, 1, 1) + timedelta(age)).weekday()
    ...     x = {f"d{weekday}": 1.0} if weekday < 6 else {}
    ...     model.learn_one(x, 7.0 + (0.5 if weekday == 4 else 0.0))
    >>> round(model.predict_one({"d4": 1.0}), 2), round(model.predict_one({"d1": 1.0}), 2)
    (7.5, 7.0)
    >>> lower, upper = model.predict_interval_one({"d4": 1.0}, probability=0.95)
    >>> lower < 7.5 < upper
    True
    >>> unseen = model.predict_interval_one({"d4": 1.0, "dec24": 1.0}, probability=0.95)
    >>> unseen[1] - unseen[0] > 5 * (upper - lower)
    True
"""

from collections.abc import Iterable, Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
from river import base

from earlywarn.detection.regression_bank import Floats, Prediction, RegressionBank
from earlywarn.detection.regression_parameters import LEVEL_FEATURE, WEEKDAY_FEATURES, RegressionParameters

INFLATION_FEATURE = "inflation"
SUNDAY = 6


class CalendarRegression(base.Regressor):
    """One calendar regression as a River regressor: x a dict of features, y a log value.

    Args:
        parameters: see `RegressionParameters`; None for the defaults.
        poisson_dispersion: phi of the Poisson floor phi / exp(m) of the observation variance: 1 for the log of a
            count, 0 (the default) for none.
    """

    def __init__(self, parameters: RegressionParameters | None = None, poisson_dispersion: float = 0.0) -> None:
        self.parameters = parameters
        self.poisson_dispersion = poisson_dispersion
        self._bank = self._new_bank((LEVEL_FEATURE,))

    def _new_bank(self, names: Iterable[str]) -> RegressionBank:
        bank = RegressionBank(tuple(names), self.parameters or RegressionParameters(), size=1)
        if self.poisson_dispersion > 0:
            bank.count_of[:] = 0
            bank.dispersion[:] = self.poisson_dispersion
        return bank

    def learn_one(self, x: dict[Any, Any], y: float) -> None:
        """Learn the log value `y` of a day with features `x`, and let a day pass; y not finite = not seen."""
        self._meet(x)
        design, inflation, weekday = self._design(x, self._bank.names)
        self._bank.learn(np.array([float(y)]), design, inflation, weekday)
        self._bank.drift_days(1)

    def predict_one(self, x: dict[Any, Any]) -> float:
        """Return the expected log value of a day with features `x`; 0.0 before anything was learned."""
        return float(self._predict(x).mean[0])

    def predict_interval_one(self, x: dict[Any, Any], probability: float = 0.95) -> tuple[float, float]:
        """Return the central interval (log units) that a day with features `x` falls in with `probability`."""
        prediction = self._predict(x)
        reach = NormalDist().inv_cdf(0.5 + probability / 2) * float(prediction.sd[0])
        return float(prediction.mean[0]) - reach, float(prediction.mean[0]) + reach

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain values and arrays."""
        return {"names": list(self._bank.names), "bank": self._bank.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned under the same parameters."""
        self._bank = self._new_bank(state["names"])
        self._bank.restore(state["bank"])

    def _predict(self, x: Mapping[Any, Any]) -> Prediction:
        bank = self._bank
        unmet = self._unmet(x)
        if unmet:
            bank = self._widened(unmet)
        return bank.predict(*self._design(x, bank.names))

    def _unmet(self, x: Mapping[Any, Any]) -> list[str]:
        return sorted({str(name) for name in x} - set(self._bank.names) - {INFLATION_FEATURE})

    def _meet(self, x: Mapping[Any, Any]) -> None:
        unmet = self._unmet(x)
        if unmet:
            self._bank = self._widened(unmet)

    def _widened(self, unmet: Iterable[str]) -> RegressionBank:
        """Return the bank with the features `unmet` added at their priors, all features in order of name."""
        old = self._bank
        bank = self._new_bank(sorted({*old.names, *unmet}))
        places = np.array([bank.names.index(name) for name in old.names])
        bank.coefficients[:, places] = old.coefficients
        bank.covariance[:, places[:, None], places[None, :]] = old.covariance
        bank.sensitivity[:, :, places] = old.sensitivity
        bank.variance, bank.learned = old.variance.copy(), old.learned.copy()
        bank.weekday_factor = old.weekday_factor.copy()
        return bank

    @staticmethod
    def _design(x: Mapping[Any, Any], names: tuple[str, ...]) -> tuple[Floats, Floats, int]:
        # A feature that is no number today is absent, so that it cannot poison the coefficients.
        named = {str(name): float(value) for name, value in x.items() if np.isfinite(value)} | {LEVEL_FEATURE: 1.0}
        weekday = next((day for day, name in enumerate(WEEKDAY_FEATURES) if named.get(name, 0.0) > 0.5), SUNDAY)
        design = np.array([[named.get(name, 0.0) for name in names]])
        return design, np.array([named.get(INFLATION_FEATURE, 1.0)]), weekday
