"""A block tells its first named sources apart and counts the others together, however it is read.

So it does of what is not accepted, and neither takes the places of the other.
"""

from collections import Counter
from collections.abc import Sequence
from random import Random

import msgspec
from fold_oracle import HOUR_MS, Payment, small_panel, two_panels
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.adapters.arrow_batch import ArrowBatch, decode, encode
from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import OTHER_SOURCES, Partial, SourceRow
from earlywarn.aggregation.route import Router
from earlywarn.domain.transaction import Transaction

PARAMETERS = FoldParameters(block_size=4, lateness_seconds=2 * 3600, sources_limit=2)
CARD = "4929 1234-1234 1234"
"""No name of a source: it counts among the others, also where there is room."""
START_MS = 1_553_900_400_000
RECEIVED_MS = 4_000_000_000_000

Log = list[list[Transaction]]
"""By offset: what stands there, one as a plain record, several as a batched one."""


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Return a log whose blocks have more sources than are told apart, late ones and rejected ones among them."""
    event_ms, log = START_MS, []
    for size in draw(st.lists(st.integers(1, 6), max_size=14)):
        message = []
        for _ in range(size):
            event_ms += draw(st.integers(0, 3)) * HOUR_MS // 2
            payment = Payment(
                event_ms - draw(st.sampled_from([0, 0, 0, 5])) * HOUR_MS,
                draw(st.sampled_from("RS")),
                "x",
                draw(st.sampled_from([7, 7, 7, -1])),
                draw(st.sampled_from(["purchase", "purchase", "refund"])),
                country=draw(st.sampled_from([None, "US"])),
            )
            source = draw(st.sampled_from(["a", "b", "c", CARD, "", None]))
            message.append(msgspec.structs.replace(payment.transaction(), source=source))
        log.append(message)
    return log


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
            if each.source and each.source != CARD and len(first[is_unread]) < PARAMETERS.sources_limit:
                first[is_unread][each.source] = None
            name = each.source or "" if each.source in first[is_unread] or not each.source else OTHER_SOURCES
            target = "Q" if each.country == "US" else "P", each.region, "x"
            found[is_unread][*target, name, each.ts // HOUR_MS * 3600] += each.kind == "purchase"
    return found


def folded(log: Log, rng: Random, *, batched: bool) -> list[Partial]:
    """Return the partials of workers that flush when they like, and of which one dies now and then."""
    fold = BlockFold(Router(two_panels()), PARAMETERS)
    sent: list[Partial] = []
    for crashes in range(4):
        while fold.position < len(log):
            at = fold.position
            if batched or len(log[at]) > 1:
                batch = decode(encode(log[at]))
                assert isinstance(batch, ArrowBatch)
                sent += fold.add_columns(at, batch.columns, RECEIVED_MS)[0]
            else:
                until = at + 1
                while until < len(log) and len(log[until]) == 1 and rng.random() < 0.7:
                    until += 1
                records = [message[0] for message in log[at:until]]
                sent += fold.add(range(at, until), records, RECEIVED_MS)[0]
            news = fold.flush() if rng.random() < 0.4 else None
            sent += [] if news is None else [news]
            if crashes < 3 and rng.random() < 0.1:
                break
        else:
            break
        start = fold.block * PARAMETERS.block_size
        fold = BlockFold(Router(two_panels()), PARAMETERS, position=start, event_time_ms=fold.block_event_time_ms)
    last = fold.flush(end=True)
    assert last is not None
    return [*sent, last]


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
