"""The shocks of the track record: their shapes, where they strike, and when they begin.

Example:
    >>> RAMP.factors(0), RAMP.factors(13)
    ((0.9714285714285714, 0.9714285714285714), (0.8, 0.8))
    >>> AMOUNTS_ONLY.factors(0), AMOUNTS_ONLY.factors(HELD_DAYS)
    ((1.0, 0.8), (1.0, 1.0))
"""

import random
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from track_record.sample import WARM_UP_DAYS, Flags, Floats, Integers, Sample

HELD_DAYS = 28
WATCHED_DAYS = 14
REGIONS_OF_A_PART = 3

Where = Literal["cell", "region", "sector", "panel", "sector in three regions"]


class Shock(msgspec.Struct, frozen=True):
    """A change of some cells that is held for `HELD_DAYS` days.

    Attributes:
        name: what it is called in tables.
        where: what it strikes.
        count, amount: the change as a share of what would have come.
        ramp_days: days over which it grows to its size; 0 is at once.
    """

    name: str
    where: Where
    count: float
    amount: float
    ramp_days: int = 0

    @property
    def side(self) -> int:
        """Return 0 for a fall, 1 for a rise: the place of its direction in evidence."""
        return int(self.count + self.amount > 0)

    def factors(self, age_days: int) -> tuple[float, float]:
        """Return what count and amount are multiplied with so many days after the first shocked day."""
        grown = min((age_days + 1) / self.ramp_days, 1.0) if self.ramp_days else 1.0
        grown *= age_days < HELD_DAYS
        return 1.0 + grown * self.count, 1.0 + grown * self.amount


def _both(change: float, where: Where = "cell", name: str = "") -> Shock:
    return Shock(name or f"step {100 * change:+.0f} %", where, change, change)


RAMP = Shock("7-day ramp to -20 %", "cell", -0.2, -0.2, ramp_days=7)
AMOUNTS_ONLY = Shock("amounts only -20 %", "cell", 0.0, -0.2)
COUNTS_ONLY = Shock("counts only -20 %", "cell", -0.2, 0.0)
CELL_SHOCKS = (*(_both(size) for size in (-0.1, -0.2, -0.3, -0.5, 0.3)), RAMP, AMOUNTS_ONLY, COUNTS_ONLY)
GROUP_SHOCKS = (
    _both(-0.2, "region", "a region -20 %"),
    _both(-0.2, "sector", "a sector -20 %"),
    _both(-0.2, "panel", "the whole panel -20 %"),
    _both(-0.2, "sector in three regions", "a sector in three regions -20 %"),
)
SHOCKS = (*CELL_SHOCKS, *GROUP_SHOCKS)


class Target(msgspec.Struct, frozen=True):
    """What a shock strikes: `cells`, and the `nodes` at which it is looked for (places in the tree)."""

    label: str
    cells: tuple[int, ...]
    nodes: tuple[int, ...]


def targets(where: Where, sample: Sample) -> list[Target]:
    """Return everything of a kind that may be struck, in canonical order.

    A sector in three regions has no node of its own: it is looked for at its three cells and at its sector. Which
    regions these are is drawn once, by the sector's code.
    """
    found = []
    for place, node in enumerate(sample.tree.nodes):
        cells = np.flatnonzero(sample.members[place]).tolist()
        if node.level == where:
            found.append(Target(node.label, tuple(cells), (place,)))
        elif where == "sector in three regions" and node.level == "sector":
            some = sorted(random.Random(f"three/{node.sector}").sample(cells, min(REGIONS_OF_A_PART, len(cells))))
            found.append(Target(f"3 x {node.sector}", tuple(some), (*some, place)))
    return found


def starts(target: Target, days: int, seeds: Sequence[int], starts_per_seed: int) -> list[int]:
    """Return the first shocked days of a target, the same for all shocks and contestants."""
    possible = range(WARM_UP_DAYS, days - HELD_DAYS + 1)
    return [
        start
        for seed in seeds
        for start in random.Random(f"{seed}/{target.label}").sample(possible, min(starts_per_seed, len(possible)))
    ]


def shocked(values: Integers, factor: float, inside: Flags) -> Integers:
    """Return a day's figures [K] with those of the cells `inside` [K] changed, rounded half to even."""
    changed: Floats = np.where(inside, np.rint(values * factor), values)
    return changed.astype(np.int64)
