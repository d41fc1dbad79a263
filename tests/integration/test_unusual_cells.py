"""Cells that are unlike the others, and days that are missing: no false alarm, and shocks beside them are told."""

from datetime import date, timedelta
from functools import cache

import pytest
from shocked_panel import FIRST, REGIONS, SHOCK, Change, ShockedPanel, cells, composed, one_after_another, played

from earlywarn.application.compose import Run
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell
from earlywarn.generate import synthetic_cells

SECTOR, CLASS = "Accommodation", "accommodation"
BESIDE = one_after_another(SHOCK, [(21, 0.5)], region="CH02", sector=SECTOR)


@cache
def calm() -> list[Cell]:
    return cells(days=300)


@cache
def with_tiny_regions() -> list[Cell]:
    """Return a panel in which two of six regions have ten payments a day in all seven sectors, and one or two."""
    regions = (*((f"CH0{at}", 1.0) for at in range(1, 5)), ("CH06", 2e-4), ("CH07", 3e-5))
    return list(synthetic_cells(seed=5, first_day=FIRST, days=330, regions=regions, noise_log=0.04))


@cache
def over_christmas() -> list[Cell]:
    return list(synthetic_cells(seed=11, first_day=date(2022, 6, 1), days=260, regions=REGIONS, noise_log=0.04))


@pytest.fixture(scope="module")
def run() -> Run:
    return composed()


def opened(panel: ShockedPanel) -> list[Alert]:
    return [each for each in panel.alerts if each.kind == "economic" and each.status == "open"]


def both(one: Change, other: Change) -> Change:
    def change(cell: Cell) -> float:
        first, second = one(cell), other(cell)
        assert isinstance(first, float)
        assert isinstance(second, float)
        return first * second

    return change


def assert_told_beside(panel: ShockedPanel, first: date = SHOCK, days: int = 3) -> None:
    """Check that the fall in CH02 is told, as that, within days."""
    until = (first + timedelta(days=days)).isoformat()
    told = [each for each in opened(panel) if (each.region, each.sector) == ("CH02", CLASS)]
    assert any(each.direction == "down" and first.isoformat() <= each.detected_on < until for each in told)


def test_tiny_cells_swing_by_chance_and_raise_nothing(run: Run) -> None:
    """A cell of one payment a day has none or four on many days: by a normal law of logs that were shocks."""
    quiet = played(run, with_tiny_regions(), lambda _: 1.0)
    assert [each.text for each in opened(quiet) if each.region in {"CH06", "CH07"}] == []
    assert_told_beside(played(run, with_tiny_regions(), BESIDE))


def test_a_collapse_of_a_small_region_is_told(run: Run) -> None:
    """Fifty payments a day in seven sectors are: none of these is one of many, and together they say it at once."""
    regions = (*((f"CH0{at}", 1.0) for at in range(1, 5)), ("CH06", 1e-3))
    small = list(synthetic_cells(seed=5, first_day=FIRST, days=200, regions=regions, noise_log=0.04))
    panel = played(run, small, one_after_another(SHOCK, [(60, 0.05)], region="CH06"))
    fall = next(each for each in opened(panel) if each.region == "CH06")
    assert (fall.series_id, fall.direction) == ("CH/CH06/*", "down")
    assert date.fromisoformat(fall.detected_on) < SHOCK + timedelta(days=3)


@pytest.mark.parametrize("sector", [SECTOR, None])
def test_cells_that_begin_are_no_rise_and_hide_nothing(run: Run, sector: str | None) -> None:
    """One sector of a region, or all of it, has its first payments on the day of a shock elsewhere."""

    def begin(cell: Cell) -> float:
        is_new = cell.region == "CH03" and sector in (None, cell.sector)
        return 0.0 if is_new and cell.day < SHOCK else 1.0

    panel = played(run, calm(), both(begin, BESIDE))
    assert [each.text for each in opened(panel) if each.direction == "up" and each.region in {"CH03", None}] == []
    assert_told_beside(panel)


def test_a_cell_that_has_begun_is_judged_after_its_warm_up(run: Run) -> None:
    later = SHOCK + timedelta(days=120)

    def change(cell: Cell) -> float:
        if (cell.region, cell.sector) != ("CH03", SECTOR):
            return 1.0
        return 0.0 if cell.day < SHOCK else 0.5 if cell.day >= later else 1.0

    longer = cells(days=(later - FIRST).days + 21)
    fall = next(each for each in opened(played(run, longer, change)) if each.region == "CH03")
    assert (fall.sector, fall.direction) == (CLASS, "down")
    assert date.fromisoformat(fall.detected_on) < later + timedelta(days=4)


def test_a_cell_that_dies_is_told_once_and_then_expected_no_more(run: Run) -> None:
    dead = one_after_another(SHOCK, [(400, 0.0)], region="CH03", sector=SECTOR)
    panel = played(run, calm(), dead)
    (fall,) = [each for each in opened(panel) if each.detected_on >= SHOCK.isoformat()]
    assert (fall.region, fall.sector) == ("CH03", CLASS)
    assert [each.status for each in panel.revisions(fall)][-1] == "resolved"
    last = panel.judged[-1].scores
    at = [(node.region, node.sector) for node in last.nodes].index(("CH03", CLASS))
    assert not last.amount.expected[at] > 0
    assert_told_beside(played(run, calm(), both(dead, BESIDE)))


def test_a_cell_that_comes_back_after_weeks_of_silence_starts_a_new_level(run: Run) -> None:
    away = one_after_another(SHOCK, [(40, 0.0), (200, 2.0)], region="CH03", sector=SECTOR)
    panel = played(run, calm(), away)
    assert [each.direction for each in opened(panel) if each.detected_on >= SHOCK.isoformat()] == ["down"]


@pytest.mark.parametrize("missing", [1, 5])
def test_missing_days_are_no_fall_and_a_shock_behind_them_is_told(run: Run, missing: int) -> None:
    gap = one_after_another(SHOCK - timedelta(days=missing), [(missing, 0.0)])
    panel = played(run, calm(), gap)
    assert {each.kind for each in panel.alerts if each.as_of >= (SHOCK - timedelta(days=missing)).isoformat()} == {
        "coverage"
    }
    assert_told_beside(played(run, calm(), both(gap, BESIDE)))


def test_what_christmas_leaves_behind_is_no_fall(run: Run) -> None:
    """In the first Christmas of a panel trade rises by three quarters until the 23rd, and is gone on the 27th."""
    panel = played(run, over_christmas(), lambda _: 1.0)
    gap = [each for each in opened(panel) if "2022-12-20" <= each.detected_on <= "2023-01-20"]
    assert [each.text for each in gap] == []


@pytest.mark.parametrize(("first", "told_by"), [(date(2022, 12, 28), 10), (date(2023, 1, 4), 7)])
def test_a_shock_in_the_gap_after_christmas_is_told_early_in_january(run: Run, first: date, told_by: int) -> None:
    shock = one_after_another(first, [(28, 0.5)], region="CH02", sector=SECTOR)
    assert_told_beside(played(run, over_christmas(), shock), first, told_by)
