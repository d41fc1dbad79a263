"""Drift of the models: does a series' whitened residual keep away from its own mean?

Each series has River's PageHinkley on its whitened, standardised residual u (mean 0, sd 1 while the model fits):

    U' = a U + u - mean(u) - delta,   alarm when U - min U > lambda,   and likewise downwards.

The onset bank sees steps within its window; this sees what is slower, a creeping drift that the random-walk
level does not follow, and is not about the economy: the answer is that the model re-learns its level. For
independent normal u the mean time between false alarms of a series is about exp(2 delta lambda) / (2 delta^2) days.

Why PageHinkley and not ADWIN: River's ADWIN keeps its buckets in C++ and gives them out only by pickle, which
snapshots must not hold; rebuilding it from a stored window of a year would cost 98 x 365 numbers and is no longer the
same state, since its buckets depend on all that was dropped before. PageHinkley is plain Python, six numbers a series.

Reference: Page, E. S. (1954), Continuous inspection schemes, Biometrika 41; river.drift.PageHinkley.

Example:
    >>> monitor = DriftMonitor(DriftParameters(), size=2)
    >>> for day in range(200):
    ...     noise = 1.0 if day % 2 else -1.0
    ...     drift = monitor.learn(np.array([noise, noise + (2.0 if day > 100 else 0.0)]), np.ones(2, dtype=bool))
    ...     if drift.any():
    ...         print(day, drift.tolist())
    115 [False, True]
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from river import drift

from earlywarn.detection.drift_parameters import DriftParameters

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

STATE_COLUMNS = 6
"""count and mean of the values, both sums, their extremes, in this order; see `_export`."""


class DriftMonitor:
    """One PageHinkley for each of M series.

    Args:
        parameters: see `DriftParameters`.
        size: M.
    """

    def __init__(self, parameters: DriftParameters, *, size: int = 0) -> None:
        self.parameters = parameters
        self._tests = [self._new_test() for _ in range(size)]

    def _new_test(self) -> drift.PageHinkley:
        parameters = self.parameters
        return drift.PageHinkley(
            min_instances=parameters.min_days,
            delta=parameters.delta,
            threshold=parameters.threshold,
            alpha=parameters.memory,
        )

    def learn(self, residuals: Floats, seen: Flags) -> Flags:
        """Take the day's `residuals` [M] of the series `seen` and return bool[M]: who drifts; those start afresh."""
        drifting = np.zeros(len(self._tests), dtype=bool)
        for place, (test, value) in enumerate(zip(self._tests, residuals.tolist(), strict=True)):
            if seen[place]:
                test.update(value)  # type: ignore[no-untyped-call] # River's
                drifting[place] = test.drift_detected
        return drifting

    def reset(self, series: Flags) -> None:
        """Start the flagged series afresh, as after a level that was accepted."""
        for place in np.flatnonzero(series):
            self._tests[place] = self._new_test()

    def embed(self, places: Integers, size: int) -> None:
        """Lay the series out anew: old series i stands at `places[i]` of `size`."""
        tests = [self._new_test() for _ in range(size)]
        for place, test in zip(places.tolist(), self._tests, strict=True):
            tests[place] = test
        self._tests = tests

    def state(self) -> dict[str, Any]:
        """Return what was learned: float64[M, 6] and the tests that have just alarmed."""
        rows = [_export(test) for test in self._tests]
        alarmed = [test.drift_detected for test in self._tests]
        return {"tests": np.array(rows).reshape(-1, STATE_COLUMNS), "alarmed": np.array(alarmed, dtype=bool)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned."""
        self._tests = []
        for row, alarmed in zip(state["tests"].tolist(), state["alarmed"].tolist(), strict=True):
            test = self._new_test()
            _import(test, row, alarmed=alarmed)
            self._tests.append(test)


def _export(test: drift.PageHinkley) -> list[float]:
    # River keeps these private; the estimator's own test holds them against its future outputs.
    mean = test._x_mean  # noqa: SLF001
    return [
        mean.n,
        mean.get(),
        test._sum_increase,  # noqa: SLF001
        test._sum_decrease,  # noqa: SLF001
        test._min_increase,  # noqa: SLF001
        test._max_decrease,  # noqa: SLF001
    ]


def _import(test: drift.PageHinkley, row: list[float], *, alarmed: bool) -> None:
    count, mean, sum_increase, sum_decrease, min_increase, max_decrease = row
    test._sum_increase, test._sum_decrease = sum_increase, sum_decrease  # noqa: SLF001
    # River starts the maximum at the integer -1; as a float it compares the same.
    test._min_increase, test._max_decrease = min_increase, max_decrease  # type: ignore[assignment] # noqa: SLF001
    test._x_mean = type(test._x_mean)._from_state(count, mean)  # noqa: SLF001
    test._drift_detected = alarmed  # noqa: SLF001
