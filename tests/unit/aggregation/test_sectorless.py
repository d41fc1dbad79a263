"""What comes without a sector: if suddenly more of it comes, it may be what cells lack from that day on."""

import numpy as np
import pytest

from earlywarn.aggregation.feed_cells import Counts
from earlywarn.aggregation.sectorless import Sectorless, SectorlessBuckets
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import decode_state, encode_state

CELLS = [CellKey("east", "food"), CellKey("east", "fuel"), CellKey("west", "fuel"), CellKey("east", "toys")]
USUAL = np.array([900.0, 400.0, 300.0, 100.0])
WHOLE = [900, 400, 300, 100]


def judged(
    sectorless: Sectorless, came: dict[str, int], brought: list[int], usual: np.ndarray = USUAL, *, days: int = 1
) -> list[Counts]:
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
    assert judged(sectorless, {"east": 0}, [900, 0, 300, 100], days=9) == [{}] * 9


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
