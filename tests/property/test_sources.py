"""A block tells its first named sources apart and counts the others together, however it is read.

So it does of what is not accepted, and neither takes the places of the other.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec
from fold_oracle import HOUR_MS, Payment, small_panel
from hypothesis import given
from hypothesis import strategies as st
from sourced_log import NAMELESS, PARAMETERS, RECEIVED_MS, START_MS, Log, folded, logs

from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import OTHER_SOURCES, Partial, SourceRow
from earlywarn.aggregation.route import Router

_Key = tuple[str, str, str, str, int]
"""Panel, region, sector, source, base bucket."""


def counted(log: Log) -> tuple[Counter[_Key], Counter[_Key]]:
    """Return on-time transactions of each source, and those that are not accepted: a plain loop, record by record."""
    found: tuple[Counter[_Key], Counter[_Key]] = Counter(), Counter()
    newest, block, first = 0, -1, (dict[str, None](), dict[str, None]())
    for offset, message in enumerate(log):
        if offset // PARAMETERS.block_size != block:
            block, first = offset // PARAMETERS.block_size, ({}, {})
        for each in message:
            end_ms = (each.ts // HOUR_MS + 1) * HOUR_MS
            is_unread = each.amount_minor < 0 and each.kind == "purchase"
            late = end_ms <= newest - PARAMETERS.lateness_seconds * 1000
            newest = newest if is_unread else max(newest, each.ts)
            if late or not (each.source or is_unread):
                continue
            if each.source and each.source not in NAMELESS and len(first[is_unread]) < PARAMETERS.sources_limit:
                first[is_unread][each.source] = None
            name = each.source or "" if each.source in first[is_unread] or not each.source else OTHER_SOURCES
            target = "Q" if each.country == "US" else "P", each.region, "x"
            found[is_unread][*target, name, each.ts // HOUR_MS * 3600] += each.kind == "purchase"
    return found


def delivered(partials: Sequence[Partial]) -> tuple[Counter[_Key], Counter[_Key]]:
    """Return what a detector makes of them."""
    fold = PartialsFold(partitions=1, lateness_seconds=PARAMETERS.lateness_seconds)
    found: tuple[Counter[_Key], Counter[_Key]] = Counter(), Counter()
    for partial in partials:
        applied = fold.apply(partial)
        for counts, news in zip(found, (applied.delivered, applied.unread), strict=True):
            for each in news:
                counts[each.panel, each.region, each.sector, each.feed, each.bucket] += each.transactions
    return +found[0], +found[1]


@given(log=logs(), seed=st.integers(0, 2**32))
def test_the_first_sources_of_a_block_are_told_apart(log: Log, seed: int) -> None:
    """In the log's order: neither flushes, crashes nor batches decide who is first."""
    accepted, unread = counted(log)
    assert delivered(folded(log, Random(seed), batched=False)) == (+accepted, +unread)
    assert delivered(folded(log, Random(seed), batched=True)) == (+accepted, +unread)


def test_a_block_of_many_sources_stays_small() -> None:
    """Two thousand records, each of another source: the partial names as many as the limit says, and one for all."""
    fold = BlockFold(Router([small_panel()]), FoldParameters())
    records = [
        msgspec.structs.replace(Payment(START_MS, "R", "x", 5).transaction(), source=f"source {at}")
        for at in range(1_999)
    ]
    fold.add(range(1_999), records, RECEIVED_MS)
    partial = fold.flush()
    assert partial is not None
    assert len(partial.sources) == FoldParameters().sources_limit + 1
    assert partial.sources[0].source == "source 0"
    rest = 1_999 - FoldParameters().sources_limit
    assert partial.sources[-1] == SourceRow("P", "R", "x", OTHER_SOURCES, START_MS // 1000, rest)
