"""One shock, one alert: which alarming node explains the day best, and which others it explains.

Nodes are taken by their score. A node inside a taken one is its child. A node whose evidence comes
mostly from the cells of taken ones (the panel above a collapsing region) is no alarm of its own.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def group(
    alarming: Sequence[int],
    scores: Floats,
    members: Flags,
    contributions: Floats,
    standing: Sequence[int],
    explained_share: float,
) -> dict[int, int | None]:
    """Return the parent of each alarming node that counts: None for a top, absent if explained by others.

    Args:
        alarming: nodes above their threshold, in one direction.
        scores: float64[G].
        members: bool[G, K], the cells of each node.
        contributions: float64[G, K], each cell's part of a node's evidence; positive supports it.
        standing: nodes whose episode is already open as a top; new alarms inside them are children.
        explained_share: see `AlertParameters`.
    """
    parents: dict[int, int | None] = {}
    tops: list[int] = []
    covered = np.zeros(members.shape[1], dtype=bool)
    for node in sorted(alarming, key=lambda at: (-scores[at], at)):
        container = next((top for top in (*tops, *standing) if top != node and _inside(members, node, top)), None)
        if container is not None:
            parents[node] = container
            continue
        support = np.clip(contributions[node], 0.0, None)
        total = float(support.sum())
        explained = float(support[covered].sum()) / total if total > 0 else 0.0
        if explained >= explained_share and node not in standing:
            continue
        for top in [top for top in tops if _inside(members, top, node)]:
            parents[top] = node
            tops.remove(top)
        parents[node] = None
        tops.append(node)
        covered |= members[node]
    for node, parent in parents.items():  # a container may itself have become a child: keep one level
        while parent is not None and parents.get(parent) is not None:
            parent = parents[parent]  # noqa: PLW2901  # climbing
        parents[node] = parent
    return parents


def _inside(members: Flags, inner: int, outer: int) -> bool:
    return bool((members[outer] | ~members[inner]).all() and (members[outer] & ~members[inner]).any())
