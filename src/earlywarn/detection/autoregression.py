"""Autoregression of a stream of deviations around zero, by recursive least squares with forgetting.

With the last p deviations x (in units of a scale, clipped) and the coming one y,

    forecast   f = phi'x
    gain       k = P x / (l + x'P x)
    learning   phi += k (y - f),   P = (P - k (P x)') / l,   the diagonal of P kept at most `prior`

p is small, so plain floats are faster than arrays.

Reference: Ljung (1999), System Identification, chapter 11.

Example:
    >>> model = Autoregression(order=1, forgetting=0.99)
    >>> for y in [1.0, 0.5, 0.25, 0.125] * 50:
    ...     model.learn(y)
    >>> model.break_off()
    >>> model.forecast()
    0.0
"""

from typing import Any

PRIOR = 1.0


class Autoregression:
    """One step ahead from the last `order` values.

    Args:
        order: p.
        forgetting: l, weight of the past per value (0..1).
    """

    def __init__(self, *, order: int, forgetting: float) -> None:
        self.order, self.forgetting = order, forgetting
        self._coefficients = [0.0] * order
        self._covariance = [[PRIOR * (row == column) for column in range(order)] for row in range(order)]
        self._lags = [0.0] * order

    def forecast(self) -> float:
        """Return the value expected next; 0.0 after `break_off`."""
        return sum(map(float.__mul__, self._coefficients, self._lags))

    def learn(self, value: float) -> None:
        """Take in a finite value, in units of the scale."""
        lags, forgetting = self._lags, self.forgetting
        projected = [sum(map(float.__mul__, row, lags)) for row in self._covariance]
        strength = forgetting + sum(map(float.__mul__, lags, projected))
        error = value - self.forecast()
        for row, (own, covariance) in enumerate(zip(projected, self._covariance, strict=True)):
            gain = own / strength
            self._coefficients[row] += gain * error
            for column, other in enumerate(projected):
                covariance[column] = (covariance[column] - gain * other) / forgetting
        self._limit()
        self._lags = [value, *lags[:-1]]

    def _limit(self) -> None:
        """Keep what is not excited from growing without end; scaling rows and columns keeps P positive definite."""
        for place in range(self.order):
            excess = self._covariance[place][place] / PRIOR
            if excess > 1:
                factor = excess**-0.5
                for other in range(self.order):
                    self._covariance[place][other] *= factor
                    self._covariance[other][place] *= factor

    def break_off(self) -> None:
        """Forget the last values, not what they taught: after a gap they say nothing of the next."""
        self._lags = [0.0] * self.order

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain values."""
        return {
            "coefficients": list(self._coefficients),
            "covariance": [list(row) for row in self._covariance],
            "lags": list(self._lags),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned under the same parameters."""
        self._coefficients, self._lags = list(state["coefficients"]), list(state["lags"])
        self._covariance = [list(row) for row in state["covariance"]]
