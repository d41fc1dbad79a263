"""Shocks in a generated panel, and the alerts that come of them: one shock, one alert, told apart and explained."""

import random
from datetime import date, timedelta
from functools import cache

import msgspec
import pytest
from shocked_panel import FIRST, SHOCK, Change, cells, composed, played

from earlywarn.alerting.words import figure
from earlywarn.application.compose import Run, compose
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell


@cache
def calm_cells() -> list[Cell]:
    return cells()


@cache
def long_cells() -> list[Cell]:
    return cells(days=240)


@pytest.fixture(scope="module")
def run() -> Run:
    return composed()


def alerts_of(run: Run, change: Change) -> list[Alert]:
    return played(run, calm_cells(), change).alerts


def shocked(cell: Cell, percent: float, days: int = 21) -> float:
    return 1 + percent / 100 if SHOCK <= cell.day < SHOCK + timedelta(days=days) else 1.0


def tops(alerts: list[Alert]) -> list[Alert]:
    """Return the first revision of each economic episode without a parent, from the shock's start on."""
    last = {alert.id: alert for alert in alerts}
    return [
        alert
        for alert in alerts
        if alert.status == "open"
        and last[alert.id].parent is None
        and alert.kind == "economic"
        and SHOCK.isoformat() <= alert.detected_on < (SHOCK + timedelta(days=14)).isoformat()
    ]


def test_a_quiet_panel_is_quiet(run: Run) -> None:
    assert len([alert for alert in alerts_of(run, lambda _: 1.0) if alert.status == "open"]) <= 2


def test_a_cell_s_collapse_is_an_alert_of_that_cell(run: Run) -> None:
    def change(cell: Cell) -> float:
        return shocked(cell, -50) if (cell.region, cell.sector) == ("CH03", "Accommodation") else 1.0

    found = tops(alerts_of(run, change))
    assert [(alert.level, alert.series_id, alert.direction) for alert in found] == [
        ("cell", "CH/CH03/accommodation", "down")
    ]
    alert = found[0]
    assert alert.detected_on <= (SHOCK + timedelta(days=3)).isoformat()
    assert abs(date.fromisoformat(alert.opened_on) - SHOCK) <= timedelta(days=1)
    assert alert.severity == "severe"
    effect = next(each.value for each in alert.evidence if each.name == "effect")
    assert -60 < effect < -35
    assert "Accommodation in " in alert.text
    assert "the same sector elsewhere" in alert.text


def test_a_region_s_shock_is_one_alert_of_the_region(run: Run) -> None:
    found = tops(alerts_of(run, lambda cell: shocked(cell, -30) if cell.region == "CH02" else 1.0))
    assert [(alert.level, alert.region, alert.sector) for alert in found] == [("region", "CH02", None)]


def test_a_sector_s_shock_is_one_alert_of_the_sector(run: Run) -> None:
    found = tops(alerts_of(run, lambda cell: shocked(cell, -30) if cell.sector == "Retail: Fuel stations" else 1.0))
    assert [(alert.level, alert.region, alert.sector) for alert in found] == [("sector", None, "retail-fuel")]


@pytest.mark.parametrize(
    ("sector", "subject"),
    [
        (None, "Switzerland (5 regions), all sectors"),
        ("Retail: Fuel stations", "Retail: fuel stations in Switzerland (5 regions)"),
    ],
)
def test_a_panel_of_some_regions_is_not_told_as_the_whole_country(run: Run, sector: str | None, subject: str) -> None:
    panels = (msgspec.structs.replace(run.settings.panels[0], name=""),)
    alone = compose(msgspec.structs.replace(run.settings, panels=panels))
    alerts = alerts_of(alone, lambda cell: shocked(cell, -35) if sector in (None, cell.sector) else 1.0)
    mine = [alert for alert in alerts if alert.id == tops(alerts)[0].id]
    assert {alert.status for alert in mine} >= {"open", "resolved"}
    assert [alert.text for alert in mine if not alert.text.startswith(f"{subject}: ")] == []


def test_a_national_shock_is_one_parent_and_no_storm(run: Run) -> None:
    alerts = alerts_of(run, lambda cell: shocked(cell, -35))
    found = tops(alerts)
    assert [alert.level for alert in found] == ["panel"]
    last = {alert.id: alert for alert in alerts}
    children = [alert for alert in last.values() if alert.parent == found[0].id]
    assert {alert.id for alert in children} == set(last[found[0].id].children)
    few = run.settings.alerts.parts_limit
    told = [alert for alert in children if alert.detected_on <= (SHOCK + timedelta(days=7)).isoformat()]
    assert len(told) == few < 49
    assert {(alert.level, alert.direction) for alert in told} == {("cell", "down")}
    assert {alert.opened_on for alert in told} <= {(SHOCK + timedelta(days=at)).isoformat() for at in (-1, 0, 1)}
    sizes = [next(each.value for each in alert.evidence if each.name == "effect") for alert in told]
    assert -50 < min(sizes) < max(sizes) < -20
    assert len([alert for alert in alerts if alert.parent and alert.status == "updated"]) <= few, "and say it once"


@pytest.mark.parametrize("left", [0.65, 0.5, 0.3, 0.1, 0.02])
@pytest.mark.parametrize(("region", "sector"), [(None, None), ("CH02", None), (None, "retail-fuel")])
def test_the_way_back_from_a_new_level_is_told_whatever_its_size(
    run: Run, left: float, region: str | None, sector: str | None
) -> None:
    """Up to fiftyfold, on the second day, with its size and first day; and as one alert."""
    back = SHOCK + timedelta(days=40)
    titles = {"retail-fuel": "Retail: Fuel stations", None: None}

    def change(cell: Cell) -> float:
        hit = region in (None, cell.region) and titles[sector] in (None, cell.sector)
        return left if hit and SHOCK <= cell.day < back else 1.0

    alerts = played(run, long_cells(), change).alerts
    last = {alert.id: alert for alert in alerts}
    told = [
        alert
        for alert in alerts
        if alert.status == "open" and alert.detected_on >= back.isoformat() and last[alert.id].parent is None
    ]
    assert [(alert.region, alert.sector, alert.direction) for alert in told] == [(region, sector, "up")]
    assert told[0].detected_on <= (back + timedelta(days=2)).isoformat()
    assert told[0].opened_on == back.isoformat()
    effect = next(each.value for each in last[told[0].id].evidence if each.name == "effect")
    assert effect == pytest.approx(100 * (1 / left - 1), rel=0.15)


def test_cells_that_do_not_move_along_are_no_parts_of_a_total(run: Run) -> None:
    """Most of the panel falls, groceries do not: they have no part in it."""
    alerts = alerts_of(run, lambda cell: 1.0 if "Food, beverage" in cell.sector else shocked(cell, -35))
    top = next(alert for alert in tops(alerts) if alert.level == "panel")
    parts = [alert for alert in alerts if alert.parent == top.id and alert.status == "open" and alert.level == "cell"]
    assert len(parts) > 10
    assert not [alert for alert in parts if alert.sector == "retail-food"]


def test_a_panel_may_do_without_parts(run: Run) -> None:
    settings = msgspec.structs.replace(run.settings, alerts=msgspec.structs.replace(run.settings.alerts, parts_limit=0))
    alerts = alerts_of(compose(settings), lambda cell: shocked(cell, -35))
    assert [alert.level for alert in alerts if alert.status == "open" and alert.detected_on >= SHOCK.isoformat()] == [
        "panel", "panel",
    ]  # fmt: skip


def test_a_cell_that_carries_its_totals_is_an_alert_of_that_cell(run: Run) -> None:
    """The largest of twelve cells falls alone: neither its region, nor its sector, nor the panel does."""
    few = ("Retail: Food, beverage, tobacco", "Accommodation", "Retail: Fuel stations", "Transport services")
    panel = [cell for cell in cells(noise_log=0.02) if cell.sector in few and cell.region in {"CH01", "CH02", "CH03"}]

    def change(cell: Cell) -> float:
        return shocked(cell, -50) if (cell.region, cell.sector) == ("CH03", few[0]) else 1.0

    found = tops(played(run, panel, change).alerts)
    assert [(alert.level, alert.series_id) for alert in found] == [("cell", "CH/CH03/retail-food")]


def test_a_fall_that_goes_on_for_weeks_is_told_to_its_end(run: Run) -> None:
    """Two sectors of a region fall further each week; their region takes over when they have long been open."""
    chance, few = random.Random(2), ("Retail: Food, beverage, tobacco", "Retail: Fuel stations", "Accommodation")
    left = {120: 0.75, 127: 0.5, 134: 0.3, 141: 0.18, 148: 0.1}

    def count(age: int, region: str, sector: str) -> int:
        usual = 3000 * chance.gauss(1, 0.03) * (0.5 if (FIRST + timedelta(age)).weekday() == 6 else 1.0)
        hit = region == "CH01" and sector != few[2]
        return round(usual * (min((by for day, by in left.items() if age >= day), default=1.0) if hit else 1.0))

    panel = [
        Cell(FIRST + timedelta(age), region, sector, (payments := count(age, region, sector)), 5_000 * payments, "CHF")
        for age in range(200)
        for region in ("CH01", "CH02", "CH03", "CH04")
        for sector in few
    ]
    shock = played(run, panel, lambda _: 1.0)
    assert shock.judged[-1].scores.day == FIRST + timedelta(days=199)
    falls = [alert for alert in shock.alerts if alert.direction == "down"]
    last = {alert.id: alert for alert in falls}
    assert {alert.series_id for alert in last.values() if alert.parent is None} == {"CH/CH01/*"}
    # Two sectors of three are left with 0.75, 0.5, 0.3: down 17, 33 and 47 %, each of which is told as such.
    told = {round(figure(alert, "effect") or 0.0) for alert in falls if alert.series_id == "CH/CH01/*"}
    assert all(any(abs(effect - size) <= 2 for effect in told) for size in (-17, -33, -47))


def test_an_episode_opens_resolves_and_opens_anew(run: Run) -> None:
    """Two shocks far apart are two episodes with ids of their own; each is resolved when it is over."""
    second = SHOCK - timedelta(days=55)

    def change(cell: Cell) -> float:
        hit = (cell.region, cell.sector) == ("CH03", "Transport services")
        in_second = second <= cell.day < second + timedelta(days=7)
        return (0.5 if in_second else shocked(cell, -50, days=7)) if hit else 1.0

    alerts = [alert for alert in alerts_of(run, change) if alert.series_id == "CH/CH03/transport-services"]
    falls = [alert for alert in alerts if alert.direction == "down"]
    assert len({alert.id for alert in falls if alert.status == "open"}) == 2
    assert len({alert.id for alert in falls if alert.status == "resolved"}) == 2
    for alert in falls:
        assert (alert.resolved_on is not None) == (alert.status == "resolved")


def test_ids_follow_the_contract(run: Run) -> None:
    """Another run gives other ids and, ids aside, the same alerts."""

    def change(cell: Cell) -> float:
        return shocked(cell, -40) if cell.region == "CH01" else 1.0

    other = compose(msgspec.structs.replace(run.settings, run="other"))
    one, two = alerts_of(run, change), alerts_of(other, change)
    assert {alert.id for alert in one}.isdisjoint({alert.id for alert in two})
    assert [(alert.sequence, alert.text, alert.score) for alert in one] == [
        (alert.sequence, alert.text, alert.score) for alert in two
    ]


@pytest.mark.parametrize("left", [0.5, 0.1])
@pytest.mark.parametrize("later", [6, 9])
def test_a_region_that_collapses_days_into_a_national_fall_is_an_alert_of_its_own(
    run: Run, left: float, later: int
) -> None:
    """Since its own first day; the national alert goes on. What is hit harder from the first day on is a part."""

    def change(cell: Cell) -> float:
        return shocked(cell, -20) * (left if cell.region == "CH02" and cell.day >= SHOCK + timedelta(later) else 1.0)

    alerts = alerts_of(run, change)
    last = {alert.id: alert for alert in alerts if alert.kind == "economic" and alert.direction == "down"}
    own = [
        alert for alert in last.values() if alert.series_id == "CH/CH02/*" and alert.detected_on >= SHOCK.isoformat()
    ]
    assert [alert.parent for alert in own] == [None]
    within = [alert for alert in alerts if alert.id == own[0].id and alert.parent is None]
    assert date.fromisoformat(within[0].as_of) <= SHOCK + timedelta(later + 4)
    assert any(alert.series_id == "CH/*/*" and alert.parent is None for alert in last.values())

    def at_once(cell: Cell) -> float:
        return shocked(cell, -20) * (shocked(cell, -50) if cell.region == "CH02" else 1.0)

    assert [(alert.region, alert.sector) for alert in tops(alerts_of(run, at_once))] == [(None, None)]


@pytest.mark.parametrize(("log_change", "parts"), [(0.2, True), (1.0, False)])
def test_an_office_says_how_much_further_a_part_must_move_to_part_ways(
    run: Run, log_change: float, *, parts: bool
) -> None:
    """Half of a region's spending is a log change of 0.7."""
    own = msgspec.structs.replace(run.settings.alerts, parting_log_change=log_change)

    def change(cell: Cell) -> float:
        return shocked(cell, -20) * (0.5 if cell.region == "CH02" and cell.day >= SHOCK + timedelta(6) else 1.0)

    alerts = alerts_of(compose(msgspec.structs.replace(run.settings, alerts=own)), change)
    region = [alert for alert in alerts if (alert.series_id, alert.direction) == ("CH/CH02/*", "down")]
    since = [alert for alert in region if alert.detected_on >= SHOCK.isoformat()]
    assert any(alert.parent is None for alert in since) == parts


@pytest.mark.parametrize(("left", "normal_days"), [(0.7, 7), (0.5, 10)])
def test_a_second_national_shock_is_told_after_the_return_from_the_first(
    run: Run, left: float, normal_days: int
) -> None:
    """The way back leads from a level that had been taken as usual, and says so; a fall after it is another shock."""
    first_end = SHOCK + timedelta(days=30)
    second = first_end + timedelta(days=normal_days)

    def change(cell: Cell) -> float:
        return left if SHOCK <= cell.day < first_end or second <= cell.day < second + timedelta(days=30) else 1.0

    panel = [alert for alert in played(run, cells(days=260), change).alerts if alert.series_id == "CH/*/*"]
    opened = {alert.opened_on: alert for alert in panel if alert.status == "open"}
    falls = [day for day, alert in opened.items() if alert.direction == "down"]
    assert [abs((date.fromisoformat(day) - true).days) <= 1 for day, true in zip(falls, (SHOCK, second), strict=True)]
    rise = next(alert for alert in opened.values() if alert.direction == "up")
    assert "What is expected is the level of the fall that began on 4 Jul 2022, which had become usual." in rise.text
    assert not any("had become usual" in opened[day].text for day in falls[:1])


def test_an_alert_of_a_region_that_falls_silent_for_good_ends(run: Run) -> None:
    """Whether the fall lasts, nobody can say; after four weeks it is followed no further, its parts neither."""
    silent = SHOCK + timedelta(days=6)

    def change(cell: Cell) -> float:
        return 1.0 if cell.region != "CH02" else 0.0 if cell.day >= silent else shocked(cell, -40)

    alerts = [alert for alert in alerts_of(run, change) if alert.kind == "economic" and alert.region == "CH02"]
    last = {alert.id: alert for alert in alerts if alert.detected_on >= SHOCK.isoformat()}
    assert "CH/CH02/*" in {alert.series_id for alert in last.values()}
    for alert in last.values():
        assert (alert.status, alert.outcome, alert.observed) == ("resolved", "faded", None)
        assert (date.fromisoformat(alert.as_of) - silent).days in (27, 28)
        assert "Nothing has been reported here for 28 days, so it is followed no further." in alert.text
