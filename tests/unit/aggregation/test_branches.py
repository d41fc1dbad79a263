"""Sources in single regions: silent there while they deliver elsewhere, and new there."""

import pytest
from feed_days import Days, Volumes, feed_of

from earlywarn.aggregation.rows import Branch
from earlywarn.domain.state import decode_state, encode_state

# Cells 0 and 1 are sectors of the north, 2 and 3 of the south.
REGIONS = ("north", "north", "south", "south")
WHOLE = {
    "source a@0": 400,
    "source a@1": 200,
    "source a@2": 300,
    "source a@3": 300,
    "source b@0": 400,
    "source b@1": 200,
    "source b@2": 100,
    "source b@3": 100,
}
A_IN_SOUTH, B_IN_SOUTH = Branch("source a", "south"), Branch("source b", "south")


def but(share: float, *feeds: str) -> Volumes:
    """Return the usual volumes, of some of which so much is left."""
    return {feed: round(share * volume) if feed in feeds else volume for feed, volume in WHOLE.items()}


@pytest.fixture
def days() -> Days:
    found = Days(regions=REGIONS)
    found.pass_days(70, WHOLE)
    return found


SOUTH_OF_A = ("source a@2", "source a@3")


def test_a_source_that_is_silent_in_a_region_is_missing_there(days: Days) -> None:
    coverage = days.close(but(0, *SOUTH_OF_A))
    assert coverage.branches == (A_IN_SOUTH,)
    assert coverage.silent == ()
    assert coverage.volume == 0.7
    assert days.cells == (1.0, 1.0, 0.25, 0.25)


def test_it_is_whole_again_when_the_source_is_back(days: Days) -> None:
    days.pass_days(10, but(0, *SOUTH_OF_A))
    coverage = days.close(WHOLE)
    assert (coverage.branches, coverage.volume, days.cells) == ((), 1.0, ())
    assert coverage.new == ()


def test_silence_is_not_learned_until_it_is_forgotten(days: Days) -> None:
    found = days.pass_days(40, but(0, *SOUTH_OF_A))
    assert [(each.branches, each.volume) for each in found[:28]] == [((A_IN_SOUTH,), 0.7)] * 28
    assert [at for at, each in enumerate(found) if each.branches_forgotten] == [27]
    assert found[27].branches_forgotten == (A_IN_SOUTH,)
    assert [(each.branches, each.volume) for each in found[28:]] == [((), 1.0)] * 12
    assert days.cells == ()


def test_where_the_others_fall_as_well_it_is_news(days: Days) -> None:
    """What halves everybody's payments is no lost delivery."""
    coverage = days.close(but(0.01, "source a@2", "source a@3", "source b@2", "source b@3"))
    assert (coverage.branches, coverage.volume, days.cells) == ((), 1.0, ())


def test_a_fall_of_a_source_is_no_silence(days: Days) -> None:
    assert days.close(but(0.2, *SOUTH_OF_A)).branches == ()


def test_one_sector_that_nobody_else_delivers_may_be_closed() -> None:
    found = Days(regions=REGIONS)
    whole = {"source a@0": 500, "source a@2": 300, "source b@1": 400, "source b@3": 400}
    found.pass_days(70, whole)
    assert found.close({**whole, "source a@2": 0}).branches == ()


def test_two_of_them_are_a_lost_delivery() -> None:
    regions = ("north", "south", "south", "south")
    whole = {"source a@0": 500, "source a@1": 300, "source a@2": 300, "source b@0": 400, "source b@3": 400}
    found = Days(regions=regions)
    found.pass_days(70, whole)
    assert found.close({**whole, "source a@1": 0, "source a@2": 0}).branches == (A_IN_SOUTH,)


def test_a_region_is_handed_over_to_another_source(days: Days) -> None:
    """From the first day on another one brings what it did: nothing is missing, and after a week nothing expected."""
    handed = {**but(0, *SOUTH_OF_A), "source b@2": 400, "source b@3": 400}
    found = days.pass_days(40, handed)
    assert {each.volume for each in found} == {1.0}
    assert [at for at, each in enumerate(found) if each.branches] == list(range(7))
    assert [at for at, each in enumerate(found) if each.branches_forgotten] == [6]


def test_a_branch_that_rests_on_sundays_with_everybody_is_not_missed() -> None:
    found = Days(regions=REGIONS)
    resting = [feed for feed in WHOLE if feed[-1] in "23"]
    coverage = found.pass_days(100, WHOLE, closed_on_sundays=resting)
    assert {(each.branches, each.volume) for each in coverage} == {((), 1.0)}


def test_little_is_missed_when_it_adds_up() -> None:
    """Of a branch with 20 payments a day it takes three days to tell."""
    found = Days(regions=REGIONS)
    whole = {**WHOLE, "source c@0": 500, "source c@2": 20}
    found.pass_days(70, whole)
    told = found.pass_days(4, {**whole, "source c@2": 0})
    assert [each.branches for each in told] == [(), (), (Branch("source c", "south"),), (Branch("source c", "south"),)]


def test_a_new_source_is_told_once_with_the_cells_that_it_changes(days: Days) -> None:
    more = {**WHOLE, "source c@2": 200, "source c@3": 10}
    coverage = days.close(more)
    assert coverage.new == (Branch("source c", "south"),)
    assert days.cells_new == [False, False, True, False]
    assert all(not each.new for each in days.pass_days(60, more))


def test_a_source_that_comes_to_one_more_region_is_new_there() -> None:
    found = Days(regions=REGIONS)
    found.pass_days(70, {**but(0, *SOUTH_OF_A), "source b@2": 400, "source b@3": 400})
    assert found.close({**WHOLE, "source b@2": 400, "source b@3": 400}).new == (A_IN_SOUTH,)
    assert found.cells_new == [False, False, True, True]


def test_a_first_day_that_is_a_sunday_hides_nobody(days: Days) -> None:
    assert days.close({**WHOLE, "source c@2": 3}).new == ()
    assert days.close({**WHOLE, "source c@2": 200}).new == (Branch("source c", "south"),)


def test_a_source_that_takes_the_place_of_another_is_not_new(days: Days) -> None:
    """It may begin at noon, and bring the rest of what the other one does."""
    half = {**but(0.5, *SOUTH_OF_A), "source c@2": 150, "source c@3": 150}
    whole = {**but(0, *SOUTH_OF_A), "source c@2": 300, "source c@3": 300}
    coverage = [days.close(half), *days.pass_days(60, whole)]
    assert all(not each.new for each in coverage)
    assert {each.volume for each in coverage} == {1.0}


def test_a_source_that_comes_back_after_it_was_forgotten_is_new(days: Days) -> None:
    days.pass_days(40, but(0, *SOUTH_OF_A))
    assert days.close(WHOLE).new == (A_IN_SOUTH,)
    assert days.cells_new == [False, False, True, True]
    assert days.close(WHOLE).new == ()


def test_nobody_is_new_to_a_panel_that_begins() -> None:
    assert all(not each.new for each in Days(regions=REGIONS).pass_days(80, WHOLE))


def test_a_restored_meter_goes_on_alike(days: Days) -> None:
    other = Days(regions=REGIONS)
    days.pass_days(3, but(0, *SOUTH_OF_A))
    other.meter.restore(decode_state(encode_state(days.meter.state())))
    other.day = days.day
    for volumes in (but(0, *SOUTH_OF_A), {**WHOLE, "source c@2": 200}, WHOLE):
        assert days.close(volumes) == other.close(volumes)
        assert encode_state(days.meter.state()) == encode_state(other.meter.state())


def test_a_source_that_is_silent_but_for_a_trickle_elsewhere_is_missed_once() -> None:
    found = Days(regions=REGIONS)
    whole = {**WHOLE, "source c@0": 800, "source c@2": 10}
    found.pass_days(70, whole)
    coverage = found.close({**whole, "source c@0": 0})
    assert (coverage.silent, coverage.branches) == (("source c",), ())
    assert coverage.volume == pytest.approx(2000 / 2810, abs=1e-3)
    assert found.cells[:2] == (pytest.approx(0.5, abs=0.01), 1.0)


def test_sources_that_lose_a_region_together_have_lost_it_if_a_third_goes_on() -> None:
    """What is lost is no witness of a fall."""
    found = Days(regions=REGIONS)
    whole = {**WHOLE, "source c@2": 60, "source c@3": 60}
    found.pass_days(70, whole)
    coverage = found.close({**whole, **dict.fromkeys(("source a@2", "source a@3", "source b@2", "source b@3"), 0)})
    assert coverage.branches == (A_IN_SOUTH, B_IN_SOUTH)
    assert found.cells[2:] == (pytest.approx(60 / 460, abs=0.001),) * 2


def test_what_is_forgotten_in_one_region_leaves_who_is_new_in_another_alone(days: Days) -> None:
    """Source x of the north is forgotten on the first, partial day of source c in the south."""
    whole = {**WHOLE, "source x@0": 100}
    days.pass_days(70, whole)
    days.pass_days(27, WHOLE)
    assert days.close({**WHOLE, "source c@2": 3}).forgotten == ("source x",)
    assert days.close({**WHOLE, "source c@2": 200}).new == (Branch("source c", "south"),)


def test_silence_goes_on_over_days_on_which_nothing_is_expected() -> None:
    """A source that rests on Sundays loses the south: one silence, forgotten on the first working day after 28 days."""
    found = Days(regions=REGIONS)
    of_a = [feed for feed in WHOLE if feed.startswith("source a")]
    found.pass_days(70, WHOLE, closed_on_sundays=of_a)
    told = found.pass_days(60, but(0, *SOUTH_OF_A), closed_on_sundays=of_a)
    sundays = [at for at in range(28) if not told[at].branches]
    assert sundays == [6, 13, 20, 27]
    assert all(told[at].rests for at in sundays)
    assert [at for at, each in enumerate(told) if each.branches_forgotten] == [28]
    assert not any(each.rests for each in told[28:])


def test_silence_that_is_told_goes_on_when_the_others_fall(days: Days) -> None:
    """A holiday after which the source is still away does not end it."""
    days.pass_days(5, but(0, *SOUTH_OF_A))
    weak = {feed: round(0.4 * count) for feed, count in but(0, *SOUTH_OF_A).items()}
    assert days.close(weak).branches == (A_IN_SOUTH,)
    assert [at for at, each in enumerate(days.pass_days(30, but(0, *SOUTH_OF_A))) if each.branches_forgotten] == [21]


@pytest.mark.parametrize("missed_day", [10, 6])
def test_who_was_there_from_the_first_day_is_not_new_though_it_missed_one(missed_day: int) -> None:
    found = Days(regions=REGIONS)
    of_b = [feed for feed in WHOLE if feed.startswith("source b")]
    told = [found.close(but(0, *of_b) if at == missed_day else WHOLE) for at in range(60)]
    assert all(not each.new for each in told)


def test_one_record_of_a_hundred_million_that_is_rejected_teaches_nothing(days: Days) -> None:
    unread = {("source", "a"): {2: 10**8}}
    bucket = days.day * 86_400
    for feed, count in WHOLE.items():
        days.meter.observe(bucket, *feed_of(feed), count)
    days.meter.close_base(bucket, None, unread=unread)
    days.meter.close_day(days.day, REGIONS, partitions_heard=1.0, unread=unread)
    days.day += 1
    coverage = days.close(WHOLE)
    assert (coverage.branches, coverage.volume, days.cells) == ((), 1.0, ())
    days.close(but(0, *SOUTH_OF_A))
    assert days.cells == (1.0, 1.0, pytest.approx(0.25, abs=0.03), pytest.approx(0.25, abs=0.03))
