"""Whitening of a large panel: within blocks every pair is learned, across blocks what the factors carry.

The series stand in blocks (the cells of a region), and z are the mean innovations of groups across them (sectors,
counts and amounts apart; where they are few regions, too), of those seen: see `factor_layout`. Second moments are
learned as in `whitening`, with the same weights, of the pairs within a block (C), of every series with every factor
(A = E v z') and of the factors (Z = E z z').
With Q and L the moments C and A inverse(root Z)' as correlations, t the mean correlations of each kind of pair (both
measures of a cell, same block, same group, neither; by measure), and s the share of the target, the correlation is

    X[i, j] = (1 - s) Q[i, j] + s t[i, j]         within a block, the diagonal 1 + ridge,
    X[i, j] = (1 - s) (L L')[i, j] + s t[i, j]    across blocks.

A full matrix of correlations is replaced, across blocks, by its Nystrom approximation on the groups' means; all else is
as in the full form, and with one block X is the full form. Since a moment less its Nystrom approximation is positive
semidefinite, and so are its diagonal blocks, X is positive definite where all series are seen; where pairs were seen
on different days, blocks are repaired. The target is worth at least as many days as numbers are learned of a series
(its block's size and the factors, p): s = B / (B + days) with B = max(A, p).

The inverse is Woodbury's (`block_factor_form`). Costs are linear in the series: no array is larger than all blocks, or
the series times the factors.

References: Woodbury (1950); Williams and Seeger (2001), NIPS 13 (Nystrom approximation); Fan, Liao and Mincheva (2013),
Journal of the Royal Statistical Society B 75 (factors and a sparse, here block-diagonal, remainder).

Example:
    >>> parameters = WhiteningParameters(delay_days=0)
    >>> model = FactorCorrelation(parameters, FactorLayout(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])))
    >>> rng, seen = np.random.default_rng(1), np.ones(8, dtype=bool)
    >>> for _ in range(300):
    ...     model.learn(0.5 * rng.standard_normal(8) + np.tile(rng.standard_normal(2), 4), seen)
    >>> precision = model.precision(seen)
    >>> shared = precision.apply(np.tile([-2.0, 0.0], 4))
    >>> bool(abs(shared).max() < 1.5), bool(precision.apply(np.array([-2.0] + [0.0] * 7))[0] < -3.0)
    (True, True)
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from earlywarn.detection.block_factor_form import BlockFactorForm
from earlywarn.detection.factor_layout import FactorLayout
from earlywarn.detection.factor_target import kinds_within, series_variance, target_across, target_within
from earlywarn.detection.whitening import DayOf, InnovationCorrelation, next_moment
from earlywarn.detection.whitening_parameters import WhiteningParameters

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BLOCK_FLOOR = 0.02
"""Smallest eigenvalue of a block less its factors: no series is known by its peers to better than a seventh of its
sd, however odd the days on which pairs were seen."""
SAME_FACTOR = 1e-3
"""Share of the variance of standardised factors below which a direction of theirs is noise: two groups of the same
cells, or days on which one of them was not seen."""
TINY = 1e-12


class FactorCorrelation:
    """Correlation of M series' innovations and its inverse, as blocks and k factors.

    Args:
        parameters: see `WhiteningParameters`.
        layout: of the panel's cells.

    Attributes:
        pairs: float64[n, m, m] for each size of blocks, C. cross: float64[M, k], A. scores: float64[k, k], Z.
        days: int64[M], usable days of each series so far (delay included).
        score_days: int64[k], days on which anything settled was seen of each factor.
    """

    def __init__(self, parameters: WhiteningParameters, layout: FactorLayout) -> None:
        self.parameters, self.layout = parameters, layout
        size, member = 2 * layout.cells, layout.member()
        self.pairs: list[Floats] = [np.tile(np.eye(place.shape[1]), (len(place), 1, 1)) for place in layout.places]
        # What an identity for all pairs would give.
        self.cross: Floats = member
        self.scores: Floats = _symmetric(member.T @ member)
        self.days: Integers = np.zeros(size, dtype=np.int64)
        self.score_days: Integers = np.zeros(layout.factors, dtype=np.int64)
        self._correlation: BlockFactorForm | None = None

    def learn(self, innovations: Floats, seen: Flags) -> None:
        """Take the day's standardised `innovations` [M], of the series `seen` [M]."""
        parameters, layout = self.parameters, self.layout
        mature = seen & (self.days >= parameters.delay_days)
        self.days += seen
        self._correlation = None
        if not mature.any():
            return
        day = DayOf(np.clip(innovations, -parameters.clip, parameters.clip), mature, self.learned_days)
        counts, sums = np.zeros((2, layout.factors))
        for factor_of in layout.factor_sets:
            counts += np.bincount(factor_of[mature], minlength=layout.factors)
            sums += np.bincount(factor_of[mature], day.values[mature], layout.factors)
        self.score_days += counts > 0
        score = DayOf(sums / np.maximum(counts, 1), counts > 0, self.score_days)
        for at, place in enumerate(layout.places):
            block = DayOf(day.values[place], mature[place], day.learned_days[place])
            self.pairs[at] = next_moment(self.pairs[at], parameters, block, block)
        self.cross = next_moment(self.cross, parameters, day, score)
        self.scores = next_moment(self.scores, parameters, score, score)

    @property
    def learned_days(self) -> Integers:
        """Return int64[M], days that went into the correlations of each series."""
        return np.maximum(self.days - self.parameters.delay_days, 0)

    def correlation(self) -> BlockFactorForm:
        """Return the shrunken correlation [M, M] (positive definite); the identity where nothing is known."""
        if self._correlation is None:
            self._correlation = self._shrunken()
        return self._correlation

    def precision(self, seen: Flags) -> BlockFactorForm:
        """Return the inverse correlation [M, M] of the series `seen` [M], 0 in the others' rows."""
        return self.correlation().inverse(seen)

    def _shrunken(self) -> BlockFactorForm:
        parameters, layout, learned = self.parameters, self.layout, self.learned_days
        known = learned > parameters.use_after_days
        worth = np.maximum(parameters.shrinkage_days, layout.numbers)
        share = worth / (worth + learned)
        scale = 1.0 / (np.sqrt(series_variance(layout, self.pairs)) + 1e-6)
        # Rows of both parts; the product of two rows' roots is the share of a pair.
        estimated, targeted = np.sqrt(1.0 - share) * scale * known, np.sqrt(share) * known
        factors = np.concatenate(
            [
                estimated[:, None] * self._loadings(),
                targeted[:, None] * target_across(layout, self.pairs, self.scores, known),
            ],
            axis=1,
        )
        target = target_within(layout, self.pairs, scale * known, known)
        blocks = []
        for pair, place in zip(self.pairs, layout.places, strict=True):
            own, shared = estimated[place], targeted[place]
            block = own[:, :, None] * own[:, None, :] * pair
            block += shared[:, :, None] * shared[:, None, :] * target[kinds_within(place.shape[1])]
            np.einsum("nmm->nm", block)[...] = 1.0 + parameters.ridge
            rows = factors[place]
            blocks.append(_bounded_below(block - np.matmul(rows, rows.transpose(0, 2, 1))))
        return BlockFactorForm(tuple(blocks), layout.places, factors)

    def _loadings(self) -> Floats:
        """Return float64[M, k], A inverse(root Z)': the Nystrom approximation of the moments is its square.

        Where days are missing, Z need not be positive definite, nor the factors' part of a series less than all of it.
        """
        scale = 1.0 / np.sqrt(np.maximum(self.scores.diagonal(), TINY))
        values, vectors = np.linalg.eigh(self.scores * scale[:, None] * scale)
        kept = values > SAME_FACTOR
        roots = vectors * np.where(kept, 1.0 / np.sqrt(np.where(kept, values, 1.0)), 0.0)
        loadings = self.cross @ (scale[:, None] * roots)
        part = np.einsum("mk,mk->m", loadings, loadings)
        bound = np.sqrt(series_variance(self.layout, self.pairs) / np.maximum(part, TINY))
        bounded: Floats = loadings * np.minimum(bound, 1.0)[:, None]
        return bounded

    def take_full(self, earlier: InnovationCorrelation, places: Integers) -> None:
        """Go on from the full form of a smaller panel, whose series i stands at `places[i]`."""
        layout, moment = self.layout, earlier.moment
        before = np.full(2 * layout.cells, -1, dtype=np.int64)
        before[places] = np.arange(len(places))
        for pair, place in zip(self.pairs, layout.places, strict=True):
            old = before[place]
            block, row, column = np.nonzero((old >= 0)[:, :, None] & (old >= 0)[:, None, :])
            pair[block, row, column] = moment[old[block, row], old[block, column]]
        member = layout.member()[places]
        member /= np.maximum(member.sum(axis=0), TINY)
        present = member.any(axis=0)
        cross = moment @ member
        self.cross[np.ix_(places, present)] = cross[:, present]
        self.scores[np.ix_(present, present)] = _symmetric(member.T @ cross)[np.ix_(present, present)]
        self.days[places] = earlier.days
        for factor_of in layout.factor_sets:
            np.maximum.at(self.score_days, factor_of[places], earlier.learned_days)
        self._correlation = None

    def take(self, earlier: "FactorCorrelation", places: Integers) -> None:
        """Go on from a smaller panel, whose series i stands at `places[i]`."""
        size = 2 * self.layout.cells
        keys = np.concatenate([_keys(places[place], size) for place in earlier.layout.places])
        values = np.concatenate([pair.ravel() for pair in earlier.pairs])
        order = np.argsort(keys, kind="stable")
        for pair, place in zip(self.pairs, self.layout.places, strict=True):
            wanted = _keys(place, size)
            at = np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)
            found = keys[order[at]] == wanted
            pair.reshape(-1)[found] = values[order[at]][found]
        # A factor goes on where the first of its series is; of two that fall together the first one goes on.
        factors, origins = [], []
        for before, after in zip(earlier.layout.factor_sets, self.layout.factor_sets, strict=False):
            old, first = np.unique(before, return_index=True)
            new, kept = np.unique(after[places[first]], return_index=True)
            factors.append(new)
            origins.append(old[kept])
        factor, kept = np.concatenate(factors), np.concatenate(origins)
        self.cross[np.ix_(places, factor)] = earlier.cross[:, kept]
        self.scores[np.ix_(factor, factor)] = earlier.scores[np.ix_(kept, kept)]
        self.days[places] = earlier.days
        self.score_days[factor] = earlier.score_days[kept]
        self._correlation = None

    def state(self) -> dict[str, Any]:
        """Return what was learned as arrays; of symmetric ones the upper triangles."""
        triangles = [pair[:, *np.triu_indices(pair.shape[1])].ravel() for pair in self.pairs]
        return {
            "pairs": np.concatenate(triangles),
            "cross": self.cross.copy(),
            "scores": self.scores[np.triu_indices(len(self.scores))],
            "days": self.days.copy(),
            "score_days": self.score_days.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same layout."""
        start = 0
        for at, place in enumerate(self.layout.places):
            rows, columns = np.triu_indices(place.shape[1])
            stop = start + len(place) * len(rows)
            triangle = state["pairs"][start:stop].reshape(len(place), len(rows))
            self.pairs[at][:, rows, columns] = triangle
            self.pairs[at][:, columns, rows] = triangle
            start = stop
        rows, columns = np.triu_indices(self.layout.factors)
        self.scores[rows, columns] = state["scores"]
        self.scores[columns, rows] = state["scores"]
        self.cross, self.days, self.score_days = (state[name].copy() for name in ("cross", "days", "score_days"))
        self._correlation = None


def _symmetric(matrix: Floats) -> Floats:
    """Return `matrix`, symmetric to the last bit: its triangle is the state."""
    symmetric: Floats = 0.5 * (matrix + matrix.T)
    return symmetric


def _keys(place: Integers, size: int) -> Integers:
    """Return a number for each pair within the blocks `place` [n, m] of `size` series."""
    keys: Integers = (place[:, :, None] * size + place[:, None, :]).ravel()
    return keys


def _bounded_below(blocks: Floats) -> Floats:
    """Return `blocks` [n, m, m], where one has an eigenvalue below the floor all with theirs raised to it."""
    try:
        np.linalg.cholesky(blocks - BLOCK_FLOOR * np.eye(blocks.shape[1]))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(blocks)
        repaired = np.matmul(vectors * np.maximum(values, BLOCK_FLOOR)[:, None, :], vectors.transpose(0, 2, 1))
        symmetric: Floats = 0.5 * (repaired + repaired.transpose(0, 2, 1))
        return symmetric
    return blocks
