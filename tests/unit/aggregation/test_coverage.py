"""Coverage: who stopped reporting, as against who sold less."""

from earlywarn.aggregation.coverage import CoverageMeter, CoverageParameters

MONDAY = 737_066  # 2019-01-07


def meter(days: int, volumes: dict[tuple[str, str], int], sunday_share: float = 1.0) -> CoverageMeter:
    found = CoverageMeter(CoverageParameters())
    for day in range(MONDAY, MONDAY + days):
        factor = sunday_share if (day + 6) % 7 == 6 else 1.0
        for (kind, name), volume in volumes.items():
            found.observe(kind, name, day, round(volume * factor))
        found.close(day, partitions_heard=1.0)
    return found


FEEDS = {("source", "a"): 600, ("source", "b"): 300, ("source", "c"): 100}


def test_a_silent_acquirer_is_named_with_its_share_of_the_volume() -> None:
    found = meter(35, FEEDS)
    day = MONDAY + 35
    found.observe("source", "a", day, 590)
    found.observe("source", "c", day, 101)
    coverage = found.close(day, partitions_heard=1.0)
    assert coverage.silent == ("source b",)
    assert coverage.volume == 0.7
    assert coverage.share == 0.7


def test_less_is_not_silence() -> None:
    """A halved volume is news for the models, not a break of coverage."""
    found = meter(35, FEEDS)
    for (kind, name), volume in FEEDS.items():
        found.observe(kind, name, MONDAY + 35, volume // 2)
    assert found.close(MONDAY + 35, partitions_heard=1.0).volume == 1.0


def test_a_shop_that_closes_on_sundays_is_not_silent_then() -> None:
    found = meter(34, {("source", "a"): 600, ("source", "weekday"): 300}, sunday_share=0.0)
    coverage = found.close(MONDAY + 34, partitions_heard=1.0)
    assert (MONDAY + 34 + 6) % 7 == 6
    assert coverage.volume == 1.0


def test_nothing_is_expected_in_the_first_weeks_nor_of_the_small() -> None:
    assert meter(10, FEEDS).close(MONDAY + 10, partitions_heard=1.0).volume == 1.0
    assert meter(35, {("source", "tiny"): 40}).close(MONDAY + 35, partitions_heard=1.0).volume == 1.0


def test_a_whole_panel_without_a_row_is_not_covered() -> None:
    coverage = meter(35, {("partition", "0"): 900, ("region", "R"): 900}).close(MONDAY + 35, partitions_heard=1.0)
    assert coverage.volume == 0.0
    assert coverage.silent == ("partition 0", "region R")


def test_an_ended_partition_is_expected_no_more() -> None:
    found = meter(35, {("partition", "0"): 900, ("partition", "1"): 900})
    found.observe("partition", "0", MONDAY + 35, 900)
    assert found.close(MONDAY + 35, partitions_heard=1.0, ended=["1"]).volume == 1.0


def test_what_stays_silent_is_forgotten_in_time() -> None:
    """After four weeks of silence the feed is gone: coverage is whole again once its past is zeros."""
    found = meter(35, FEEDS)
    volumes = []
    for day in range(MONDAY + 35, MONDAY + 35 + 70):
        found.observe("source", "a", day, 600)
        found.observe("source", "c", day, 100)
        volumes.append(found.close(day, partitions_heard=1.0).volume)
    assert set(volumes[:28]) == {0.7}
    assert volumes[-1] == 1.0


def test_partitions_not_heard_lower_the_share() -> None:
    coverage = meter(3, FEEDS).close(MONDAY + 3, partitions_heard=0.5)
    assert coverage.share == 0.5


def test_a_restored_meter_goes_on_alike() -> None:
    one, other = meter(35, FEEDS), CoverageMeter(CoverageParameters())
    other.restore(one.state())
    assert one.close(MONDAY + 35, partitions_heard=1.0) == other.close(MONDAY + 35, partitions_heard=1.0)
