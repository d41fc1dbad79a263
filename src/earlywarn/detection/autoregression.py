"""Autoregression of a stream of deviations around zero, by least squares with forgetting and a ridge.

With the last p deviations x (in units of a scale, clipped) and the coming one y,

    moments    M = l M + x x',   c = l c + x y
    forecast   f = phi'x,   (M + ridge I) phi = c

The moments are leaky sums, so rounding errors die out as the past does; the recursive form, which updates the inverse
of M, lets them grow by 1/l a step and diverges in a long series. p is small, so plain floats are faster than arrays.

Reference: Ljung (1999), System Identification, chapter 11; Hoerl and Kennard (1970), Technometrics 12 (ridge).

Example:
    >>> model = Autoregression(order=2, forgetting=0.99)
    >>> for y in [1.0, 0.0, -1.0, 0.0] * 200:
    ...     model.learn(y)
    >>> 0.9 < model.forecast() < 1.0
    True
    >>> model.break_off()
    >>> model.forecast()
    0.0
"""

from typing import Any

RIDGE = 5.0


class Autoregression:
    """One step ahead from the last `order` values.

    Args:
        order: p.
        forgetting: l, weight of the past per value (0..1).
    """

    def __init__(self, *, order: int, forgetting: float) -> None:
        self.order, self.forgetting = order, forgetting
        self._coefficients = [0.0] * order
        self._moments = [[0.0] * order for _ in range(order)]
        self._cross = [0.0] * order
        self._lags = [0.0] * order

    def forecast(self) -> float:
        """Return the value expected next; 0.0 after `break_off`."""
        return sum(map(float.__mul__, self._coefficients, self._lags))

    def learn(self, value: float) -> None:
        """Take in a finite value, in units of the scale."""
        lags, forgetting = self._lags, self.forgetting
        for place, (own, moments) in enumerate(zip(lags, self._moments, strict=True)):
            for other in range(self.order):
                moments[other] = forgetting * moments[other] + own * lags[other]
            self._cross[place] = forgetting * self._cross[place] + own * value
        self._coefficients = self._solved()
        self._lags = [value, *lags[:-1]]

    def _solved(self) -> list[float]:
        """Return phi by elimination; the ridge keeps every pivot well above 0, so none has to be chosen."""
        order, right = self.order, list(self._cross)
        left = [list(row) for row in self._moments]
        for place in range(order):
            left[place][place] += RIDGE
        for pivot in range(order):
            for row in range(pivot + 1, order):
                share = left[row][pivot] / left[pivot][pivot]
                right[row] -= share * right[pivot]
                for column in range(pivot, order):
                    left[row][column] -= share * left[pivot][column]
        for row in reversed(range(order)):
            known = sum(left[row][column] * right[column] for column in range(row + 1, order))
            right[row] = (right[row] - known) / left[row][row]
        return right

    def break_off(self) -> None:
        """Forget the last values, not what they taught: after a gap they say nothing of the next."""
        self._lags = [0.0] * self.order

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain values."""
        return {
            "coefficients": list(self._coefficients),
            "moments": [list(row) for row in self._moments],
            "cross": list(self._cross),
            "lags": list(self._lags),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned under the same parameters."""
        self._coefficients, self._lags = list(state["coefficients"]), list(state["lags"])
        self._moments, self._cross = [list(row) for row in state["moments"]], list(state["cross"])
