"""The running day before it closes: an early score of every node, an estimate of the whole day, and a budget of errors.

Of a day the regressions know beforehand what each cell will have, E, and with which variance s^2 a node's total errs
(`node_deviation.log_variances`). By the end of an hour the share F has come (`diurnal_profile`), and the node had S:

    x = log(S / sum_k E_k F_k),      var x = phi (s^2 + b),
    b: what the course of a day varies by then (Poisson counts among it); phi: the node's own over-dispersion of x.

Under a step d that began a days ago, x has the mean d g[a]; today alone (a = 0) has g = 1. With the evidence A, B of
the days before (0 for today alone; `onset_bank`, divided by its over-dispersion) the score is the log likelihood ratio

    max_a  d A' - d^2 B' / 2,   A' = A[a] + h g x / var x,   B' = B[a] + h g^2 / var x,   d = clip(A' / B'),

at least `effect_min` and at most `effect_max` in its direction, where h bounds what one day says as in the bank. The
log of how many nodes the level has is taken off: each level of the tree is as likely as another to hold a shock. What
peers say of a cell is left out, unlike in the score of the closed day.

The whole day, with k = q + (1 - q) s^2 / (s^2 + b), is exp(log E + k x) with the variance phi k b of its logarithm, and
no less than S: at the end of the day it is what was seen. q = 1 - exp(-score) is how sure a step is: what comes after a
step is not drawn to what was expected.

A provisional alert is false if no shock is confirmed. Of each closed day the largest score of its hours, among nodes
without a confirmed shock, is kept. Of the last n of these and a budget of B false days a year, the threshold
is the j-th largest, j = floor(B (n + 1) / 365), and infinite while j = 0. If today's maximum is exchangeable with those
of the past, it exceeds the threshold with probability j / (n + 1) or less: whatever the scores' distribution, B days a
year are expected or fewer. That holds on average over pasts, not given one, and not where days become noisier.

References: Willsky and Jones (1976), IEEE Trans. Automatic Control 21 (likelihood ratio of a step); Vovk, Gammerman and
Shafer (2005), Algorithmic Learning in a Random World, chapter 2 (exchangeable ranks).

Example:
    >>> from earlywarn.detection.symmetric_form import DenseForm
    >>> tree = NodeTree([("CH01", "05"), ("CH01", "11")])
    >>> nowcast, clock, heard = Nowcast(NowcastParameters(), tree), np.ones(24), np.ones((2, 24), dtype=bool)
    >>> course = np.full((2, 24), 1000 / 24)
    >>> expected = Expectation(np.array([1e3, 1e3, 5e4, 5e4]), np.full(4, 0.05), DenseForm(np.eye(4)))
    >>> for _ in range(120):
    ...     nowcast.begin(expected, np.zeros(2, dtype=np.int64), clock)
    ...     seen = [nowcast.look(hour, course, heard) for hour in range(24)]
    ...     nowcast.close(course, heard)
    >>> nowcast.begin(expected, np.zeros(2, dtype=np.int64), clock)
    >>> early = nowcast.look(11, 0.6 * course, heard)
    >>> (early.down > nowcast.threshold).tolist(), early.total.round(-1).tolist()
    ([True, True, True], [600.0, 600.0, 1200.0])
"""

from math import floor
from typing import Any

import msgspec
import numpy as np

from earlywarn.detection.day_scores import Flags, Floats, Integers
from earlywarn.detection.diurnal_profile import HOURS, DiurnalProfile
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.node_deviation import log_variances
from earlywarn.detection.nowcast_parameters import DAYS_OF_A_YEAR, NowcastParameters
from earlywarn.detection.onset_bank import OnsetBank
from earlywarn.detection.symmetric_form import SymmetricForm

_HALF_PAYMENT = 0.5
_LARGEST_SQUARE = 9.0
"""An early deviation counts for the over-dispersion as three standard deviations at most: a shock is none."""


class Expectation(msgspec.Struct, frozen=True):
    """What is expected of a day before it begins, of K cells.

    Attributes:
        means: float64[2K], counts and amounts (minor units); 0 for cells of which nothing is expected.
        sd: float64[2K], of their logarithms.
        correlation: of the innovations of the 2K log series.
        special: bool[G], nodes whose day the calendar knows so little of that it may say little. None: none.
    """

    means: Floats
    sd: Floats
    correlation: SymmetricForm
    special: Flags | None = None


class Before(msgspec.Struct, frozen=True):
    """The evidence of the days before of steps in the payments of G nodes that began 1..W days ago.

    Attributes:
        linear, information: float64[G, W], A and B, divided by their over-dispersion.
        footprint: float64[G, W], g: how much of the step today's prediction does not know yet.
    """

    linear: Floats
    information: Floats
    footprint: Floats


def evidence_before(bank: OnsetBank, footprint: Floats) -> Before:
    """Return the evidence of the closed days of steps of payments and amounts alike; none of first days decided on.

    Args:
        bank: of the days up to yesterday.
        footprint: float64[G, W], today's, of steps that began 1..W days ago.
    """
    settled, phi = bank.settled.any(axis=0), bank.over_dispersion()[0][:, None]
    linear, information = (np.where(settled, 0.0, each[0]) / phi for each in (bank.linear, bank.information))
    return Before(linear, information, footprint)


class EarlyScores(msgspec.Struct, frozen=True):
    """What the hours so far say of G nodes; scores are 0 and the rest NaN where they say nothing.

    Attributes:
        down, up: float64[G], log likelihood ratios of a step, less the log of the nodes of the level.
        observed, expected: float64[G], payments by the end of the hour.
        total, lower, upper: float64[G], payments of the whole day and their interval.
    """

    down: Floats
    up: Floats
    observed: Floats
    expected: Floats
    total: Floats
    lower: Floats
    upper: Floats


class Nowcast:
    """The running day of a panel: `begin`, `look` at the close of each hour, `close`.

    Args:
        parameters: see `NowcastParameters`.
        tree: G nodes over K cells.

    Attributes:
        profile: the usual course of days.
        maxima: the largest unconfirmed scores of the last days, oldest first.
        days: how many days were learned.
        dispersion: float64[G], phi.
    """

    def __init__(self, parameters: NowcastParameters, tree: NodeTree) -> None:
        self.parameters, self.tree = parameters, tree
        self.profile = DiurnalProfile(parameters.profile, tree)
        self.maxima: list[float] = []
        self.days = 0
        self._allocate(tree)

    def _allocate(self, tree: NodeTree) -> None:
        self.tree = tree
        self.dispersion = np.ones(len(tree.nodes))
        self._level_size = np.concatenate(
            [np.zeros(0), *(np.full(len(level.groups), float(len(level.groups))) for level in tree.levels)]
        )
        self._forget_day()

    def _forget_day(self) -> None:
        nodes = len(self.tree.nodes)
        self._expected: Expectation | None = None
        self._best = np.zeros((2, nodes))
        self._squares, self._looks = np.zeros(nodes), np.zeros(nodes, dtype=np.int64)

    @property
    def ready(self) -> bool:
        """Return whether enough days were learned for anything to be said."""
        return self.days >= self.parameters.ready_days

    @property
    def threshold(self) -> float:
        """Return what a score must exceed for a provisional alert; infinite while too few days are known."""
        rank = floor(self.parameters.false_days_year * (len(self.maxima) + 1) / DAYS_OF_A_YEAR)
        return sorted(self.maxima, reverse=True)[min(rank, len(self.maxima)) - 1] if rank and self.maxima else np.inf

    def begin(self, expected: Expectation, kinds: Integers, clock: Floats) -> None:
        """Begin a day.

        Args:
            expected: see `Expectation`.
            kinds: int64[K], of the day in each cell (`diurnal_profile.kinds_of`).
            clock: float64[24], how many times the local clock shows each hour.
        """
        self._forget_day()
        self._expected, self._kinds, self._clock = expected, kinds, clock
        self._shares = self.profile.shares(kinds, clock)
        self._variance = log_variances(self.tree, expected.means, expected.sd, expected.correlation)[0]

    def look(self, hour: int, payments: Floats, heard: Flags, before: Before | None = None) -> EarlyScores:
        """Return what the hours of the day up to the end of `hour` say.

        Args:
            hour: of the local clock, the last that is closed.
            payments: float64[K, 24], of the hours so far; later ones are not read.
            heard: bool[K, 24], hours that were heard of a cell.
            before: the evidence of the days before. None: of today alone.

        Raises:
            RuntimeError: no day has begun.
        """
        if self._expected is None:
            raise RuntimeError("look at an hour of a day that has begun: call begin first")
        past = np.arange(HOURS) <= hour
        means = self._expected.means[: len(self.tree.series)]
        counted = heard & past & (means > 0)[:, None]
        come = np.where(counted, self._shares, 0.0).sum(axis=1)
        observed = self.tree.sums(np.where(counted, payments, 0.0).sum(axis=1))
        expected, total = self.tree.sums(means * come), self.tree.sums(means)
        speaks = (expected >= self.parameters.least_payments) & self.ready
        safe = np.where(speaks, expected, 1.0)
        deviation = np.where(speaks, np.log(np.maximum(observed, _HALF_PAYMENT) / safe), 0.0)
        course = np.where(speaks, self.profile.variance(self._kinds, means, come, hour, seen=observed), 1.0)
        phi = np.maximum(self.dispersion, 1.0)
        variance = phi * (self._variance + course)
        down, up = (self._score(sign, deviation, variance, before) for sign in (-1.0, 1.0))
        down, up = np.where(speaks, down, 0.0), np.where(speaks, up, 0.0)
        self._best = np.maximum(self._best, np.stack([down, up]))
        square = np.minimum(deviation**2 / (self._variance + course), _LARGEST_SQUARE)
        self._squares = self._squares + np.where(speaks, square, 0.0)
        self._looks = self._looks + speaks
        sure = 1.0 - np.exp(-np.maximum(down, up))
        share = sure + (1.0 - sure) * self._variance / (self._variance + course)
        middle = np.where(speaks, np.log(np.where(speaks, total, 1.0)) + share * deviation, np.nan)
        spread = self.parameters.reach * np.sqrt(phi * share * course)
        ends = (np.maximum(np.exp(middle + side * spread), observed) for side in (0.0, -1.0, 1.0))
        return EarlyScores(down, up, observed, expected, *ends)

    def _score(self, sign: float, deviation: Floats, variance: Floats, before: Before | None) -> Floats:
        parameters = self.parameters
        limit = np.full(len(deviation), parameters.clip)
        if self._expected is not None and self._expected.special is not None:
            limit[self._expected.special] = min(parameters.clip, parameters.clip_special)
        heed = np.minimum(1.0, limit**2 * variance / np.maximum(deviation**2, 1e-12))
        linear, information = (heed * deviation / variance)[:, None], (heed / variance)[:, None]
        if before is not None:
            linear = np.concatenate([linear, before.linear + linear * before.footprint], axis=1)
            information = np.concatenate([information, before.information + information * before.footprint**2], axis=1)
        size = np.clip(sign * linear / information, parameters.effect_min, parameters.effect_max)
        ratio = (sign * size * linear - 0.5 * size**2 * information).max(axis=1)
        scores: Floats = np.maximum(ratio - np.log(self._level_size), 0.0)
        return scores

    def close(self, payments: Floats, heard: Flags, *, confirmed: Flags | None = None) -> None:
        """Learn the closed day; one that has not begun, or whose hours were not looked at, leaves its course alone.

        Args:
            payments: float64[K, 24], by hour of the local clock.
            heard: bool[K, 24], hours that were heard of a cell; none of a closed one.
            confirmed: bool[2, G], nodes of which the day's close says that a shock down, or up, is there, or that had
                one before: their scores are no errors. None: of none.
        """
        if self._expected is None:
            return
        errors = self._best if confirmed is None else np.where(confirmed, 0.0, self._best)
        if self._looks.any():
            self.maxima = [*self.maxima, float(errors.max())][-self.parameters.maxima_days :]
        usual = self._looks > 0 if confirmed is None else (self._looks > 0) & ~confirmed.any(axis=0)
        memory = self.parameters.dispersion_memory
        mean = self._squares / np.maximum(self._looks, 1)
        self.dispersion = np.where(usual, memory * self.dispersion + (1.0 - memory) * mean, self.dispersion)
        self.profile.learn(self._kinds, self._clock, payments, heard)
        self.days += 1
        self._forget_day()

    def embed(self, tree: NodeTree) -> None:
        """Lay what was learned out for a grown `tree`, between two days."""
        old_tree, dispersion = self.tree, self.dispersion
        self.profile.embed(tree)
        self._allocate(tree)
        kept = [place for place, node in enumerate(old_tree.nodes) if node in tree.index]
        self.dispersion[[tree.index[old_tree.nodes[place]] for place in kept]] = dispersion[kept]

    def state(self) -> dict[str, Any]:
        """Return what was learned, and of the running day the scores so far; what it expects is begun again."""
        return {
            "profile": self.profile.state(),
            "maxima": list(self.maxima),
            "days": self.days,
            "dispersion": self.dispersion.copy(),
            "best": self._best.copy(),
            "squares": self._squares.copy(),
            "looks": self._looks.copy(),
        }

    def restore(self, state: dict[str, Any], running: tuple[Expectation, Integers, Floats] | None = None) -> None:
        """Take over what `state` returned for the same tree; `running` is what `begin` was told of the running day."""
        self.profile.restore(state["profile"])
        self.maxima, self.days = list(state["maxima"]), state["days"]
        self.dispersion = state["dispersion"].copy()
        if running is not None:
            self.begin(*running)
        self._best, self._squares = state["best"].copy(), state["squares"].copy()
        self._looks = state["looks"].copy()
