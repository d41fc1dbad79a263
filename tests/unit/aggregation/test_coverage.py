"""Coverage: who stopped reporting, as against who sold less."""

from random import Random

import pytest
from feed_days import MONDAY, Days, Volumes

from earlywarn.aggregation.coverage import CoverageMeter, heard_share
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.rows import FeedVolume
from earlywarn.domain.state import decode_state, encode_state
from earlywarn.errors import ConfigError

WEEKS = 35
FEEDS = {"source a": 600, "source b": 300, "source c": 100}


@pytest.fixture
def days() -> Days:
    found = Days()
    found.pass_days(WEEKS, FEEDS)
    return found


def without(*feeds: str) -> Volumes:
    return {feed: volume for feed, volume in FEEDS.items() if feed not in feeds}


def test_a_silent_acquirer_is_named_with_its_share_of_the_volume(days: Days) -> None:
    coverage = days.close(without("source b"))
    assert coverage.silent == ("source b",)
    assert (coverage.volume, coverage.share) == (0.7, 0.7)


def test_less_is_not_silence(days: Days) -> None:
    """A halved volume is news for the models, not a break of coverage."""
    assert days.close({feed: volume // 2 for feed, volume in FEEDS.items()}).volume == 1.0


def test_nothing_is_expected_in_the_first_weeks() -> None:
    found = Days()
    assert found.pass_days(10, FEEDS)[-1].volume == 1.0
    assert found.close({}).volume == 1.0


def test_a_shop_that_closes_on_sundays_is_not_silent_then() -> None:
    found = Days()
    coverage = found.pass_days(56, {"source a": 600, "source weekday": 300}, closed_on_sundays=["source weekday"])
    assert {each.volume for each in coverage} == {1.0}


def test_a_shop_that_begins_to_close_on_sundays_is_soon_expected_to() -> None:
    """It is missed on a few Sundays, by day and by hour, and then no more."""
    found = Days(hours=24)
    found.pass_days(35, {"source a": 6000, "source weekday": 3000})
    volumes, hours = [], []
    for _ in range(6):
        found.pass_days(6, {"source a": 6000, "source weekday": 3000})
        volumes.append(found.close({"source a": 6000}).volume)
        hours.append(min(found.by_hour))
    assert volumes[0] == pytest.approx(2 / 3, abs=1e-6)
    assert volumes[-1] == 1.0
    assert hours[0] == pytest.approx(2 / 3, abs=1e-6)
    assert hours[-1] == 1.0


def test_a_small_feed_is_silent_once_enough_was_expected_of_it() -> None:
    """Ten a day are nothing to miss on one day; after five days of nothing they are."""
    found = Days()
    found.pass_days(35, {"source a": 90, "source tiny": 10})
    assert [each.volume for each in found.pass_days(6, {"source a": 90})] == [1.0] * 4 + [0.9] * 2


def test_many_small_feeds_that_fall_silent_together_are_not_overlooked() -> None:
    found = Days()
    found.pass_days(35, {f"source {at}": 10 for at in range(20)})
    assert found.close({}).volume == 0.0


def test_a_panel_without_a_row_is_not_covered_however_long(days: Days) -> None:
    """What is gone stays gone: no zero is learned, nobody is forgotten, and the return is no break."""
    silence = days.pass_days(150, {})
    assert {each.volume for each in silence} == {0.0}
    assert {each.forgotten for each in silence} == {()}
    assert {each.volume for each in days.pass_days(14, FEEDS)} == {1.0}
    assert days.close(without("source a")).volume == 0.4, "and what is expected is still what was"


def test_an_outage_leaves_no_trace_in_what_is_expected(days: Days) -> None:
    days.pass_days(20, without("source b"))
    days.pass_days(1, FEEDS)
    assert days.close(without("source b")).volume == 0.7


def test_a_feed_that_is_gone_is_forgotten_by_name_and_only_while_others_speak(days: Days) -> None:
    days.pass_days(100, {})
    silence = days.pass_days(40, without("source b"))
    forgotten = [at for at, each in enumerate(silence) if each.forgotten]
    assert forgotten == [27]
    assert silence[27].forgotten == silence[27].silent == ("source b",)
    assert {each.volume for each in silence[:28]} == {0.7}
    assert {each.volume for each in silence[28:]} == {1.0}


def test_the_last_feed_is_never_forgotten() -> None:
    """A trickle says that something is there; of the only feed more stays expected."""
    found = Days()
    found.pass_days(35, {"source a": 1000})
    assert {each.volume for each in found.pass_days(100, {"source a": 5})} == {0.0}


def test_a_source_under_a_new_name_is_not_missing(days: Days) -> None:
    coverage = days.pass_days(60, {"source a": 600, "source bee": 300, "source c": 100})
    assert {each.volume for each in coverage} == {1.0}
    assert coverage[0].silent == ("source b",)
    assert [(at, each.forgotten) for at, each in enumerate(coverage) if each.forgotten] == [(6, ("source b",))]


def test_an_ended_partition_is_expected_no_more() -> None:
    found = Days()
    found.pass_days(35, {"partition 0": 900, "partition 1": 900})
    assert found.close({"partition 0": 900}, ended=["1"]).volume == 1.0


def test_named_sources_beyond_the_limit_count_together() -> None:
    found = Days(CoverageParameters(feeds_limit=2), hours=24)
    feeds = {f"source {letter}": 240 for letter in "abcd"}
    found.pass_days(35, feeds)
    coverage = found.close({feed: feeds[feed] for feed in ("source a", "source b")})
    assert coverage.silent == ("source (others)",)
    assert coverage.volume == 0.5
    assert found.by_hour[-1] == 0.5


@pytest.mark.parametrize("seed", range(4))
def test_of_however_many_sources_few_are_kept_the_same_in_any_order(seed: int) -> None:
    """A thousand names a day, each of another one: what is open and what the day has stays small."""
    parameters = CoverageParameters(feeds_limit=8)
    names, meters = [f"s{at:04d}" for at in range(1_000)], []
    for order in (names, Random(seed).sample(names, len(names))):
        meter = CoverageMeter(parameters, slots=7)
        for day in range(MONDAY, MONDAY + 3):
            for name in order:
                meter.observe(day * 86_400, ("source", name), int(name[1:]) % 3, 1)
            meter.observe(day * 86_400, ("partition", "0"), 0, 5)
            assert len(encode_state(meter.state())) < 4_000
            meter.close_base(day * 86_400, day % 7)
            assert len(encode_state(meter.state())) < 4_000
            meter.close_day(day, ("R", "R", "R"), partitions_heard=1.0)
        meters.append(meter.state())
    by_feed = [{tuple(each[:2]): each[2] for each in state["feeds"]} for state in meters]
    assert by_feed[0] == by_feed[1]
    kept = [name for kind, name in by_feed[0] if kind == "source"]
    assert kept == ["(others)", *names[:8]]


def test_hours_know_who_is_missing() -> None:
    """An outage is seen in the hours themselves, as soon as enough is missing, and in the last as in the first days."""
    found = Days(hours=24)
    found.pass_days(35, {"source a": 2400, "source b": 720})
    share = round(2400 / 3120, 6)
    found.close({"source a": 2400})
    assert found.by_hour == [1.0] + [share] * 23, "30 an hour are sizeable in the second hour"
    for _ in range(25):
        assert found.close({"source a": 2400}).volume == share
        assert set(found.by_hour) == {share}
    found.close({"source a": 2400, "source b": 720})
    assert set(found.by_hour) == {1.0}


def test_an_hour_without_anything_is_not_covered() -> None:
    found = Days(hours=24)
    found.pass_days(35, {"source a": 2400, "source b": 720})
    found.close({})
    assert set(found.by_hour) == {0.0}


OPEN = [0] * 6 + [120, 300, 300, 300, 300, 120] + [0] * 12


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_not_put_forward_or_back_is_no_silence(hours: int) -> None:
    """Of one source, of both, and until the other hours are usual: what came at another hour is not lacking."""
    moved = [*OPEN[-hours:], *OPEN[:-hours]]
    for late in (["source a"], ["source a", "source b"]):
        found = Days(hours=24)
        whole = {"source a": OPEN, "source b": OPEN}
        for _ in range(35):
            found.close_hours(whole)
        for _ in range(35):
            day = found.close_hours({**whole, **dict.fromkeys(late, moved)})
            assert (day.volume, day.silent, found.cells) == (1.0, (), ())


def test_what_comes_after_an_outage_with_the_time_of_its_arrival_is_not_lacking() -> None:
    found = Days(hours=24)
    whole = {"source a": OPEN, "source b": OPEN}
    for _ in range(35):
        found.close_hours(whole)
    out, caught_up = list(OPEN), list(OPEN)
    out[8:10] = [0, 0]
    caught_up[8:11] = [0, 0, 850]
    day = found.close_hours({**whole, "source b": out})
    assert (day.volume, day.silent) == (round(1 - 600 / 2880, 6), ("source b",))
    day = found.close_hours({**whole, "source b": caught_up})
    assert (day.volume, day.silent, found.cells) == (1.0, (), ())


LOCAL = {"source a@0": 960, "source a@1": 720, "source b@1": 240, "source b@2": 240}


def test_what_a_silent_source_delivers_is_missing_of_its_cells_alone() -> None:
    """A quarter of cell 1 and all of cell 2; by hour as soon as enough is missing; until it comes again."""
    found = Days(hours=24)
    found.pass_days(35, LOCAL)
    assert (found.cells, set(found.cells_by_hour)) == ((), {()})
    without_b = {feed: volume for feed, volume in LOCAL.items() if "source a" in feed}
    for _ in range(20):
        assert found.close(without_b).volume == round(1 - 480 / 2160, 6)
        assert found.cells == (1.0, 0.75, 0.0)
    assert set(found.cells_by_hour) == {(1.0, 0.75, 0.0)}
    found.close(LOCAL)
    assert (found.cells, set(found.cells_by_hour)) == ((), {()})


def test_of_a_forgotten_source_no_cell_is_missed() -> None:
    found = Days()
    found.pass_days(35, LOCAL)
    without_b = {feed: volume for feed, volume in LOCAL.items() if "source a" in feed}
    missed = [found.close(without_b) and found.cells for _ in range(40)]
    assert missed == [(1.0, 0.75, 0.0)] * 28 + [()] * 12


def test_a_new_source_stands_in_where_it_delivers() -> None:
    """It brings most of cell 2, less than half of what is missing, and leaves cell 1 to nobody."""
    found = Days()
    found.pass_days(35, LOCAL)
    found.close({"source a@0": 960, "source a@1": 720, "source bee@2": 120})
    assert found.cells == (1.0, 0.75, 0.5)


@pytest.mark.parametrize("left", [1.0, 0.7, 0.5])
def test_what_is_less_than_usual_of_a_source_under_a_new_name_is_news(left: float) -> None:
    """It is not missing: half and more of what the old name brought says that it goes on."""
    found = Days(hours=24)
    found.pass_days(35, LOCAL)
    renamed = {feed.replace("source b", "source bee"): round(volume * left) for feed, volume in LOCAL.items()}
    for coverage in found.pass_days(40, renamed):
        assert coverage.volume == 1.0
        assert (found.cells, set(found.cells_by_hour)) == ((), {()})


def test_what_another_source_takes_over_is_not_missing() -> None:
    """A merger under a name that is known: what comes is as usual."""
    found = Days(hours=24)
    found.pass_days(35, LOCAL)
    merged = {"source a@0": 960, "source a@1": 960, "source a@2": 240}
    assert {coverage.volume for coverage in found.pass_days(40, merged)} == {1.0}
    assert (found.cells, set(found.cells_by_hour)) == ((), {()})


def test_a_day_lacks_what_its_hours_lack() -> None:
    """Silence from eight to twenty hours, on no day whole, is missing of the day: of its volume, of its cells."""
    found = Days(hours=24)
    found.pass_days(35, LOCAL)
    hours = {feed: [volume // 24] * 24 for feed, volume in LOCAL.items()}
    for feed in ("source b@1", "source b@2"):
        hours[feed][8:20] = [0] * 12
    coverage = found.close_hours(hours)
    assert coverage.silent == ("source b",)
    # Twenty an hour are sizeable in the third hour of silence.
    assert coverage.volume == pytest.approx(1 - 10 * 20 / 2160, abs=1e-6)
    assert found.cells == (1.0, pytest.approx(1 - 10 * 10 / 960, abs=1e-3), pytest.approx(1 - 10 / 24, abs=1e-3))
    assert found.close(LOCAL).volume == 1.0


def test_where_a_source_delivers_goes_by_its_last_days() -> None:
    """It has moved from cell 0 to cell 1: weeks later it is missed there alone."""
    found = Days()
    found.pass_days(35, {"source a@0": 500, "source b@0": 500, "source a@1": 500})
    found.pass_days(70, {"source a@0": 500, "source b@1": 500, "source a@1": 500})
    found.close({"source a@0": 500, "source a@1": 500})
    assert found.cells == (pytest.approx(1.0, abs=0.002), pytest.approx(0.5, abs=0.002))


def test_sources_that_count_together_have_their_cells_together() -> None:
    found = Days(CoverageParameters(feeds_limit=1))
    found.pass_days(35, {"source a@0": 500, "source b@1": 300, "source c@2": 100})
    found.close({"source a@0": 500})
    assert found.cells == (1.0, 0.0, 0.0)


def test_partitions_not_heard_lower_the_share() -> None:
    assert Days().close(FEEDS, heard=0.5).share == 0.5


def test_shares_of_given_volumes() -> None:
    """The rule alone, as a backtest applies it to shocked volumes."""
    told = [FeedVolume("source a", 700.0, 6, 0.0, young=False), FeedVolume("source b", 300.0, 290, 0.0, young=False)]
    assert heard_share(told, CoverageParameters()) == (0.3, ("source a",))
    assert heard_share(told, CoverageParameters(silent_share=0.001)) == (1.0, ())
    assert heard_share([], CoverageParameters()) == (1.0, ())


def test_a_restored_meter_goes_on_alike() -> None:
    one, other = Days(hours=24), Days(hours=24)
    one.pass_days(35, {"source a": 2400, "source b": 720})
    one.close({"source a": 2400})
    one.meter.observe(one.day * 86_400, ("source", "a"), 1, 7)
    other.meter.restore(decode_state(encode_state(one.meter.state())))
    other.day = one.day
    assert one.close({"source a": 2400}) == other.close({"source a": 2400})
    assert (one.by_hour, one.cells, one.cells_by_hour) == (other.by_hour, other.cells, other.cells_by_hour)
    assert encode_state(one.meter.state()) == encode_state(other.meter.state())


def test_parameters_that_make_no_sense_are_refused_together() -> None:
    with pytest.raises(ConfigError) as caught:
        CoverageParameters(silent_share=7, forget_days=-1, sizeable_transactions=0, feeds_limit=0, fill_days=3)
    for name in (
        "silent_share = 7",
        "forget_days = -1",
        "sizeable_transactions = 0",
        "feeds_limit = 0",
        "fill_days = 3",
    ):
        assert name in str(caught.value)


def test_a_source_that_misses_its_hour_beside_one_of_other_cells_and_hours() -> None:
    """What was lost is of the cells of who was silent; those of the others, which have later numbers, are whole."""
    found = Days(hours=24, regions=("E", "E", "W", "W"))
    nothing = [0] * 24
    early, late = [*nothing[:9], 500, *nothing[10:]], [*nothing[:20], 500, *nothing[21:]]
    whole = {"source a@0": early, "source a@1": early, "source b@2": late, "source b@3": late}
    for _ in range(36):
        found.close_hours(whole)
    day = found.close_hours({name: hours for name, hours in whole.items() if name.startswith("source b")})
    assert (day.silent, day.volume, found.cells) == (("source a",), 0.5, (0.0, 0.0, 1.0, 1.0))
