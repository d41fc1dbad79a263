"""The delivery contract's sentences about partials and the watermark, one by one."""

import pytest
from fold_oracle import HOUR_MS, Payment, small_panel
from fold_stream import SecondFold

from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial, Row
from earlywarn.aggregation.route import Router
from earlywarn.errors import LogError

START_MS = 1_551_700_800_000
PARAMETERS = FoldParameters(block_size=4, lateness_seconds=3600, revision_horizon_days=2)
RECEIVED_MS = 4_000_000_000_000


def payments(count: int, step_hours: float = 1) -> list[Payment]:
    return [Payment(START_MS + int(at * step_hours * HOUR_MS), "R", "x", 100 + at) for at in range(count)]


def folded(log: list[Payment], **position: int) -> tuple[BlockFold, list[Partial]]:
    fold = BlockFold(Router([small_panel()]), PARAMETERS, **position)
    start = fold.position
    sealed, _ = fold.add(range(start, start + len(log)), [each.transaction() for each in log], RECEIVED_MS)
    return fold, sealed


def test_a_block_is_sealed_when_its_last_offset_is_folded() -> None:
    fold, sealed = folded(payments(9))
    assert [(each.block, each.since, each.last, each.sealed) for each in sealed] == [(0, -1, 3, True), (1, 3, 7, True)]
    last = fold.flush()
    assert last is not None
    assert (last.block, last.since, last.last, last.sealed) == (2, 7, 8, False)


def test_a_partial_holds_the_cumulative_values_of_rows_changed_since_the_previous_one() -> None:
    fold = BlockFold(Router([small_panel()]), PARAMETERS)
    log = [Payment(START_MS, "R", "x", 1), Payment(START_MS, "S", "x", 2), Payment(START_MS, "R", "x", 4)]
    fold.add(range(2), [each.transaction() for each in log[:2]], RECEIVED_MS)
    first = fold.flush()
    fold.add([2], [log[2].transaction()], RECEIVED_MS)
    second = fold.flush()
    assert first is not None
    assert second is not None
    assert [(row.region, row.transactions, row.amount_minor) for row in first.rows] == [("R", 1, 1), ("S", 1, 2)]
    assert [(row.region, row.transactions, row.amount_minor) for row in second.rows] == [("R", 2, 5)]
    assert (second.since, second.last) == (1, 2)


def test_nothing_new_is_not_sent_and_an_empty_partition_says_minus_one() -> None:
    fold = BlockFold(Router([small_panel()]), PARAMETERS)
    assert fold.flush() is None
    idle = fold.flush(idle=True)
    assert idle is not None
    assert (idle.last, idle.idle, idle.event_time_ms) == (-1, True, None)


def test_a_fold_starts_at_a_blocks_start_with_the_maximum_that_held_there() -> None:
    whole, sealed = folded(payments(8))
    again, resealed = folded(payments(8)[4:], position=4, event_time_ms=START_MS + 3 * HOUR_MS)
    assert resealed == [sealed[1]]
    assert whole.event_time_ms == again.event_time_ms
    with pytest.raises(LogError, match="no block start"):
        folded([], position=3)


def test_an_offset_that_comes_again_is_refused() -> None:
    fold, _ = folded(payments(3))
    with pytest.raises(LogError, match="comes again"):
        fold.add([1], [payments(1)[0].transaction()], RECEIVED_MS)


def test_holes_in_the_offsets_are_allowed() -> None:
    """Transaction markers take offsets; a block that ends in one is sealed by the next record."""
    fold = BlockFold(Router([small_panel()]), PARAMETERS)
    log = [each.transaction() for each in payments(3)]
    sealed, _ = fold.add([0, 2, 5], log, RECEIVED_MS)
    assert [(each.block, each.last, each.sealed) for each in sealed] == [(0, 3, True)]
    merge = PartialsFold(partitions=1, lateness_seconds=3600)
    last = fold.flush()
    assert last is not None
    counted = [len(merge.apply(each).differences) for each in (*sealed, last)]
    assert counted == [2, 1]


def test_a_flush_before_a_hole_does_not_hide_the_seal() -> None:
    fold = BlockFold(Router([small_panel()]), PARAMETERS)
    log = [each.transaction() for each in payments(2)]
    fold.add([0], log[:1], RECEIVED_MS)
    flushed = fold.flush()
    sealed, _ = fold.add([6], log[1:], RECEIVED_MS)
    last = fold.flush()
    merge = PartialsFold(partitions=1, lateness_seconds=3600)
    for partial in (flushed, *sealed, last):
        assert partial is not None
        merge.apply(partial)


def partial(block: int, since: int, last: int, *, sealed: bool = False, transactions: int = 1) -> Partial:
    row = Row("P", "R", "x", START_MS // 1000, late=False, transactions=transactions, amount_minor=100)
    return Partial(
        partition=0,
        partitions=1,
        block=block,
        since=since,
        last=last,
        sealed=sealed,
        event_time_ms=START_MS,
        rows=(row,),
    )


def test_a_gap_stops_the_fold() -> None:
    """A partial whose rows start after what is applied, or a block skipped, is a defect of the log."""
    merge = PartialsFold(partitions=1, lateness_seconds=3600)
    merge.apply(partial(0, -1, 1))
    with pytest.raises(LogError, match="gap"):
        merge.apply(partial(0, 2, 3))
    with pytest.raises(LogError, match="gap"):
        merge.apply(partial(1, 3, 5))
    fresh = PartialsFold(partitions=1, lateness_seconds=3600)
    with pytest.raises(LogError, match="gap"):
        fresh.apply(partial(0, 1, 2))


@pytest.mark.parametrize("lost", range(4))
def test_every_lost_partial_is_noticed(lost: int) -> None:
    """Whichever partial is missing, sealed or open, the next one leaves a gap; holes in the offsets included."""
    fold = BlockFold(Router([small_panel()]), PARAMETERS)
    log = [each.transaction() for each in payments(12)]
    sealed, _ = fold.add([0, 1, 2, 3, 5, 6, 12, 13, 14, 15, 16, 17], log, RECEIVED_MS)
    last = fold.flush()
    assert last is not None
    partials = [*sealed, last, *fold.add([20], log[:1], RECEIVED_MS)[0]]
    assert len(partials) == 5
    merge = PartialsFold(partitions=1, lateness_seconds=3600)
    for each in partials[:lost]:
        merge.apply(each)
    with pytest.raises(LogError, match="gap"):
        merge.apply(partials[lost + 1])


def test_the_end_mark_is_said_where_it_stands() -> None:
    """An end mark takes an offset; if it completes its block, the block is sealed behind it."""
    fold = BlockFold(Router([small_panel()]), PARAMETERS)
    fold.add(range(3), [each.transaction() for each in payments(3)], RECEIVED_MS)
    said = fold.end(3)
    assert [(each.last, each.sealed, each.end) for each in said] == [(3, False, True), (3, True, False)]
    assert fold.position == 4
    merge = PartialsFold(partitions=1, lateness_seconds=3600)
    for each in (*said, *said):
        merge.apply(each)
    assert merge.ended(0)


def test_stale_and_duplicate_partials_change_nothing() -> None:
    merge = PartialsFold(partitions=1, lateness_seconds=3600)
    assert len(merge.apply(partial(0, -1, 3, sealed=True, transactions=4)).differences) == 1
    state = merge.state()
    for stale in (partial(0, -1, 3, sealed=True, transactions=4), partial(0, -1, 1)):
        assert merge.apply(stale).differences == []
    assert merge.state() == state


def test_the_watermark_waits_for_all_and_leaves_out_the_idle() -> None:
    merge = PartialsFold(partitions=2, lateness_seconds=3600)

    def say(partition: int, event_ms: int | None, last: int, **marks: bool) -> int | None:
        merge.apply(
            Partial(
                partition=partition,
                partitions=2,
                block=0,
                since=-1,
                last=last,
                sealed=False,
                event_time_ms=event_ms,
                **marks,
            )
        )
        return merge.watermark_seconds()

    assert say(0, START_MS, 0) is None
    assert say(1, START_MS + HOUR_MS, 0) == START_MS // 1000 - 3600
    assert say(0, START_MS, 0, idle=True) == START_MS // 1000
    assert say(1, START_MS + HOUR_MS, 0, idle=True) == START_MS // 1000, "all idle: it stands still"
    assert say(0, START_MS + HOUR_MS // 2, 1) == START_MS // 1000, "it never goes back"


def test_days_of_23_and_25_hours_are_days() -> None:
    """On the days of the clock change a day has its own number of hours, and none is lost."""
    for start_ms, hours in ((1_553_900_400_000, 23), (1_572_040_800_000, 25)):  # the Saturdays before
        log = [Payment(start_ms + at * HOUR_MS, "R", "x", 1) for at in range(72)]
        second = SecondFold(small_panel(), PARAMETERS, 1)
        fold = BlockFold(Router([small_panel()]), PARAMETERS)
        sealed, _ = fold.add(range(72), [each.transaction() for each in log], RECEIVED_MS)
        end = fold.flush(end=True)
        assert end is not None
        second.apply([*sealed, end])
        assert [int(day.transactions[0]) for day in second.days][:2] == [24, hours]
        assert sum(int(day.transactions[0]) for day in second.days) == 72


def test_an_input_that_stops_at_noon_has_no_complete_last_day() -> None:
    """Its last day is published and not judged; nor is the first, of which nobody knows when it began."""
    log = [Payment(START_MS + at * HOUR_MS, "R", "x", 1) for at in range(55)]
    fold = BlockFold(Router([small_panel()]), PARAMETERS)
    sealed, _ = fold.add(range(55), [each.transaction() for each in log], RECEIVED_MS)
    end = fold.flush(end=True)
    assert end is not None
    second = SecondFold(small_panel(), PARAMETERS, 1)
    second.apply([*sealed, end])
    assert [day.complete for day in second.days] == [False, True, False]
