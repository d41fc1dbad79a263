"""Whitening of the innovations of all series: each judged given all its peers.

Computes, from daily standardised innovations v (clipped), an exponentially weighted second moment C,

    C' = l C + (1 - l) v v'      (pairs seen together),     Q = C / sqrt(diag C diag C')

shrinks Q towards the mean correlation t of each kind of pair (both measures of one cell, same sector, same
region, neither), Q' = (1 - s) Q + s t with s = A / (A + days), and returns w = inverse(Q') v. Component i of w is
proportional to v_i less its regression on all the others: a fall that everyone shares is no news for the cell,
a fall against the peers is. Series not seen today are integrated out (Schur complement), not taken as
normal.

References: Ledoit and Wolf (2003), Journal of Empirical Finance 10 (shrinkage to a structured target); RiskMetrics
(1996), chapter 5 (exponential weights).

Example:
    >>> model = Whitening(delay_days=0, memory=0.99)
    >>> for day in range(200):
    ...     common = 1.0 if day % 2 else -1.0
    ...     own = 0.3 if day % 3 else -0.6
    ...     model.learn_one({"a": common + own, "b": common - own})
    >>> w = model.transform_one({"a": -2.0, "b": -2.0})
    >>> abs(w["a"]) < 1.5
    True
    >>> model.transform_one({"a": -2.0, "b": 0.0})["a"] < -2.5
    True
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from river import base

from earlywarn.detection.symmetric_form import DenseForm
from earlywarn.detection.whitening_parameters import WhiteningParameters

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class DayOf(msgspec.Struct, frozen=True):
    """A day of some series: clipped `values`, whether each is `seen` and settled, and its `learned_days` so far."""

    values: Floats
    seen: Flags
    learned_days: Integers


def next_moment(moment: Floats, parameters: WhiteningParameters, left: DayOf, right: DayOf) -> Floats:
    """Return C' of the pairs of two lots of series (the last axes of `left` and of `right`) for C [..., L, R]."""
    paired = np.minimum(left.learned_days[..., :, None], right.learned_days[..., None, :])
    memory = np.minimum(parameters.memory, 1.0 - 1.0 / (np.maximum(paired - 1, 0) + parameters.start_days))
    updated = memory * moment + (1.0 - memory) * (left.values[..., :, None] * right.values[..., None, :])
    return np.where(left.seen[..., :, None] & right.seen[..., None, :], updated, moment)


class InnovationCorrelation:
    """The array face: correlation of M series' innovations and its inverse.

    Args:
        parameters: see `WhiteningParameters`.
        kinds: int64[M, M], kind of each pair, symmetric, small non-negative; pairs of a kind share a target.

    Attributes:
        moment: float64[M, M], C. days: int64[M], usable days of each series so far (delay included).
    """

    def __init__(self, parameters: WhiteningParameters, kinds: Integers) -> None:
        self.parameters = parameters
        self.moment = np.eye(len(kinds))
        self.days = np.zeros(len(kinds), dtype=np.int64)
        self._set_kinds(kinds)

    def _set_kinds(self, kinds: Integers) -> None:
        self.kinds = kinds
        self._flat_kinds = kinds.ravel()
        self._kind_sizes = np.maximum(np.bincount(self._flat_kinds), 1)
        self._forget_results()

    def _forget_results(self) -> None:
        self._correlation: DenseForm | None = None
        self._precision: DenseForm | None = None

    def learn(self, innovations: Floats, seen: Flags) -> None:
        """Take the day's standardised `innovations` [M], of the series `seen` [M]."""
        parameters = self.parameters
        mature = seen & (self.days >= parameters.delay_days)
        self.days += seen
        self._forget_results()
        if not mature.any():
            return
        clipped = np.clip(innovations, -parameters.clip, parameters.clip)
        day = DayOf(clipped, mature, self.learned_days)
        self.moment = next_moment(self.moment, parameters, day, day)

    @property
    def learned_days(self) -> Integers:
        """Return int64[M], days that went into the correlations of each series."""
        return np.maximum(self.days - self.parameters.delay_days, 0)

    def correlation(self) -> DenseForm:
        """Return the shrunken correlation matrix [M, M] (positive definite); the identity where nothing is known."""
        if self._correlation is None:
            self._correlation = DenseForm(self._shrunken())
        return self._correlation

    def _shrunken(self) -> Floats:
        parameters, learned = self.parameters, self.learned_days
        scale = 1.0 / (np.sqrt(np.diag(self.moment)) + 1e-6)
        raw = self.moment * scale[:, None] * scale[None, :]
        known = learned > parameters.use_after_days
        both = known[:, None] & known[None, :]
        flat = both.ravel()
        sizes = np.maximum(np.bincount(self._flat_kinds[flat], minlength=len(self._kind_sizes)), 1)
        target = np.bincount(self._flat_kinds[flat], raw.ravel()[flat], len(self._kind_sizes)) / sizes
        days = np.minimum(learned[:, None], learned[None, :])
        share = parameters.shrinkage_days / (parameters.shrinkage_days + days)
        shrunken = np.where(both, (1.0 - share) * raw + share * target[self.kinds], 0.0)
        np.fill_diagonal(shrunken, 1.0 + parameters.ridge)
        return _positive_definite(shrunken, parameters.ridge)

    def precision(self, seen: Flags) -> DenseForm:
        """Return the inverse correlation [M, M] of the series `seen` [M], 0 in the others' rows."""
        if self._precision is None:
            self._precision = DenseForm(np.asarray(np.linalg.inv(self.correlation().matrix), dtype=np.float64))
        full = self._precision.matrix
        if seen.all():
            return self._precision
        if not seen.any():
            return DenseForm(np.zeros_like(full))
        # inverse(Q_ss) = P_ss - P_sm inverse(P_mm) P_ms with P = inverse(Q): few are missing, so that is cheap.
        missing = ~seen
        cross = full[:, missing]
        reduced: Floats = full - cross @ np.linalg.solve(full[np.ix_(missing, missing)], cross.T)
        reduced[missing, :] = 0.0
        reduced[:, missing] = 0.0
        return DenseForm(reduced)

    def embed(self, places: Integers, kinds: Integers) -> None:
        """Lay the series out anew under `kinds` [M, M]: old series i stands at `places[i]`; new ones are unknown."""
        moment, days = np.eye(len(kinds)), np.zeros(len(kinds), dtype=np.int64)
        moment[np.ix_(places, places)] = self.moment
        days[places] = self.days
        self.moment, self.days = moment, days
        self._set_kinds(kinds)

    def state(self) -> dict[str, Any]:
        """Return what was learned as arrays; of the moment the upper triangle."""
        return {"moment": self.moment[np.triu_indices(len(self.moment))], "days": self.days.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned for the same series."""
        self.days = state["days"].copy()
        self.moment = np.eye(len(self.days))
        rows, columns = np.triu_indices(len(self.days))
        self.moment[rows, columns] = state["moment"]
        self.moment[columns, rows] = state["moment"]
        self._forget_results()


def _positive_definite(matrix: Floats, floor: float) -> Floats:
    """Return `matrix`, its eigenvalues raised to `floor` if it is not positive definite.

    Pairs seen on different days have different weights, so that nothing else guarantees it.
    """
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(matrix)
        repaired: Floats = (vectors * np.maximum(values, floor)) @ vectors.T
        return 0.5 * (repaired + repaired.T)
    return matrix


class Whitening(base.Transformer):
    """Whitening in River's interface: x a dict of standardised innovations by series.

    Args:
        memory, delay_days, shrinkage_days, clip: see `WhiteningParameters`.

    All pairs are of one kind here. Series appear as they come; one that is absent from `x` is not seen that
    day, and one unknown to the model passes through `transform_one` unchanged.
    """

    def __init__(
        self, memory: float = 0.997, delay_days: int = 35, shrinkage_days: float = 40.0, clip: float = 3.0
    ) -> None:
        self.memory = memory
        self.delay_days = delay_days
        self.shrinkage_days = shrinkage_days
        self.clip = clip
        self._names: list[str] = []
        self._model = self._new_model(0)

    def _new_model(self, size: int) -> InnovationCorrelation:
        parameters = WhiteningParameters(
            memory=self.memory, delay_days=self.delay_days, shrinkage_days=self.shrinkage_days, clip=self.clip
        )
        return InnovationCorrelation(parameters, _one_kind(size))

    def learn_one(self, x: dict[Any, Any]) -> None:
        """Take the day's standardised innovations."""
        unmet = {str(name) for name in x} - set(self._names)
        if unmet:
            names = sorted({*self._names, *unmet})
            places = np.array([names.index(name) for name in self._names], dtype=np.int64)
            self._names = names
            self._model.embed(places, _one_kind(len(names)))
        values, seen = self._values(x)
        self._model.learn(values, seen)

    def transform_one(self, x: dict[Any, Any]) -> dict[Any, Any]:
        """Return the whitened innovations of the series in `x`."""
        values, seen = self._values(x)
        whitened = self._model.precision(seen).apply(values) if self._names else values
        found = dict(zip(self._names, whitened.tolist(), strict=True))
        return {name: found.get(str(name), value) for name, value in x.items()}

    def _values(self, x: Mapping[Any, Any]) -> tuple[Floats, Flags]:
        named = {str(name): float(value) for name, value in x.items()}
        values = np.array([named.get(name, np.nan) for name in self._names])
        seen = np.isfinite(values)
        return np.where(seen, values, 0.0), seen

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain values and arrays."""
        return {"names": list(self._names), "model": self._model.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over what `state` returned under the same parameters."""
        self._names = list(state["names"])
        self._model = self._new_model(len(self._names))
        self._model.restore(state["model"])


def _one_kind(size: int) -> Integers:
    return 1 - np.eye(size, dtype=np.int64)


def pair_kinds(region_of: Integers, sector_of: Integers) -> Integers:
    """Return the kinds of all pairs of 2K log series (K counts, then K amounts) of K cells.

    Args:
        region_of: int64[K], each cell's region by number.
        sector_of: int64[K], each cell's sector by number.

    Returns:
        int64[2K, 2K]: 0 itself; 1 the two measures of a cell; 2..4 same region (both counts, mixed, both
        amounts); 5..7 neither; from 8 same sector, three for each sector.
    """
    region, sector = np.tile(region_of, 2), np.tile(sector_of, 2)
    amounts = np.repeat(np.array([0, 1]), len(region_of))
    mixture = amounts[:, None] + amounts[None, :]
    same_region = region[:, None] == region[None, :]
    same_sector = sector[:, None] == sector[None, :]
    kinds = np.where(same_region, 2, 5) + mixture
    kinds = np.where(same_sector, 8 + 3 * sector[:, None] + mixture, kinds)
    kinds = np.where(same_region & same_sector, 1, kinds)
    np.fill_diagonal(kinds, 0)
    return kinds
