"""Partials in several records: whatever names a block has, each record fits; a part alone counts nothing."""

import msgspec
import pytest
from fold_oracle import HOUR_MS, Payment, small_panel

from earlywarn.adapters.kafka.wire import PART_BYTES, decode_partial, encode_partial
from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.merge import PartialsFold
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.parts import cut
from earlywarn.aggregation.route import Router
from earlywarn.application.service_settings import TopicSettings
from earlywarn.domain.transaction import TEXT_LENGTH

START_MS = 1_551_700_800_000
LONGEST = "\x01" * (TEXT_LENGTH - 4)
"""A control character takes six bytes in JSON, more than any other."""


def partial_of(payments: int, *, block_size: int = 10_000) -> Partial:
    """Return a partial of payments with a row each, and all of its names as long as they may be."""
    panel = small_panel(name="P" * 100)
    fold = BlockFold(Router([panel]), FoldParameters(block_size=block_size, sources_limit=10_000))
    records = [
        msgspec.structs.replace(
            Payment(START_MS + at * HOUR_MS, f"{at:04d}{LONGEST}", f"{at:04d}{LONGEST}", 10**15).transaction(),
            source=f"{at:04d}{LONGEST}",
            count=10**9,
        )
        for at in range(payments)
    ]
    fold.add(range(payments), records, 4_000_000_000_000)
    partial = fold.flush()
    assert partial is not None
    return partial


def test_a_row_and_a_source_of_the_longest_names_take_what_the_contract_says() -> None:
    """docs/delivery.md, How large a partial is: eight kilobytes, so that no part is larger than the limit."""
    whole, none = partial_of(1), msgspec.structs.replace(partial_of(1), rows=(), sources=())
    [(_, one)], [(_, head)] = encode_partial(whole), encode_partial(none)
    assert len(one) - len(head) < 8_000
    reasons = {f"{'r' * 20}{at}": 10**9 for at in range(40)}
    [(_, head)] = encode_partial(msgspec.structs.replace(none, rejected=reasons))
    assert PART_BYTES + len(head) < TopicSettings().partial_bytes / 2


def test_a_partial_of_any_size_fits() -> None:
    """As many rows as a block's records, each with names of its own: some 30 MB, in records of which each fits."""
    partial = partial_of(6_000)
    records = encode_partial(partial)
    assert sum(len(value) for _, value in records) > TopicSettings().partial_bytes
    assert max(len(value) for _, value in records) <= PART_BYTES
    merge = PartialsFold(partitions=1, lateness_seconds=3600)
    for at, (_, value) in enumerate(records, 1):
        applied = merge.apply(decode_partial(value, "partials-0-0"))
        assert len(applied.differences) == (6_000 if at == len(records) else 0)
        assert (merge.watermark_seconds() is None) == (at < len(records))
    assert len(applied.delivered) == 6_000


def test_a_partial_that_fits_is_one_record_as_ever() -> None:
    assert len(encode_partial(partial_of(3))) == 1
    assert cut(partial_of(3), lambda _: True) == [partial_of(3)]


@pytest.mark.parametrize("arrived", range(5))
def test_parts_of_a_sender_that_died_leave_no_gap_and_count_nothing(arrived: int) -> None:
    """Its successor folds the block anew and cuts it elsewhere: every payment counts once."""
    parts = cut(partial_of(8), lambda piece: len(piece.rows) <= 2)
    assert len(parts) == 4
    merge = PartialsFold(partitions=1, lateness_seconds=3600)
    counted = [merge.apply(part) for part in parts[:arrived]]
    first, rest = partial_of(5), msgspec.structs.replace(partial_of(8), since=4)
    counted += [merge.apply(part) for part in (first, *cut(rest, lambda piece: len(piece.rows) <= 3), *parts[arrived:])]
    assert sum(each.transactions for applied in counted for each in applied.differences) == 8 * 10**9
    assert merge.state()["partitions"][0]["parts"] == []


def test_parts_that_wait_are_part_of_the_state() -> None:
    """A snapshot between two of them: reading goes on behind the first, which must not be forgotten."""
    parts = cut(partial_of(4), lambda piece: len(piece.rows) <= 1)
    merge, again = (PartialsFold(partitions=1, lateness_seconds=3600) for _ in range(2))
    for part in parts[:3]:
        merge.apply(part)
    again.restore(merge.state())
    assert len(again.apply(parts[3]).differences) == 4
