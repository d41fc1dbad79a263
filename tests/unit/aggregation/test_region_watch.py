"""Regions that fall silent as a whole: what is left of every total, and what is no silence."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import pytest

from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.region_watch import RegionWatch
from earlywarn.aggregation.rows import NO_GAP, CellShares, ClosedDay, Coverage, Gap
from earlywarn.aggregation.totals import Totals
from earlywarn.domain.series import CellKey
from earlywarn.domain.state import decode_state, encode_state

MONDAY = 737_066  # 2019-01-07
CELLS = tuple(
    CellKey(*key)
    for key in [("east", "food"), ("north", "food"), ("north", "fuel"), ("west", "food"), ("west", "fuel")]
)
USUAL = {"east": (100,), "north": (300, 100), "west": (200, 300)}


class Days:
    """A watch that is told whole days, each spread over `hours` base buckets."""

    def __init__(self, *, hours: int = 0) -> None:
        self.watch = RegionWatch(CoverageParameters(), slots=7 * hours)
        self.hours, self.day = hours, MONDAY
        self.by_hour: list[Gap] = []
        self.shares: CellShares = ()
        self.awaited = 0.0

    def close(
        self,
        volumes: Mapping[str, tuple[int, ...]],
        opening: Mapping[str, range] = MappingProxyType({}),
        sectorless: Mapping[str, int] = MappingProxyType({}),
    ) -> tuple[tuple[str, ...], Gap]:
        """Return the quiet regions and the gap of the next day; `opening` are hours of which a region has others."""
        counts = np.array([count for region in USUAL for count in volumes.get(region, (0,) * len(USUAL[region]))])
        born = np.ones(len(CELLS), dtype=bool)
        weekday = (self.day + 6) % 7
        hours_of = [opening.get(cell.region, range(self.hours)) for cell in CELLS]
        self.by_hour = [
            self.watch.close_base(
                weekday * self.hours + hour,
                CELLS,
                np.array(
                    [count // len(hours) * (hour in hours) for count, hours in zip(counts, hours_of, strict=True)]
                ),
                born,
                sectorless={region: count // self.hours for region, count in sectorless.items()},
            )[0]
            for hour in range(self.hours)
        ]
        self.day += 1
        closed = self.watch.close_day(self.day - 1, CELLS, counts, born, sectorless=sectorless)
        self.shares, self.awaited = closed.heard, closed.awaited
        return closed.quiet, closed.gap


def gone_of(*regions: str, panel: float, **sectors: float) -> Gap:
    return Gap(
        regions,
        (
            (None, None, panel),
            *((None, sector, share) for sector, share in sectors.items()),
            *((region, None, 0.0) for region in regions),
        ),
    )


def without(*regions: str) -> dict[str, tuple[int, ...]]:
    return {region: counts for region, counts in USUAL.items() if region not in regions}


@pytest.fixture
def days() -> Days:
    found = Days()
    for _ in range(35):
        assert found.close(USUAL) == ((), NO_GAP)
    return found


def test_a_silent_region_leaves_each_total_its_share(days: Days) -> None:
    """For as long as it lasts, with the weights from before it: a region that is gone stays expected."""
    gap = gone_of("west", panel=0.5, food=round(400 / 600, 6), fuel=0.25)
    for _ in range(60):
        assert days.close(without("west")) == (("west",), gap)
    totals = Totals("P", CELLS)
    heard = dict(
        zip(
            [each.series_id for each in totals.series],
            totals.heard(Coverage(gap=gap), days.shares).round(2).tolist(),
            strict=True,
        )
    )
    assert heard == {
        "P/east/food": 1.0, "P/north/food": 1.0, "P/north/fuel": 1.0, "P/west/food": 0.0, "P/west/fuel": 0.0,
        "P/east/*": 1.0, "P/north/*": 1.0, "P/west/*": 0.0, "P/*/food": 0.67, "P/*/fuel": 0.25, "P/*/*": 0.5,
    }  # fmt: skip
    assert days.close(USUAL) == ((), NO_GAP)


def test_a_closed_sector_is_heard(days: Days) -> None:
    """In one region or in all, one sector of several is news and no gap; after weeks of it likewise."""
    assert days.close({**USUAL, "west": (200, 0)}) == ((), NO_GAP)
    for _ in range(40):
        assert days.close({"east": (100,), "north": (300, 0), "west": (200, 0)}) == ((), NO_GAP)
    assert days.close({"east": (100,), "north": (300, 0)})[1] == gone_of("west", panel=0.666667, food=0.666667)


def test_in_a_region_of_one_sector_silence_stays_news(days: Days) -> None:
    assert days.close(without("east")) == (("east",), NO_GAP)


def test_of_a_day_without_anything_there_is_no_gap(days: Days) -> None:
    """Feeds tell of it, and nothing is learned."""
    for _ in range(40):
        assert days.close({}) == ((), NO_GAP)
    assert days.close(without("west"))[1].panel == 0.5


def test_a_region_that_begins_to_rest_on_sundays_is_soon_expected_to(days: Days) -> None:
    gaps = [days.close(without("west") if (days.day + 6) % 7 == 6 else USUAL)[1].panel for _ in range(70)]
    assert gaps[6] == 0.5
    assert set(gaps[-28:]) == {1.0}


def test_what_feeds_leave_of_cells_is_left_of_their_totals(days: Days) -> None:
    """West's fuel without a third, and north gone: weights are those of usual days, of which none is learned."""
    for _ in range(30):
        counts = np.array([100, 0, 0, 200, 200])
        delivered = (1.0, 1.0, 1.0, 1.0, 0.667)
        quiet, gap, shares = days.watch.close_day(days.day, CELLS, counts, np.ones(5, dtype=bool), delivered)[:3]
        days.day += 1
    assert quiet == ("north",)
    assert shares == (1.0, 0.0, 0.0, 1.0, 0.667)
    assert gap.totals == (
        (None, None, 0.5001),
        (None, "food", 0.5),
        (None, "fuel", 0.50025),
        ("north", None, 0.0),
        ("west", None, 0.8002),
    )
    assert gap.in_part(0.95) == tuple(total for total in gap.totals if total[0] != "north")


def test_hours_know_which_region_is_missing() -> None:
    """An hour is judged by what is usual in it, as soon as enough is missing; 500 a day are 20 an hour."""
    found = Days(hours=24)
    for _ in range(35):
        found.close(USUAL)
    found.close(without("west"))
    assert [gap.regions for gap in found.by_hour] == [()] * 2 + [("west",)] * 22
    assert {gap.panel for gap in found.by_hour[2:]} == {round(1 - 20 / 40, 6)}
    found.close(USUAL)
    assert set(found.by_hour) == {NO_GAP}


def test_a_region_of_another_clock_is_not_silent() -> None:
    """All that west brings comes an hour later from one day on: its first hour lacks, and the day does not."""
    found = Days(hours=24)
    for _ in range(35):
        found.close(USUAL, {"west": range(8, 12)})
    for _ in range(35):
        assert found.close(USUAL, {"west": range(9, 13)}) == ((), NO_GAP)
        assert found.shares == ()
    _, gap = found.close({**USUAL, "west": (100, 150)}, {"west": range(11, 13)})
    assert gap.panel < 1


@pytest.mark.parametrize("hours", [0, 24])
def test_a_region_all_of_which_comes_without_a_sector_is_reported(hours: int) -> None:
    """Also once that is usual, and its cells have begun anew; it is silent when that comes no more."""
    found = Days(hours=hours)
    for _ in range(35):
        found.close(USUAL)
    for day in range(60):
        quiet, gap = found.close(without("west"), sectorless={"west": 480})
        assert (quiet, gap.regions) == ((), ())
        assert gap.sectorless == (day < 28)
        assert {each.regions for each in found.by_hour} <= {()}
    assert found.close(without("west"))[0] == ("west",)


def test_what_is_awaited_of_a_cell_is_not_heard_of_it_and_of_the_panel() -> None:
    found = Days()
    for _ in range(35):
        found.close(USUAL)
    half = {**USUAL, "north": (0, 100)}
    for _ in range(5):
        assert found.close(half, sectorless={"north": 300})[1].read == 0.7
    for awaited in (0.3, 0.3, 0.0):
        found.close(half)
        assert found.awaited == awaited
        assert found.shares == ((1.0, 0.0, 1.0, 1.0, 1.0) if awaited else ())
    assert found.close(half, sectorless={"north": 300})[1].read == 0.7


def test_a_restored_watch_goes_on_alike() -> None:
    one, other = Days(hours=24), Days(hours=24)
    for _ in range(35):
        one.close(USUAL)
    one.close(without("west"))
    other.watch.restore(decode_state(encode_state(one.watch.state())))
    other.day = one.day
    assert one.close(without("north", "west")) == other.close(without("north", "west"))
    assert one.by_hour == other.by_hour
    assert encode_state(one.watch.state()) == encode_state(other.watch.state())


def test_a_closed_day_knows_which_cells_were_heard() -> None:
    """What is missing of a region lowers the panel's share, and not what its feeds delivered."""
    counts = np.array([1, 0, 0, 9, 9])
    coverage = Coverage(gap=gone_of("north", panel=0.6, food=0.5, fuel=0.75))
    heard = np.array([1.0, 0.0, 0.0, 0.94, 0.96])
    closed = ClosedDay(
        "P",
        date(2024, 1, 1),
        CELLS,
        counts,
        counts,
        coverage,
        complete=True,
        cells_heard=heard,
        cells_new=np.zeros(len(CELLS), dtype=bool),
    )
    assert closed.heard_cells(0.95).tolist() == [True, False, False, False, True]
    assert closed.heard_in_part(0.95).tolist() == [False, False, False, True, False]
    assert closed.heard_cells(0.0).tolist() == [True, False, False, True, True]
    assert closed.heard
    assert (coverage.share, coverage.delivered) == (0.6, 1.0)
