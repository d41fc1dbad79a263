"""What came and could not be read: of a cell a loss, of a feed and a region something heard."""

from itertools import pairwise

import numpy as np
import pytest
from feed_days import MONDAY, Days

from earlywarn.aggregation.cell_groups import CellGroups
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.feed_cells import Counts, FeedName
from earlywarn.aggregation.region_watch import RegionWatch
from earlywarn.aggregation.rows import Coverage, Gap, ReadShare
from earlywarn.aggregation.unread import ReadCells, UnreadBuckets, both, of_feeds
from earlywarn.aggregation.usual_reading import UsualReading
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import decode_state, encode_state

CELLS = tuple(CellKey(*key) for key in [("east", "food"), ("east", "fuel"), ("west", "food"), ("west", "fuel")])
USUAL = np.array([4000, 1000, 3000, 2000])
BORN = np.ones(4, dtype=bool)
A, B = ("source", "a"), ("partition", "0")


@pytest.mark.parametrize(
    ("accepted", "unread", "share"),
    [(0, 1, 0.0), (9_999, 1, 1.0), (999, 1, 0.999), (1, 3, 0.25), (-5, 2, 0.0), (0, 0, 1.0)],
)
def test_a_cell_is_read_as_far_as_what_came_was_accepted(accepted: int, unread: int, share: float) -> None:
    """Where more is taken back than bought, nothing was accepted."""
    read = ReadCells(np.array([accepted, 7]), {0: unread} if unread else {})
    assert (read.shares or (1.0, 1.0)) == (share, 1.0)


def test_what_is_told_is_sizeable() -> None:
    """By what is usual of a cell, or by what came if that is more; a row may not say for how many it stands."""
    read = ReadCells(np.array([0, 990, 2990, 2000]), {0: 1, 1: 10, 2: 10})
    assert read.told(CELLS, BORN, USUAL, 50, CellGroups()) == (
        ReadShare(None, None, 0.5981, 1.0, 1.0, 0.4019),
        ReadShare(None, "food", 0.427286, 1.0, 1.0, 0.4009),
        ReadShare("east", None, 0.198, 1.0, 1.0, 0.401),
        ReadShare("east", "food", 0.0, 1.0, 1.0, 0.4),
    )
    assert read.told(CELLS, BORN, USUAL, 10, CellGroups())[-2:] == (
        ReadShare("west", None, 0.9982, 1.0, 1.0, 0.0009),
        ReadShare("west", "food", 0.997, 1.0, 1.0, 0.0009),
    )
    assert read.told(CELLS, BORN, np.zeros(4), 50, CellGroups()) == ()
    assert read.told(CELLS, np.array([False, True, True, True]), USUAL, 50, CellGroups()) == ()


def test_shares_of_shares_are_in_thousandths() -> None:
    assert both((0.333,), (0.333, 0.5)) == (0.111, 0.5)
    assert both((), ()) == ()


def test_buckets_give_what_came_by_feed_and_day() -> None:
    """Of many sources the first by name are told apart, in whatever order they came."""
    forwards, backwards = UnreadBuckets(2), UnreadBuckets(2)
    names = ["a", "b", "c", "d", "e", "f", "g"]
    for buckets, order in ((forwards, names), (backwards, names[::-1])):
        for name in order:
            buckets.add(0, ("source", name), 1, 5)
        buckets.add(0, B, 2, 7)
        buckets.add(3600, B, 2, 1)
        buckets.add(9 * 3600, B, 2, 1)
    other = UnreadBuckets(2)
    other.restore(decode_state(encode_state(forwards.state())))
    expected: dict[FeedName, Counts] = {A: {1: 5}, ("source", "b"): {1: 5}, ("source", "(others)"): {1: 25}, B: {2: 7}}
    for buckets in (forwards, backwards, other):
        assert buckets.close_base(0) == expected
        assert buckets.close_base(3600) == {B: {2: 1}}
        assert buckets.close_base(7200) == {}
        day = buckets.close_day()
        assert (of_feeds(day), day[B]) == ({1: 35, 2: 8}, {2: 8})
        assert buckets.close_day() == {}
        buckets.forget_before(10 * 3600)
        assert buckets.close_base(9 * 3600) == {}


def test_a_feed_is_heard_by_what_cannot_be_read() -> None:
    """Only one that is known: what was never accepted of a source makes it no feed."""
    days = Days()
    days.pass_days(35, {"source a": 600, "source b": 300})
    bucket = days.day * 86_400
    days.meter.observe(bucket, ("source", "b"), 0, 300)
    days.meter.close_base(bucket, None, unread={A: {0: 600}, ("source", "new"): {0: 900}})
    found = days.meter.close_day(days.day, days.regions, partitions_heard=1.0)
    assert (found.coverage.volume, found.coverage.silent) == (1.0, ())
    assert [each.name for each in found.feeds] == ["source a", "source b"]
    days.day += 1
    assert days.close({"source b": 300}).silent == ("source a",)


@pytest.mark.parametrize(("cells", "silent"), [((0, 2), ()), ((0,), ("source a",))])
def test_a_feed_that_sends_a_row_of_each_of_its_cells_is_there(cells: tuple[int, ...], silent: tuple[str, ...]) -> None:
    """A row may not say for how many transactions it stands; one of them alone is next to nothing."""
    days = Days()
    days.pass_days(35, {"source a": 600, "source a@2": 400, "source b": 300})
    unread = {A: dict.fromkeys(cells, 1)}
    days.meter.observe(days.day * 86_400, ("source", "b"), 0, 300)
    days.meter.close_base(days.day * 86_400, None, unread=unread)
    found = days.meter.close_day(days.day, days.regions, partitions_heard=1.0, unread=unread)
    assert found.coverage.silent == silent


class Watched:
    """Five weeks of a watch, and then one day more."""

    def __init__(self) -> None:
        self.watch = RegionWatch(CoverageParameters(), slots=0)
        self.day = MONDAY
        for _ in range(35):
            self.close(USUAL, {})

    def close(
        self, accepted: np.ndarray, unread: Counts, delivered: tuple[float, ...] = ()
    ) -> tuple[tuple[str, ...], Gap, tuple[float, ...]]:
        self.day += 1
        return self.watch.close_day(self.day - 1, CELLS, accepted, BORN, delivered, unread)[:3]


@pytest.mark.parametrize("unread", [{0: 4000, 1: 1000}, {0: 1, 1: 1}])
def test_a_region_that_cannot_be_read_is_not_silent(unread: Counts) -> None:
    """However few transactions its rows say they stand for, if there is one of every cell; else it is silent."""
    watched = Watched()
    gone = np.array([0, 0, 3000, 2000])
    quiet, gap, shares = watched.close(gone, unread)
    assert (quiet, gap.regions, shares) == ((), (), (0.0, 0.0, 1.0, 1.0))
    assert (gap.panel, gap.read) == (0.5, 0.5)
    assert ReadShare("east", None, 0.0, 0.0, 0.0, 0.5, is_throughout=True) in gap.unread
    quiet, gap, shares = watched.close(gone, {0: 1})
    assert (quiet, gap.regions, shares) == (("east",), ("east",), (0.0, 0.0, 1.0, 1.0))


def test_what_is_usual_includes_what_could_not_be_read() -> None:
    """A tenth that is never read is judged without after four weeks; it is missing of every day all the same."""
    watched = Watched()
    days = [watched.close(np.array([3600, 1000, 3000, 2000]), {0: 400})[1] for _ in range(70)]
    assert [day.read_to_judge for day in days] == [pytest.approx(0.96)] * 28 + [1.0] * 42
    assert {day.read for day in days} == {day.panel for day in days} == {0.96}
    _, gap, _ = watched.close(np.array([1800, 1000, 3000, 2000]), {0: 2200})
    assert gap.read_to_judge == pytest.approx(0.8), "half of what could be read of two fifths"
    assert gap.read == gap.panel == pytest.approx(0.78)


def test_a_level_is_another_one_when_what_could_not_be_read_is_usual_and_when_it_can_be_read_again() -> None:
    watched = Watched()
    changed = []
    for unread in [400] * 40 + [0] * 3:
        watched.day += 1
        accepted = np.array([4000 - unread, 1000, 3000, 2000])
        changed.append(
            watched.watch.close_day(watched.day - 1, CELLS, accepted, BORN, (), {0: unread}).changed.tolist()
        )
    assert [at for at, cells in enumerate(changed) if any(cells)] == [27, 40]
    assert changed[27] == changed[40] == [True, False, False, False]


@pytest.mark.parametrize(("unread", "judged"), [(0.1, 1.0), (0.35, 1.0), (0.45, 0.55), (0.98, 0.02)])
def test_a_share_that_never_could_be_read_is_missing_of_every_day(unread: float, judged: float) -> None:
    """From the first day on; a change can be judged all the same, unless it is two fifths and more of what comes."""
    watch = RegionWatch(CoverageParameters(), slots=0)
    lost = (unread * USUAL).astype(np.int64)
    days = [
        watch.close_day(MONDAY + at, CELLS, USUAL - lost, BORN, (), dict(enumerate(lost.tolist()))) for at in range(60)
    ]
    share = round(1 - unread, 6)
    assert {day.gap.panel for day in days} == {day.gap.read for day in days} == {share}
    assert {day.heard for day in days} == {(share,) * 4}
    assert {day.gap.read_to_judge for day in days} == {day.gap.panel_to_judge for day in days} == {judged}
    assert not any(day.changed.any() for day in days)


def test_what_is_judged_does_not_hang_on_chance() -> None:
    """A cell of which about three fifths are read is judged or not; from day to day it is not the one and the other."""
    reading, brought, judged = UsualReading(), np.array([400]), []
    for at in range(60):
        read = np.array([0.62 if at < 10 else 0.59 + 0.02 * (at % 2)])
        judged.append(bool(reading.against_usual(read, brought)[1][0] > 0.9))
        reading.learn(read, brought, sizeable_transactions=50, forget_days=28)
    assert sum(one != other for one, other in pairwise(judged)) <= 1


def test_a_share_differs_by_chance_from_what_is_usual() -> None:
    """Of few payments more than of many; where all of it usually can be read every loss is one."""
    reading, brought = UsualReading(), np.array([200, 20_000, 200])
    usual = np.array([0.9, 0.9, 1.0])
    reading.learn(usual, brought, sizeable_transactions=50, forget_days=28)
    of_usual, judged = reading.against_usual(np.array([0.84, 0.84, 0.94]), brought)
    assert of_usual.tolist() == judged.tolist() == [1.0, pytest.approx(0.84 / 0.9), 0.94]
    assert reading.against_usual(np.zeros(3), np.array([1, 1, 1]))[0].tolist() == [0.0, 0.0, 0.0]
    changed = reading.learn(np.array([0.94, 0.94, 1.0]), brought, sizeable_transactions=50, forget_days=28)
    assert not changed.any()
    changed = reading.learn(np.array([1.0, 1.0, 1.0]), brought * 4, sizeable_transactions=50, forget_days=28)
    assert changed.tolist() == [True, True, False]


def test_what_a_silent_source_delivers_and_what_cannot_be_read_are_both_missing() -> None:
    _, gap, shares = Watched().close(np.array([1000, 1000, 3000, 2000]), {0: 1000}, (0.5,))
    assert shares == (0.25, 1.0, 1.0, 1.0)
    assert (gap.panel, gap.read) == (0.7, 0.8)


@pytest.mark.parametrize(
    ("read", "most", "mutes"), [(0.96, 0.5, False), (0.9, 1.0, False), (0.9, 0.94, True), (0.4, 1.0, True)]
)
def test_what_is_read_in_part_mutes_where_it_is(read: float, most: float, *, mutes: bool) -> None:
    """All of the panel only if no cell is left, or if less than half of it could be read."""
    gap = Gap((), ((None, None, read),), None, most, (ReadShare(None, None, read, read, read, 1 - read),))
    assert Coverage(gap=gap).mutes(0.95) == mutes
