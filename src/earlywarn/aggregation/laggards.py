"""Sources that bring much less than usual where the others go on: that is theirs, and not what was spent.

A provider that has lost merchants, or delivers a part of them no more, is not silent. But what befalls an economy
befalls the cells of all who deliver them. So a source is held against the others in its own cells, each by what it
usually brings there: with e what is expected and h what was heard, of a source s and of the others o,

    behind = 1 - (sum h_s / sum e_s) / min(1, sum e_s (h_o / e_o) / sum e_s),        over cells with e_o > 0.
"""

import math
from datetime import date
from typing import NamedTuple

from earlywarn.aggregation.branch_volumes import BranchVolumes
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.feed_cells import FeedName
from earlywarn.aggregation.rows import Behind
from earlywarn.domain.state import State

_BEHIND = 0.3
_STILL_BEHIND = 0.2
"""Shares of what the others let expect of a source, from which on it is behind, and above which it stays so."""
_LOST_SHARE = 0.025
"""Of the panel, from which on what a source lacks may be told as news of spending."""
_SHARED = 0.5
"""Of what is usual of a source so much must be of cells that others deliver as well."""
_DAYS = 2
"""Days in a row after which a source is told of, or no longer: chance alone may be one."""


class _Seen(NamedTuple):
    """What was seen of a source that may be behind: first and last day (ordinals), how many there were, and sums."""

    since: int
    last: int
    days: int
    due: float
    heard: float

    @property
    def is_told(self) -> bool:
        return self.days >= _DAYS


class Laggards:
    """Follows which named sources of a panel are behind the others."""

    def __init__(self, parameters: CoverageParameters) -> None:
        self.parameters = parameters
        self._seen: dict[FeedName, _Seen] = {}

    def close_day(self, day: int, volumes: BranchVolumes) -> tuple[Behind, ...]:
        """Return who has been behind for days, and by how much since it began; `day` is its ordinal."""
        known = volumes.expecting
        panel = math.fsum(volumes.expected_of_cells(known).tolist())
        for name in sorted(name for name in known if name[0] == "source"):
            if name not in volumes.everybody:
                self._seen.pop(name, None)  # silent
                continue
            due, heard = self._held_against(volumes, name, [other for other in known if other != name])
            if due < self.parameters.sizeable_transactions:
                continue
            before = self._seen.pop(name, None)
            if before is None:
                if due - heard >= max(_BEHIND * due, _LOST_SHARE * panel):
                    self._seen[name] = _Seen(day, day, 1, due, heard)
            elif due - heard >= _STILL_BEHIND * due:
                self._seen[name] = _Seen(before.since, day, before.days + 1, before.due + due, before.heard + heard)
            elif before.is_told and day - before.last < _DAYS:
                self._seen[name] = before
        return tuple(
            Behind(
                " ".join(name),
                date.fromordinal(seen.since),
                date.fromordinal(seen.last),
                round(1 - seen.heard / seen.due, 3),
            )
            for name, seen in sorted(self._seen.items())
            if seen.is_told
        )

    @staticmethod
    def _held_against(volumes: BranchVolumes, name: FeedName, others: list[FeedName]) -> tuple[float, float]:
        """Return what a source would bring if it went on like the others, and what came of it or stands in for it.

        In the cells that others deliver as well; nothing is due if these are not most of what is usual of it.
        """
        usual, of_others = volumes.expected_of_cells([name]), volumes.expected_of_cells(others)
        shared = (usual > 0) & (of_others > 0)
        expected = math.fsum(usual[shared].tolist())
        if expected < _SHARED * math.fsum(usual.tolist()):
            return 0.0, 0.0
        kept = volumes.heard_of_cells(others)[shared] / of_others[shared]
        new = [each for each in volumes.sources if each not in volumes.expecting]
        due = min(expected, math.fsum((usual[shared] * kept).tolist()))  # who has just come to others makes them strong
        return due, volumes.heard([name, *new], shared)

    def forget(self, name: FeedName) -> None:
        """Forget a source of which nothing is expected any more."""
        self._seen.pop(name, None)

    def state(self) -> State:
        """Return the state as plain values."""
        return {"seen": [[list(name), list(seen)] for name, seen in sorted(self._seen.items())]}

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._seen = {(kind, name): _Seen(*seen) for (kind, name), seen in saved["seen"]}
