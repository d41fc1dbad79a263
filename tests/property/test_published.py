"""Whoever goes on behind what is published of a block, since the log has lost its start, sends what makes it whole.

Whatever the partials hold besides: those of workers that died, of blocks before, in parts, in one partition of the
partials less than in the other; and from wherever in them the reading begins.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random

from fold_oracle import two_panels
from hypothesis import given, settings
from hypothesis import strategies as st
from sourced_log import PARAMETERS, Log, advance, folded, logs

from earlywarn.aggregation.block import BlockFold
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.parts import cut
from earlywarn.aggregation.published import BlocksHeld, PublishedBlocks, standing
from earlywarn.aggregation.route import Router
from earlywarn.application.aggregator import BlockStart

PANELS = ("P", "Q")
"""Each lives in a partition of the partials of its own."""


def counted(partials: Sequence[Partial]) -> tuple[Counter[object], int | None]:
    """Return all that a detector makes of partials, and how far it hears."""
    fold = PartialsFold(partitions=1, lateness_seconds=PARAMETERS.lateness_seconds)
    found: Counter[object] = Counter()
    for partial in partials:
        applied = fold.apply(partial)
        for row in applied.differences:
            found["transactions", *row[:5]] += row.transactions
            found["amount", *row[:5]] += row.amount_minor
        for kind, rows in (("source", applied.delivered), ("unread", applied.unread)):
            for each in rows:
                found[kind, *each[:5]] += each.transactions
        found.update({("rejected", reason): count for reason, count in applied.rejected.items()})
    return Counter({name: count for name, count in found.items() if count}), fold.newest_event_seconds


def applied_to(partials: Sequence[Partial]) -> int:
    """Return the offset behind what a detector has applied; -1 if that is nothing."""
    fold = PartialsFold(partitions=1, lateness_seconds=0)
    for partial in partials:
        fold.apply(partial)
    return fold.applied_offsets().get(0, -2) + 1


def held(partials: Sequence[Partial], panel: str, rng: Random) -> list[Partial]:
    """Return what one partition of the partials holds of them, some in parts."""
    fits = 1 if rng.random() < 0.3 else 99
    of_panel = [each.restrict(panel.__eq__) for each in partials]
    return [part for each in of_panel for part in cut(each, lambda piece: len(piece.rows) <= fits)]


def read_on(partials: Sequence[Partial], begins: int) -> PublishedBlocks:
    blocks = PublishedBlocks(PARAMETERS.block_size, begins)
    for each in partials:
        blocks.take(each)
    return blocks


def read_back(partials: Sequence[Partial], begins: int, rng: Random) -> PublishedBlocks:
    """Read a log from its end back, in stretches; each is asked for what is known, as if it might be enough."""
    held = BlocksHeld(PARAMETERS.block_size, begins)
    cuts = sorted({0, *(rng.randint(0, len(partials)) for _ in range(rng.randint(0, 3)))}, reverse=True)
    for start, stop in zip(cuts, [len(partials), *cuts], strict=False):
        for each in partials[start:stop]:
            held.take(each)
        found = held.published()
        held.further_back()
    return found


def resumed(start: BlockStart) -> BlockFold:
    fold = BlockFold(Router(two_panels()), PARAMETERS, position=start.offset, event_time_ms=start.event_time_ms)
    if start.sent is not None:
        fold.resume(start.sent)
    assert fold.position == start.position
    return fold


@settings(max_examples=5 * settings().max_examples)
@given(log=logs(), seed=st.integers(0, 2**32), batched=st.booleans())
def test_the_rest_behind_what_is_published_makes_the_whole(log: Log, seed: int, *, batched: bool) -> None:
    rng = Random(seed)
    sent = folded(log, rng, batched=batched)
    sent = sent[: rng.randint(1, len(sent))]
    logs_held = [held(sent, panel, rng) for panel in PANELS]
    logs_held = [each[: max(0, len(each) - rng.choice([0, 0, 0, 1, 2]))] for each in logs_held]
    begins = max(0, min(map(applied_to, logs_held)) - rng.choice([-1, 0, 0, 0, 0, 1, 3]))
    first = [rng.choice([0, 0, 0, rng.randint(0, len(each))]) for each in logs_held]
    blocks = [
        read_back(partials[at:], begins, rng) if rng.random() < 0.5 else read_on(partials[at:], begins)
        for partials, at in zip(logs_held, first, strict=True)
    ]
    found = standing(blocks, begins)
    if found is None or found.last + 1 < begins:
        assert first != [0, 0] or min(map(applied_to, logs_held)) < begins
        return
    fold = resumed(BlockStart.behind(found, PARAMETERS.block_size))
    rest = advance(fold, log, rng, batched=rng.random() < 0.5)
    last = fold.flush(end=True)
    assert last is not None
    undisturbed = folded(log, Random(0), batched=False)
    assert (last.rejected, last.event_time_ms) == (undisturbed[-1].rejected, undisturbed[-1].event_time_ms)
    for panel, partials in zip(PANELS, logs_held, strict=True):
        expected = counted(held(undisturbed, panel, Random(0)))
        assert counted([*partials, *held([*rest, last], panel, rng)]) == expected


def test_what_was_said_to_be_lost_stays_lost() -> None:
    fold = BlockFold(Router(two_panels()), PARAMETERS)
    blocks = PublishedBlocks(PARAMETERS.block_size, 0)
    for each in [*fold.lose(7), *BlockFold(Router(two_panels()), PARAMETERS).lose(9)]:
        blocks.take(each)
    found = standing([blocks], 0)
    assert found is not None
    assert BlockStart.behind(found, PARAMETERS.block_size).position == 0


def test_nothing_is_known_of_a_partition_that_no_partial_names() -> None:
    assert standing([PublishedBlocks(4, 0), PublishedBlocks(4, 0)], 0) is None
