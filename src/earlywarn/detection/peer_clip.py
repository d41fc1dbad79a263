"""What a total's series say together when most of them say more than one of them may.

One series' day may say so much at most, |z| <= c, lest an outlier speak for its peers. Where most series of a total are
beyond that together, they are no outliers: clipped one by one, all end at the same c whatever their sd, and to the
inverse correlation that looks like contrasts between peers and not like one step, whose size comes out as a fraction of
what it is. For the total's own hypotheses the limits of its series are then, with s the predictive sd of each,

    c + m / s,      m the lower median of their errors (up; of a fall likewise), of one measure.

Both measures must have such a step, on the same side. This is asked of the panel first; only if it has no such step, of
regions and sectors. Hypotheses of all others are told what is clipped one by one: a step of all says nothing for one
against its peers.

Example: four series fall by half, one of them much less noisy than the others; a fifth one stays.
    >>> tree = NodeTree([("A", "x"), ("B", "x"), ("C", "x"), ("D", "x"), ("E", "x")])
    >>> z = np.array([-5.0, -6.0, -20.0, -5.0, 0.1] * 2)
    >>> error = z * np.array([0.14, 0.12, 0.035, 0.14, 0.1] * 2)
    >>> {tree.nodes[at].label: each[:5].round(1).tolist()
    ...  for at, each in moved_together(z, error, np.ones(10, dtype=bool), tree, 4.0).items()}
    {'* x *': [-5.0, -6.0, -20.0, -5.0, 0.1]}
    >>> moved_together(z * (z < -5), error, np.ones(10, dtype=bool), tree, 4.0)
    {}
"""

import numpy as np

from earlywarn.detection.day_scores import Flags, Floats
from earlywarn.detection.hierarchy import NodeTree


def moved_together(z: Floats, error: Floats, seen: Flags, tree: NodeTree, clip: float) -> dict[int, Floats]:
    """Return by node what its own hypotheses are told, float64[2K]: counts, then amounts.

    Args:
        z: float64[2K], standardised innovations of K cells, 0 where nothing was seen.
        error: float64[2K], the same in log units.
        seen: bool[2K].
        tree: the totals over the cells.
        clip: c.
    """
    found: dict[int, Floats] = {}
    if not (np.abs(z) > clip).any():
        return found
    cells = len(tree.series)
    for level in reversed(tree.levels):
        if found or level.rows.start < cells:
            break
        for at, group in enumerate(level.groups.tolist(), start=level.rows.start):
            inside = level.grouping.group_of == group
            limits = np.full((2, len(z)), clip)
            for rows in (slice(0, cells), slice(cells, 2 * cells)):
                mine = np.zeros(len(z), dtype=bool)
                mine[rows] = inside
                mine &= seen
                _widen(limits, mine, z, error, clip)
            by_measure = limits.reshape(2, 2, cells).max(axis=2)
            if (by_measure > clip).all(axis=1).any():  # of one measure alone it is no step of both
                found[at] = np.clip(z, -limits[0], limits[1])
    return found


def _widen(limits: Floats, mine: Flags, z: Floats, error: Floats, clip: float) -> None:
    """Raise the limits [down, up] of some series of one measure by the step that most of them share, if it is large."""
    count = int(mine.sum())
    if count < 2:  # a series alone is its own median
        return
    for side, sign in enumerate((-1.0, 1.0)):
        if np.sort(sign * z[mine])[(count - 1) // 2] > clip:
            step = np.sort(sign * error[mine])[(count - 1) // 2]
            sd = np.abs(error[mine] / np.where(z[mine] == 0, np.inf, z[mine]))
            limits[side, mine] += np.where(sd > 0, step / np.where(sd > 0, sd, 1.0), 0.0)
