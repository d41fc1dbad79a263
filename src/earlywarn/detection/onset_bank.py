"""Bank of onset hypotheses: for each node, did a step begin 1..W days ago, and how large is it?

Under "a step d began a days ago in the cells of node n", today's whitened innovations w = P v (P the inverse
correlation) have the mean d P f with f[i] = g[i, a] / s[i] (footprint over predictive sd), 0 outside of the node. So
each day adds

    A[n, a] += h f'w,        B[n, a] += h f'Pf,        h = min(1, c^2 f'Pf / (f'w)^2),

where the weight h keeps what a day says of the size of the step, A / B, and bounds what it says for it: A^2 / 2 B is at
most c^2 / 2. (Clipping A alone would bound the size, too: of a node known so well that a large step is many times c, a
large step would look like none of interest.)

The log likelihood ratio of a step d is d A - d^2 B / 2. The score of a direction is its maximum over onsets and over
steps of at least a minimum and at most a maximum size,

    score = max over a of max(0, d A - d^2 B / 2) / phi,   d = clip(A / B, smallest, largest),

with phi the over-dispersion: an exponentially weighted mean of A^2/B (1 for a perfect model) at a few ages, shrunken
on the log scale to the mean of all nodes, so that one threshold serves all. A shape says which measures step:
"joint" moves count and amount alike, "ticket" the amount alone, "count" the count alone.

References: Willsky and Jones (1976), IEEE Trans. Automatic Control 21 (generalised likelihood ratio with a filter's own
footprint); Lai (1995), JRSS B 57 (window-limited ratios, minimum effect).

Example:
    >>> from earlywarn.detection.hierarchy import NodeTree
    >>> from earlywarn.detection.symmetric_form import DenseForm
    >>> bank = OnsetBank(OnsetParameters(window_days=8), NodeTree([("CH01", "05")]))
    >>> flat = np.ones((2, 8)) / 0.1
    >>> for z in [0.5, -0.5, 0.5, -2.0, -2.0, -2.0]:
    ...     bank.learn(np.full(2, z), DenseForm(np.eye(2)), flat, np.zeros(1, dtype=bool))
    >>> down, up = bank.scores()
    >>> down.score.round(1).tolist(), down.onset_age_days.tolist(), down.effect.round(2).tolist(), up.score.tolist()
    ([9.5], [2], [-0.2], [0.0])
"""

import msgspec
import numpy as np
import numpy.typing as npt

from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.learned_arrays import LearnedArrays
from earlywarn.detection.symmetric_form import SymmetricForm, node_forms
from earlywarn.domain.ranges import INNER_SHARE, SHARE, UNBOUNDED, Range, check_ranges, up_to

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

SHAPES: tuple[str, ...] = ("joint", "ticket", "count")
SHAPE_WEIGHTS = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
"""Step of the log count and of the log amount in each shape."""
_IS_JOINT = SHAPE_WEIGHTS.all(axis=1)
TINY = 1e-12


class OnsetParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the bank.

    Attributes:
        window_days: W, oldest onset is W - 1 days ago.
        youngest_age_days: youngest onset that can score (1: a step needs two days to show).
        effect_min_down, effect_min_up: smallest steps of interest (log units, positive).
        effect_min_single: the same for steps of amount or count alone, in both directions; at least the above.
        effect_max: largest step (log units).
        clip: c, what a usual day may say at most (standard deviations), c^2 / 2 in nats.
        clip_special: the same for a day whose calendar variance factor reaches `special_inflation`.
        special_inflation: mean variance factor of a node's cells from which its day is special.
        dispersion_memory: weight of the past per day in the over-dispersion (0..1).
        dispersion_pooling: share of the pooled mean in a node's log over-dispersion (0..1).
        dispersion_min: smallest phi.
        dispersion_ages_days: onset ages at which it is measured.
        single_handicap: what a score of a shape other than "joint" loses (nats), the price of more hypotheses.
    """

    window_days: int = 21
    youngest_age_days: int = 1
    effect_min_down: float = 0.12
    effect_min_up: float = 0.20
    effect_min_single: float = 0.25
    effect_max: float = 1.5
    clip: float = 5.0
    clip_special: float = 1.5
    special_inflation: float = 1.9
    dispersion_memory: float = 0.98
    dispersion_pooling: float = 0.8
    dispersion_min: float = 0.5
    dispersion_ages_days: tuple[int, ...] = (6, 13, 20)
    single_handicap: float = 3.0

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one line for each value out of range.
        """
        smallest = ("effect_min_down", "effect_min_up", "effect_min_single")
        check_ranges(
            self,
            {
                "window_days": Range(1, 366),
                "youngest_age_days": Range(0, 365),
                **dict.fromkeys((*smallest, "effect_max"), up_to(10)),
                "clip": up_to(UNBOUNDED),
                "clip_special": up_to(UNBOUNDED),
                "special_inflation": up_to(UNBOUNDED),
                "dispersion_memory": INNER_SHARE,
                "dispersion_pooling": SHARE,
                "dispersion_min": up_to(1_000),
                "dispersion_ages_days": Range(0, 365),
                "single_handicap": Range(0, UNBOUNDED),
            },
            (
                self.youngest_age_days < self.window_days,
                f"youngest_age_days ({self.youngest_age_days}) must be below window_days ({self.window_days})",
            ),
            *(
                (
                    not getattr(self, name) > self.effect_max,
                    f"{name} ({getattr(self, name)}) may not exceed effect_max ({self.effect_max})",
                )
                for name in smallest
            ),
            (bool(self.dispersion_ages_days), "dispersion_ages_days: give at least one age"),
        )


class OnsetScores(msgspec.Struct, frozen=True):
    """One direction's scores of G nodes: see `day_scores.Evidence`; `shape` indexes SHAPES."""

    score: Floats
    effect: Floats
    effect_sd: Floats
    onset_age_days: Integers
    shape: Integers


class OnsetBank(LearnedArrays):
    """Evidence of all shapes (D), nodes (G) and onset ages (W).

    Args:
        parameters: see `OnsetParameters`.
        tree: the nodes over K cells; log series are K counts, then K amounts.

    Attributes:
        linear, information: float64[D, G, W], A and B.
        by_cell: float64[D, K, W], each cell's part of A, unclipped.
        settled: bool[2, G, W], whether it is decided of a step down, and up, that it did not begin then, or is over.
    """

    arrays = ("linear", "information", "by_cell", "settled", "dispersion")

    def __init__(self, parameters: OnsetParameters, tree: NodeTree) -> None:
        self.parameters = parameters
        self._allocate(tree)

    def _allocate(self, tree: NodeTree) -> None:
        cells, nodes, window = len(tree.series), len(tree.nodes), self.parameters.window_days
        self.tree = tree
        self.linear = np.zeros((len(SHAPES), nodes, window))
        self.information = np.zeros((len(SHAPES), nodes, window))
        self.by_cell = np.zeros((len(SHAPES), cells, window))
        self.settled = np.zeros((2, nodes, window), dtype=bool)
        self.dispersion = np.ones((len(SHAPES), nodes, len(self._dispersion_ages)))

    @property
    def _dispersion_ages(self) -> list[int]:
        within = [age for age in self.parameters.dispersion_ages_days if age < self.parameters.window_days]
        return within or [self.parameters.window_days - 1]

    def age(self, days: int) -> None:
        """Make all onsets `days` older; hypotheses of today start without evidence."""
        days = min(days, self.parameters.window_days)
        for evidence in (self.linear, self.information, self.by_cell, self.settled):
            evidence[:, :, days:] = evidence[:, :, : evidence.shape[2] - days].copy()
            evidence[:, :, :days] = 0

    def learn(
        self,
        whitened: Floats,
        precision: SymmetricForm,
        response: Floats,
        special: Flags,
    ) -> None:
        """Let a day pass and add its evidence.

        Args:
            whitened: float64[2K], w, 0 where not seen.
            precision: P, 0 where not seen.
            response: float64[2K, W], footprint over predictive sd, 0 where not seen or not to be used.
            special: bool[G], days on which a node may say little.
        """
        self.age(1)
        cells, clip, window = len(self.tree.series), self.parameters, self.parameters.window_days
        limit = np.where(special, clip.clip_special, clip.clip)[:, None]
        weights = np.repeat(SHAPE_WEIGHTS, cells, axis=1)
        steps = weights.T[:, :, None] * response[:, None, :]
        forms = node_forms(self.tree, precision, steps.reshape(2 * cells, -1))
        informations = np.maximum(forms, 0.0).reshape(-1, len(SHAPES), window)
        parts = steps * whitened[:, None, None]
        by_cell = parts[:cells] + parts[cells:]
        linears = self.tree.sums(by_cell)
        for shape in range(len(SHAPES)):
            information, linear = informations[:, shape], linears[:, shape]
            weight = np.minimum(1.0, limit**2 * information / np.maximum(linear**2, TINY))
            self.linear[shape] += weight * linear
            self.information[shape] += weight * information
            self.by_cell[shape] += by_cell[:, shape]
        self._learn_dispersion()

    def _learn_dispersion(self) -> None:
        memory = self.parameters.dispersion_memory
        for place, age in enumerate(self._dispersion_ages):
            information = self.information[:, :, age]
            old = self.dispersion[:, :, place]
            ratio = self.linear[:, :, age] ** 2 / np.maximum(information, TINY)
            # One day may move the mean only so far: an episode is no over-dispersion.
            updated = memory * old + (1.0 - memory) * np.minimum(ratio, 6.0 * old + 1.0)
            self.dispersion[:, :, place] = np.where(information > TINY, updated, old)

    def over_dispersion(self) -> Floats:
        """Return phi, float64[D, G]."""
        parameters, ages = self.parameters, self.dispersion.shape[2]
        # A tenth a measurement keeps the logarithm of a node without any evidence away from minus infinity.
        log_own = np.log(self.dispersion.sum(axis=2) / ages + 0.1)
        pooled = log_own.mean(axis=1, keepdims=True)
        share = parameters.dispersion_pooling
        phi: Floats = np.maximum(np.exp((1.0 - share) * log_own + share * pooled), parameters.dispersion_min)
        return phi

    def scores(self) -> tuple[OnsetScores, OnsetScores]:
        """Return the scores (down, up) of all nodes."""
        parameters = self.parameters
        linear = self.linear[:, :, parameters.youngest_age_days :]
        information = np.maximum(self.information[:, :, parameters.youngest_age_days :], TINY)
        estimate = linear / information
        return (
            self._best(-1.0, -estimate, linear, information, smallest=parameters.effect_min_down),
            self._best(1.0, estimate, linear, information, smallest=parameters.effect_min_up),
        )

    def _best(self, sign: float, size: Floats, linear: Floats, information: Floats, *, smallest: float) -> OnsetScores:
        dispersion = self.over_dispersion()
        single = max(smallest, self.parameters.effect_min_single)
        least = np.where(_IS_JOINT, smallest, single)
        effect = sign * np.clip(size, least[:, None, None], self.parameters.effect_max)
        settled = self.settled[int(sign > 0), :, self.parameters.youngest_age_days :]
        speaks = (effect * linear > 0) & ~settled
        ratio = np.where(speaks, effect * linear - 0.5 * effect**2 * information, 0.0)
        handicap = np.where(_IS_JOINT, 0.0, self.parameters.single_handicap)[:, None]
        ages = np.argmax(ratio, axis=2)
        best = np.take_along_axis(ratio, ages[:, :, None], axis=2)[:, :, 0] / dispersion - handicap
        nodes = np.arange(best.shape[1])
        shape = np.argmax(best, axis=0)
        age = ages[shape, nodes]
        spread = np.sqrt(dispersion[shape, nodes] / information[shape, nodes, age])
        return OnsetScores(
            score=np.maximum(best[shape, nodes], 0.0),
            effect=effect[shape, nodes, age],
            effect_sd=spread,
            onset_age_days=age + self.parameters.youngest_age_days,
            shape=shape,
        )

    def forget(self, nodes: Flags) -> None:
        """Drop the evidence of the flagged nodes (bool[G]); cells among them lose their parts elsewhere, too."""
        gone = nodes[: len(self.tree.series)]
        for shape in range(len(SHAPES)):
            whole = self.tree.sums(self.by_cell[shape])
            part = self.tree.sums(np.where(gone[:, None], self.by_cell[shape], 0.0))
            share = np.where(whole * part > 0, part / np.where(whole == 0, 1.0, whole), 0.0)
            self.linear[shape] *= 1.0 - np.minimum(share, 1.0)
        self.linear[:, nodes] = 0.0
        self.information[:, nodes] = 0.0
        self.by_cell[:, gone] = 0.0

    def settle(self, node: int, sign: float) -> None:
        """Let no first day up to today score at a node any more, for steps of a sign (-1: down, 1: up).

        Nodes around it and within it have their own hypotheses; sums and over-dispersion stay what they are.
        """
        self.settled[int(sign > 0), node] = True

    def embed(self, tree: NodeTree) -> None:
        """Lay the evidence out for a grown `tree`; new nodes have none."""
        old_tree, state = self.tree, self.state()
        self._allocate(tree)
        cells = tree.embedding(old_tree.series)
        # A node that the grown tree no longer tells apart (a set it shares with another) is dropped.
        kept = [place for place, node in enumerate(old_tree.nodes) if node in tree.index]
        nodes = [tree.index[old_tree.nodes[place]] for place in kept]
        self.linear[:, nodes] = state["linear"][:, kept]
        self.information[:, nodes] = state["information"][:, kept]
        self.dispersion[:, nodes] = state["dispersion"][:, kept]
        self.settled[:, nodes] = state["settled"][:, kept]
        self.by_cell[:, cells] = state["by_cell"]
