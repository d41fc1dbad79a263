"""What is published of a source partition's blocks, read back from the partials to go on behind it.

Whoever takes a partition over folds its open block anew, which needs the log from the block's start on. Where
retention has removed that, the partials still have its sum: a first partial of a block is complete, and each further
one adds what has changed. The detector applies them just so (`merge`), but knows them from the log's beginning; here
they are read from anywhere in it on.
"""

from collections.abc import Sequence

import msgspec

from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.parts import Parts

Point = tuple[int, int, bool]
"""Block, last offset, sealed: up to where a partial goes."""


class PublishedBlocks:
    """What one partition of the partials holds of one source partition.

    Args:
        block_size: offsets of a block.
        begins: the source partition's log begins there now: with the first block that ends behind it, enough is known.

    Attributes:
        lost: the record that said that the partition is lost, if one did.
    """

    def __init__(self, block_size: int, begins: int) -> None:
        self.lost: Partial | None = None
        self._block_size = block_size
        self._begins = begins
        self._parts = Parts()
        self._applied: list[Partial] = []
        self._enough = False

    def take(self, partial: Partial) -> None:
        """Take the next partial; one that is not newer, or does not go on where those before it ended, adds nothing."""
        if partial.lost is not None:
            self.lost = partial
        elif not self._enough and self._goes_on(partial):
            whole = self._parts.whole(partial)
            if whole is not None:
                self._apply(whole)

    @property
    def points(self) -> set[Point]:
        """Return up to where the block's sum is known."""
        return {_point(partial) for partial in self._applied}

    def up_to(self, point: Point) -> list[Partial]:
        """Return the partials of its block up to one of `points`."""
        return [each for each in self._applied if each.block == point[0] and _point(each) <= point]

    def _goes_on(self, partial: Partial) -> bool:
        newest = self._applied[-1] if self._applied else None
        if newest is not None and partial.order <= newest.order:
            return False
        if partial.since < partial.block * self._block_size:
            return True  # complete
        return newest is not None and newest.block == partial.block and partial.since <= newest.last

    def _apply(self, partial: Partial) -> None:
        self._parts.forget(partial.order)
        if self._applied and self._applied[-1].block != partial.block:
            self._applied = [each for each in self._applied[-1:] if each.sealed]  # the end of a block needs no sums
        self._applied.append(partial)
        self._enough = partial.sealed and partial.last + 1 >= self._begins


def standing(blocks: Sequence[PublishedBlocks], begins: int) -> Partial | None:
    """Return what is published of a block in all partitions of the partials, to go on behind its `last`.

    It is the earliest behind which the log still stands from `begins` on, so that as much as possible is folded from
    the log itself; if there is none, the latest. None if there is none that all of them hold, which may only mean that
    they were read from too far on. Of rows that repeat the last one holds. A record that said that the partition is
    lost stands for all that came before it.
    """
    for each in blocks:
        if each.lost is not None:
            return each.lost
    shared = set[Point].intersection(*(each.points for each in blocks))
    if not shared:
        return None
    point = min((each for each in shared if each[1] + 1 >= begins), default=max(shared))
    found = [partial for each in blocks for partial in each.up_to(point)]
    return msgspec.structs.replace(
        found[-1],
        rows=tuple(row for each in found for row in each.rows),
        sources=tuple(row for each in found for row in each.sources),
        unread=tuple(row for each in found for row in each.unread),
    )


def _point(partial: Partial) -> Point:
    return partial.block, partial.last, partial.sealed
