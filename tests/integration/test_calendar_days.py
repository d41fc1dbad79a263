"""Days that the calendar makes unlike others, by days and by hours: feasts that move, changes of the clock, leap days.

One history of one and a half years has Easter twice, three changes of the clock and a leap day. Each of its cells has
payments in the hours that come twice or not at all.
"""

from datetime import date, timedelta
from functools import cache

import msgspec
import pytest
from shocked_panel import Change, ShockedPanel

from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.domain.alert import Alert
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.cell import Cell
from earlywarn.domain.series import Resolution
from earlywarn.domain.transaction import Transaction
from earlywarn.generate import synthetic_cells
from earlywarn.generate.synthetic import SECTORS

FIRST, DAYS = date(2022, 11, 1), 536
REGIONS = (("CH03", 0.8), ("CH04", 1.0), ("CH05", 0.6))
EASTERS = {2022: date(2022, 4, 17), 2023: date(2023, 4, 9), 2024: date(2024, 3, 31)}
CALENDAR = LocalCalendar("Europe/Zurich")
HOURS = (0, 1, 2, 3, 4, 8, 12, 17, 20)
"""Of a day's buckets those with payments, as many in each: on days of 23 and 25 hours they are others by the clock."""
GOOD_FRIDAY, EASTER_MONDAY, LEAP_DAY = date(2024, 3, 29), date(2024, 4, 1), date(2024, 2, 29)
CLOCKS = (date(2023, 3, 26), date(2023, 10, 29), date(2024, 3, 31))
RETAIL = "Retail: Other goods"


@cache
def calm() -> list[Cell]:
    sectors = [
        msgspec.structs.replace(each, holiday_log=0.0)
        for each in SECTORS
        if each.code in {"Accommodation", RETAIL, "Retail: Fuel stations"}
    ]
    return list(synthetic_cells(seed=3, first_day=FIRST, days=DAYS, regions=REGIONS, sectors=sectors, noise_log=0.04))


def feasts(cell: Cell) -> float:
    """Return what is left of a cell on holidays that these regions keep: moving ones and fixed ones."""
    moving = {EASTERS[cell.day.year] + timedelta(days=days) for days in (-2, 1, 39, 50)}
    is_feast = cell.day in moving or (cell.day.month, cell.day.day) in {(1, 1), (8, 1), (12, 25), (12, 26)}
    return 0.35 if is_feast and cell.sector == RETAIL else 1.0


def with_shock(first: date, factor: float, region: str) -> Change:
    def change(cell: Cell) -> float:
        inside = cell.day >= first and (cell.region, cell.sector) == (region, "Accommodation")
        return feasts(cell) * (factor if inside else 1.0)

    return change


class HourlyPanel(ShockedPanel):
    """The cells of a panel, each in parts by the hour."""

    def pay(self, cell: Cell, counts_by: float, amounts_by: float, source: str | None = None) -> None:
        buckets = CALENDAR.buckets(cell.day)
        count, amount = round(cell.transactions * counts_by), round(cell.amount_minor * amounts_by)
        for at, hour in enumerate(HOURS):
            part, paid = (_part(whole, at) for whole in (count, amount))
            self.outcomes.append(
                Transaction(
                    id="cell",
                    ts=buckets[hour] * 1000,
                    amount_minor=paid,
                    currency="CHF",
                    region=cell.region,
                    sector=cell.sector,
                    country="CH",
                    count=part,
                    source=source,
                )
            )


def _part(whole: int, at: int) -> int:
    return whole * (at + 1) // len(HOURS) - whole * at // len(HOURS)


def composed(resolution: Resolution) -> Run:
    panel = PanelSettings(id="CH", countries=("CH",), classification="swiss-mcs", resolution=resolution)
    return compose(Settings(run="test", exercise=True, panels=(panel,)))


def played(resolution: Resolution, change: Change) -> ShockedPanel:
    cells = sorted(calm(), key=lambda each: each.day)
    panel: ShockedPanel = HourlyPanel(cells, change) if resolution == "hour" else ShockedPanel(cells, change)
    panel.outcomes.sort(key=lambda each: each.ts if isinstance(each, Transaction) else 0)
    panel.play(composed(resolution))
    return panel


@pytest.fixture(scope="module", params=["day", "hour"])
def panel(request: pytest.FixtureRequest) -> ShockedPanel:
    return played(request.param, feasts)


@pytest.fixture(scope="module", params=["day", "hour"])
def resolution(request: pytest.FixtureRequest) -> Resolution:
    found: Resolution = request.param
    return found


def opened(panel: ShockedPanel, first: date, days: int) -> list[Alert]:
    until = (first + timedelta(days=days)).isoformat()
    return [each for each in panel.alerts if each.status == "open" and first.isoformat() <= each.detected_on < until]


def surprise(panel: ShockedPanel, day: date, region: str, sector: str) -> float:
    """Return what was seen of a cell by what was expected."""
    scores = next(each.scores for each in panel.judged if each.scores.day == day)
    at = [(node.region, node.sector) for node in scores.nodes].index((region, sector))
    return float(scores.amount.observed[at] / scores.amount.expected[at])


@pytest.mark.parametrize("day", [GOOD_FRIDAY, EASTER_MONDAY])
def test_a_feast_that_has_moved_is_expected_where_it_is(panel: ShockedPanel, day: date) -> None:
    for region, _ in REGIONS:  # what is learned is diluted by holidays that keep nobody from shopping here
        assert surprise(panel, day, region, "retail-other") == pytest.approx(1, abs=0.3), region
    where_it_was = day + timedelta(days=7)  # in the year before, by the weeks of the year
    assert surprise(panel, where_it_was, "CH04", "retail-other") == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("day", [*CLOCKS, LEAP_DAY, LEAP_DAY + timedelta(days=1), GOOD_FRIDAY])
def test_such_a_day_is_no_alert_of_any_kind(panel: ShockedPanel, day: date) -> None:
    assert [each.text for each in opened(panel, day, 3)] == []


@pytest.mark.parametrize("day", [*CLOCKS, LEAP_DAY])
def test_every_payment_of_such_a_day_counts_on_it(panel: ShockedPanel, day: date) -> None:
    judged = next(each.closed for each in panel.judged if each.closed.day == day)
    payments = (each for each in panel.outcomes if isinstance(each, Transaction))
    paid = sum(each.count for each in payments if CALENDAR.day_of(each.ts // 1000) == day)
    assert int(judged.transactions.sum()) == paid
    assert judged.coverage.volume == judged.coverage.partitions == 1.0
    for region, _ in REGIONS:
        assert surprise(panel, day, region, "accommodation") == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("first", [CLOCKS[2], LEAP_DAY, GOOD_FRIDAY])
def test_a_shock_that_begins_on_such_a_day_is_told_within_days(resolution: Resolution, first: date) -> None:
    panel = played(resolution, with_shock(first, 0.6, "CH05"))
    alert = next(each for each in opened(panel, first, 8) if each.kind == "economic")
    assert (alert.series_id, alert.direction) == ("CH/CH05/accommodation", "down")


def test_hours_and_days_are_judged_alike() -> None:
    """An hourly panel judges one day less, its first, so that figures differ a little, and alerts do not."""

    def essence(resolution: Resolution) -> list[tuple[str, str, str, str]]:
        found = played(resolution, with_shock(CLOCKS[2], 0.6, "CH05")).alerts
        return [(each.id, each.as_of, each.status, each.opened_on) for each in found]

    assert essence("hour") == essence("day")
