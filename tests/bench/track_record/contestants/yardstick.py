"""The yardstick: the reference detector of the project's guide, digit for digit, behind the interface of a contestant.

Of M = 2K log series (K counts, then K amounts), day by day:

 1. each is predicted by a Bayesian linear regression on the calendar (random-walk level, weekday effects that drift
    slowly, fixed priors), which knows what a unit step that began a days ago adds to today's innovation: its footprint;
 2. the clipped innovations are whitened by the inverse of a shrunken, exponentially weighted correlation matrix;
 3. of each node and each of W onsets the log likelihood ratio of a step of at least a minimum size is added up;
 4. it is divided by the node's over-dispersion, pooled over all nodes.

It sees the panel's calendar like all others, of which it takes the features that it knows.

Reference: Willsky and Jones (1976), IEEE Trans. Automatic Control 21.
"""

from datetime import date

import numpy as np

from track_record.contestants.contestant import ArrayState, region_rows
from track_record.sample import Flags, Floats, Integers, Sample

LEVEL = "const"
PRIOR_SD = {
    LEVEL: 0.5**0.5,
    **dict.fromkeys((f"d{weekday}" for weekday in range(6)), 1.0),
    **dict.fromkeys(("hol_wd", "hol_sat"), 0.6),
    **dict.fromkeys(("hol_sun", "dec24", "dec31", "bf", "advsun", "eastsun"), 0.4),
    "ramp": 0.3,
    **dict.fromkeys(("pre", "post"), 0.25),
    **dict.fromkeys(("bridge", "between"), 0.2),
    **dict.fromkeys(("c1", "s1"), 0.12),
    **dict.fromkeys(("payday", "mstart"), 0.05),
    **dict.fromkeys(("c2", "s2"), 0.04),
}
"""The features that it knows, and the prior standard deviation of their effects (log units)."""
LEVEL_DRIFT, WEEKDAY_DRIFT = 0.003, 0.0005
VARIANCE_MEMORY, HUBER, CLIP, WEEKDAY_RATE, VARIANCE_START = 0.99, 3.0, 4.0, 0.08, 0.02
WINDOW, CORRELATION_MEMORY, SHRINKAGE_DAYS = 21, 0.997, 40.0
DISPERSION_MEMORY, DISPERSION_POOLING, DISPERSION_MIN, DISPERSION_AGES = 0.98, 0.8, 0.5, (6, 13, 20)
NODE_CLIP, NODE_CLIP_SPECIAL, SPECIAL = 5.0, 1.5, 1.9
YOUNGEST_AGE, LEAST_DOWN, LEAST_UP, MOST, EVIDENCE_FROM_DAY, ACCEPTED_SD = 1, 0.12, 0.20, 1.5, 64, 0.25
CORRELATION_FROM_DAY, WHITEN_AFTER_DAY = 35, 56
TINY = 1e-12


class Yardstick(ArrayState):
    """The reference detector.

    Args:
        sample: what it will see.
    """

    learned = (
        *("_effects", "_covariance", "_variance", "_weekday", "_learned", "_sensitivity"),
        *("_moment", "_whitener", "_linear", "_information", "_dispersion", "_day", "_ages"),
    )

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._columns = [place for place, name in enumerate(sample.features.names) if name in PRIOR_SD]
        names = [sample.features.names[place] for place in self._columns]
        self._level, self._weekdays = names.index(LEVEL), [names.index(f"d{weekday}") for weekday in range(6)]
        cells, features = len(sample.series), len(names)
        self._members = np.tile(sample.members.astype(np.float64), (1, 2))
        nodes, series = self._members.shape
        prior = np.array([PRIOR_SD[name] for name in names]) ** 2
        self._effects = np.zeros((series, features))
        self._covariance = np.tile(np.diag(prior), (series, 1, 1))
        self._variance, self._weekday = np.full(series, VARIANCE_START), np.ones((series, 7))
        self._learned = np.zeros(series, dtype=np.int64)
        self._sensitivity = np.zeros((series, WINDOW, features))
        self._moment: Floats = np.eye(series)
        self._whitener: Floats = np.eye(series)
        self._linear, self._information = np.zeros((nodes, WINDOW)), np.zeros((nodes, WINDOW))
        self._dispersion = np.ones((nodes, len(DISPERSION_AGES)))
        self._day, self._ages = -1, 0
        self._kinds = _kinds_of_pairs(sample, cells)
        self._kind_sizes = np.maximum(1, np.bincount(self._kinds.ravel()))

    def step(self, day: date, counts: Integers, amounts: Integers) -> Floats:
        """Return the evidence of a day."""
        self._day += 1
        seen = np.tile((counts > 0) & (amounts > 0), 2)
        value = np.log(np.where(seen, np.concatenate([counts, amounts]), 1).astype(np.float64))
        rows, inflations = region_rows(self._sample, self._sample.series, day)
        design, inflation = np.tile(rows[:, self._columns], (2, 1)), np.tile(inflations, 2)
        first = seen & (self._learned == 0)
        self._effects[first, self._level] = value[first]
        z, sd, footprint = self._learn_day(value, seen, design, inflation, day.weekday())
        clipped = np.where(seen, np.clip(z, -CLIP, CLIP), 0.0)
        evidence = np.zeros((2, len(self._members)))
        if self._day >= EVIDENCE_FROM_DAY:
            self._add(clipped, footprint / sd[:, None], inflation)
            evidence = self._evidence()
        if self._day >= CORRELATION_FROM_DAY:
            self._correlate(clipped, seen)
        return evidence

    def _learn_day(
        self, value: Floats, seen: Flags, design: Floats, inflation: Floats, weekday: int
    ) -> tuple[Floats, Floats, Floats]:
        """Predict and learn each series; return innovations, their sd and footprints [M, W]."""
        error = np.where(seen, value - (design * self._effects).sum(1), 0.0)
        covariance_x = np.einsum("ijk,ik->ij", self._covariance, design)
        total = self._variance * inflation * self._weekday[:, weekday] + (design * covariance_x).sum(1)
        sd = np.sqrt(total)
        z = error / sd
        outlying = (self._learned > 28) & (abs(z) > HUBER)
        weight = np.where(outlying, HUBER / np.maximum(abs(z), 1e-9), 1.0) * seen
        self._sensitivity[:, 1:] = self._sensitivity[:, :-1]
        self._sensitivity[:, 0] = 0
        footprint = (1 - np.einsum("iwp,ip->iw", self._sensitivity, design)) * seen[:, None]
        footprint[np.arange(WINDOW)[None, :] > self._learned[:, None]] = 0
        gain = covariance_x * (weight / total)[:, None]
        self._sensitivity += footprint[:, :, None] * gain[:, None, :]
        self._effects += gain * error[:, None]
        self._covariance -= gain[:, :, None] * covariance_x[:, None, :]
        self._learn_variance(error, total, seen, weekday)
        self._covariance[seen, self._level, self._level] += LEVEL_DRIFT * self._variance[seen]
        for place in self._weekdays:
            self._covariance[seen, place, place] += WEEKDAY_DRIFT * self._variance[seen]
        self._learned += seen
        return z, sd, footprint

    def _learn_variance(self, error: Floats, total: Floats, seen: Flags, weekday: int) -> None:
        due = seen & (self._learned > 21)
        part = np.minimum(np.minimum(error * error, 9 * total) / (total / self._variance), 9 * self._variance)
        memory = np.minimum(np.maximum(0.9, 1 - 1.0 / np.maximum(self._learned - 14, 1)), VARIANCE_MEMORY)
        variance = np.maximum(memory * self._variance + (1 - memory) * part * 1.08, 1e-4)
        factor = self._weekday[:, weekday]
        target = 0.25 + 0.75 * part / variance * factor
        updated = np.clip(factor * (1 - WEEKDAY_RATE) + WEEKDAY_RATE * target, 0.5, 6.0)
        self._variance = np.where(due, variance, self._variance)
        self._weekday[:, weekday] = np.where(due, updated, factor)

    def _add(self, clipped: Floats, response: Floats, inflation: Floats) -> None:
        """Whiten the innovations and add them to all onsets."""
        whitened = self._whitener @ clipped
        linear = self._members @ (response * whitened[:, None])
        information = np.empty_like(linear)
        for age in range(WINDOW):
            form = response[:, age, None] * self._whitener * response[None, :, age]
            information[:, age] = np.einsum("gi,gi->g", self._members @ form, self._members)
        of_node = inflation[np.argmax(self._members > 0, axis=1)]
        limit = np.where(of_node < SPECIAL, NODE_CLIP, NODE_CLIP_SPECIAL)[:, None]
        bound: Floats = limit * np.sqrt(np.maximum(information, 0))
        linear = np.clip(linear, -bound, bound)
        for kept in (self._linear, self._information):
            kept[:, 1:] = kept[:, :-1]
            kept[:, 0] = 0
        self._ages = min(WINDOW, self._ages + 1)
        is_known = np.arange(WINDOW) < self._ages
        self._linear += linear * is_known
        self._information += information * is_known
        for place, age in enumerate(DISPERSION_AGES):
            if self._day - EVIDENCE_FROM_DAY > age:
                ratio = self._linear[:, age] ** 2 / np.maximum(self._information[:, age], TINY)
                old = self._dispersion[:, place]
                capped = np.minimum(ratio, 6 * old + 1)
                self._dispersion[:, place] = DISPERSION_MEMORY * old + (1 - DISPERSION_MEMORY) * capped

    def _evidence(self) -> Floats:
        log_own = np.log(self._dispersion.sum(1) + 0.3)
        pooled = np.exp((1 - DISPERSION_POOLING) * log_own + DISPERSION_POOLING * log_own.mean())
        dispersion = np.maximum(pooled / 3, DISPERSION_MIN)
        linear = self._linear[:, YOUNGEST_AGE : self._ages]
        information = np.maximum(self._information[:, YOUNGEST_AGE : self._ages], TINY)
        if not linear.shape[1]:
            return np.zeros((2, len(linear)))
        size = linear / information
        falls, rises = -np.clip(-size, LEAST_DOWN, MOST), np.clip(size, LEAST_UP, MOST)
        return np.array([_ratio(step, linear, information).max(1) / dispersion for step in (falls, rises)])

    def _correlate(self, clipped: Floats, seen: Flags) -> None:
        """Learn the correlations, which are used from tomorrow on."""
        learned = self._day - CORRELATION_FROM_DAY
        memory = min(CORRELATION_MEMORY, 1 - 1.0 / (learned + 30))
        told = np.clip(clipped, -3, 3)
        updated = memory * self._moment + (1 - memory) * np.outer(told, told)
        self._moment = np.where(np.outer(seen, seen), updated, self._moment)
        if self._day > WHITEN_AFTER_DAY:
            root = np.sqrt(np.diag(self._moment)) + 1e-6
            raw = self._moment / np.outer(root, root)
            mean = np.bincount(self._kinds.ravel(), raw.ravel()) / self._kind_sizes
            share = SHRINKAGE_DAYS / (SHRINKAGE_DAYS + learned)
            shrunken = (1 - share) * raw + share * mean[self._kinds]
            np.fill_diagonal(shrunken, 1.001)
            self._whitener = np.asarray(np.linalg.inv(shrunken), dtype=np.float64)

    def accept(self, nodes: Flags) -> None:
        """Let the levels of the flagged nodes jump, and forget the evidence of all that lies within them."""
        for place in np.flatnonzero(nodes):
            is_member = self._members[place] > 0
            self._covariance[is_member, self._level, self._level] += ACCEPTED_SD**2
            inside = ~(self._members[:, ~is_member] > 0).any(1)
            self._linear[inside] = 0
            self._information[inside] = 0


def _ratio(step: Floats, linear: Floats, information: Floats) -> Floats:
    return np.maximum(np.where(step * linear > 0, step * linear - 0.5 * step * step * information, 0.0), 0.0)


def _kinds_of_pairs(sample: Sample, cells: int) -> Integers:
    """Return int64[M, M]: pairs of one kind are shrunken to one mean."""
    region_of, sector_of = np.tile(sample.tree.region_of, 2), np.tile(sample.tree.sector_of, 2)
    is_amount = (np.arange(2 * cells) >= cells).astype(np.int64)
    measure = is_amount[:, None] + is_amount[None, :]
    cell = np.arange(2 * cells) % cells
    same_cell = cell[:, None] == cell[None, :]
    same_sector, same_region = (of[:, None] == of[None, :] for of in (sector_of, region_of))
    kinds = np.where(same_region, 2 + measure, 5 + measure)
    kinds = np.where(same_sector, 10 + 3 * sector_of[:, None] + measure, kinds)
    kinds = np.where(same_cell, 1 - np.eye(2 * cells, dtype=np.int64), kinds)
    found: Integers = kinds.astype(np.int64)
    return found
