"""Behind the mark that ends a replay its log is closed."""

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.record_batch import RecordBatch
from earlywarn.adapters.kafka.recount import unpacked
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER
from earlywarn.application.aggregator import Aggregator, BlockStart
from earlywarn.application.compose import compose
from earlywarn.application.control_marks import CONTROL_HEADER, END, REENTERED_HEADER
from earlywarn.application.recount import Recount
from earlywarn.application.settings import load

START_MS = 1_551_700_800_000
RUN = compose(
    load(None, {"EARLYWARN_FOLD__BLOCK_SIZE": "4", "EARLYWARN_PANELS": '[{ id = "CH", countries = ["CH"] }]'})
)
Pairs = list[tuple[str, bytes | None]]


def payment(number: int) -> bytes:
    return b'{"id":"t%d","ts":%d,"amount_minor":5,"currency":"CHF","mcc":"5411","region":"CH04","country":"CH"}' % (
        number,
        START_MS,
    )


def batch(start: int, values: list[bytes | None], headers: list[Pairs] | None = None) -> RecordBatch:
    stop = start + len(values)
    return RecordBatch("transactions", 0, start, stop, list(range(start, stop)), values, START_MS, headers)  # type: ignore[arg-type]  # lists are sequences


def aggregator(start: BlockStart) -> Aggregator:
    found = Aggregator(RUN, arrow_batch.decode, flush_seconds=1.0, idle_seconds=30.0, finite=True)
    found.assign({0: start}, 1, now_seconds=0.0)
    return found


def test_only_what_is_reentered_counts() -> None:
    """A sender that goes on there revises no day; also after a restart, in columns or alone."""
    values = [payment(0), None, payment(1), payment(2)]
    headers: list[Pairs] = [[], [(CONTROL_HEADER, END)], [(REENTERED_HEADER, b"0/0/0")], []]
    worker = aggregator(BlockStart())
    first = worker.partitions[0].take(batch(0, values, headers), 0.0)
    assert [(each.offset, each.reject.reason) for each in first.dead_letters] == [(3, "after_end")]
    sealed = first.partials[-1]
    assert (sum(row.transactions for row in sealed.rows), sealed.rejected) == (2, {"after_end": 1}), first.partials
    start = worker.partitions[0].block_start
    assert (start.offset, start.end) == (4, 1)
    for taken in (worker, aggregator(start)):
        later = taken.partitions[0].take(batch(4, [payment(3), payment(4)]), 0.0)
        columns: list[Pairs] = [[(CONTENT_TYPE_HEADER, ARROW_STREAM)]]
        later.dead_letters += taken.partitions[0].take(batch(6, [b"columns"], columns), 0.0).dead_letters
        assert [(each.offset, each.reject.reason) for each in later.dead_letters] == [
            (4, "after_end"), (5, "after_end"), (6, "after_end"),
        ]  # fmt: skip
        [news] = taken.partitions[0].flush().partials
        assert (news.rows, news.rejected) == ((), {"after_end": 3})


def test_the_recount_that_verifies_counts_the_same() -> None:
    recount = Recount(RUN, unpacked, finite=True)
    marks: list[Pairs] = [[(CONTROL_HEADER, END)], [], [(REENTERED_HEADER, b"0/0/0")]]
    for offset, headers in enumerate(marks):
        recount.take(0, offset, payment(offset), headers, START_MS)
    assert (recount.accepted, recount.rejected) == (1, {"after_end": 1})
