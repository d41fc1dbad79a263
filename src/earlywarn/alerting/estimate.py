"""The one estimate behind an alert's size, interval and probability.

It is what was seen since the alert's first day against what was expected of these days before it began, as in
`detection.effect_bank`; here the sums are those of one episode, for as long as it lasts.
"""

import functools
import math
from collections.abc import Iterable
from statistics import NormalDist

import msgspec
import numpy as np

from earlywarn.detection.day_scores import MEASURES, Effects, Floats
from earlywarn.detection.effect_bank import LEAST_TICKET, log_effect
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure

_NORMAL = NormalDist()
_TINY = 1e-12
NEARER = 0.5
"""Share of a log effect from which another one is nearer to it than to nothing."""


class Sums(msgspec.Struct, frozen=True):
    """What was seen and expected on some days.

    Transactions, amounts (minor units), and of each of MEASURES the variance of the log effect times the square of
    what was expected (see `day_scores.Effects.spread`).
    """

    days: int
    transactions: float
    amount: float
    expected_transactions: float
    expected_amount: float
    spread: tuple[float, float, float]

    def plus(self, other: "Sums") -> "Sums":
        """Return the sums over the days of both."""
        return Sums(
            self.days + other.days,
            self.transactions + other.transactions,
            self.amount + other.amount,
            self.expected_transactions + other.expected_transactions,
            self.expected_amount + other.expected_amount,
            tuple(one + more for one, more in zip(self.spread, other.spread, strict=True)),  # type: ignore[arg-type]
        )

    def without(self, part: "Sums") -> "Sums":
        """Return the sums over the days that are not those of a part."""
        return Sums(
            self.days - part.days,
            self.transactions - part.transactions,
            self.amount - part.amount,
            self.expected_transactions - part.expected_transactions,
            self.expected_amount - part.expected_amount,
            tuple(max(whole - one, 0.0) for whole, one in zip(self.spread, part.spread, strict=True)),  # type: ignore[arg-type]
        )

    def observed(self, measure: Measure) -> float | None:
        """Return what was seen; None for the mean of no tickets."""
        if measure == "mean_ticket":
            return self.amount / self.transactions if self.transactions > 0 else None
        return self.transactions if measure == "transactions" else self.amount

    def expected(self, measure: Measure) -> float | None:
        """Return what was expected; None if nothing was."""
        if min(self.expected_transactions, self.expected_amount) <= 0:
            return None
        if measure != "transactions" and self.expected_amount < LEAST_TICKET * self.expected_transactions:
            return None
        if measure == "mean_ticket":
            return self.expected_amount / self.expected_transactions
        return self.expected_transactions if measure == "transactions" else self.expected_amount

    def estimate(self, measure: Measure, dispersion: float) -> "Estimate":
        """Return the effect on a measure; `dispersion` as in `day_scores.Effects`."""
        seen = np.array([self.transactions, self.amount])
        usual = np.array([self.expected_transactions, self.expected_amount])
        place = MEASURES.index(measure)
        effect = float(log_effect(seen, usual)[place])
        size = self.expected_transactions if measure == "transactions" else self.expected_amount
        sd = math.sqrt(dispersion * self.spread[place]) / max(size, _TINY)
        observed, expected = self.observed(measure), self.expected(measure)
        share = math.expm1(effect) if observed is None or not expected else observed / expected - 1
        return Estimate(effect, sd, 100 * max(share, -1.0))


NOTHING = Sums(0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0))
"""The sums over no days."""


def total(days: Iterable[Sums]) -> Sums:
    """Return the sums over all of some days."""
    return functools.reduce(Sums.plus, days, NOTHING)


class Estimate(msgspec.Struct, frozen=True):
    """A log effect, its standard deviation, and the effect in per cent (-100 where nothing was seen at all)."""

    effect: float
    sd: float
    change_pct: float

    def distance(self, direction: Direction) -> float:
        """Return how many standard deviations the effect lies from nothing, in a direction (negative: against it)."""
        return (self.effect if direction == "up" else -self.effect) / max(self.sd, _TINY)

    def confidence(self, direction: Direction) -> float:
        """Return the probability of the widest central interval that excludes zero, 0..1; 0 against the direction."""
        return max(2 * _NORMAL.cdf(self.distance(direction)) - 1, 0.0)

    def interval_pct(self, probability: float) -> tuple[float, float]:
        """Return the central interval in per cent, with one decimal; an end that is not zero is not rounded to it."""
        reach = interval_reach(probability) * self.sd
        low, high = (100 * math.expm1(min(self.effect + side, 50.0)) for side in (-reach, reach))
        return min(_rounded(low), self.effect_pct), max(_rounded(high), self.effect_pct)

    @property
    def effect_pct(self) -> float:
        """Return the effect in per cent, with one decimal; one that is not zero is not rounded to it."""
        return _rounded(self.change_pct)


def is_nearer(other: float, effect: float) -> bool:
    """Return whether another log effect is nearer to an effect than to nothing, on its side.

    >>> is_nearer(-0.2, -0.3), is_nearer(-0.1, -0.3), is_nearer(0.2, -0.3)
    (True, False, False)
    """
    return other * effect >= NEARER * effect**2


def interval_reach(probability: float) -> float:
    """Return the half width of a central interval, in standard deviations.

    >>> round(interval_reach(0.95), 2)
    1.96
    """
    return _NORMAL.inv_cdf(0.5 + probability / 2)


def _rounded(percent: float) -> float:
    whole = round(percent, 1)
    return whole or (math.copysign(0.1, percent) if percent else 0.0)


def since(effects: Effects, node: int, age_days: int, step: Floats | None = None) -> Sums:
    """Return the sums of a node since a first day that the models still keep.

    Args:
        effects: the day's.
        node: its place.
        age_days: of the first day.
        step: float64[2], by how much what is expected of transactions and amounts lies above what the models expected
            before that day (log units). None: not at all.
    """
    times = np.exp(np.zeros(2) if step is None else step)
    usual = times * effects.expected[:, node, age_days]
    return Sums(
        int(effects.days[age_days]),
        float(effects.observed[0, node, age_days]),
        float(effects.observed[1, node, age_days]),
        float(usual[0]),
        float(usual[1]),
        tuple((times[[0, 1, 1]] ** 2 * effects.spread[:, node, age_days]).tolist()),
    )


def dispersion(effects: Effects, node: int, measure: Measure, days: int) -> float:
    """Return the over-dispersion of an effect over so many days."""
    return float(effects.dispersion[MEASURES.index(measure), node, min(days, effects.dispersion.shape[2]) - 1])
