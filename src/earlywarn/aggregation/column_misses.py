"""Of a record of many transactions: what was not accepted and would have counted on time, had it been read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from earlywarn.aggregation.block_sums import BlockSums
from earlywarn.aggregation.columns import Integers
from earlywarn.aggregation.route import Target
from earlywarn.domain.reject import Place, Reject, Whereabouts


class Miss(NamedTuple):
    """One such row, by its place in the record: what it would have counted in, at which time, and as how many."""

    row: int
    target: Target
    source: str | None
    ts: int
    transactions: int


def told(rejects: Mapping[int, Reject], latest_ms: int, locate: Callable[[Place], Target | None]) -> Iterable[Miss]:
    """Yield the rows that were not decoded and tell their place, and a time up to `latest_ms`."""
    for row, reject in rejects.items():
        about = reject.about
        if isinstance(about, Whereabouts) and about.ts <= latest_ms:
            target = locate(about.place)
            if target is not None:
                yield Miss(row, target, about.source, about.ts, about.count)


class Pace(NamedTuple):
    """How far time had come at each row: `places` are rows, ascending, of which some move the newest time (`moving`).

    What does not move it has a time before all others there. `before` is the newest time before the record.
    """

    places: Integers
    moving: Integers
    before: int
    base_ms: int
    lateness_ms: int

    def on_time(self, misses: Sequence[Miss]) -> list[Miss]:
        """Return those whose bucket had not ended, the lateness allowed, when they came; by row."""
        ordered = sorted(misses)
        if not ordered:
            return []
        newest = np.concatenate([[self.before], np.maximum.accumulate(self.moving)])
        np.maximum(newest, self.before, out=newest)
        seen = newest[np.searchsorted(self.places, [miss.row for miss in ordered])].tolist()
        return [
            miss
            for miss, newest_ms in zip(ordered, seen, strict=True)
            if miss.ts // self.base_ms >= (newest_ms - self.lateness_ms) // self.base_ms
        ]


def add(misses: Sequence[Miss], base_seconds: int, sums: BlockSums) -> None:
    """Add the rows up, which are in their order."""
    for miss in misses:
        bucket = miss.ts // (base_seconds * 1000) * base_seconds
        sums.miss(miss.target, miss.source, bucket, miss.transactions)
