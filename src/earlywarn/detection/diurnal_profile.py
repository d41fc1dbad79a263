"""The usual course of a day: which share of a day's payments has come by which hour, and how surely.

Hours are those of the local clock, 0..23. An hour that the clock shows twice counts twice, one that it leaves out never
(`clock`, 24 numbers: 1 each on usual days). Of cell k on days of kind j (`KINDS`) payments are kept, exponentially
weighted, n of a day counting as n / (1 + n / c): beyond c payments what varies is the day's course, not chance. With
the sums N and a payments' worth of what is known already,

    p[all]  = (N[all] + a / 24) / (sum N[all] + a)             of the panel, all days
    p[j]    = (N[j] + a p[all]) / (sum N[j] + a)               of the panel, such days
    p[g, j] = (N[g, j] + a p[j]) / (sum N[g, j] + a)           of sector g
    p[k, j] = (N[k, j] + a p[g, j]) / (sum N[k, j] + a)        of cell k,   share of hour h: clock[h] p[h] / sum.

F, the share that has come, is the sum over the hours heard. Given its total T, a node has had S payments by then with

    r = log(S / sum_k T_k F_k),    var r = sum_k T_k F_k (1 - F_k) / (sum_k T_k F_k)^2 + V[node, h]:

Poisson counts given their total are binomial; V is what courses vary beyond that, the exponentially weighted mean of
r^2 less the binomial part, r clipped at some standard deviations; it is kept of every node, since the cells' courses
vary together (weather, opening hours). A kind of day seen on n days adds the variance at the start / (1 + n) to V. An
hour that was not heard of a cell is taken as its share of what was; of a day of which nothing was heard, and of a
closed cell, nothing is learned.

References: Gelman et al. (2013), Bayesian Data Analysis, sections 3.4 and 5.3 (Dirichlet prior, hierarchies); McCullagh
and Nelder (1989), Generalized Linear Models, section 4.5 (over-dispersed binomial counts).

Example:
    >>> profile = DiurnalProfile(DiurnalParameters(), NodeTree([("CH01", "05"), ("CH01", "11")]))
    >>> usual, clock = np.zeros((2, 24)), np.ones(24)
    >>> usual[:, 8:20] = [[100.0], [0.25]]
    >>> for _ in range(40):
    ...     profile.learn(np.zeros(2, dtype=np.int64), clock, usual, np.ones((2, 24), dtype=bool))
    >>> come = profile.shares(np.zeros(2, dtype=np.int64), clock)[:, :14].sum(axis=1)
    >>> come.round(2).tolist()
    [0.5, 0.5]
"""

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.detection.day_scores import Flags, Floats, Integers
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.learned_arrays import LearnedArrays
from earlywarn.domain.ranges import UNBOUNDED, Range, check_ranges

KINDS = ("monday to thursday", "friday", "saturday", "sunday", "holiday")
"""Kinds of days by their course; Friday is by itself, since it is a day of rest in some countries."""
HOURS = 24
_KIND_OF_WEEKDAY = (0, 0, 0, 0, 1, 2, 3)
_HOLIDAY = 4
_HALF_PAYMENT = 0.5


class DiurnalParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the profile.

    Attributes:
        memory: weight of the past per day of a kind (0..1).
        prior_payments: a, what is known already is worth so many payments.
        day_payments: c, payments of a day beyond which its course varies more than chance.
        variance_memory: weight of the past of V per day (0..1).
        variance_start: V at first, squared log units.
        clip: largest r that counts in full, standard deviations.
        least_payments: expected payments below which r says nothing of V.
    """

    memory: float = 0.97
    prior_payments: float = 400.0
    day_payments: float = 400.0
    variance_memory: float = 0.98
    variance_start: float = 0.01
    clip: float = 3.0
    least_payments: float = 20.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        above_zero = Range(0, UNBOUNDED, least_in=False)
        check_ranges(
            self,
            {
                "memory": Range(0, 1, most_in=False),
                "prior_payments": above_zero,
                "day_payments": above_zero,
                "variance_memory": Range(0, 1, most_in=False),
                "variance_start": above_zero,
                "clip": Range(1, UNBOUNDED),
                "least_payments": above_zero,
            },
        )


def kinds_of(weekday: int, holiday: Flags) -> Integers:
    """Return int64[K], the kind of a day in each cell, by its weekday (0 = Monday) and whether it is a holiday there.

    >>> kinds_of(5, np.array([False, True])).tolist()
    [2, 4]
    """
    kinds: Integers = np.where(holiday, _HOLIDAY, _KIND_OF_WEEKDAY[weekday]).astype(np.int64)
    return kinds


class DiurnalProfile(LearnedArrays):
    """The courses of the days of K cells, and of the G nodes over them.

    Args:
        parameters: see `DiurnalParameters`.
        tree: the nodes over K cells.

    Attributes:
        payments: float64[K, kinds, 24], N.
        excess: float64[G, 24], V at the end of each hour; it may be negative, and is read as 0 then.
        learned: int64[G, 24], days that V has learned.
        days: int64[K, kinds], days learned of each kind.
    """

    arrays = ("payments", "excess", "learned", "days")

    def __init__(self, parameters: DiurnalParameters, tree: NodeTree) -> None:
        self.parameters = parameters
        self._allocate(tree)

    def _allocate(self, tree: NodeTree) -> None:
        self.tree = tree
        self.payments = np.zeros((len(tree.series), len(KINDS), HOURS))
        self.excess = np.full((len(tree.nodes), HOURS), self.parameters.variance_start)
        self.learned = np.zeros((len(tree.nodes), HOURS), dtype=np.int64)
        self.days = np.zeros((len(tree.series), len(KINDS)), dtype=np.int64)

    def shares(self, kinds: Integers, clock: Floats) -> Floats:
        """Return float64[K, 24], the share of its day that each hour usually brings to a cell; the sum is 1.

        Args:
            kinds: int64[K], of the day in each cell (`kinds_of`).
            clock: float64[24], how many times the local clock shows each hour.
        """
        prior, sectors = self.parameters.prior_payments, len(self.tree.sectors)
        by_sector = np.zeros((sectors, len(KINDS), HOURS))
        np.add.at(by_sector, self.tree.sector_of, self.payments)
        by_kind = by_sector.sum(axis=0)
        always = _shrunken(by_kind.sum(axis=0), np.full(HOURS, 1.0 / HOURS), prior)
        of_kind = _shrunken(by_kind, always, prior)
        of_sector = _shrunken(by_sector, of_kind, prior)
        places = np.arange(len(kinds))
        known = of_sector[self.tree.sector_of, kinds]
        shown = _shrunken(self.payments[places, kinds], known, prior) * clock
        shares: Floats = shown / shown.sum(axis=1, keepdims=True)
        return shares

    def variance(
        self, kinds: Integers, total: Floats, come: Floats, hour: int, *, seen: Floats | None = None
    ) -> Floats:
        """Return float64[G], the variance of r at the end of an hour, infinite where nothing is expected by then.

        Args:
            kinds: int64[K], of the day in each cell.
            total: float64[K], payments of the day, expected or known.
            come: float64[K], F.
            hour: of the local clock.
            seen: float64[G], payments that came by then, if they are known. A node that had fewer than expected errs
                by more: the binomial part then divides by the geometric mean of both.
        """
        expected = self.tree.sums(total * come)
        divisor = expected**2
        if seen is not None:
            divisor = expected * np.sqrt(expected * np.clip(seen, _HALF_PAYMENT, np.maximum(expected, _HALF_PAYMENT)))
        chance = self.tree.sums(total * come * np.maximum(1.0 - come, 0.0))
        # What the cells of a sector know is shared: the day is new if it is to all of them.
        seen_days = np.zeros((len(self.tree.sectors), len(KINDS)), dtype=np.int64)
        np.maximum.at(seen_days, self.tree.sector_of, self.days)
        doubt = self.parameters.variance_start / (1.0 + seen_days[self.tree.sector_of, kinds])
        known = np.where(expected > 0, expected, 1.0)
        course = np.maximum(self.excess[:, hour], 0.0) + self.tree.sums(total * come * doubt) / known
        left = self._left(total, come)
        with np.errstate(divide="ignore", invalid="ignore"):
            variance: Floats = np.where(expected > 0, chance / divisor + left * course, np.inf)
        return variance

    def _left(self, total: Floats, come: Floats) -> Floats:
        """Return float64[G], 1 while anything of a node's day is to come, else 0: of a whole day nothing is open."""
        open_payments = self.tree.sums(total * (1.0 - come))
        return (open_payments > 1e-9 * self.tree.sums(total)).astype(np.float64)

    def learn(self, kinds: Integers, clock: Floats, payments: Floats, heard: Flags) -> None:
        """Take a closed day in.

        Args:
            kinds: int64[K], of the day in each cell.
            clock: float64[24], how many times the local clock showed each hour.
            payments: float64[K, 24], by hour of the local clock.
            heard: bool[K, 24], hours that were heard of a cell; none of a closed one.
        """
        heard = heard & (clock > 0)
        shares = self.shares(kinds, clock)
        seen = np.where(heard, payments, 0.0)
        share_heard = np.where(heard, shares, 0.0)
        of_day = share_heard.sum(axis=1)
        total = np.where(of_day > 0, seen.sum(axis=1) / np.where(of_day > 0, of_day, 1.0), 0.0)
        self._learn_excess(total, seen, share_heard)
        # In the units of a clock that shows each hour once; what was not heard is taken as usual.
        once = self.shares(kinds, np.ones(HOURS))
        scale = np.where(heard, shares, 0.0).sum(axis=1)
        usual = np.where(heard, once, 0.0).sum(axis=1)
        whole = np.where(scale > 0, total * scale / np.where(usual > 0, usual, 1.0), 0.0)
        filled = np.where(heard, seen / np.maximum(clock, 1.0), whole[:, None] * once)
        weight = 1.0 / (1.0 + total / self.parameters.day_payments)
        places = np.flatnonzero(total > 0)
        self.days[places, kinds[places]] += 1
        kept = self.parameters.memory * self.payments[places, kinds[places]]
        self.payments[places, kinds[places]] = kept + weight[places, None] * filled[places]

    def _learn_excess(self, total: Floats, seen: Floats, shares: Floats) -> None:
        """Learn how far the day's course (payments and shares [K, 24] of the hours heard) was from the usual one."""
        parameters = self.parameters
        partial, come = self.tree.sums(np.cumsum(seen, axis=1)), np.cumsum(shares, axis=1)
        expected = self.tree.sums(total[:, None] * come)
        chance = self.tree.sums(total[:, None] * come * (1.0 - come))
        due = (expected >= parameters.least_payments) & (chance > 0)
        safe = np.where(due, expected, 1.0)
        binomial = chance / safe**2
        error = np.where(due, np.log(np.maximum(partial, _HALF_PAYMENT) / safe), 0.0)
        known = np.maximum(self.excess, 0.0) + binomial
        said = np.minimum(error**2, parameters.clip**2 * known) - binomial
        memory = np.minimum(parameters.variance_memory, 1.0 - 1.0 / (self.learned + 3.0))
        self.excess = np.where(due, memory * self.excess + (1.0 - memory) * said, self.excess)
        self.learned += due

    def embed(self, tree: NodeTree) -> None:
        """Lay what was learned out for a grown `tree`; new cells begin with what their sector knows."""
        old_tree, state = self.tree, self.state()
        self._allocate(tree)
        kept = [place for place, node in enumerate(old_tree.nodes) if node in tree.index]
        nodes = [tree.index[old_tree.nodes[place]] for place in kept]
        cells = tree.embedding(old_tree.series)
        self.payments[cells], self.days[cells] = state["payments"], state["days"]
        self.excess[nodes], self.learned[nodes] = state["excess"][kept], state["learned"][kept]


def _shrunken(payments: npt.NDArray[np.float64], known: Floats, prior: float) -> Floats:
    """Return the shares of the hours (last axis) of `payments`, with `prior` payments' worth of the shares `known`."""
    shares: Floats = (payments + prior * known) / (payments.sum(axis=-1, keepdims=True) + prior)
    return shares
