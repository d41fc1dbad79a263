"""Is a region's sector mix unusual today? Half-space trees, ranked against the region's own past.

x holds, for each sector, the residual of its share in the region's amount (log share less log expected share, in
predictive sd), mapped to [0, 1] by the normal distribution function. River's HalfSpaceTrees scores it (high =
anomalous), and the score becomes a conformal p-value among the last scores s_1..s_n of the same region,

    p = (1 + #{i : s_i >= s}) / (n + 1),

which is uniform or larger for an exchangeable past, whatever the trees do. Scores are taken before the day
is learned. The trees look at the sectors of the first day they see: `reset` when sectors are added.

References: Tan, Ting and Liu (2011), Fast anomaly detection for streaming data, IJCAI; Laxhammar and Falkman (2014),
Annals of Mathematics and Artificial Intelligence 74 (conformal anomaly ranks).

Example:
    >>> model = MixAnomaly(MixParameters(window_days=20, history_days=50, history_min_days=10))
    >>> for day in range(60):
    ...     model.learn_one({"05": 0.5 + 0.01 * (day % 3), "11": 0.5 - 0.01 * (day % 5)})
    >>> model.rank_one({"05": 0.51, "11": 0.49}) > 0.5, model.rank_one({"05": 0.02, "11": 0.99}) < 0.03
    (True, True)
"""

import math
from collections import deque
from typing import Any

import numpy as np
from river import anomaly, base

from earlywarn.detection.mix_parameters import MixParameters


class MixAnomaly(base.AnomalyDetector):
    """The sector mix of one region, in River's interface: x a dict of values in [0, 1] by sector.

    Args:
        parameters: see `MixParameters`; None for the defaults.
    """

    def __init__(self, parameters: MixParameters | None = None) -> None:
        self.parameters = parameters
        self.reset()

    def reset(self) -> None:
        """Forget trees and past scores."""
        self._settings = self.parameters or MixParameters()
        self._features: list[str] = []
        self._history: deque[float] = deque(maxlen=self._settings.history_days)
        self._trees = self._new_trees()

    def _new_trees(self) -> anomaly.HalfSpaceTrees:
        settings = self._settings
        return anomaly.HalfSpaceTrees(
            n_trees=settings.trees, height=settings.height, window_size=settings.window_days, seed=settings.seed
        )

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Rank the past by the score of `x`, then let the trees learn it; an `x` without features is no news."""
        self.rank_and_learn_one(x)

    def rank_and_learn_one(self, x: dict[Any, Any]) -> float:
        """Return what `rank_one` returns, then learn `x`: one score for both."""
        values = _clean(x)
        if not values:
            return math.nan
        if not self._features:
            self._features = sorted(values)
        score = float(self._trees.score_one(values))  # type: ignore[no-untyped-call] # River's
        rank = self._rank(score)
        if not self._trees._first_window:  # noqa: SLF001 -- before, every score is 0 and says nothing
            self._history.append(score)
        self._trees.learn_one(values)  # type: ignore[no-untyped-call]
        return rank

    def score_one(self, x: dict[Any, Any]) -> float:
        """Return the trees' score of `x`, 0 (usual) to 1; 0.0 until the first window is full."""
        values = _clean(x)
        return float(self._trees.score_one(values)) if values else 0.0  # type: ignore[no-untyped-call]

    def rank_one(self, x: dict[Any, Any]) -> float:
        """Return the conformal p-value of `x` in (0, 1], small = unusual; NaN while the past is too short."""
        return self._rank(self.score_one(x))

    def _rank(self, score: float) -> float:
        if len(self._history) < self._settings.history_min_days:
            return math.nan
        as_unusual = int(np.count_nonzero(np.array(self._history) >= score))
        return (1 + as_unusual) / (len(self._history) + 1)

    def state(self) -> dict[str, Any]:
        """Return what was learned: the trees' masses (their splits follow from the seed) and the past scores."""
        nodes = [node for tree in self._trees._tree_nodes for node in tree]  # noqa: SLF001
        masses = np.array([(node.l_mass, node.r_mass) for node in nodes], dtype=np.int64).reshape(-1, 2)
        return {
            "features": list(self._features),
            "masses": masses,
            "counter": self._trees.counter,
            "first_window": self._trees._first_window,  # noqa: SLF001
            "history": np.array(self._history),
        }

    def restore(self, state: dict[str, Any], like: "MixAnomaly | None" = None) -> None:
        """Take over what `state` returned under the same parameters.

        Args:
            state: of this model.
            like: another one of the same parameters; with the same features it has the same trees, and copies of them
                are made in a fifth of the time.
        """
        self.reset()
        self._history.extend(state["history"].tolist())
        self._features = list(state["features"])
        if not self._features:
            return
        if like is not None and like._features == self._features:  # noqa: SLF001 -- its own class
            self._trees.trees = list(map(_copied, like._trees.trees))  # noqa: SLF001
            self._trees._tree_nodes = [list(tree.iter_dfs()) for tree in self._trees.trees]  # type: ignore[no-untyped-call]  # noqa: SLF001
        else:
            # The first day learned makes the trees, a function of its features and the seed alone.
            self._trees.learn_one(dict.fromkeys(self._features, 0.5))  # type: ignore[no-untyped-call]
        nodes = [node for tree in self._trees._tree_nodes for node in tree]  # noqa: SLF001
        for node, (left, right) in zip(nodes, state["masses"].tolist(), strict=True):
            node.l_mass, node.r_mass = left, right
        self._trees.counter = int(state["counter"])
        self._trees._first_window = bool(state["first_window"])  # noqa: SLF001


def _copied(node: Any) -> Any:  # noqa: ANN401 -- River's nodes
    """Return a copy of a tree."""
    twin = object.__new__(type(node))
    twin.__dict__.update(node.__dict__)
    children = node.__dict__.get("children")
    if children:
        twin.children = tuple(map(_copied, children))
    return twin


def _clean(x: dict[Any, Any]) -> dict[str, float]:
    """Return the finite values by name, in order of name."""
    return {
        str(name): float(value)
        for name, value in sorted(x.items(), key=lambda item: str(item[0]))
        if np.isfinite(value)
    }
