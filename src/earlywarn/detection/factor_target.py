"""The shrinkage target of blocks and factors: the mean correlation of each kind of pair of series.

Within blocks the kinds are: itself, both measures of a cell, and two cells (two counts, a count and an amount, two
amounts). Across blocks: two cells of one group, by group, and neither, by measure. These are no single numbers to be
looked up, but a square of factors: of 2 x 2 matrices G (panel) and H (a group's, beyond the panel's), the nearest
positive semidefinite ones, the roots times the indicators of panel and group.

Example:
    >>> kinds_within(4).tolist()
    [[0, 2, 1, 3], [2, 0, 3, 1], [1, 3, 0, 4], [3, 1, 4, 0]]
    >>> layout = FactorLayout(np.array([0, 1, 2]), np.array([0, 0, 0]))
    >>> moment = 0.5 * np.ones((6, 6)) + 0.5 * np.eye(6)
    >>> pairs = [moment[place[:, :, None], place[:, None, :]] for place in layout.places]
    >>> member = np.repeat(np.eye(2), 3, axis=0) / 3
    >>> factors = target_across(layout, pairs, member.T @ moment @ member, np.ones(6, dtype=bool))
    >>> (factors @ factors.T)[0].round(6).tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from earlywarn.detection.factor_layout import FactorLayout

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

OWN, CELL, SAME_BLOCK = 0, 1, 2
KINDS_WITHIN = 5


def series_variance(layout: FactorLayout, pairs: Sequence[Floats]) -> Floats:
    """Return float64[M], the second moment of each series, of `pairs` [n, m, m] for each size of blocks."""
    variance = np.empty(2 * layout.cells)
    for pair, place in zip(pairs, layout.places, strict=True):
        variance[place] = np.einsum("nmm->nm", pair)
    return variance


def kinds_within(size: int) -> Integers:
    """Return int64[size, size], the kinds of pairs in a block of so many series."""
    half = size // 2
    amount = np.repeat([0, 1], half)
    kinds: Integers = SAME_BLOCK + amount[:, None] + amount[None, :]
    cell = np.tile(np.arange(half), 2)
    kinds[cell[:, None] == cell[None, :]] = CELL
    np.fill_diagonal(kinds, OWN)
    return kinds


def target_within(layout: FactorLayout, pairs: Sequence[Floats], weight: Floats, known: Flags) -> Floats:
    """Return float64[5]: the mean correlation of each kind of pair within the blocks.

    Args:
        layout: the blocks.
        pairs: their second moments, float64[n, m, m] for each size.
        weight: float64[M], 1 by the sd of each series, 0 for those not known yet.
        known: bool[M].
    """
    sums, counts = np.zeros(KINDS_WITHIN), np.zeros(KINDS_WITHIN)
    for pair, place in zip(pairs, layout.places, strict=True):
        rows, kinds = weight[place], kinds_within(place.shape[1]).ravel()
        total = (rows[:, :, None] * rows[:, None, :] * pair).sum(axis=0).ravel()
        both = known[place].astype(np.float64).T @ known[place]
        sums += np.bincount(kinds, total, KINDS_WITHIN)
        counts += np.bincount(kinds, both.ravel(), KINDS_WITHIN)
    means: Floats = sums / np.maximum(counts, 1.0)
    return means


def target_across(layout: FactorLayout, pairs: Sequence[Floats], scores: Floats, known: Flags) -> Floats:
    """Return float64[M, 2 groups + 2], whose square is the mean correlation of each kind of pair across blocks.

    The means follow from the factors' moments: a mean of n series holds all n x n pairs of two groups, from
    which those of one series or cell, and those within blocks, are taken away.

    Args:
        layout: blocks and factors.
        pairs: second moments within the blocks, float64[n, m, m] for each size.
        scores: float64[k, k], those of the factors.
        known: bool[M], series whose correlations are used.
    """
    groups = layout.groups
    measure = np.repeat([0, 1], layout.cells)
    of_sector = layout.factor_sets[0]
    group = of_sector % groups if groups else of_sector
    members = np.bincount(of_sector[known], minlength=2 * groups).astype(np.float64).reshape(2, groups)
    sums = (
        scores[: 2 * groups, : 2 * groups].reshape(2, groups, 2, groups)
        * members[:, :, None, None]
        * members[None, None, :, :]
    )
    counts = members[:, :, None, None] * members[None, None, :, :]
    in_group = np.einsum("agbg->gab", sums)
    of_group = np.einsum("agbg->gab", counts)
    cell, cells_of, block, of_block = _sums_in_blocks(layout, pairs, known, group)
    same = (in_group - cell) / np.maximum(of_group - cells_of, 1.0)
    neither = sums.sum(axis=(1, 3)) - in_group.sum(axis=0) - block
    neither /= np.maximum(counts.sum(axis=(1, 3)) - of_group.sum(axis=0) - of_block, 1.0)
    variance = series_variance(layout, pairs)
    usual = np.sqrt([variance[known & (measure == at)].mean() if known.any() else 1.0 for at in (0, 1)])
    usual = np.where(np.isfinite(usual), usual, 1.0)
    panel, panel_root = _nearest(neither / (usual[:, None] * usual))
    root = _nearest(same / (usual[:, None] * usual) - panel)[1]
    factors = np.zeros((2 * layout.cells, 2 * groups + 2))
    for column in (0, 1):
        factors[np.arange(len(group)), 2 * group + column] = root[group, measure, column]
    factors[:, 2 * groups :] = panel_root[measure]
    return factors


def _sums_in_blocks(
    layout: FactorLayout, pairs: Sequence[Floats], known: Flags, group: Integers
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return sums and numbers of moments: within a cell by group [g, 2, 2], and of two cells of a block [2, 2]."""
    cell, of_cell = np.zeros((2, layout.groups, 2, 2))
    block, of_block = np.zeros((2, 2, 2))
    for pair, place in zip(pairs, layout.places, strict=True):
        half = place.shape[1] // 2
        flags = known[place].astype(np.float64)
        both = (flags[:, :, None] * flags[:, None, :]).reshape(-1, 2, half, 2, half)
        moment = pair.reshape(-1, 2, half, 2, half) * both
        for left in (0, 1):
            for right in (0, 1):
                at = group[place[:, :half]].ravel()
                own = np.einsum("nhh->nh", moment[:, left, :, right])
                known_own = np.einsum("nhh->nh", both[:, left, :, right])
                cell[:, left, right] += np.bincount(at, own.ravel(), layout.groups)
                of_cell[:, left, right] += np.bincount(at, known_own.ravel(), layout.groups)
                block[left, right] += moment[:, left, :, right].sum() - own.sum()
                of_block[left, right] += both[:, left, :, right].sum() - known_own.sum()
    return cell, of_cell, block, of_block


def _nearest(matrices: Floats) -> tuple[Floats, Floats]:
    """Return the nearest positive semidefinite matrices [..., 2, 2] and their roots R, R R' = the matrix."""
    values, vectors = np.linalg.eigh(0.5 * (matrices + np.swapaxes(matrices, -1, -2)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    return np.matmul(root, np.swapaxes(root, -1, -2)), root
