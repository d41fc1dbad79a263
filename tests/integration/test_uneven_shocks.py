"""Shocks that strike sectors unevenly, and payments alone: told at once, of what they struck and as what moved."""

from datetime import date

import pytest
from shocked_panel import ShockedPanel, composed, one_after_another
from swiss_sample import sample

from earlywarn.alerting.words import figure
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell

FOOD = "Retail: Food, beverage, tobacco"
OTHERS = {"accommodation", "food-beverage-services", "other", "retail-fuel", "retail-other", "transport-services"}


def effect(alert: Alert) -> float:
    return figure(alert, "effect") or 0.0


@pytest.mark.parametrize("first", [date(2019, 9, 10), date(2019, 11, 4)])
def test_a_lockdown_is_a_fall_of_spending_and_of_each_sector_on_its_second_day(first: date) -> None:
    """Three quarters less in six sectors, a fifth more in food shops: nearly half of all spending is gone."""

    def change(cell: Cell) -> float:
        return 1.0 if cell.day < first else 1.2 if cell.sector == FOOD else 0.25

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    [whole] = [alert for alert in panel.tops(first, 2) if alert.direction == "down"]
    assert (whole.series_id, whole.measure, whole.severity) == ("CH/*/*", "amount", "severe")
    assert -52 < effect(whole) < -38
    within = {
        alert.sector: alert
        for alert in panel.alerts
        if alert.parent == whole.id and alert.region is None and alert.detected_on <= whole.detected_on
    }
    assert within.keys() == OTHERS
    assert all(-80 < effect(alert) < -68 and alert.probability > 0.95 for alert in within.values())
    # Beside so large a fall a rise has to be surer than others, which this one just is, or just is not.
    assert {alert.series_id for alert in panel.tops(first, 4) if alert.direction == "up"} <= {"CH/*/retail-food"}


@pytest.mark.parametrize("factor", [0.6, 0.75])
def test_fewer_payments_of_the_same_amount_are_told_as_fewer_payments(factor: float) -> None:
    """Once, and not as mean payments that rise as well."""
    first = date(2019, 9, 10)
    panel = ShockedPanel(sample(), lambda cell: (factor if cell.day >= first else 1.0, 1.0))
    panel.play(composed())
    found = [(alert.series_id, alert.measure, alert.direction) for alert in panel.tops(first, 7)]
    assert found == [("CH/*/*", "transactions", "down")]


@pytest.mark.parametrize("first", [date(2019, 9, 18), date(2019, 10, 24)])
def test_three_days_of_next_to_no_payments_are_no_rise_of_the_mean_payment(first: date) -> None:
    """Days of other tickets then hold most of the payments since, and the payments on each are what they always are."""
    panel = ShockedPanel(sample(), one_after_another(first, [(3, 0.1)]))
    panel.play(composed())
    tops = panel.tops(first, 14)
    assert ("CH/*/*", "amount", "down") in {(alert.series_id, alert.measure, alert.direction) for alert in tops}
    assert not [alert for alert in tops if alert.measure == "mean_ticket" and alert.region is None]


def test_a_shock_that_spares_some_sectors_and_halves_others_is_the_panels_too() -> None:
    """What peers do explains a sector that falls by less than they do; the whole is told, unexplained by its parts."""
    first, left = date(2019, 9, 9), {"Accommodation": 0.3, "Food and beverage services": 0.25, FOOD: 1.15}
    left |= {"Retail: Other goods": 0.5, "Transport services": 0.6}
    panel = ShockedPanel(sample(), lambda cell: 1.0 if cell.day < first else left.get(cell.sector, 1.0))
    panel.play(composed())
    [whole] = [alert for alert in panel.tops(first, 2) if alert.series_id == "CH/*/*"]
    assert (whole.direction, whole.measure, whole.severity) == ("down", "amount", "severe")
    assert -30 < effect(whole) < -15
    parts = {alert.sector for alert in panel.alerts if alert.parent == whole.id and alert.region is None}
    assert parts >= {"accommodation", "food-beverage-services", "retail-other"}
