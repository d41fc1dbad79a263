"""Sources that bring much less than usual where the others go on: that may be theirs, and not what was spent.

A provider that has lost merchants, or delivers a part of them no more, is not silent. But what befalls an economy
befalls the cells of all who deliver them. So a source is held against the others in its own cells, by what it usually
brings there for each of their transactions: with h what was heard and u what is usual lately (of a source s, of the
others o),

    behind = 1 - sum h_s / sum h_o (u_s / u_o),        over cells with u_o > 0.

What both lose alike does not change u_s / u_o, however fast it becomes usual. No more is due than expected of s at all.
"""

import math
from datetime import date
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.branch_volumes import BranchVolumes
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.feed_cells import FeedName
from earlywarn.aggregation.rows import Behind, Floats
from earlywarn.domain.state import State

_BEHIND = 0.3
_STILL_BEHIND = 0.2
"""Shares of what the others let expect of a source, from which on it is behind, and above which it stays so."""
_LOST_SHARE = 0.025
"""Of the panel, from which on what a source lacks may be told as news of spending."""
_SHARED = 0.5
"""Of what is usual of a source so much must be of cells that others deliver as well."""
_NOT_MADE_UP = 0.5
"""Of what a source lacks so much all must lack together: else others have its merchants now."""
_NOTHING = 1e-9
"""Of what is usual of a source, below which what is left of all without it is rounding."""
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


class _Whole(NamedTuple):
    """Float64[K] each: what is usual and expected of all who are known, was heard of them, and of those who are new."""

    usual: Floats
    expected: Floats
    heard: Floats
    new: Floats

    @classmethod
    def of(cls, volumes: BranchVolumes) -> "_Whole":
        known = volumes.expecting
        new = sorted(set(volumes.sources) - set(known))
        return cls(
            volumes.usual_of_cells(known),
            volumes.expected_of_cells(known),
            volumes.heard_of_cells(known),
            volumes.heard_of_cells(new),
        )


class Laggards:
    """Follows which named sources of a panel are behind the others."""

    def __init__(self, parameters: CoverageParameters) -> None:
        self.parameters = parameters
        self._seen: dict[FeedName, _Seen] = {}

    def close_day(self, day: int, volumes: BranchVolumes) -> tuple[Behind, ...]:
        """Return who has been behind for days, and by how much since it began; `day` is its ordinal."""
        known = volumes.expecting
        whole = _Whole.of(volumes)
        panel = math.fsum(whole.expected.tolist())
        for name in sorted(name for name in known if name[0] == "source"):
            due, heard, lacking = self._held_against(volumes, name, whole)
            is_there = name in volumes.everybody and due >= self.parameters.sizeable_transactions
            before = self._seen.pop(name, None)
            if before is None:
                is_behind = due - heard >= max(_BEHIND * due, _LOST_SHARE * panel)
                if is_there and is_behind and lacking >= _NOT_MADE_UP * (due - heard):
                    self._seen[name] = _Seen(day, day, 1, due, heard)
            elif is_there and due - heard >= _STILL_BEHIND * due:
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

    def is_behind(self, name: FeedName) -> bool:
        """Return whether a source seems to be behind: what it brings to which cells is not to be learned meanwhile."""
        return name in self._seen

    @staticmethod
    def _held_against(volumes: BranchVolumes, name: FeedName, whole: "_Whole") -> tuple[float, float, float]:
        """Return what is due of a source, what came of it or stands in for it, and what all lack of what is usual.

        In the cells that others deliver as well; nothing is due if these are not most of what is usual of it.
        """
        own = volumes.usual_of_cells([name])
        of_others = whole.usual - own
        shared = (own > 0) & (of_others > _NOTHING * own)
        everywhere = np.ones(volumes.cells, np.bool_)
        expected, of_all = volumes.expected([name], shared), volumes.expected([name], everywhere)
        if expected < _SHARED * of_all:
            return 0.0, 0.0, 0.0
        like_others = (whole.heard - volumes.heard_of_cells([name]))[shared] * own[shared] / of_others[shared]
        due = min(expected, math.fsum(like_others.tolist()))  # who has just come to others makes them strong
        new = float(whole.new[shared].sum())
        lacking = math.fsum(whole.expected[shared].tolist()) - float(whole.heard[shared].sum()) - new
        # What it brings to cells that are none of its own is no less: it has moved.
        heard = max(volumes.heard([name], shared), volumes.heard([name], everywhere) - (of_all - expected))
        return due, heard + new, lacking

    def forget(self, name: FeedName) -> None:
        """Forget a source of which nothing is expected any more."""
        self._seen.pop(name, None)

    def state(self) -> State:
        """Return the state as plain values."""
        return {"seen": [[list(name), list(seen)] for name, seen in sorted(self._seen.items())]}

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._seen = {(kind, name): _Seen(*seen) for (kind, name), seen in saved["seen"]}
