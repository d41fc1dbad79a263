"""Anomaly score of one series of any frequency, online: forecast, evidence over short windows, tail rank.

For each observation y at time t, with what was learned before:

 1. deviation   d = y - b, b the forecast of the best of several `SeasonalLevel`s (no period, day, week, year), each
    weighted by error^-8 of late; r is the mean absolute d, with a factor of the half hour of the day;
 2. innovation  e = d - sum_j phi_j d_-j, an autoregression of order 3 by recursive least squares, forgetting;
 3. evidence    spike |e| / q, shifts |m_a| / r where m_a averages d over about 1/a observations, a burst (mean
    of |e| / q over about 12), and a freeze (how often the value has repeated), all as log(1 + x);
 4. p-values    each statistic's `TailRank` among its own past; p = the least of them times their effective number;
 5. score       1 / (1 + (p / p0)^k), with p drawn towards 1 while little is known, and no less than 4 (n + 1)^-2 after
    n observations: a ceiling of the score, which outliers of any size and clear steps share and which rises with n.

So the score is 0.5 where p = p0 (one in a thousand by default) and near 1 for what the past makes all but impossible,
whatever the noise is like. Every observation is learned, outliers with bounded weight; what repeats becomes usual.

Input x: {"value": a number, "timestamp": epoch seconds of local time}. A value that is not finite is no news and
scores 0.0; a missing timestamp is the last one plus the usual step. Units: any, the score is free of them.

References: Ahmad, Lavin, Purdy and Agha (2017), Unsupervised real-time anomaly detection for streaming data,
Neurocomputing 262; Lavin and Ahmad (2015), Numenta Anomaly Benchmark, ICMLA (likelihood of recent errors); and those
of `tail_rank` and `seasonal_level`.

Example:
    >>> import math
    >>> model = UnivariateAnomaly()
    >>> def value(hour):
    ...     return 20 + 5 * math.sin(hour * math.pi / 12) + math.sin(hour * hour)
    >>> for hour in range(400):
    ...     model.learn_one({"timestamp": 3600.0 * hour, "value": value(hour)})
    >>> usual = model.score_one({"timestamp": 3600.0 * 400, "value": value(400)})
    >>> spike = model.score_one({"timestamp": 3600.0 * 400, "value": value(400) + 12})
    >>> usual < 0.3, spike > 0.95
    (True, True)
"""

import math
from collections import deque
from statistics import NormalDist, median
from typing import Any

import msgspec
from river import base

from earlywarn.detection.autoregression import Autoregression
from earlywarn.detection.seasonal_level import SeasonalLevel
from earlywarn.detection.tail_rank import TailRank
from earlywarn.detection.univariate_parameters import UnivariateParameters

DAY_SECONDS, WEEK_SECONDS, YEAR_SECONDS = 86_400.0, 604_800.0, 31_556_952.0
HALF_HOURS = 48
SHIFT_RATES = (0.3, 0.1, 0.03)
BURST_RATE = 0.08
REPEATS_MAX = 100
STEPS_KEPT = 15
START = tuple(NormalDist().inv_cdf(0.5 + (place + 0.5) / 80) for place in range(40))
"""Absolute values of a normal law, which the past of a statistic starts with."""
STATISTICS = ("spike", *(f"shift_{rate}" for rate in SHIFT_RATES), "burst", "freeze")
SCALE_MIN = {name: 0.6 if name == "freeze" else 0.05 for name in STATISTICS}
"""Smallest scale of each statistic's tail."""
MEAN_OF_START = sum(START) / len(START)
ORDER = 3
PRICE = 4.0
"""What the least of the p-values is multiplied with: their effective number, for they are correlated."""
CHOICE = 8
"""How strongly a level is preferred for a smaller error: weights are powers of it."""
START_SCALE = 10
Z_MAX = 1e12
MOVE_MAX = 100.0
"""Mean moves that one move counts as at most."""
SLOT_GAIN = 0.05
PLAIN = ("_count", "_repeats", "_deviation_scale", "_innovation_scale", "_movement", "_burst")


class _Assessment(msgspec.Struct, frozen=True):
    """An observation as the model sees it before learning it.

    `statistics` in the order of STATISTICS; `shifts` are the new averages of d / r; `burst` that of |e| / q.
    """

    seconds: float
    value: float
    gap: bool
    slot: int
    deviation: float
    innovation: float
    shifts: tuple[float, ...]
    burst: float
    repeats: int
    statistics: tuple[float, ...]
    least_p: float


class UnivariateAnomaly(base.AnomalyDetector):
    """One series, in River's interface: x a dict with "value" and "timestamp", score in [0, 1].

    Args:
        parameters: see `UnivariateParameters`; None for the defaults.
        value: name of the observation in x.
        timestamp: name of its time in x, epoch seconds of local time.
    """

    def __init__(
        self, parameters: UnivariateParameters | None = None, value: str = "value", timestamp: str = "timestamp"
    ) -> None:
        self.parameters, self.value, self.timestamp = parameters, value, timestamp
        settings = self._settings = parameters or UnivariateParameters()
        gain = settings.level_gain
        self._levels = [
            SeasonalLevel(period_seconds=0.0, bins=0, level_gain=gain),
            SeasonalLevel(period_seconds=DAY_SECONDS, bins=HALF_HOURS, level_gain=gain / 2),
            SeasonalLevel(period_seconds=WEEK_SECONDS, bins=7 * HALF_HOURS, level_gain=gain / 2),
            SeasonalLevel(period_seconds=YEAR_SECONDS, bins=12, level_gain=gain / 2),
        ]
        self._autoregression = Autoregression(order=ORDER, forgetting=settings.forgetting)
        self._ranks = [TailRank(_start(name), window=settings.window, scale_min=SCALE_MIN[name]) for name in STATISTICS]
        self._count = self._repeats = 0
        self._deviation_scale = self._innovation_scale = self._movement = 0.0
        self._slot_factor = [1.0] * HALF_HOURS
        self._shifts = (0.0,) * len(SHIFT_RATES)
        self._burst = 1.0
        self._last: tuple[float, float] | None = None
        self._steps: deque[float] = deque(maxlen=STEPS_KEPT)

    def score_one(self, x: dict[Any, Any]) -> float:
        """Return how unusual the observation is, 0 to 1; 0.0 without a finite value."""
        seen = self._assess(x)
        return 0.0 if seen is None else self._score(seen)

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Learn the observation; without a finite value it is no news."""
        seen = self._assess(x)
        if seen is not None:
            self._learn(seen)

    def score_and_learn_one(self, x: dict[Any, Any]) -> float:
        """Return `score_one(x)` after `learn_one(x)`, at the cost of one of them."""
        seen = self._assess(x)
        if seen is None:
            return 0.0
        score = self._score(seen)
        self._learn(seen)
        return score

    def _score(self, seen: _Assessment) -> float:
        settings = self._settings
        trust = self._count / (self._count + settings.start_observations)
        # So few observations cannot say how rare something is beyond this.
        least_p = max(seen.least_p, (self._count + 1) ** -2.0)
        p = min(1.0, PRICE * least_p) ** trust
        return float(1 / (1 + (p / settings.p_half) ** settings.steepness))

    def _assess(self, x: dict[Any, Any]) -> _Assessment | None:
        value = _finite(x.get(self.value))
        if value is None:
            return None
        settings = self._settings
        seconds = _finite(x.get(self.timestamp))
        usual = median(self._steps) if self._steps else 0.0
        if seconds is None:
            seconds = 0.0 if self._last is None else self._last[0] + usual
        gap = self._last is not None and bool(usual) and seconds - self._last[0] > settings.gap_steps * usual
        slot = int(seconds % DAY_SECONDS * HALF_HOURS / DAY_SECONDS) % HALF_HOURS
        deviation = value - self._forecast(seconds) if self._count else 0.0
        # The smallest scale that makes sense: a thousandth of what the series moves from one row to the next.
        least = 1e-3 * self._movement + 1e-9 * abs(value) + 1e-300
        scale = max(self._deviation_scale, least)
        expected = 0.0 if gap else self._autoregression.forecast() * scale
        innovation = deviation - expected
        spread = scale if gap else max(self._innovation_scale, least)
        z = abs(innovation) / (spread * self._slot_factor[slot])
        unit = max(-settings.clip, min(settings.clip, deviation / scale))
        shifts = tuple(old + rate * (unit - old) for rate, old in zip(SHIFT_RATES, self._shifts, strict=True))
        burst = self._burst + BURST_RATE * (min(z, settings.clip) - self._burst)
        frozen = self._last is not None and value == self._last[1]
        repeats = min(self._repeats + 1, REPEATS_MAX) if frozen else 0
        statistics = (
            math.log1p(min(z, Z_MAX)),
            *(math.log1p(abs(m) / math.sqrt(rate / (2 - rate))) for rate, m in zip(SHIFT_RATES, shifts, strict=True)),
            math.log1p(burst),
            math.log1p(repeats) if self._movement > 0 else 0.0,  # what has never moved cannot freeze
        )
        least_p = min(rank.p(statistic) for rank, statistic in zip(self._ranks, statistics, strict=True))
        return _Assessment(
            seconds=seconds,
            value=value,
            gap=gap,
            slot=slot,
            deviation=deviation,
            innovation=innovation,
            shifts=shifts,
            burst=burst,
            repeats=repeats,
            statistics=statistics,
            least_p=least_p,
        )

    def _forecast(self, seconds: float) -> float:
        """Return the forecast of the levels that know their period, each by its error of late."""
        known = [level for level in self._levels if not level.bins or level.mature]
        best = min(level.error for level in known)
        if best <= 0:
            return next(level for level in known if level.error <= 0).forecast(seconds)
        weights = [(best / level.error) ** CHOICE for level in known]
        total = sum(weights)
        return sum(weight * level.forecast(seconds) for weight, level in zip(weights, known, strict=True)) / total

    def _learn(self, seen: _Assessment) -> None:
        settings = self._settings
        self._count += 1
        if self._last is not None:
            move = abs(seen.value - self._last[1])
            self._movement += (min(move, MOVE_MAX * self._movement or move) - self._movement) / self._count
            if seen.seconds > self._last[0]:
                self._steps.append(seen.seconds - self._last[0])
        if self._count > settings.start_observations:
            for rank, statistic in zip(self._ranks[:-1], seen.statistics[:-1], strict=True):
                rank.learn(statistic)
            if not 0 < seen.repeats < REPEATS_MAX:
                # A freeze is one event, however long: its length is learned when it ends, or at the most.
                self._ranks[-1].learn(math.log1p(max(seen.repeats, self._repeats)))
        accepted = [level.learn(seen.seconds, seen.value) for level in self._levels]
        self._learn_scales(seen)
        self._shifts = (0.0,) * len(SHIFT_RATES) if any(accepted) else seen.shifts
        self._burst, self._repeats = seen.burst, seen.repeats
        if seen.gap:
            self._autoregression.break_off()
        if self._deviation_scale > 0:
            unit = seen.deviation / self._deviation_scale
            self._autoregression.learn(max(-settings.clip, min(settings.clip, unit)))
        self._last = (seen.seconds, seen.value)

    def _learn_scales(self, seen: _Assessment) -> None:
        gain, clip = max(self._settings.scale_gain, 1 / self._count), self._settings.clip
        if self._count <= START_SCALE:
            # The mean so far: there is nothing yet to clip by.
            self._deviation_scale += (abs(seen.deviation) - self._deviation_scale) / self._count
            self._innovation_scale += (abs(seen.innovation) - self._innovation_scale) / self._count
            return
        least = 1e-3 * self._movement
        scale = max(self._deviation_scale, least)
        self._deviation_scale = scale + gain * (min(abs(seen.deviation), clip * scale) - scale)
        if not seen.gap:
            spread = max(self._innovation_scale, least)
            size = min(abs(seen.innovation), clip * spread)
            self._innovation_scale = spread + gain * (size - spread)
            if spread > 0:
                factor = self._slot_factor[seen.slot]
                self._slot_factor[seen.slot] = factor + SLOT_GAIN * (min(size / spread, 3.0) - factor)

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain values, for `domain.state.encode_state`."""
        return {name: getattr(self, name) for name in PLAIN} | {
            "levels": [level.state() for level in self._levels],
            "autoregression": self._autoregression.state(),
            "ranks": [rank.state() for rank in self._ranks],
            "slot_factor": list(self._slot_factor),
            "shifts": list(self._shifts),
            "last": None if self._last is None else list(self._last),
            "steps": list(self._steps),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned under the same parameters."""
        for name in PLAIN:
            setattr(self, name, state[name])
        for level, saved in zip(self._levels, state["levels"], strict=True):
            level.restore(saved)
        self._autoregression.restore(state["autoregression"])
        for rank, saved in zip(self._ranks, state["ranks"], strict=True):
            rank.restore(saved)
        self._slot_factor, self._shifts = list(state["slot_factor"]), tuple(state["shifts"])
        self._last = None if state["last"] is None else (state["last"][0], state["last"][1])
        self._steps = deque(state["steps"], maxlen=STEPS_KEPT)


def _start(name: str) -> list[float]:
    """Return what a statistic's past starts with: its values for normal noise around a fitting forecast."""
    if name == "freeze":
        return [0.0] * len(START)
    if name == "burst":
        return [math.log1p(1 + 0.15 * sign * value) for value in START[::2] for sign in (-1, 1)]
    return [math.log1p(value / MEAN_OF_START) for value in START]


def _finite(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
