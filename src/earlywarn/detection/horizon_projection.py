"""How much of what is known at an origin is still so h days later: local projections, pooled over all series.

A regression's prediction of a day h days ahead errs by what it has not learned yet. Of each series three things are
known at the origin that may tell of that error (in its usual standard deviations):

    f1  the last innovation: what moved today may still be there tomorrow, less so in a month;
    f2  what remained lately of the weekday that is forecast;
    f3  by how much the season would move the series until then. In its first year a season is not told from a level
        that wanders, so by itself none is expected to go on: the share k of it that holds is learned like the rest.

The error of h days ahead is regressed on them, by exponentially weighted least squares with a ridge worth a few days,
the coefficients a of f1 and f2 apart for each horizon, k one for all (a season is one thing), within 0 and 1:

    moments  M[h] = l M[h] + mean_i w_i f_i f_i',   c[h] = l c[h] + mean_i w_i f_i e_i
    (M[h] + ridge I)(a[h], k) = c[h], eliminated for a[h], added up over h for k.

References: Jorda (2005), American Economic Review 95 (local projections); Hoerl and Kennard (1970), Technometrics 12;
Gardner and McKenzie (1985), Management Science 31 (damped seasons and trends forecast better than full ones).

Example:
    >>> projection = HorizonProjection(ForecastParameters(horizon_days=2))
    >>> for value in [1.0, -1.0] * 100:
    ...     features = np.array([[[value, 0.0, 0.0]], [[value, 0.0, 0.0]]])
    ...     projection.learn(np.array([1, 2]), features, np.array([[0.5 * value], [0.2 * value]]), np.ones((2, 1)))
    >>> near, season = projection.coefficients()
    >>> near.round(2).tolist(), season
    ([[0.49, 0.0], [0.2, 0.0]], 0.0)
"""

from typing import Any

import numpy as np

from earlywarn.detection.day_scores import Floats, Integers
from earlywarn.detection.forecast_parameters import ForecastParameters

NEAR = 2
"""Features with a coefficient for each horizon: the last innovation, and what remained of the weekday."""
_FEATURES = NEAR + 1


class HorizonProjection:
    """The coefficients of each horizon 1 .. H days.

    Args:
        parameters: see `ForecastParameters`.

    Attributes:
        moments: float64[H, 3, 3], M. cross: float64[H, 3], c.
    """

    def __init__(self, parameters: ForecastParameters) -> None:
        self.parameters = parameters
        self.moments = np.zeros((parameters.horizon_days, _FEATURES, _FEATURES))
        self.cross = np.zeros((parameters.horizon_days, _FEATURES))

    def coefficients(self) -> tuple[Floats, float]:
        """Return a, float64[H, 2], and k within 0 and 1; all 0 where nothing is learned."""
        ridge, near = self.parameters.start_days, slice(NEAR)
        beside = self.moments[:, near, NEAR]
        right = np.stack([self.cross[:, near], beside], axis=2)
        alone, shift = np.moveaxis(np.linalg.solve(self.moments[:, near, near] + ridge * np.eye(NEAR), right), 2, 0)
        told = self.cross[:, NEAR].sum() - (beside * alone).sum()
        known = self.moments[:, NEAR, NEAR].sum() - (beside * shift).sum()
        season = min(max(float(told / (known + ridge)), 0.0), 1.0)
        return alone - season * shift, season

    def learn(self, ages: Integers, features: Floats, errors: Floats, weight: Floats) -> None:
        """Take in what a day says of n earlier origins.

        Args:
            ages: int64[n], how many days ago they were, each 1 .. H.
            features: float64[n, M, 3], what was known then.
            errors: float64[n, M], by how much the day lies above what the regressions of then expect.
            weight: float64[n, M], w, 0 where nothing is said.
        """
        self.moments *= self.parameters.memory
        self.cross *= self.parameters.memory
        said = np.maximum((weight > 0).sum(axis=1), 1)
        weighted = features * (weight / said[:, None])[:, :, None]
        self.moments[ages - 1] += np.matmul(weighted.transpose(0, 2, 1), features)
        self.cross[ages - 1] += np.einsum("nmf,nm->nf", weighted, errors)

    def state(self) -> dict[str, Any]:
        """Return what was learned as arrays."""
        return {"moments": self.moments.copy(), "cross": self.cross.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same horizon."""
        self.moments, self.cross = state["moments"].copy(), state["cross"].copy()
