"""Trials: one shock at one target from one day on, and the evidence of the next two weeks.

The untouched history is seen once; before each start its state is kept, and every trial of that start goes on from it.
So a trial sees what a run would have seen, and nothing from the future. It ends with the day on which every threshold
that is asked for is passed.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec
import numpy as np

from track_record.contestants.contestant import Contestant, Loop
from track_record.sample import Flags, Floats, Sample
from track_record.shocks import WATCHED_DAYS, Shock, Target, Where, shocked, starts, targets
from track_record.untouched import QUIET_DAYS, Untouched


class Trial(msgspec.Struct, frozen=True):
    """One shock, by the names of shock and target.

    Attributes:
        shock, target, start: what, where, and from which day on (its place in the history).
        before: the greatest evidence at the target in the week before, in either direction.
        chance: the evidence of the untouched history in the same days, in the shock's direction.
        evidence: the same with the shock, by age; it is cut where every threshold is passed.
        tercile: of a cell, the third that it is in by size.
        cells: of a group, the evidence of each of its cells, by age; empty for a cell.
    """

    shock: str
    target: str
    start: int
    before: float
    chance: tuple[float, ...]
    evidence: tuple[float, ...]
    tercile: int | None = None
    cells: tuple[tuple[float, ...], ...] = ()

    def delay(self, threshold: float) -> int | None:
        """Return the age of the first day above a threshold."""
        return next((age for age, value in enumerate(self.evidence) if value > threshold), None)

    def chance_delay(self, threshold: float) -> int | None:
        """Return the same of the untouched history."""
        return next((age for age, value in enumerate(self.chance) if value > threshold), None)


class Start(msgspec.Struct, frozen=True):
    """A target, and the place of its first shocked day."""

    place: int
    where: Where
    target: Target


def schedule(
    shocks: Iterable[Shock], sample: Sample, seeds: Sequence[int], *, of_cells: int, of_groups: int
) -> list[Start]:
    """Return all starts in order of days; so many for each seed of a cell, and of a group."""
    found = []
    for where in dict.fromkeys(shock.where for shock in shocks):
        each_of = of_cells if where == "cell" else of_groups
        for target in targets(where, sample):
            found += [Start(place, where, target) for place in starts(target, len(sample.days), seeds, each_of)]
    return sorted(found, key=lambda each: (each.place, each.target.label))


def run_trials(
    make: Callable[[Sample], Contestant],
    sample: Sample,
    untouched: Untouched,
    shocks: Sequence[Shock],
    plan: Sequence[Start],
    enough: float,
) -> list[Trial]:
    """Return the trials of a schedule; `enough` is the evidence above which a trial may end.

    Targets that stood above it in the week before are left out: they are excluded at every threshold.
    """
    nodes = len(sample.tree.nodes)
    running, trial_loop = (Loop(make(sample), untouched.level, nodes) for _ in range(2))
    days = list(zip(sample.days, sample.counts, sample.amounts, strict=True))
    found: list[Trial] = []
    folded, saved = 0, running.state()
    for start in plan:
        if start.place > folded:
            for day in days[folded : start.place]:
                running.step(*day)
            folded, saved = start.place, running.state()
        before = float(untouched.evidence[folded - QUIET_DAYS : folded][:, :, start.target.nodes].max())
        if before > enough:
            continue
        for shock in shocks:
            if shock.where == start.where:
                trial_loop.restore(saved)
                found.append(_trial(trial_loop, sample, untouched, shock, start, enough, before))
    return found


def _trial(
    loop: Loop, sample: Sample, untouched: Untouched, shock: Shock, start: Start, enough: float, before: float
) -> Trial:
    target = start.target
    inside: Flags = np.zeros(len(sample.series), dtype=bool)
    inside[list(target.cells)] = True
    is_group = shock.where != "cell"
    evidence: list[float] = []
    of_cells: list[Floats] = []
    for age in range(WATCHED_DAYS):
        at = start.place + age
        count_by, amount_by = shock.factors(age)
        counts = shocked(sample.counts[at], count_by, inside)
        said = loop.step(sample.days[at], counts, shocked(sample.amounts[at], amount_by, inside))[shock.side]
        evidence.append(float(said[list(target.nodes)].max()))
        of_cells.append(said[list(target.cells)])
        if evidence[-1] > enough and not is_group:
            break
    watched = untouched.evidence[start.place : start.place + WATCHED_DAYS, shock.side]
    return Trial(
        shock=shock.name,
        target=target.label,
        start=start.place,
        before=before,
        chance=tuple(watched[:, list(target.nodes)].max(axis=1).tolist()),
        evidence=tuple(evidence),
        tercile=None if is_group else int(sample.tercile[target.cells[0]]),
        cells=tuple(tuple(each.tolist()) for each in of_cells) if is_group else (),
    )
