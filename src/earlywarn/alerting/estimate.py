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
from earlywarn.detection.effect_bank import LEAST_TICKET, at_usual_ticket, by_measure, log_effect
from earlywarn.domain.alert import Direction
from earlywarn.domain.series import Measure

_NORMAL = NormalDist()
_TINY = 1e-12
NEARER = 0.5
"""Share of a log effect from which another one is nearer to it than to nothing."""


class Sums(msgspec.Struct, frozen=True):
    """What was seen and expected on some days.

    Transactions, amounts (minor units), what the transactions seen would have come to at the mean ticket expected of
    their day (`at_usual_ticket`), and of each of MEASURES the variance of the log effect times the square of what was
    expected (see `day_scores.Effects`).
    """

    days: int
    transactions: float
    amount: float
    expected_transactions: float
    expected_amount: float
    at_usual_ticket: float
    spread: tuple[float, float, float]

    def plus(self, other: "Sums") -> "Sums":
        """Return the sums over the days of both."""
        return Sums(
            self.days + other.days,
            self.transactions + other.transactions,
            self.amount + other.amount,
            self.expected_transactions + other.expected_transactions,
            self.expected_amount + other.expected_amount,
            self.at_usual_ticket + other.at_usual_ticket,
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
            max(self.at_usual_ticket - part.at_usual_ticket, 0.0),
            tuple(max(whole - one, 0.0) for whole, one in zip(self.spread, part.spread, strict=True)),  # type: ignore[arg-type]
        )

    @property
    def arrays(self) -> tuple[Floats, Floats]:
        """Return what was seen, float64[2], and expected, float64[3], as in `detection.effect_bank.log_effect`."""
        expected = (self.expected_transactions, self.expected_amount, self.at_usual_ticket)
        return np.array([self.transactions, self.amount]), np.array(expected)

    def observed(self, measure: Measure) -> float | None:
        """Return what was seen; None for the mean of no tickets."""
        if measure == "mean_ticket":
            return self.amount / self.transactions if self.transactions > 0 else None
        return self.transactions if measure == "transactions" else self.amount

    def expected(self, measure: Measure) -> float | None:
        """Return what was expected, of the mean ticket with each day as often as it was paid; None if nothing was."""
        if min(self.expected_transactions, self.expected_amount) <= 0:
            return None
        if measure != "transactions" and self.expected_amount < LEAST_TICKET * self.expected_transactions:
            return None
        if measure == "mean_ticket" and min(self.transactions, self.at_usual_ticket) > 0:
            return self.at_usual_ticket / self.transactions
        if measure == "mean_ticket":
            return self.expected_amount / self.expected_transactions
        return self.expected_transactions if measure == "transactions" else self.expected_amount

    def estimate(self, measure: Measure, dispersion: float) -> "Estimate":
        """Return the effect on a measure; `dispersion` as in `day_scores.Effects`."""
        seen, usual = self.arrays
        place = MEASURES.index(measure)
        effect = float(log_effect(seen, usual)[place])
        sd = math.sqrt(dispersion * self.spread[place]) / max(float(usual[place]), _TINY)
        observed, expected = self.observed(measure), self.expected(measure)
        share = math.expm1(effect) if observed is None or not expected else observed / expected - 1
        return Estimate(effect, sd, 100 * max(share, -1.0))


NOTHING = Sums(0, 0.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0))
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
    times = by_measure(np.exp(np.zeros(2) if step is None else step))
    seen, usual = effects.observed[:, node, age_days], times * effects.expected[:, node, age_days]
    return sums(int(effects.days[age_days]), seen, usual, times**2 * effects.spread[:, node, age_days])


def of_day(seen: Floats, usual: Floats, variance: Floats) -> Sums:
    """Return the sums of one day.

    Args:
        seen: float64[2], transactions and amount.
        usual: float64[2], the same as expected.
        variance: float64[3], of the log effect, by MEASURES.
    """
    expected = np.append(usual, at_usual_ticket(seen, usual))
    return sums(1, seen, expected, expected**2 * variance)


def sums(days: int, seen: Floats, usual: Floats, spread: Floats) -> Sums:
    """Return sums from arrays: seen float64[2], expected and spread float64[3], as in `day_scores.Effects`."""
    (count, amount), (usual_count, usual_amount, worth) = seen.tolist(), usual.tolist()
    return Sums(days, count, amount, usual_count, usual_amount, worth, tuple(spread.tolist()))


def dispersion(effects: Effects, node: int, measure: Measure, days: int) -> float:
    """Return the over-dispersion of an effect over so many days."""
    return float(effects.dispersion[MEASURES.index(measure), node, min(days, effects.dispersion.shape[2]) - 1])
