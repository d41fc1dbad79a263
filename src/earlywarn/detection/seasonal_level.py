"""A level that follows a series, with or without a profile of the time within a period.

With the profile s interpolated between the two nearest of B equally spaced times of the period (weights w, 1 - w),

    forecast   f = level + s(t)
    learning   e = y - f,  h = clip(e, -c r, c r),  level += a h,  s_b += w_b g_b h,  g_b = max(g, 1 / (1 + seen_b))
    scale      r += (clip(|e|, 0, c r) - r) max(m, 1 / n)

so one outlier moves neither level nor profile by much. After `hold` errors in a row beyond the clip on
one side, the level is the median that they imply at once: a lasting shift is the new normal. The period is known
(`mature`) when most of the times of late had been met in two earlier periods.

Reference: Gelper, Fried and Croux (2010), Robust forecasting with exponential and Holt-Winters smoothing,
Journal of Forecasting 29.

Example:
    >>> model = SeasonalLevel(period_seconds=86_400.0, bins=24, level_gain=0.05)
    >>> for hour in range(24 * 8):
    ...     accepted = model.learn(3600.0 * hour, 10.0 + 5.0 * (hour % 24 >= 12))
    >>> model.mature, round(model.forecast(3600.0 * 195)), round(model.forecast(3600.0 * 207)), accepted
    (True, 10, 15, False)
"""

import math
from collections.abc import Callable
from statistics import median
from typing import Any

CLIP = 3.0
"""c, in mean absolute errors."""
START = 24
"""Observations that are not clipped."""
ERROR_MAX = 100.0
"""Mean errors that one error counts as at most in the mean of all time."""
PROFILE_GAIN = 0.08
SCALE_GAIN = 0.01
TWICE = 2
MATURE_SHARE = 0.9
"""Share of the observations of late that must be of times met in two earlier periods."""
STALE_SHARE = 0.5
"""The same, below which a period that was known is known no longer."""
STATE = ("level", "scale", "mean_error", "count", "familiar", "error", "_above", "mature")
LISTS = ("profile", "seen", "met", "met_in", "implied")


class SeasonalLevel:
    """One way to forecast a series from its level and the time.

    Args:
        period_seconds: length of the period; 0 for none.
        bins: B, times of the period with an effect of their own.
        level_gain: a, weight of an observation in the level (0..1).
        hold: errors in a row that make a new level.

    Attributes:
        level: unit of the series.
        scale: r, mean absolute error (the same unit); mean_error: the same of all time.
        count: observations. familiar: share of the observations of late whose time of the period was known.
        mature: whether the period is known well enough to forecast by it.
        error: exponentially weighted mean absolute error of late, large errors included up to 2 c r.
    """

    def __init__(self, *, period_seconds: float, bins: int, level_gain: float, hold: int = 24) -> None:
        self.period_seconds, self.bins, self.level_gain, self.hold = period_seconds, bins, level_gain, hold
        self.level = self.scale = self.mean_error = self.error = self.familiar = 0.0
        self.count = 0
        self.mature = False
        self._profile = [0.0] * bins
        self._seen = [0.0] * bins
        self._met = [0] * bins
        self._met_in = [-1.0] * bins
        self._implied: list[float] = []
        self._above = False

    def _place(self, seconds: float) -> tuple[int, int, float]:
        at = seconds % self.period_seconds / self.period_seconds * self.bins
        low = int(at)
        return low % self.bins, (low + 1) % self.bins, at - low

    def forecast(self, seconds: float) -> float:
        """Return the value expected at `seconds` (epoch, local)."""
        if not self.bins:
            return self.level
        low, high, share = self._place(seconds)
        return self.level + (1 - share) * self._profile[low] + share * self._profile[high]

    def learn(self, seconds: float, value: float) -> bool:
        """Take in a finite value at `seconds`; return whether a lasting shift has just become the level."""
        self.count += 1
        if self.count == 1:
            self.level = value
        error = value - self.forecast(seconds)
        size = abs(error)
        self.mean_error += (min(size, ERROR_MAX * self.mean_error or size) - self.mean_error) / self.count
        # At first there is nothing to clip by; later, what hardly ever moved must still be able to.
        limit = math.inf if self.count <= START else CLIP * max(self.scale, 1e-3 * self.mean_error)
        held = max(-limit, min(limit, error))
        self.level += held * max(self.level_gain, 1 / self.count)
        self.scale += (min(size, limit) - self.scale) * max(SCALE_GAIN, 1 / self.count)
        if self.bins:
            self._learn_profile(seconds, held)
        self.error += (min(size, 2 * limit) - self.error) * max(SCALE_GAIN, 1 / self.count)
        return self._accept(error, lambda: value - self.forecast(seconds) + self.level, beyond=size > limit)

    def _learn_profile(self, seconds: float, held: float) -> None:
        low, high, share = self._place(seconds)
        cycle, known = seconds // self.period_seconds, 0.0
        for place, weight in ((low, 1 - share), (high, share)):
            if not weight:
                continue
            if cycle != self._met_in[place]:
                self._met[place] += 1
                self._met_in[place] = cycle
            known += weight * (self._met[place] > TWICE)
            gain = max(PROFILE_GAIN, 1 / (1 + self._seen[place]))
            self._profile[place] += weight * gain * held
            self._seen[place] += weight
        # Over about a third of the period's times, so that no corner of it is forgotten for long.
        self.familiar += (known - self.familiar) / max(8.0, self.bins / 3)
        self.mature = self.familiar >= (STALE_SHARE if self.mature else MATURE_SHARE)

    def _accept(self, error: float, implied: Callable[[], float], *, beyond: bool) -> bool:
        """Collect the levels that errors in a row on one side imply; take their median for the level in the end."""
        if not beyond or (error > 0) != self._above:
            self._implied.clear()
        self._above = error > 0
        if beyond:
            self._implied.append(implied())
        if len(self._implied) < self.hold:
            return False
        self.level = median(self._implied)
        self._implied.clear()
        return True

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain values."""
        lists = {name: list(getattr(self, f"_{name}")) for name in LISTS}
        return {name: getattr(self, name) for name in STATE} | lists

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned under the same parameters."""
        for name in STATE:
            setattr(self, name, state[name])
        for name in LISTS:
            setattr(self, f"_{name}", list(state[name]))
