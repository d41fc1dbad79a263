"""A source that speaks, and is silent in a region where the others go on.

It has lost that region: its cells lack what the source usually brings there, as they lack what a silent feed does. If
the others have fallen with it, that is news.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.branch_volumes import BranchVolumes
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.feed_cells import Counts, FeedCells, FeedName, added
from earlywarn.aggregation.rows import Branch, FeedVolume, Flags, Floats
from earlywarn.domain.state import State

REPLACED_DAYS = 7
"""So long others have brought what a silent feed would: before it is usual of them as well, and expected twice."""
_GO_ON_SHARE = 0.5
"""So much of what is usual of the others must be there: what takes half of everybody's payments is no lost delivery."""
_SECTORS_OF_A_SILENCE = 2
"""Where nobody else delivers its cells, silence in one sector of a region may be what happened to that sector."""


class BranchSilence(NamedTuple):
    """What sources left out of single regions on a day.

    Attributes:
        silent: who was silent where.
        lost: float64[K], what is missing of each cell therefore, in transactions.
        quiet: what was expected of each source in the regions of which it brought next to nothing: that nothing came
            is not to be learned.
        dropped: of whom nothing is expected in a region from the next day on: its code.
        forgotten: those of them that were silent.
        rests: whether somebody has been silent before of whom it cannot be told today, since nothing is expected.
    """

    silent: tuple[Branch, ...] = ()
    lost: Floats = np.zeros(0)
    quiet: Mapping[FeedName, Counts] = {}
    dropped: tuple[tuple[FeedName, str], ...] = ()
    forgotten: tuple[Branch, ...] = ()
    rests: bool = False


class _Quiet:
    """For how long a source has been quiet in a region, and what was expected of it meanwhile."""

    __slots__ = ("days", "owed", "replaced_days")

    def __init__(self, owed: float = 0.0, days: int = 0, replaced_days: int = 0) -> None:
        self.owed, self.days, self.replaced_days = owed, days, replaced_days


class Branches:
    """Follows the silence of named sources in single regions of a panel, day by day."""

    def __init__(self, parameters: CoverageParameters) -> None:
        self.parameters = parameters
        self._quiet: dict[tuple[FeedName, str], _Quiet] = {}

    def close_day(
        self,
        volumes: BranchVolumes,
        readings: Mapping[FeedName, FeedVolume],
        delivered: Mapping[FeedName, Counts],
        cells: FeedCells,
        silent_feeds: Collection[str] = (),
    ) -> BranchSilence:
        """Judge a day; arguments as of `BranchVolumes`. `silent_feeds` are silent as a whole, and not again here."""
        before, self._quiet = self._quiet, {}
        silent, dropped, forgotten = [], [], []
        quiet: dict[FeedName, Counts] = {}
        lost, rests = np.zeros(volumes.cells), False
        quiet_today = self._quiet_today(volumes, before, silent_feeds)
        for name, region, expected in quiet_today:
            state = self._quiet[name, region] = before.get((name, region), _Quiet())
            state.owed += expected
            missing = np.where(volumes.cells_of(region), volumes.expected_of_cells([name]), 0.0)
            branch = Branch(" ".join(name), region)
            is_silent = self._is_silent(state)
            if is_silent:
                at_once = state.replaced_days == state.days
                found = cells.lost(readings, missing, delivered, may_be_taken_over=at_once)
                state.replaced_days = 0 if found.any() else state.replaced_days + 1
                lost = added(lost, found)
                silent.append(branch)
            state.days += 1
            if state.days >= self.parameters.forget_days or state.replaced_days >= REPLACED_DAYS:
                del self._quiet[name, region]
                dropped.append((name, region))
                forgotten += [branch] if is_silent else []
            else:
                left_out = {cell: round(missing[cell]) for cell in np.flatnonzero(missing).tolist()}
                quiet.setdefault(name, {}).update(left_out)
        if before:
            # Of the others nothing is expected today, or of nobody can be told whether it is there.
            decided = {*self._quiet, *dropped, *self._speaking(volumes)}
            waiting = {key: state for key, state in before.items() if key not in decided}
            for state in waiting.values():
                state.days += 1
            self._quiet |= waiting
            rests = any(map(self._is_silent, waiting.values()))
        return BranchSilence(tuple(silent), lost, quiet, tuple(dropped), tuple(forgotten), rests)

    def _is_silent(self, state: _Quiet) -> bool:
        return state.owed >= self.parameters.sizeable_transactions

    def _quiet_today(
        self, volumes: BranchVolumes, before: Mapping[tuple[FeedName, str], _Quiet], silent_feeds: Collection[str]
    ) -> list[tuple[FeedName, str, float]]:
        """Return the sources that are quiet in a region in which others go on, and what was expected of them there.

        Silence goes on whatever the others do.
        """
        found: list[tuple[FeedName, str, float]] = []
        for name in volumes.sources:
            expected, is_quiet = self._is_quiet(volumes, name)
            if " ".join(name) in silent_feeds or is_quiet.all():
                continue
            places = np.flatnonzero((expected > 0) & is_quiet).tolist()
            found += [(name, volumes.codes[at], float(expected[at])) for at in places]
        together: dict[str, set[FeedName]] = {}
        for name, region, _ in found:
            together.setdefault(region, set()).add(name)
        return [
            (name, region, expected)
            for name, region, expected in found
            if ((name, region) in before and self._is_silent(before[name, region]))
            or self._others_go_on(volumes, name, region, together[region])
        ]

    def _speaking(self, volumes: BranchVolumes) -> set[tuple[FeedName, str]]:
        """Return which source brings something worth it to which region."""
        return {
            (name, volumes.codes[at])
            for name in volumes.sources
            for at in np.flatnonzero(~self._is_quiet(volumes, name)[1]).tolist()
        }

    def _is_quiet(self, volumes: BranchVolumes, name: FeedName) -> tuple[Floats, Flags]:
        """Return float64[R], what is expected of a source in each region, and bool[R], where next to nothing came."""
        expected, heard = volumes.expected_by_region(name), volumes.heard_by_region(name)
        return expected, (heard <= 0) | (heard < self.parameters.silent_share * expected)

    def _others_go_on(self, volumes: BranchVolumes, name: FeedName, region: str, quiet: Collection[FeedName]) -> bool:
        """Return whether what others bring to the cells of a source, or else to their region, is there.

        Those that are quiet there as well (`quiet`) say nothing of it: they may have lost the same delivery.
        """
        others = [other for other in volumes.expecting if other not in quiet]
        cells = volumes.cells_of(region)
        its_own = cells & volumes.delivers(name)
        for inside, is_enough in ((its_own, True), (cells, int(its_own.sum()) >= _SECTORS_OF_A_SILENCE)):
            usual = volumes.expected(others, inside)
            if usual >= self.parameters.sizeable_transactions:
                return is_enough and volumes.heard(others, inside) >= _GO_ON_SHARE * usual
        return False

    def forget(self, name: FeedName) -> None:
        """Forget a feed in all regions."""
        for key in [key for key in self._quiet if key[0] == name]:
            del self._quiet[key]

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "quiet": [
                [list(name), region, each.owed, each.days, each.replaced_days]
                for (name, region), each in sorted(self._quiet.items())
            ]
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._quiet = {((kind, name), region): _Quiet(*rest) for (kind, name), region, *rest in saved["quiet"]}
