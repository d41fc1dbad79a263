"""Bank of effects: for each node and first day 0..W-1 days ago, what was seen since against what its baseline expected.

This is the one estimate behind every size, interval and probability that people are told. For transactions N and
amounts A alike, with the baseline of a shock that began a days ago (`baselines`), summed over its days j,

    effect = log(O / E),   O = sum_j O_j,   E = sum_j E_j,
    sd     = sqrt(phi U) / E,   U = sum_j (E_j s_j)^2.

Of the mean ticket O_j is the amount as well, and E_j what the payments seen would have come to at the mean ticket that
is expected of their day, so that days count by the payments seen on them: more or fewer payments on some of them are no
change of it, whatever their tickets are. s_j is the usual log sd of the day (`node_deviation.log_variances`). phi is
the over-dispersion at that age: an exponentially weighted mean of effect^2 / (U / E^2) (1 for a perfect model; days go
together, so it grows with age), shrunken on the log scale to the mean of all nodes. One day may move it only so far,
and what reaches into a shock that was told cannot raise it (`shake`): what is usual would be as wide as the shock, and
the next one not be told.

Plain sums hold zeros as they are: where nothing was seen at all the change is -100 %; the logarithm then takes half a
payment (half a usual ticket) for nothing, which bounds the interval.

Reference: Taylor series (delta method) for the logarithm of a sum: Rao (1973), Linear Statistical Inference, 6a.2.

Example:
    >>> from earlywarn.detection.hierarchy import NodeTree
    >>> bank = EffectBank(EffectParameters(), NodeTree([("CH01", "05")]), window_days=3)
    >>> for seen in [100.0, 100.0, 80.0, 80.0]:
    ...     baseline = np.array([100.0, 100.0, 100.0])
    ...     bank.learn(np.array([[seen], [50 * seen]]), np.stack([baseline, 50 * baseline])[:, None, :],
    ...                np.full((3, 1), 0.01), mature=np.zeros(1, dtype=bool), special=np.zeros(1, dtype=bool))
    >>> effects = bank.effects(np.zeros(1, dtype=bool))
    >>> (100 * np.expm1(effects.effect[0, 0])).round().tolist(), effects.sd[1, 0].round(3).tolist()
    ([-20.0, -20.0, -13.0], [0.1, 0.071, 0.058])
"""

import msgspec
import numpy as np

from earlywarn.detection.cell_activity import HALF_PAYMENT
from earlywarn.detection.day_scores import Effects, Flags, Floats
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.learned_arrays import LearnedArrays
from earlywarn.domain.ranges import INNER_SHARE, MOST_DAYS, SHARE, UNBOUNDED, check_ranges, up_to

TINY = 1e-12
LEAST_TICKET = 0.5
"""Minor units: what rounds to a payment of something."""


class EffectParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the bank.

    Attributes:
        dispersion_memory: weight of the past per day in the over-dispersion (0..1).
        dispersion_pooling: share of the pooled mean in a node's log over-dispersion (0..1).
        dispersion_min: smallest phi.
        dispersion_jump: how many times phi one day's squared effect may be at most, plus one.
        mean_memory: weight of the past per day in the ratio of means to medians (0..1): `mean_ratio`.
        mean_clip: what one day may say of that ratio at most (standard deviations).
        mean_start_days: days that the ratio 1 is worth at first.
    """

    dispersion_memory: float = 0.98
    dispersion_pooling: float = 0.8
    dispersion_min: float = 0.5
    dispersion_jump: float = 6.0
    mean_memory: float = 0.99
    mean_clip: float = 4.0
    mean_start_days: float = 7.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        check_ranges(
            self,
            {
                "dispersion_memory": INNER_SHARE,
                "dispersion_pooling": SHARE,
                "dispersion_min": up_to(1_000),
                "dispersion_jump": up_to(UNBOUNDED),
                "mean_memory": INNER_SHARE,
                "mean_clip": up_to(UNBOUNDED),
                "mean_start_days": up_to(MOST_DAYS),
            },
        )


def at_usual_ticket(observed: Floats, expected: Floats) -> Floats:
    """Return what the payments seen on a day would have come to at the mean ticket expected of it (minor units).

    Args:
        observed: float64[2, ...], transactions and amounts of one day.
        expected: the same of those expected; where no payments are, they come to nothing.
    """
    usual: Floats = observed[0] * expected[1] / np.where(expected[0] > 0, expected[0], np.inf)
    return usual


def by_measure(factors: Floats) -> Floats:
    """Return float64[3, ...]: factors of transactions and amounts [2, ...], and of mean tickets, their quotient."""
    found: Floats = np.concatenate([factors, factors[1:] / factors[:1]])
    return found


def inside(whole: tuple[Floats, Floats], observed: Floats, expected: Floats) -> Floats:
    """Return float64[3]: what is expected of some cells of a whole, as in `log_effect`.

    Their expected mean ticket is that of their sums, moved as that of the whole is by how the payments lay on days.

    Args:
        whole: what was seen of it, float64[2], and expected, float64[3], as in `log_effect`.
        observed: float64[2], of the cells.
        expected: float64[2], likewise.
    """
    plain = float(at_usual_ticket(*whole))
    days = float(whole[1][2]) / plain if plain > 0 else 1.0
    return np.append(expected, days * at_usual_ticket(observed, expected))


def log_effect(observed: Floats, expected: Floats) -> Floats:
    """Return float64[3, ...]: log of observed by expected transactions, amount and mean ticket.

    Args:
        observed: float64[2, ...], sums of transactions and of amounts seen. Nothing counts as half a payment (half a
            usual ticket); the mean ticket of no payments has no effect.
        expected: float64[3, ...], the same of those expected, and the amount of the payments seen at the mean ticket
            expected of their day (`at_usual_ticket`), which may be left out of a single day. Where nothing is expected
            the effect is 0. Nothing is expected of amounts and tickets where the usual payment is below `LEAST_TICKET`:
            no fall from there is any news.
    """
    worth = expected[2] if len(expected) > 2 else at_usual_ticket(observed, expected)
    known = (expected[0] > 0) & (expected[1] > 0)
    paid = known & (expected[1] >= LEAST_TICKET * expected[0])
    usual = np.where(known, expected, 1.0)
    count = np.log(np.maximum(observed[0], HALF_PAYMENT) / usual[0])
    amount_seen = np.maximum(observed[1], HALF_PAYMENT * usual[1] / usual[0])
    priced = paid & (observed[0] > 0) & (worth > 0)
    ticket = np.log(amount_seen / np.where(priced, worth, 1.0))
    logs = [count, np.log(amount_seen / usual[1]), ticket]
    effect: Floats = np.where(np.stack([known, paid, priced]), np.stack(logs), 0.0)
    return effect


class EffectBank(LearnedArrays):
    """What was seen and expected since each of the last W days, at G nodes.

    Args:
        parameters: see `EffectParameters`.
        tree: the nodes.
        window_days: W.

    Attributes:
        observed: float64[2, G, W], O of transactions and amounts (minor units).
        expected: float64[3, G, W], E of transactions, amounts and mean tickets (an amount as well).
        spread: float64[3, G, W], U.
        days: int64[W], days heard since.
        dispersion: float64[3, G, W], each node's own phi.
        alone: float64[3, G, W], log effect of each day alone, against its own baseline; 0 where nothing is known.
        special: bool[G, W], days on which the calendar lets a node say little.
        heard: bool[G, W], days on which anything of a node was heard.
        calm_days: int64[G], days since the node was last in a shock, W + 1 at most.
        fading: float64[2, G], of the day: see `day_scores.Effects`.
    """

    arrays = ("observed", "expected", "spread", "days", "dispersion", "alone", "special", "heard", "calm_days")

    def __init__(self, parameters: EffectParameters, tree: NodeTree, window_days: int) -> None:
        self.parameters, self.window_days = parameters, window_days
        self._allocate(tree)

    def _allocate(self, tree: NodeTree) -> None:
        nodes, window = len(tree.nodes), self.window_days
        self.tree = tree
        self.observed = np.zeros((2, nodes, window))
        self.expected = np.zeros((3, nodes, window))
        self.spread = np.zeros((3, nodes, window))
        self.days = np.zeros(window, dtype=np.int64)
        self.dispersion = np.ones((3, nodes, window))
        self.alone = np.zeros((3, nodes, window))
        self.special = np.zeros((nodes, window), dtype=bool)
        self.heard = np.zeros((nodes, window), dtype=bool)
        self.calm_days = np.full(nodes, window + 1)
        self._today = np.full((2, nodes, window), np.nan)
        self._usual_sd = np.full((3, nodes), np.nan)
        self.fading = np.ones((2, nodes))

    def age(self, days: int) -> None:
        """Let `days` days pass of which nothing is known."""
        days = min(days, self.window_days)
        self.calm_days = np.minimum(self.calm_days + days, self.window_days + 1)
        for by_age in (self.observed, self.expected, self.spread, self.days, self.alone, self.special, self.heard):
            by_age[..., days:] = by_age[..., : self.window_days - days].copy()
            by_age[..., :days] = 0
        self._today = np.full_like(self._today, np.nan)
        self._usual_sd = np.full_like(self._usual_sd, np.nan)
        self.fading = np.ones_like(self.fading)

    def learn(self, observed: Floats, expected: Floats, variance: Floats, mature: Flags, special: Flags) -> None:
        """Let a day pass and add it.

        Args:
            observed: float64[2, G], transactions and amounts; NaN where nothing was heard.
            expected: float64[2, G, W], the same by the baseline of each first day.
            variance: float64[3, G], of the log of transactions, amount and mean ticket on an undisturbed day.
            mature: bool[G], nodes of which the over-dispersion is learned.
            special: bool[G], nodes of which the day may say little.
        """
        self.age(1)
        self.heard[:, 0] = np.isfinite(observed).all(axis=0)
        observed = np.nan_to_num(observed)
        self.alone[..., 0] = log_effect(observed, expected[..., 0])
        self.special[:, 0] = special
        self.observed += observed[:, :, None]
        usual = np.concatenate([expected, at_usual_ticket(observed[:, :, None], expected)[None]])
        self.expected += usual
        self.spread += usual**2 * variance[:, :, None]
        self.days += 1
        self._today, self._usual_sd = expected.copy(), np.sqrt(variance)
        parameters = self.parameters
        ratio = log_effect(self.observed, self.expected) ** 2 / np.maximum(self._variance(), TINY)
        old = self.dispersion
        ages = np.arange(self.window_days)
        is_calm = ages < self.calm_days[:, None] - 1
        bounded = np.minimum(ratio, np.where(is_calm, parameters.dispersion_jump * old + 1.0, old))
        updated = parameters.dispersion_memory * old + (1.0 - parameters.dispersion_memory) * bounded
        full = (self.days > ages / 2) & mature[:, None]
        self.dispersion = np.where(full & (self.spread > 0), updated, old)

    def shake(self, nodes: Flags) -> None:
        """Let nodes [G] be in a shock that is told: what reaches into it cannot raise phi."""
        self.calm_days[nodes] = 0

    def _variance(self) -> Floats:
        variance: Floats = self.spread / np.maximum(self.expected, TINY) ** 2
        return variance

    def over_dispersion(self, mature: Flags) -> Floats:
        """Return phi, float64[3, G, W], pooled over the nodes that are `mature` [G]."""
        parameters = self.parameters
        log_own = np.log(self.dispersion)
        pooled = log_own[:, mature].mean(axis=1, keepdims=True) if mature.any() else 0.0
        share = parameters.dispersion_pooling
        phi: Floats = np.maximum(np.exp((1.0 - share) * log_own + share * pooled), parameters.dispersion_min)
        return phi

    def effects(self, mature: Flags) -> Effects:
        """Return the estimates of all nodes and first days, as of the last day; `mature` [G] as in `learn`."""
        dispersion = self.over_dispersion(mature)
        return Effects(
            observed=self.observed.copy(),
            expected=self.expected.copy(),
            spread=self.spread.copy(),
            days=self.days.copy(),
            dispersion=dispersion,
            alone=self.alone.copy(),
            special=self.special.copy(),
            effect=log_effect(self.observed, self.expected),
            sd=np.sqrt(dispersion * self._variance()),
            today=self._today,
            usual_sd=self._usual_sd,
            fading=self.fading,
            calm_days=self.calm_days.copy(),
        )

    def embed(self, tree: NodeTree) -> None:
        """Lay the sums out for a grown `tree`; new nodes have none."""
        old_tree, old = self.tree, self.state()
        self._allocate(tree)
        kept = [place for place, node in enumerate(old_tree.nodes) if node in tree.index]
        nodes = [tree.index[old_tree.nodes[place]] for place in kept]
        for name in ("observed", "expected", "spread", "dispersion", "alone"):
            getattr(self, name)[:, nodes] = old[name][:, kept]
        self.special[nodes] = old["special"][kept]
        self.calm_days[nodes] = old["calm_days"][kept]
        self.heard[nodes] = old["heard"][kept]
        self.days = old["days"]
