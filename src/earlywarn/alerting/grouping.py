"""One shock, one alert: which alarming nodes count, which totals their members' alarms amount to, who contains whom.

A total (region, sector, panel) takes over when the alarms inside it hold most of its spending, or when it alarms with
evidence of its own. A total whose evidence comes mostly from the cells of stronger alarms (the panel above a collapsing
region) is no alarm of its own. What lies inside an open total is its child, whenever it alarmed.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import numpy.typing as npt

from earlywarn.alerting.episode import Episode
from earlywarn.detection.contributions import Contributions
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.series import holds

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_LEAST_CELLS = 2  # one cell is no region's shock, however large it is in its region
_LEVELS = ("panel", "region", "sector", "cell")


def membership(nodes: Sequence[Node]) -> Flags:
    """Return bool[G, K]: the cells of each node."""
    cells = [(node.region, node.sector) for node in nodes if node.level == "cell"]
    return np.array(
        [[holds((node.region, node.sector), cell) for cell in cells] for node in nodes],
        dtype=bool,
    ).reshape(len(nodes), len(cells))


def taken_over(
    nodes: Sequence[Node], alarming: AbstractSet[int], members: Flags, weights: Floats, share: float
) -> dict[int, list[int]]:
    """Return the totals that the alarms inside them amount to, each with those alarms (nodes).

    The panel goes first: if most of its spending lies in alarming cells, regions or sectors, it is the panel's shock.
    Otherwise a region or sector is looked at, by its own cells.

    Args:
        nodes: G nodes.
        alarming: nodes above their threshold, or of open episodes that still are, in one direction.
        members: bool[G, K].
        weights: float64[K], spending of each cell.
        share: of a total's spending that its alarms must hold.
    """
    cells = sorted(at for at in alarming if nodes[at].level == "cell")
    for at, node in enumerate(nodes):
        if node.level == "panel":
            inside = sorted(alarming - {at})
            if _holds_most(_union(members, inside), weights, share):
                return {at: inside}
    found = {}
    for at, node in enumerate(nodes):
        if node.level in {"region", "sector"}:
            inside = [cell for cell in cells if members[at, cell]]
            if _holds_most(_union(members, inside)[members[at]], weights[members[at]], share):
                found[at] = inside
    return found


def _union(members: Flags, nodes: list[int]) -> Flags:
    return np.asarray(members[nodes].any(axis=0), dtype=bool)


def _holds_most(lit: Flags, weights: Floats, share: float) -> bool:
    return int(lit.sum()) >= _LEAST_CELLS and float(weights[lit].sum()) >= share * float(weights.sum())


def counting(
    alarming: Iterable[int],
    scores: Floats,
    members: Flags,
    contributions: Sequence[Floats] | Contributions,
    standing: AbstractSet[int],
    explained_share: float,
) -> list[int]:
    """Return the alarming nodes that count, strongest first: those that stronger ones do not explain.

    Args:
        alarming: nodes above their threshold, in one direction.
        scores: float64[G].
        members: bool[G, K], the cells of each node.
        contributions: of each node float64[K], each cell's part of its evidence; positive supports it.
        standing: nodes that count whatever explains them: their episode is open, or they have taken over.
        explained_share: see `AlertParameters`.
    """
    found: list[int] = []
    covered = np.zeros(members.shape[1], dtype=bool)
    for node in sorted(alarming, key=lambda at: (-scores[at], at)):
        support = np.clip(contributions[node], 0.0, None)
        total = float(support.sum())
        explained = float(support[covered].sum()) / total if total > 0 else 0.0
        inside = any(strictly_inside(members, node, other) for other in (*found, *standing))
        if inside or explained < explained_share or node in standing:
            found.append(node)
            covered |= members[node]
    return found


def strictly_inside(members: Flags, inner: int, outer: int) -> bool:
    """Return whether the cells of a node are some of another one's, and not all of them."""
    return bool((members[outer] | ~members[inner]).all() and (members[outer] & ~members[inner]).any())


def adopt(episodes: Iterable[Episode]) -> None:
    """Make every open episode that lies inside another one its child; all are of one direction.

    What has parted ways with totals around it is nobody's child (`parting`). The widest total is the parent, so that
    families have one level; among a region and a sector, the one that already is the parent, then the one with the
    higher score. Whose family changes has news.
    """
    by_width = sorted(episodes, key=lambda each: (_LEVELS.index(each.level), each.region or "", each.sector or ""))
    tops: list[Episode] = []
    for child in by_width:
        holders = [] if child.is_own else [top for top in tops if top.contains(child)]
        if not holders:
            tops.append(child)
            continue
        parent = max(holders, key=lambda top: (top.id == child.parent, top.score))
        if child.parent == parent.id:
            continue
        for former in by_width:
            if child.id in former.children:
                former.children.remove(child.id)
        child.parent, child.children = parent.id, []
        parent.children.append(child.id)
        parent.has_news = child.has_news = True
