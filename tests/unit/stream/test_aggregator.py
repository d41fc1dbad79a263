"""The aggregator's fold without a broker: headers, control marks, batched records, flushing, idleness."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec
import pytest
from fold_oracle import HOUR_MS

from earlywarn.adapters import arrow_batch
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER
from earlywarn.aggregation.intake import decode_one
from earlywarn.application.aggregator import RECEIVED_HEADER, Aggregator, BlockStart, Emission
from earlywarn.application.compose import compose
from earlywarn.application.control_marks import CONTROL_HEADER, END, time_mark
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.transaction import Transaction

START_MS = 1_551_700_800_000
SETTINGS = Settings(panels=(PanelSettings(id="CH", countries=("CH",)),))
RUN = compose(msgspec.structs.replace(SETTINGS, fold=msgspec.structs.replace(SETTINGS.fold, block_size=4)))
Pairs = list[tuple[str, bytes | None]]


@dataclass
class Batch:
    start: int
    values: Sequence[bytes | None]
    headers: list[Pairs] | None = None
    timestamps_ms: list[int] | int = START_MS + 1_000 * HOUR_MS
    offsets: list[int] = field(init=False)
    next: int = field(init=False)

    def __post_init__(self) -> None:
        self.offsets = list(range(self.start, self.start + len(self.values)))
        self.next = self.start + len(self.values)


def payment(number: int, hours: float = 0.0) -> bytes:
    ts = START_MS + int(hours * HOUR_MS)
    return b'{"id":"t%d","ts":%d,"amount_minor":5,"currency":"CHF","mcc":"5411","region":"CH04","country":"CH"}' % (
        number,
        ts,
    )


def aggregator(start: BlockStart | None = None, *, finite: bool = False) -> Aggregator:
    found = Aggregator(RUN, arrow_batch.decode, flush_seconds=1.0, idle_seconds=30.0, finite=finite)
    found.assign({0: start or BlockStart()}, 1, now_seconds=0.0)
    return found


def counted(emission: Emission) -> int:
    return sum(row.transactions for partial in emission.partials for row in partial.rows)


def test_news_are_flushed_once_after_the_flush_interval() -> None:
    worker = aggregator()
    worker.partitions[0].take(Batch(0, [payment(0), payment(1)]), 10.0)
    assert worker.due(10.9) == []
    [(partition, emission)] = worker.due(11.0)
    assert (partition, counted(emission)) == (0, 2)
    assert worker.due(20.0) == []


def test_a_block_is_emitted_when_it_is_full_and_its_start_moves() -> None:
    worker = aggregator()
    emission = worker.partitions[0].take(Batch(0, [payment(each, each) for each in range(5)]), 0.0)
    assert [(partial.block, partial.sealed) for partial in emission.partials] == [(0, True)]
    assert worker.partitions[0].block_start == BlockStart(4, START_MS + 3 * HOUR_MS)


def test_an_end_mark_ends_a_replays_partition_where_it_stands() -> None:
    worker = aggregator(finite=True)
    headers: list[Pairs] = [[], [(CONTROL_HEADER, END)]]
    emission = worker.partitions[0].take(Batch(0, [payment(0), None], headers), 0.0)
    assert [partial.end for partial in emission.partials] == [True]
    assert counted(emission) == 1
    assert emission.dead_letters == []


def test_a_time_mark_moves_a_replays_partition_without_a_record() -> None:
    """What is older is late from then on; whoever begins at a block's start, behind the mark, knows it as well."""
    worker = aggregator(finite=True)
    later = START_MS + 500 * HOUR_MS
    headers: list[Pairs] = [[(CONTROL_HEADER, time_mark(later))], [(CONTROL_HEADER, time_mark(START_MS))]]
    emission = worker.partitions[0].take(Batch(0, [None, None], headers), 0.0)
    assert (emission.dead_letters, emission.judged) == ([], 0)
    [(_, news)] = worker.due(1.0)
    assert [(each.last, each.event_time_ms, each.rows) for each in news.partials] == [(1, later, ())]
    worker.partitions[0].take(Batch(2, [payment(0), payment(1, 499.5)]), 2.0)
    assert worker.partitions[0].block_start == BlockStart(4, later)
    successor = aggregator(worker.partitions[0].block_start, finite=True)
    successor.partitions[0].take(Batch(4, [payment(2)]), 3.0)
    [(_, news)] = successor.due(4.0)
    assert [row.late for each in news.partials for row in each.rows] == [True]


def test_a_replays_partition_is_idle_by_no_clock() -> None:
    """However long its replay is paused."""
    worker = aggregator(finite=True)
    worker.partitions[0].take(Batch(0, [payment(0)]), 0.0)
    assert worker.silent(1e9) == []
    assert worker.confirm_idle(0, end_offset=1, now_seconds=1e9).partials == []


@pytest.mark.parametrize(
    ("mark", "finite"),
    [
        (END, False), (time_mark(START_MS), False), (b"stop", False), (b"stop", True), (None, True),
        (b"time noon", True), (b"time ", True), (b"time 7", True), (b"time " + b"9" * 5_000, True),
    ],
)  # fmt: skip
def test_a_mark_that_is_not_obeyed_is_a_dead_letter(mark: bytes | None, finite: bool) -> None:  # noqa: FBT001
    """A stray end mark in a run that goes on, or a mark nobody knows: kept and counted, and nothing ends."""
    worker = aggregator(finite=finite)
    headers: list[Pairs] = [[], [(CONTROL_HEADER, mark)], []]
    emission = worker.partitions[0].take(Batch(0, [payment(0), payment(9), payment(1)], headers), 0.0)
    [letter] = emission.dead_letters
    assert (letter.offset, letter.value, letter.reject.reason) == (1, payment(9), "control_mark")
    [partial] = worker.partitions[0].flush().partials
    assert (partial.last, partial.end, partial.rejected) == (2, False, {"control_mark": 1})
    assert partial.rows[0].transactions == 2


def test_the_first_receipt_decides_what_is_in_the_future() -> None:
    """A replayed record keeps its first receipt; a header that is no number, or no time, counts as absent."""
    worker = aggregator()
    early = [(RECEIVED_HEADER, str(START_MS).encode())]
    wrong = [[(RECEIVED_HEADER, text)] for text in (b"noon", b"", b"-1", b"9" * 30, b"-" + b"9" * 30, b"9" * 5_000)]
    values = [payment(each, 2.0) for each in range(1 + len(wrong))]
    batch = Batch(0, [*values, payment(9)], [early, *wrong, []])
    emission = worker.partitions[0].take(batch, 0.0)
    assert [(letter.offset, letter.reject.reason, letter.received_ms) for letter in emission.dead_letters] == [
        (0, "time_in_future", START_MS)
    ]
    assert counted(emission) + counted(worker.partitions[0].flush()) == len(wrong) + 1


@pytest.mark.parametrize("finite", [False, True])
def test_a_sender_may_not_state_a_receipt_after_the_logs_own_time(finite: bool) -> None:  # noqa: FBT001
    """Else one wrong clock would make what all others send too late; a replay's log has the times of its run."""
    worker = aggregator(finite=finite)
    ahead_ms = START_MS + 5_000 * HOUR_MS
    headers: list[Pairs] = [[], [(RECEIVED_HEADER, str(ahead_ms).encode())], []]
    batch = Batch(0, [payment(0), payment(1, 5_000), payment(2, 1)], headers)
    emission = worker.partitions[0].take(batch, 0.0)
    found = [(letter.offset, letter.reject.reason, letter.received_ms) for letter in emission.dead_letters]
    appended_ms = START_MS + 1_000 * HOUR_MS
    assert found == ([(2, "too_late", appended_ms)] if finite else [(1, "time_in_future", appended_ms)])


def test_a_batched_record_counts_as_its_transactions() -> None:
    worker, plain = aggregator(), aggregator()
    values = [payment(each, each / 7) for each in range(6)]
    transactions = [each for value in values if isinstance(each := decode_one(value), Transaction)]
    wrong = msgspec.structs.replace(transactions[2], region="XX")
    message = arrow_batch.encode([*transactions, wrong])
    emission = worker.partitions[0].take(
        Batch(0, [message, b"no arrow"], [[(CONTENT_TYPE_HEADER, ARROW_STREAM)]] * 2), 0.0
    )
    [letter], [whole] = chain.from_iterable(emission.batched_letters), emission.dead_letters
    assert (letter.offset, letter.index, letter.reject.reason) == (0, 6, "region_unknown")
    assert (whole.offset, whole.index, whole.reject.reason, whole.value) == (1, 0, "not_arrow", b"no arrow")
    again = decode_one(letter.value)
    assert again == wrong
    plain.partitions[0].take(Batch(0, values[:3]), 0.0)
    first = counted(plain.partitions[0].flush())
    plain.partitions[0].take(Batch(3, values[3:4]), 0.0)
    assert counted(worker.partitions[0].flush()) == 6
    assert first == 3


def test_idleness_is_said_once_and_only_at_the_end_of_the_log() -> None:
    worker = aggregator()
    worker.partitions[0].take(Batch(0, [payment(0)]), 0.0)
    assert worker.silent(29.0) == []
    assert worker.silent(30.0) == [0]
    assert worker.confirm_idle(0, end_offset=2, now_seconds=30.0).partials == []
    assert worker.confirm_idle(0, end_offset=1, now_seconds=29.0).partials == []
    assert [partial.idle for partial in worker.confirm_idle(0, 1, 30.0).partials] == [True]
    assert worker.silent(99.0) == []
    assert worker.confirm_idle(0, end_offset=1, now_seconds=99.0).partials == []
    assert worker.confirm_idle(7, end_offset=1, now_seconds=99.0).partials == []
    worker.partitions[0].take(Batch(1, [payment(1)]), 100.0)
    assert worker.silent(130.0) == [0]


def test_a_partition_is_asked_after_from_the_half_of_the_idle_time_on() -> None:
    """So that a broker that is away before it is over is known to be."""
    worker = aggregator()
    assert [worker.quiet(at) for at in looks(0, 14.5)] == [[]] * 30
    assert (worker.quiet(15.0), worker.silent(15.0)) == ([0], [])


def test_time_in_which_the_broker_does_not_answer_is_no_silence() -> None:
    """Senders wait as long as that: the idle time begins anew when it has answered again."""
    worker = aggregator()
    for at in looks(0, 29.5):
        worker.quiet(at)
    for at in looks(30, 100):
        worker.quiet(at)
        worker.unanswered(at)
    for at in looks(100.5, 129.5):
        worker.quiet(at)
        assert worker.silent(at) == []
    assert worker.quiet(130.0) == worker.silent(130.0) == [0]


@pytest.mark.parametrize(("waited", "silent_at"), [(0.9, 30.0), (5.0, 34.0), (8.4, 37.4), (8.5, 58.5), (300.0, 350.0)])
def test_time_that_an_answer_takes_or_nobody_looks_is_no_silence(waited: float, silent_at: float) -> None:
    """As of a paused process. If it is long the idle time begins anew, else it is longer by what was missed."""
    answered, paused = aggregator(), aggregator()
    for at in looks(0, 20):
        answered.quiet(at)
        paused.quiet(at)
    answered.answered(20.0 + waited)
    paused.quiet(20.0 + waited)
    for worker in (answered, paused):
        assert worker.silent(silent_at - 0.1) == []
        assert worker.silent(silent_at + 0.1) == [0]


def looks(first: float, last: float) -> list[float]:
    """Return every half second from first to last."""
    return [first + at / 2 for at in range(round((last - first) * 2) + 1)]


@pytest.mark.parametrize(("end", "said"), [(2, [(1, False)]), (3, [(2, False)]), (4, [(3, True), (3, False)])])
def test_idleness_covers_what_stands_in_the_log_and_is_no_record(end: int, said: list[tuple[int, bool]]) -> None:
    """Marks of transactions go with the records before them: whoever comes later must not miss them."""
    batch = Batch(0, [payment(0), payment(1)])
    batch.next = end
    worker = aggregator()
    worker.partitions[0].take(batch, 0.0)
    partials = worker.confirm_idle(0, end_offset=end, now_seconds=30.0).partials
    assert [(partial.last, partial.sealed) for partial in partials] == said
    assert partials[-1].idle
    more = worker.partitions[0].take(Batch(end, [payment(2)]), 31.0).partials
    whole = [*more, *worker.partitions[0].flush().partials][-1]
    assert (whole.block, counted(Emission(partials=[whole]))) == (end // 4, 1 if end == 4 else 3)


@pytest.mark.parametrize("cut", range(1, 11))
def test_whoever_begins_at_a_blocks_start_emits_the_same(cut: int) -> None:
    """A partition taken over in mid-block: the successor's partials are those of the undisturbed."""
    values = [payment(each, each / 3) for each in range(11)]
    whole = aggregator()
    expected = whole.partitions[0].take(Batch(0, values), 0.0).partials + whole.partitions[0].flush().partials
    first = aggregator()
    emitted = first.partitions[0].take(Batch(0, values[:cut]), 0.0).partials
    start = first.partitions[0].block_start
    second = aggregator(start)
    emitted += second.partitions[0].take(Batch(start.offset, values[start.offset :]), 0.0).partials
    assert emitted + second.partitions[0].flush().partials == expected


def test_a_worker_that_takes_over_looks_back_for_copies_as_far_as_the_log_goes() -> None:
    """It reads the blocks before its own once more; what retention has removed of them is no reason to stop."""
    fold = msgspec.structs.replace(RUN.settings.fold, deduplicate_blocks=3)
    run = compose(msgspec.structs.replace(RUN.settings, fold=fold))
    worker = Aggregator(run, arrow_batch.decode, flush_seconds=1.0, idle_seconds=30.0)
    worker.assign({0: BlockStart(12, START_MS)}, 1, now_seconds=0.0)
    each = worker.partitions[0]
    assert each.position == 1  # its own block has 4 of the 12 records
    assert each.skip(5)
    assert each.position == 5
    emission = each.take(Batch(5, [payment(number) for number in range(7)] + [payment(6), payment(7)]), 0.0)
    assert [(letter.offset, letter.reject.reason) for letter in emission.dead_letters] == [(12, "duplicate")]
    assert counted(each.flush()) == 1
    assert each.skip(14)
    assert not each.skip(15)


def test_marks_are_no_records_to_whoever_looks_back_for_copies() -> None:
    fold = msgspec.structs.replace(RUN.settings.fold, deduplicate_blocks=1)
    run = compose(msgspec.structs.replace(RUN.settings, fold=fold))
    values = [payment(0), payment(1), None, None, payment(2), payment(0)]
    headers: list[Pairs] = [[], [], *[[(CONTROL_HEADER, time_mark(START_MS))]] * 2, [], []]

    def letters(start: BlockStart) -> list[int]:
        worker = Aggregator(run, arrow_batch.decode, flush_seconds=1.0, idle_seconds=30.0, finite=True)
        worker.assign({0: start}, 1, now_seconds=0.0)
        each, found = worker.partitions[0], []
        while each.position < len(values):
            batch = Batch(each.position, values[each.position :], headers[each.position :])
            found += [letter.offset for letter in each.take(batch, 0.0).dead_letters]
        return found

    assert letters(BlockStart()) == letters(BlockStart(4, START_MS)) == [5]


def test_a_worker_that_goes_on_behind_a_partial_looks_back_for_copies_as_far_as_the_log_goes() -> None:
    fold = msgspec.structs.replace(RUN.settings.fold, deduplicate_blocks=2)
    run = compose(msgspec.structs.replace(RUN.settings, fold=fold))
    first, second = (Aggregator(run, arrow_batch.decode, flush_seconds=1.0, idle_seconds=30.0) for _ in range(2))
    first.assign({0: BlockStart()}, 1, now_seconds=0.0)
    sent = first.partitions[0].take(Batch(0, [payment(each) for each in range(7)]), 0.0).partials
    sent += first.partitions[0].flush().partials
    second.assign({0: BlockStart.behind(sent[-1], 4)}, 1, now_seconds=0.0)
    each = second.partitions[0]
    assert (each.position, each.needed, each.skip(5), each.position) == (0, 7, True, 5)
    emission = each.take(Batch(5, [payment(number) for number in (5, 6, 6, 4)]), 0.0)
    assert [(letter.offset, letter.reject.reason) for letter in emission.dead_letters] == [(7, "duplicate")]
    whole, news = [*emission.partials, *each.flush().partials]
    assert (whole.since, whole.last, whole.sealed, whole.rejected) == (6, 7, True, {"duplicate": 1})
    assert (news.since, news.last, counted(Emission(partials=[news]))) == (7, 8, 1)


def test_a_partition_whose_log_has_lost_what_comes_next_says_so_and_nothing_more() -> None:
    """What was folded of the open block is sent first; it is neither idle nor has it news afterwards."""
    worker = aggregator()
    each = worker.partitions[0]
    each.take(Batch(0, [payment(number, number) for number in range(6)]), 0.0)
    assert not each.skip(9)
    news, lost = each.lose(9).partials
    assert (news.last, news.lost, counted(Emission(partials=[news]))) == (5, None, 2)
    assert (lost.since, lost.last, lost.lost, lost.rows, lost.rejected) == (5, 5, 9, (), {})
    assert lost.event_time_ms == START_MS + 5 * HOUR_MS
    assert (worker.due(99.0), worker.silent(99.0)) == ([], [])
