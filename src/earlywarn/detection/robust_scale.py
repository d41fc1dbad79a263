"""Online robust variance and scale: exponentially weighted, Huberised.

Computes, for residuals e around 0 and a running variance v,

    v' = l v + (1 - l) k min(e^2, c^2 v),        scale = sqrt(v),

with l growing from a fast start to its final value, l(n) = min(l_max, max(l_min, 1 - 1/(n+1))). A single
outlier moves v by at most the factor l + (1 - l) k c^2, whatever its size; a true change of scale is
followed geometrically. With c = 3 a normal residual loses half a per cent of its square to the clip; k
makes up for that and for tails a little heavier than normal.

Reference: Gelper, S., Fried, R. and Croux, C. (2010), Robust forecasting with exponential and Holt-Winters
smoothing, Journal of Forecasting 29, section 3 (recursive scale with a bounded loss), here with Huber's loss.

Example:
    >>> scale = RobustScale()
    >>> for e in [1.0, -1.2, 0.8, -0.9, 1.1, 1000.0, -1.0]:
    ...     scale.update(e)
    >>> round(scale.get(), 2)
    1.36
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from river import stats

from earlywarn.detection.scale_parameters import ScaleParameters

_LARGEST = 1e150
"""Its square is a number still."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def memory_at(count: Floats | Integers, parameters: ScaleParameters) -> Floats:
    """Return l(n), the weight of the past after `count` observations (any shape)."""
    return np.clip(1.0 - 1.0 / np.maximum(count, 1.0), parameters.memory_start, parameters.memory)


def next_variance(variance: Floats, squared: Floats, memory: Floats, parameters: ScaleParameters) -> Floats:
    """Return v' for squared residuals e^2; shapes broadcast."""
    clipped = np.minimum(squared, parameters.clip**2 * variance)
    return memory * variance + (1.0 - memory) * parameters.consistency * clipped


class RobustScale(stats.base.Univariate):
    """Robust scale of a stream of residuals around zero, in River's interface.

    Args:
        parameters: see `ScaleParameters`; None for the defaults.

    A residual that is not finite is ignored. `get` is 0.0 until the first residual, whose size is the start.
    """

    def __init__(self, parameters: ScaleParameters | None = None) -> None:
        self.parameters = parameters
        self._variance = 0.0
        self._count = 0

    def update(self, x: float) -> None:
        """Take the residual `x` (any unit)."""
        if not np.isfinite(x):
            return
        self._count += 1
        squared = np.array(min(abs(float(x)), _LARGEST) ** 2)
        if self._variance == 0.0:
            self._variance = float(squared)
            return
        parameters = self.parameters or ScaleParameters()
        memory = memory_at(np.array(float(self._count)), parameters)
        self._variance = float(next_variance(np.array(self._variance), squared, memory, parameters))

    def get(self) -> float:
        """Return the scale in the residuals' unit."""
        return float(np.sqrt(self._variance))

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain values."""
        return {"variance": self._variance, "count": self._count}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._variance, self._count = float(state["variance"]), int(state["count"])
