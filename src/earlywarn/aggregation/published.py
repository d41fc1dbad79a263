"""What is published of a source partition's blocks, read back from the partials to go on behind it.

Whoever takes a partition over folds its open block anew, which needs the log from the block's start on. Where
retention has removed that, the partials still have its sum: a first partial of a block is complete, and each further
one adds what has changed. The detector applies them just so (`merge`), but knows them from the log's beginning; here
they are read from anywhere in it on.
"""

from collections.abc import Sequence

import msgspec

from earlywarn.aggregation.partial import Partial, Row, SourceRow
from earlywarn.aggregation.parts import Parts

Point = tuple[int, int, bool]
"""Block, last offset, sealed: up to where a partial goes."""
_Name = tuple[tuple[int, int, bool, int], int, int, int]
_BLOCKS_HELD = 4


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
    they were read from too far on. Of rows that repeat the last one is there. A record that said that the partition is
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
        rows=tuple({_cell(row): row for each in found for row in each.rows}.values()),
        sources=tuple({_delivered(row): row for each in found for row in each.sources}.values()),
        unread=tuple({_delivered(row): row for each in found for row in each.unread}.values()),
    )


class BlocksHeld:
    """Partials of one source partition in one partition of the partials, as a reading from the end back meets them.

    Of all that may be there it holds so much that `standing` finds what it would in all: of the blocks that may reach
    to where the log begins the first ones, else the last ones, each partial once.

    Args:
        block_size: offsets of a block.
        begins: the source partition's log begins there now.
    """

    def __init__(self, block_size: int, begins: int) -> None:
        self._block_size = block_size
        self._begins = begins
        self._lost: list[Partial] = []
        self._blocks: dict[int, dict[_Name, Partial]] = {}
        self._further: dict[int, dict[_Name, Partial]] = {}

    def further_back(self) -> None:
        """Say that what comes next stands before all that was taken."""
        self._further, self._blocks = self._blocks, {}

    def take(self, partial: Partial) -> None:
        """Take the next partial behind the one before."""
        if partial.lost is not None:
            self._lost = [partial]
            return
        self._blocks.setdefault(partial.block, {})[_named(partial)] = partial
        if len(self._blocks) > 2 * _BLOCKS_HELD:
            self._let_go()

    def published(self) -> PublishedBlocks:
        """Return what is known by all that was taken."""
        for block, later in self._further.items():
            self._blocks[block] = self._blocks.get(block, {}) | later
        self._further = {}
        self._let_go()
        found = PublishedBlocks(self._block_size, self._begins)
        for each in [*self._lost, *(part for block in sorted(self._blocks) for part in self._blocks[block].values())]:
            found.take(each)
        return found

    def _let_go(self) -> None:
        reaches = (self._begins - 1) // self._block_size
        first = sorted(block for block in self._blocks if block >= reaches)[:_BLOCKS_HELD]
        last = sorted(block for block in self._blocks if block < reaches)[-_BLOCKS_HELD:]
        self._blocks = {block: self._blocks[block] for block in (*last, *first)}


def whole(sent: Partial, block_size: int) -> Partial:
    """Return what `standing` found as a first partial of its block: complete, and news to nobody."""
    return msgspec.structs.replace(sent, since=sent.block * block_size - 1)


def _named(partial: Partial) -> _Name:
    return partial.order, partial.since, partial.part, partial.parts


def _point(partial: Partial) -> Point:
    return partial.block, partial.last, partial.sealed


def _cell(row: Row) -> tuple[object, ...]:
    return row.panel, row.region, row.sector, row.bucket, row.late


def _delivered(row: SourceRow) -> tuple[object, ...]:
    return row.panel, row.region, row.sector, row.source, row.bucket
