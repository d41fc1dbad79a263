"""What comes without a sector: if suddenly more of it comes, it may be what cells lack from that day on."""

import numpy as np
import pytest

from earlywarn.aggregation.feed_cells import Counts
from earlywarn.aggregation.sectorless import OfNoSector, Sectorless, SectorlessBuckets
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import decode_state, encode_state

CELLS = [CellKey("east", "food"), CellKey("east", "fuel"), CellKey("west", "fuel"), CellKey("east", "toys")]
USUAL = np.array([900.0, 400.0, 300.0, 100.0])
WHOLE = [900, 400, 300, 100]


def judged(
    sectorless: Sectorless, came: dict[str, int], brought: list[int], usual: np.ndarray = USUAL, *, days: int = 1
) -> list[Counts]:
    return [found.unread for found in days_of(sectorless, came, brought, usual, days=days)]


def days_of(
    sectorless: Sectorless, came: dict[str, int], brought: list[int], usual: np.ndarray = USUAL, *, days: int = 1
) -> list[OfNoSector]:
    return [sectorless.close_day(came, CELLS, np.array(brought), usual, sizeable_transactions=50) for _ in range(days)]


@pytest.mark.parametrize(
    ("came", "brought", "missing"),
    [
        ({"east": 400}, [900, 0, 300, 100], {1: 400}),
        ({"east": 390}, [900, 10, 300, 100], {1: 390}),  # a little still comes under the old name
        ({"east": 250}, [900, 150, 300, 100], {1: 250}),  # one provider of several
        ({"east": 500}, [900, 0, 300, 0], {1: 400, 3: 100}),
        ({"east": 400}, [900, 0, 300, 0], {1: 376}),  # what is left after the largest is too little for the next
        ({"east": 100}, [900, 0, 300, 100], {}),  # it is too little to be that
        ({"east": 60}, [900, 340, 300, 100], {}),  # a cell lacks so little by chance
        ({"west": 390}, [900, 0, 300, 100], {}),  # another region's
        ({"west": 49}, [900, 400, 251, 100], {}),  # not sizeable
        ({"west": 40, "east": 30}, [900, 370, 0, 100], {}),  # too little for the one, by chance in the other
        ({"west": 200, "east": 10}, [900, 400, 100, 100], {2: 200}),
        ({"east": 80}, [180, 0, 60, 20], {1: 80}),  # on a holiday a fifth is usual
        ({}, [900, 0, 300, 100], {}),
    ],
)
def test_a_cell_that_lacks_something_may_have_come_without_its_sector(
    came: dict[str, int], brought: list[int], missing: Counts
) -> None:
    assert judged(Sectorless(), came, brought) == [missing]


def test_nothing_is_missing_of_a_cell_of_which_is_not_known_what_is_usual() -> None:
    assert judged(Sectorless(), {"east": 390}, [0, 0, 0, 0], np.zeros(4)) == [{}]


@pytest.mark.parametrize("days", [4, 7, 40])
def test_what_came_without_a_sector_before_explains_no_fall(days: int) -> None:
    sectorless = Sectorless()
    assert judged(sectorless, {"east": 400}, WHOLE, days=days) == [{}] * days
    assert judged(sectorless, {"east": 430}, [900, 0, 300, 100], days=40) == [{}] * 40


def test_a_cell_is_explained_until_it_speaks_again_and_no_other_that_falls_meanwhile() -> None:
    sectorless, resting = Sectorless(), USUAL * 0.001
    judged(sectorless, {"east": 20}, WHOLE, days=30)
    assert judged(sectorless, {"east": 420}, [900, 0, 300, 100], days=2) == [{1: 400}] * 2
    assert judged(sectorless, {"east": 20}, [0, 0, 0, 0], resting) == [{}]  # a Sunday says nothing
    other = Sectorless()
    other.restore(decode_state(encode_state(sectorless.state())))
    for each in (sectorless, other):
        found = judged(each, {"east": 420}, [900, 0, 300, 0], days=40)
        assert all(day.keys() == {1} and day[1] > 360 for day in found)
        assert judged(each, {"east": 20}, [900, 400, 300, 0]) == [{}]
        assert judged(each, {"east": 20}, [900, 0, 300, 0]) == [{}]


def test_a_flow_that_ends_explains_nothing_more() -> None:
    """A day of garbage on the day of a closure hides it on that day alone."""
    sectorless = Sectorless()
    assert judged(sectorless, {"east": 400}, [900, 0, 300, 100]) == [{1: 400}]
    assert days_of(sectorless, {"east": 0}, [900, 0, 300, 100], days=9) == [({}, {}, [1])] * 6 + [({}, {}, [])] * 3
    assert judged(sectorless, {"east": 400}, [900, 0, 300, 100]) == [{1: 400}]


@pytest.mark.parametrize("missing_days", [1, 2, 6])
def test_days_without_what_comes_without_a_sector_end_no_explanation(missing_days: int) -> None:
    """A provider's file of the new name is missing. Two days are awaited; on further ones the cell may have fallen."""
    sectorless = Sectorless()
    assert judged(sectorless, {"east": 400}, [900, 0, 300, 100], days=13) == [{1: 400}] * 13
    other = Sectorless()
    other.restore(decode_state(encode_state(sectorless.state())))
    for each in (sectorless, other):
        days = days_of(each, {}, [900, 0, 300, 100], days=missing_days)
        assert [day.awaited for day in days] == [{1: 0.0}, {1: 0.0}, {}, {}, {}, {}][:missing_days]
        assert all(day.unread == {} and day.undecided == [1] for day in days)
        assert judged(each, {"east": 400}, [900, 0, 300, 100], days=13) == [{1: 400}] * 13


def test_a_week_without_ends_it() -> None:
    sectorless = Sectorless()
    judged(sectorless, {"east": 400}, [900, 0, 300, 100], days=3)
    assert [day.awaited for day in days_of(sectorless, {}, [900, 0, 300, 100], days=7)] == [{1: 0.0}] * 2 + [{}] * 5
    judged(sectorless, {"east": 400}, WHOLE, days=9)
    assert days_of(sectorless, {"east": 400}, [900, 0, 300, 100], days=9) == [({}, {}, [])] * 9


def test_where_nothing_is_expected_of_an_explained_cell_it_has_what_comes() -> None:
    """It was closed on some weekdays for so long that nothing is usual of them, and opens under another name."""
    sectorless, resting = Sectorless(), np.array([900.0, 0.0, 300.0, 0.0])
    assert judged(sectorless, {"east": 400}, [900, 0, 300, 0], resting) == [{}]
    sectorless = Sectorless()
    assert judged(sectorless, {"east": 400}, [900, 0, 300, 100]) == [{1: 400}]
    assert judged(sectorless, {"east": 380}, [900, 0, 300, 0], resting, days=5) == [{1: 380}] * 5


def test_a_cell_of_which_a_part_is_awaited_is_heard_of_by_the_rest() -> None:
    sectorless = Sectorless()
    assert judged(sectorless, {"east": 160}, [900, 240, 300, 100], days=3) == [{1: 160}] * 3
    [day] = days_of(sectorless, {}, [900, 240, 300, 100])
    assert day.awaited.keys() == {1}
    assert 0.6 < day.awaited[1] < 0.7


def test_holidays_on_which_a_cell_is_less_slow_than_others_end_no_explanation() -> None:
    """Two fifths of it come under another name, for good; at the pace of Christmas it lacks nothing."""
    sectorless = Sectorless()
    assert judged(sectorless, {"east": 160}, [900, 240, 300, 100], days=5) == [{1: 160}] * 5
    assert judged(sectorless, {"east": 150}, [300, 230, 100, 30], days=3) == [{}] * 3
    assert judged(sectorless, {"east": 160}, [900, 240, 300, 100], days=5) == [{1: 160}] * 5


def test_a_cell_that_lacks_nothing_on_three_ordinary_days_has_spoken() -> None:
    for days in (2, 3):
        sectorless = Sectorless()
        judged(sectorless, {"east": 160}, [900, 240, 300, 100], days=9)
        assert judged(sectorless, {"east": 160}, WHOLE, days=days) == [{}] * days
        assert judged(sectorless, {"east": 160}, [900, 240, 300, 100]) == [{1: 160} if days == 2 else {}]


def test_a_cell_that_falls_as_well_while_it_comes_without_its_sector_is_unread_and_not_zero() -> None:
    """By how much it falls is not known, until next to nothing comes in either way."""
    sectorless = Sectorless()
    judged(sectorless, {"east": 420}, [900, 0, 300, 100], days=10)
    for share in (0.6, 0.5, 0.3):
        [day] = judged(sectorless, {"east": round(400 * share)}, [900, 0, 300, 100])
        assert 0 < day[1] <= 400 * share
    assert judged(sectorless, {"east": 20}, [900, 0, 300, 100], days=5) == [{}] * 5


def test_a_cell_that_begins_anew_is_explained_no_more() -> None:
    sectorless = Sectorless()
    assert judged(sectorless, {"east": 400}, [900, 0, 300, 100], days=9) == [{1: 400}] * 9
    sectorless.forget(np.array([False, True, False, False]))
    assert judged(sectorless, {"east": 400}, [900, 0, 300, 100], days=9) == [{}] * 9


def test_buckets_give_what_came_by_region_and_day_whatever_the_order() -> None:
    """Of a flood of names the first are kept."""
    names = [f"{at:05}" for at in range(9_000)]
    forwards, backwards = SectorlessBuckets(), SectorlessBuckets()
    for buckets, order in ((forwards, names), (backwards, names[::-1])):
        for name in order:
            buckets.add(0, name, 2)
        buckets.add(3600, "00007", 3)
        buckets.add(7200, "00008", 9)
    other = SectorlessBuckets()
    other.restore(decode_state(encode_state(forwards.state())))
    for buckets in (forwards, backwards, other):
        buckets.close_base(0)
        buckets.close_base(3600)
        buckets.forget_before(10_000)
        buckets.close_base(7200)
        day = buckets.close_day()
        assert day == dict.fromkeys(names[:2000], 2) | {"00007": 5}
        assert buckets.close_day() == {}
