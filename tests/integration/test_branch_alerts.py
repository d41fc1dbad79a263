"""A source that is silent in one region, and sources that are new: neither is a fall nor a rise of spending."""

from datetime import date, timedelta

import pytest
from sourced_panel import REGIONS, SHOCK, SOURCES, Collected, Heard, folded, within

from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.cell import Cell


@pytest.fixture(scope="module")
def run() -> Run:
    panel = PanelSettings(id="CH", name="Testland", countries=("CH",), classification="swiss-mcs", resolution="day")
    return compose(Settings(run="test", exercise=True, panels=(panel,)))


def test_a_source_silent_in_one_region_is_missing_there_and_nowhere_else(run: Run) -> None:
    """Three fifths of a region do not come for ten days, and another region falls meanwhile: that is told."""

    def heard(cell: Cell, source: str) -> float:
        if not within(cell, SHOCK, 10):
            return 1.0
        return 0.0 if (cell.region, source) == ("CH04", "big") else 0.6 if cell.region == "CH02" else 1.0

    found, _ = folded(run, heard)
    coverage = found.of_kind("coverage")
    assert [alert.status for alert in coverage] == ["open", "updated", "resolved"]
    assert "was not reported (silent: source big in Zürich). Where it comes from, more is missing: 60" in (
        coverage[0].text
    )
    assert "Reporting is complete again after 13 Jul 2022" in coverage[2].text
    assert "CH04" not in {alert.region for alert in found.economic(days=40)}
    assert {(alert.region, alert.direction) for alert in found.economic(days=10)} >= {("CH02", "down")}


def test_a_region_that_a_source_leaves_for_good_leaves_no_fall_behind(run: Run) -> None:
    gone, later = date(2022, 5, 2), date(2022, 8, 1)

    def heard(cell: Cell, source: str) -> float:
        if cell.region != "CH04" or cell.day < gone:
            return 1.0
        return 0.0 if source == "big" else 0.6 if cell.day >= later else 1.0

    found, _ = folded(run, heard)
    coverage = found.of_kind("coverage")
    assert "From now on nothing is expected of source big in Zürich, silent for so long." in coverage[-2].text
    assert "Nothing is expected any more of source big in Zürich" in coverage[-1].text
    told = [alert for alert in found.economic(gone) if alert.region == "CH04" and alert.status == "open"]
    assert [(alert.sector, alert.direction) for alert in told][:1] == [(None, "down")]
    assert date.fromisoformat(told[0].detected_on) >= later


@pytest.mark.parametrize("regions", [("CH04",), ("CH01", "CH02", "CH03", "CH04")])
def test_a_new_source_is_told_and_what_it_adds_is_no_rise(run: Run, regions: tuple[str, ...]) -> None:
    sources = {**SOURCES, "new": 0.4}

    def heard(cell: Cell, source: str) -> float:
        return float(source != "new" or (cell.region in regions and cell.day >= SHOCK))

    found, _ = folded(run, heard, sources)
    notices = found.of_kind("coverage")
    assert [(alert.status, alert.direction, alert.severity) for alert in notices] == [
        ("open", "up", "medium"), ("resolved", "up", "medium"),
    ]  # fmt: skip
    assert "since about 4 Jul 2022 payments come that had not in the weeks before: of source new in " in notices[0].text
    assert ("in Zürich. What a source adds is no rise of spending" in notices[0].text) == (len(regions) == 1)
    opened = [alert for alert in found.economic(days=60) if alert.status == "open"]
    assert [alert for alert in opened if (alert.change_pct or 0) > 20] == []  # of 40 per cent that were added
    assert len(opened) <= 1, [alert.text for alert in opened]


def test_a_source_that_comes_back_after_weeks_brings_no_rise(run: Run) -> None:
    gone, back = date(2022, 5, 2), date(2022, 6, 20)

    def heard(cell: Cell, source: str) -> float:
        return 0.0 if (cell.region, source) == ("CH04", "big") and gone <= cell.day < back else 1.0

    found, _ = folded(run, heard)
    assert [alert.opened_on for alert in found.of_kind("coverage") if alert.status == "open"] == [
        gone.isoformat(), back.isoformat(),
    ]  # fmt: skip
    assert [alert for alert in found.economic(gone) if alert.region == "CH04"] == []


def test_a_fall_weeks_after_a_new_source_is_told(run: Run) -> None:
    began, fall = date(2022, 5, 2), date(2022, 7, 11)

    def heard(cell: Cell, source: str) -> float:
        if source == "new" and cell.day < began:
            return 0.0
        return 0.6 if cell.region == "CH02" and cell.day >= fall else 1.0

    found, _ = folded(run, heard, {**SOURCES, "new": 0.4})
    told = [alert for alert in found.economic(fall, days=5) if alert.status == "open"]
    assert ("CH02", None, "down") in {(alert.region, alert.sector, alert.direction) for alert in told}
    assert fall - timedelta(days=7) <= date.fromisoformat(told[0].opened_on)


SHOPS, SHARED = "shops", "everything"
RETAIL = "Retail: Other goods"


def of_shops(heard: Heard) -> Heard:
    """Return what comes where one source delivers nine tenths of a sector, and another one all else."""

    def share(cell: Cell, source: str) -> float:
        part = 0.9 if cell.sector == RETAIL else 0.0
        return heard(cell, source) * (part if source == SHOPS else 1 - part)

    return share


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ((date(2022, 5, 26), date(2022, 6, 6)), []),  # Ascension Day and Whit Monday
        ((date(2022, 6, 6), date(2022, 6, 7)), [("2022-06-06", "2022-06-07", 2.0)]),
        ((date(2022, 6, 8),), [("2022-06-08", "2022-06-08", 1.0)]),
    ],
)
def test_a_source_that_rests_on_public_holidays_is_not_called_silent(
    run: Run, days: tuple[date, ...], told: list[tuple[str, str, float]]
) -> None:
    """If it goes on, it began on the holiday."""
    heard = of_shops(lambda cell, source: float(source != SHOPS or cell.day not in days))
    found, _ = folded(run, heard, {SHOPS: 1.0, SHARED: 1.0})
    opened = [alert for alert in found.of_kind("coverage") if alert.status == "open"]
    missing = [next(item.value for item in alert.evidence if item.name == "days_missing") for alert in opened]
    assert [(alert.opened_on, alert.detected_on, at) for alert, at in zip(opened, missing, strict=True)] == told
    assert [alert for alert in found.economic(min(days), days=30) if alert.sector == RETAIL] == []


def test_an_outage_of_all_is_told_on_a_public_holiday_as_well(run: Run) -> None:
    found, _ = folded(run, lambda cell, _: float(cell.day != date(2022, 6, 6)))
    assert [alert.detected_on for alert in found.of_kind("coverage") if alert.status == "open"] == ["2022-06-06"]


def test_a_region_that_rests_on_its_holiday_is_not_called_silent(run: Run) -> None:
    """Corpus Christi is kept in some regions alone."""
    day = date(2022, 6, 16)
    keeps = {code for code, _ in REGIONS if run.panels[0].features.row(code, day).holiday}
    assert 0 < len(keeps) < len(REGIONS)
    for region in (min(keeps), min({code for code, _ in REGIONS} - keeps)):
        found: Collected
        found, _ = folded(run, lambda cell, _, at=region: float((cell.day, cell.region) != (day, at)))  # type: ignore[misc]
        assert len(found.of_kind("coverage")) == (0 if region in keeps else 2)


def test_a_sector_that_one_source_delivers_may_be_closed_and_is_said_to(run: Run) -> None:
    def heard(cell: Cell, source: str) -> float:
        if (source == SHOPS) != (cell.sector == RETAIL):
            return 0.0
        return 0.0 if source == SHOPS and cell.day >= SHOCK else 1.0

    found, _ = folded(run, heard, {SHOPS: 1.0, SHARED: 1.0})
    notice = found.of_kind("coverage")[0]
    assert "% in Retail: other goods. " in notice.text
    assert notice.text.endswith("Nobody else reports Retail: other goods: it may also be closed.")
