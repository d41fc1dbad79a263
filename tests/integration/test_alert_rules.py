"""Shocks of every place, size and end: whatever happens, figures, words and families of every revision agree.

What must hold of each revision stands in `tests/support/alert_rules.py`; here are the shocks.
"""

from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

import msgspec
import numpy as np
import pytest
from alert_rules import broken_rules, figure
from shocked_panel import SHOCK, Change, ShockedPanel, cells, composed, played

from earlywarn.application.compose import Run
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell

Where = Callable[[Cell], bool]
DAYS = 245
PLACES: dict[str, tuple[Where, tuple[str | None, str | None]]] = {
    "panel": (lambda _: True, (None, None)),
    "region": (lambda cell: cell.region == "CH02", ("CH02", None)),
    "sector": (lambda cell: cell.sector == "Retail: Fuel stations", (None, "retail-fuel")),
    "cell": (lambda cell: (cell.region, cell.sector) == ("CH03", "Accommodation"), ("CH03", "accommodation")),
}
SHORT, LONG, FOR_GOOD = 8, 21, 1000


@cache
def calm_cells() -> list[Cell]:
    return cells(days=DAYS)


@pytest.fixture(scope="module")
def run() -> Run:
    return composed()


@pytest.fixture(scope="module")
def calm(run: Run) -> ShockedPanel:
    return played(run, calm_cells(), lambda _: 1.0)


def shock(where: Where, counts_by: float, amounts_by: float, days: int) -> Change:
    def change(cell: Cell) -> tuple[float, float]:
        hit = where(cell) and SHOCK <= cell.day < SHOCK + timedelta(days)
        return (counts_by, amounts_by) if hit else (1.0, 1.0)

    return change


def of_node(alerts: list[Alert], region: str | None, sector: str | None, direction: str) -> list[Alert]:
    return [
        alert
        for alert in alerts
        if (alert.region, alert.sector, alert.direction) == (region, sector, direction)
        and alert.kind == "economic"
        and alert.detected_on >= SHOCK.isoformat()
    ]


@pytest.mark.parametrize("days", [SHORT, LONG, FOR_GOOD])
@pytest.mark.parametrize("percent", [-30, 40])
@pytest.mark.parametrize("place", PLACES)
def test_a_shock_is_one_alert_that_agrees_with_itself(
    run: Run, calm: ShockedPanel, place: str, percent: int, days: int
) -> None:
    where, node = PLACES[place]
    factor = 1 + percent / 100
    panel = played(run, calm_cells(), shock(where, factor, factor, days))
    assert broken_rules(panel.alerts) == []
    tops = panel.tops()
    direction = "down" if percent < 0 else "up"
    assert [(alert.region, alert.sector, alert.direction) for alert in tops] == [(*node, direction)]
    assert abs(date.fromisoformat(tops[0].opened_on) - SHOCK) <= timedelta(days=1)
    revisions = panel.revisions(tops[0])
    # Ten days of alarm make a new level; a shock that ends before that is over.
    ends = {SHORT: {"recovered"}, LONG: {"recovered", "accepted"}, FOR_GOOD: {"accepted"}}
    assert revisions[-1].status == "resolved"
    assert revisions[-1].outcome in ends[days]
    during = [alert for alert in revisions if alert.as_of < (SHOCK + timedelta(days)).isoformat()]
    for alert in during:
        effect = figure(alert, "effect")
        assert effect is not None
        assert (effect / 100 + 1) / factor == pytest.approx(1, abs=0.12)
        if alert.measure == "amount":  # what is expected is what would have been, had there been no shock
            would_be = calm.expected(date.fromisoformat(alert.as_of), *node)
            assert alert.expected == pytest.approx(would_be, rel=0.08)


@pytest.mark.parametrize("days", [LONG, FOR_GOOD])
@pytest.mark.parametrize("place", ["sector", "cell"])
def test_a_closure_reads_as_what_it_is(run: Run, place: str, days: int) -> None:
    """Nothing at all from one day on: every figure says -100 %, on the day and since the first."""
    where, node = PLACES[place]
    panel = played(run, calm_cells(), shock(where, 0.0, 0.0, days))
    assert broken_rules(panel.alerts) == []
    tops = panel.tops()
    assert [(alert.region, alert.sector, alert.direction) for alert in tops] == [(*node, "down")]
    assert tops[0].opened_on == SHOCK.isoformat()
    for alert in panel.revisions(tops[0]):
        if alert.as_of < (SHOCK + timedelta(days)).isoformat():
            assert (figure(alert, "effect"), alert.change_pct, alert.observed) == (-100.0, -100.0, 0.0)
        assert alert.outcome in {None, "accepted"}
        assert "100\u202f% " in alert.text


@pytest.mark.parametrize("days", [LONG, FOR_GOOD])
def test_a_region_that_falls_silent_is_missing_however_long(run: Run, days: int) -> None:
    """All sectors of a region at once are no closure: the region is told as missing, and nothing else is made of it."""
    panel = played(run, calm_cells(), shock(PLACES["region"][0], 0.0, 0.0, days))
    assert broken_rules(panel.alerts) == []
    assert panel.tops(SHOCK, DAYS) == []
    notices = [alert for alert in panel.alerts if alert.kind == "coverage"]
    assert {alert.region for alert in notices} == {"CH02"}
    weeks = (len({each.scores.day for each in panel.judged if each.scores.day >= SHOCK}) - 1) // 7
    goes_on = ["open", *["updated"] * (weeks if days == FOR_GOOD else (days - 1) // 7)]
    assert [alert.status for alert in notices] == goes_on + ([] if days == FOR_GOOD else ["resolved"])


@pytest.mark.parametrize("place", ["region", "sector"])
def test_a_shock_that_begins_on_a_holiday_is_dated_to_it(run: Run, place: str) -> None:
    """Of a holiday little is heard, but it fell like the days after it: the national day of 2022, a Monday."""
    holiday = date(2022, 8, 1)
    where, node = PLACES[place]

    def change(cell: Cell) -> float:
        return 0.6 if where(cell) and cell.day >= holiday else 1.0

    panel = played(run, calm_cells(), change)
    assert broken_rules(panel.alerts) == []
    [alert] = panel.tops(holiday, 7)
    assert (alert.region, alert.sector, alert.opened_on) == (*node, holiday.isoformat())


def test_a_shock_right_after_a_holiday_is_not_dated_to_it(run: Run) -> None:
    """The holiday itself was as it had to be."""
    first = date(2022, 8, 3)
    where, _ = PLACES["region"]
    panel = played(run, calm_cells(), lambda cell: 0.6 if where(cell) and cell.day >= first else 1.0)
    [alert] = panel.tops(first, 7)
    assert alert.opened_on == first.isoformat()


def anything(seed: int) -> Change:
    """Return shocks of any place, size, start and length over each other, with zero days, zero amounts and outages."""
    rng = np.random.default_rng(seed)
    nodes = [where for where, _ in PLACES.values()]
    changes = []
    for _ in range(int(rng.integers(1, 5))):
        where = nodes[int(rng.integers(len(nodes)))]
        first = SHOCK + timedelta(int(rng.integers(-20, 25)))
        days = int(rng.choice([1, 2, 5, 12, 30, FOR_GOOD]))
        counts_by, amounts_by = rng.choice([0.0, 0.3, 0.7, 0.85, 1.0, 1.2, 1.6, 3.0], 2)
        together = counts_by if rng.random() < 0.6 else amounts_by
        changes.append((where, first, first + timedelta(days), float(counts_by), float(together)))

    def change(cell: Cell) -> tuple[float, float]:
        counts_by = amounts_by = 1.0
        for where, first, end, counts, amounts in changes:
            if first <= cell.day < end and where(cell):
                counts_by, amounts_by = counts_by * counts, amounts_by * amounts
        return counts_by, amounts_by

    return change


@pytest.mark.parametrize("first_seed", [0, 5, 10, 15])
def test_whatever_happens_every_revision_agrees_with_itself(run: Run, first_seed: int) -> None:
    revisions = 0
    for seed in range(first_seed, first_seed + 5):
        alerts = played(run, calm_cells(), anything(seed)).alerts
        assert broken_rules(alerts) == [], f"seed {seed}"
        revisions += len(alerts)
    assert revisions > 20


def test_money_that_fails_to_come_beside_the_usual_counts_alarms(run: Run) -> None:
    """An amount of nothing with normal counts is a fall of the mean payment to nothing."""
    where, node = PLACES["cell"]
    panel = played(run, calm_cells(), shock(where, 1.0, 0.0, LONG))
    assert broken_rules(panel.alerts) == []
    alert = panel.tops()[0]
    assert (alert.region, alert.sector, alert.measure) == (*node, "mean_ticket")
    assert alert.detected_on <= (SHOCK + timedelta(days=2)).isoformat()
    assert (figure(alert, "effect"), alert.change_pct) == (-100.0, -100.0)


@pytest.mark.parametrize(("counts_by", "amounts_by"), [(1.0, 0.7), (0.75, 1.0), (1.0, 1.5)])
def test_shocks_of_amounts_or_counts_alone_agree_with_themselves(run: Run, counts_by: float, amounts_by: float) -> None:
    for where, _ in PLACES.values():
        panel = played(run, calm_cells(), shock(where, counts_by, amounts_by, LONG))
        assert broken_rules(panel.alerts) == []
        assert panel.tops()


def test_staged_and_passing_shocks_agree_with_themselves(run: Run) -> None:
    """A ramp, a shock that deepens, one that turns into its opposite: no revision contradicts itself."""
    region = PLACES["region"][0]

    def ramp(cell: Cell) -> float:
        return 1 - 0.03 * min(max((cell.day - SHOCK).days, 0), 14) if region(cell) else 1.0

    def deepens(cell: Cell) -> float:
        return (0.85 if cell.day < SHOCK + timedelta(9) else 0.5) if region(cell) and cell.day >= SHOCK else 1.0

    def turns(cell: Cell) -> float:
        return (0.7 if cell.day < SHOCK + timedelta(9) else 1.4) if region(cell) and cell.day >= SHOCK else 1.0

    for change in (ramp, deepens, turns):
        panel = played(run, calm_cells(), change)
        assert broken_rules(panel.alerts) == []
        assert of_node(panel.alerts, "CH02", None, "down")


def test_the_calm_panel_agrees_with_itself(calm: ShockedPanel) -> None:
    assert broken_rules(calm.alerts) == []
    assert len(calm.tops(date(2022, 1, 1), DAYS)) <= 4


# --- a panel of independent cells: what is precise enough for a large shock to be many times what a day may say


def independent(change: Callable[[Cell], float], *, seed: int = 3) -> list[Cell]:
    """Return 7 regions x 6 sectors over 420 days with 3 % noise in every cell, none in common."""
    rng = np.random.default_rng(seed)
    sectors = {"food": 4000, "restaurants": 1500, "clothing": 900, "fuel": 700, "hotels": 600, "other": 2000}
    weekday = (0.0, 0.0, 0.02, 0.05, 0.25, 0.3, -0.6)
    found = []
    for offset in range(420):
        day = SHOCK - timedelta(390 - offset)
        for region in (f"CH0{at}" for at in range(1, 8)):
            for sector, level in sectors.items():
                noise = 0.03 * rng.standard_normal()
                cell = Cell(
                    day=day, region=region, sector=sector, transactions=0, amount_minor=0, currency="CHF", country="CH"
                )
                mean = level * np.exp(weekday[day.weekday()] + noise) * change(cell)
                count = int(rng.poisson(mean))
                amount = round(3700 * count * np.exp(0.01 * rng.standard_normal()))
                found.append(msgspec.structs.replace(cell, transactions=count, amount_minor=amount))
    return found


@pytest.mark.parametrize(
    ("where", "node"),
    [
        (lambda _: True, (None, None)),
        (lambda cell: cell.region == "CH03", ("CH03", None)),
        (lambda cell: cell.sector == "hotels", (None, "hotels")),
    ],
    ids=["national", "regional", "sectoral"],
)
@pytest.mark.parametrize("factor", [0.75, 1.3])
def test_a_wide_shock_is_exactly_one_alert_without_a_parent(
    where: Where, node: tuple[str | None, str | None], factor: float
) -> None:
    panel = played(
        composed("open"),
        independent(lambda cell: factor if where(cell) and cell.day >= SHOCK else 1.0),
        lambda _: 1.0,
    )
    assert broken_rules(panel.alerts) == []
    tops = panel.tops(SHOCK, 40)
    assert [(alert.region, alert.sector) for alert in tops] == [node]
    assert tops[0].detected_on <= (SHOCK + timedelta(days=2)).isoformat()
    assert abs(date.fromisoformat(tops[0].opened_on) - SHOCK) <= timedelta(days=1)
    last = panel.revisions(tops[0])[-1]
    if tops[0].opened_on == SHOCK.isoformat():  # its first revision may rest on the shock's first day
        assert figure(last, "effect") == pytest.approx(100 * (factor - 1), abs=5)
    inside = {alert.id for alert in panel.alerts if alert.parent == tops[0].id}
    assert inside == set(last.children)
