"""Sums that came as columns are sent as rows: whole, changed alone the next time, and beside rows of single records."""

import msgspec
import numpy as np

from earlywarn.aggregation.block_sums import BlockSums
from earlywarn.aggregation.column_sums import ColumnSums, Entries
from earlywarn.aggregation.partial import Row

FOOD, FUEL = ("CH", "CH01", "food"), ("CH", "CH01", "fuel")
HOUR = 1_700_000_000 // 3600 * 3600


def entries(sums: ColumnSums, *rows: tuple[int, bool, tuple[str, str, str], int, int]) -> Entries:
    buckets, late, targets, transactions, amounts = zip(*rows, strict=True)
    return Entries(
        np.array(buckets), np.array(late, np.int64), sums.number(targets), np.array(transactions), np.array(amounts)
    )


def taken(rows: tuple[Row, ...]) -> list[tuple[object, ...]]:
    return sorted(map(msgspec.structs.astuple, rows))


def added(sums: ColumnSums, *rows: tuple[int, bool, tuple[str, str, str], int, int]) -> None:
    sums.add(entries(sums, *rows))


def test_entries_of_one_place_are_one_row() -> None:
    sums = ColumnSums()
    added(sums, (HOUR, False, FOOD, 2, 200), (HOUR, True, FOOD, 1, 50), (HOUR, False, FOOD, 1, 10))
    added(sums, (HOUR + 3600, False, FUEL, 3, 90), (HOUR, False, FOOD, 0, -20))
    assert taken(sums.take_changed()) == [
        (*FOOD, HOUR, False, 3, 190), (*FOOD, HOUR, True, 1, 50), (*FUEL, HOUR + 3600, False, 3, 90),
    ]  # fmt: skip
    assert not sums.take_changed()


def test_what_changed_is_sent_with_all_that_came_before() -> None:
    sums = ColumnSums()
    added(sums, (HOUR, False, FOOD, 2, 200), (HOUR, False, FUEL, 1, 70))
    sums.take_changed()
    added(sums, (HOUR, False, FUEL, 4, 30), (HOUR - 3600, True, FOOD, 1, 1))
    assert taken(sums.take_changed()) == [(*FOOD, HOUR - 3600, True, 1, 1), (*FUEL, HOUR, False, 5, 100)]


def test_places_far_apart_and_sums_beyond_64_bits_are_exact() -> None:
    sums, large = ColumnSums(), (1 << 62) - 1
    for _ in range(3):
        added(sums, (0, False, FOOD, 1, large), (HOUR * 1_000, False, FOOD, 1, -large), (HOUR, False, FUEL, 1, 1))
    assert taken(sums.take_changed()) == [
        (*FOOD, 0, False, 3, 3 * large), (*FOOD, HOUR * 1_000, False, 3, -3 * large),
        (*FUEL, HOUR, False, 3, 3),
    ]  # fmt: skip


def test_beside_single_records_both_count() -> None:
    """What was sent before a single record came is in the row, and not sent again without news."""
    sums = BlockSums(sources_limit=4)
    added(sums.columns, (HOUR, False, FOOD, 2, 200), (HOUR, False, FUEL, 1, 70))
    sums.take_changed()
    sums._rows[HOUR, False] = {FOOD: [1, 5]}
    sums._changed[HOUR, False] = {FOOD: sums._rows[HOUR, False][FOOD]}
    added(sums.columns, (HOUR, True, FUEL, 1, 3))
    rows, sources, unread = sums.take_changed()
    assert taken(rows) == [(*FOOD, HOUR, False, 3, 205), (*FUEL, HOUR, True, 1, 3)]
    assert not sources
    assert not unread
    added(sums.columns, (HOUR, False, FUEL, 1, 1))
    assert taken(sums.take_changed()[0]) == [(*FUEL, HOUR, False, 2, 71)]
