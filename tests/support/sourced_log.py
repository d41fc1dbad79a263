"""A log whose blocks have more sources than are told apart, and workers that fold it as they like and die."""

from random import Random

import msgspec
from fold_oracle import HOUR_MS, Payment, two_panels
from hypothesis import strategies as st

from earlywarn.adapters.arrow_batch import ArrowBatch, decode, encode
from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.partial import OTHER_SOURCES, Partial
from earlywarn.aggregation.route import Router
from earlywarn.domain.transaction import Transaction

PARAMETERS = FoldParameters(block_size=6, lateness_seconds=2 * 3600, sources_limit=2)
CARD = "4929 1234-1234 1234"
NAMELESS = (CARD, OTHER_SOURCES)
"""No names of sources: they count among the others, also where there is room."""
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
            source = draw(st.sampled_from(["a", "b", "c", *NAMELESS, "", None]))
            message.append(msgspec.structs.replace(payment.transaction(), source=source))
        log.append(message)
    return log


def folded(log: Log, rng: Random, *, batched: bool) -> list[Partial]:
    """Return the partials of workers that flush when they like, and of which one dies now and then."""
    fold = BlockFold(Router(two_panels()), PARAMETERS)
    sent: list[Partial] = []
    for _ in range(3):
        sent += advance(fold, log, rng, batched=batched, dies=0.1)
        start = fold.block * PARAMETERS.block_size
        fold = BlockFold(Router(two_panels()), PARAMETERS, position=start, event_time_ms=fold.block_event_time_ms)
    sent += advance(fold, log, rng, batched=batched)
    last = fold.flush(end=True)
    assert last is not None
    return [*sent, last]


def advance(fold: BlockFold, log: Log, rng: Random, *, batched: bool, dies: float = 0.0) -> list[Partial]:
    """Fold what a log has from the fold's position on, flushing now and then, and return what is sent."""
    sent: list[Partial] = []
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
        if rng.random() < dies:
            break
    return sent
