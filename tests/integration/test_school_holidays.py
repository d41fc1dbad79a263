"""School holidays in a panel: what they do in each sector is learned, by region, and a shock in them is told."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from shocked_panel import FIRST, REGIONS, Change, ShockedPanel, composed, played

from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell
from earlywarn.generate import synthetic_cells

DAYS = 470
BREAKS = {
    "CH03": [date(2022, 4, 11), date(2022, 7, 11), date(2022, 10, 3), date(2023, 2, 13), date(2023, 4, 3)],
    "CH04": [date(2022, 4, 25), date(2022, 8, 1), date(2022, 10, 17), date(2023, 2, 27), date(2023, 3, 27)],
}
"""First days; each goes on for two weeks. The fifth is known from four others, and April's moves."""
EFFECTS = {"Retail: Food, beverage, tobacco": 0.75, "Retail: Other goods": 0.75, "Accommodation": 1.3}


def in_break(cell: Cell) -> bool:
    return any(first <= cell.day < first + timedelta(days=14) for first in BREAKS.get(cell.region, ()))


def schools(cell: Cell) -> float:
    return EFFECTS.get(cell.sector, 1.0) if in_break(cell) else 1.0


def table(folder: Path) -> str:
    path = folder / "schools.csv"
    rows = [f"{region},{first},{first + timedelta(days=13)},x" for region, firsts in BREAKS.items() for first in firsts]
    path.write_text("\n".join(("region,first_day,last_day,name", *rows)))
    return str(path)


@pytest.fixture(scope="module")
def calm() -> list[Cell]:
    return list(synthetic_cells(seed=11, first_day=FIRST, days=DAYS, regions=REGIONS, noise_log=0.04))


def told(panel: ShockedPanel, since: date) -> list[Alert]:
    return [
        each
        for each in panel.alerts
        if each.kind == "economic" and each.status == "open" and each.detected_on >= since.isoformat()
    ]


def shocked(region: str, since: date) -> Change:
    def change(cell: Cell) -> float:
        hit = cell.region == region and cell.sector == "Retail: Other goods" and cell.day >= since
        return schools(cell) * (0.7 if hit else 1.0)

    return change


def test_school_holidays_that_are_known_are_no_alert_once_they_were_seen(calm: list[Cell], tmp_path: Path) -> None:
    since = date(2023, 3, 20)
    unknown = played(composed(), calm, schools)
    known = played(composed(school_holidays=table(tmp_path)), calm, schools)
    assert {each.region for each in told(unknown, since)} >= {"CH03", "CH04"}
    assert [each.text for each in told(known, since) if each.region in BREAKS] == []
    day = date(2023, 4, 5)
    for region, sector, factor in (("CH03", "retail-food", 0.75), ("CH03", "accommodation", 1.3)):
        ratio = known.expected(day, region, sector) / unknown.expected(day - timedelta(days=7), region, sector)
        assert ratio == pytest.approx(factor, abs=0.06), sector


def test_a_shock_within_school_holidays_is_told(calm: list[Cell], tmp_path: Path) -> None:
    since = BREAKS["CH03"][-1]
    panel = played(composed(school_holidays=table(tmp_path)), calm, shocked("CH03", since))
    first = next(each for each in told(panel, since) if each.region == "CH03")
    assert (first.sector, first.direction) == ("retail-other", "down")
    assert date.fromisoformat(first.detected_on) <= since + timedelta(days=7)
