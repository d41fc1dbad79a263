"""The end of a shock is no shock: on the real sample with a dip in it, and where refunds outweigh what is sold."""

import csv
import gzip
from collections.abc import Callable
from datetime import date, timedelta
from functools import cache

import msgspec
import pytest
from shocked_panel import SHOCK, ShockedPanel, cells, composed
from swiss_logs import REGIONS, SAMPLE

from earlywarn.alerting.words import figure
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell

LAST = date(2019, 11, 30)


@cache
def sample() -> list[Cell]:
    """Return the sample's first eleven months, without what lies outside of the country."""
    found = []
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            day, region = date.fromisoformat(row["Date"]), REGIONS[row["Region"]]
            if day <= LAST and region != "9999":
                amount = round(100 * float(row["Amount CHF"]))
                count = int(row["Number of transactions"])
                found.append(Cell(day, region, row["Merchant category"], count, amount, "CHF", "CH"))
    return sorted(found, key=lambda cell: (cell.day, cell.region, cell.sector))


def rises(panel: ShockedPanel, since: date) -> list[str]:
    """Return the series of alerts of rises that begin in the five weeks from a day on, parts left out."""
    last = {alert.id: alert for alert in panel.alerts}
    return [
        alert.series_id
        for alert in last.values()
        if alert.direction == "up"
        and alert.parent is None
        and since <= date.fromisoformat(alert.opened_on) < since + timedelta(35)
    ]


@pytest.mark.parametrize(
    ("first", "days", "factor", "region"),
    [
        (date(2019, 9, 2), 21, 0.90, None),
        (date(2019, 9, 2), 21, 0.85, "CH04"),
        (date(2019, 10, 7), 14, 0.88, None),
    ],
)
def test_the_end_of_a_dip_is_no_boom(first: date, days: int, factor: float, region: str | None) -> None:
    """Also where its alert is over for chance before the dip is, or the end overshoots what was usual before."""
    ended = first + timedelta(days)

    def change(cell: Cell) -> float:
        return factor if first <= cell.day < ended and region in (None, cell.region) else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    place = "CH/*/*" if region is None else f"CH/{region}/*"
    falls = {alert.series_id for alert in panel.alerts if alert.direction == "down" and alert.parent is None}
    assert place in falls, "the dip itself is told"
    untouched = ShockedPanel(sample(), lambda _: 1.0)
    untouched.play(composed())
    assert set(rises(panel, ended - timedelta(2))) <= set(rises(untouched, ended - timedelta(2)))


def refunded(days: int, net: float) -> ShockedPanel:
    """Return a panel of which hotels refund for some days so much that `net` of what they sold is left."""
    panel = ShockedPanel([], lambda _: 1.0)
    for cell in cells(days=270):
        panel.pay(cell, 1.0, 1.0)
        sold = panel.outcomes[-1]
        if cell.sector == "Accommodation" and SHOCK <= cell.day < SHOCK + timedelta(days):
            back = round(cell.amount_minor * (1 - net))
            panel.outcomes.append(msgspec.structs.replace(sold, kind="refund", count=1, amount_minor=back))
    panel.play(composed())
    return panel


@pytest.mark.parametrize(("days", "net"), [(15, -0.5), (15, 0.0), (11, -0.5)])
def test_refunds_beyond_sales_for_days_are_forgotten_with_them(days: int, net: float) -> None:
    """No level is left behind that sales would be told against: neither by an alert nor in what is expected."""
    panel = refunded(days, net)
    of_hotels: Callable[[Alert], bool] = lambda alert: alert.sector == "accommodation"  # noqa: E731
    fall = next(alert for alert in panel.alerts if of_hotels(alert) and alert.opened_on == SHOCK.isoformat())
    assert (figure(fall, "effect") or 0.0) < -90
    end = next(alert for alert in panel.alerts if alert.id == fall.id and alert.status == "resolved")
    assert end.outcome == "recovered"
    assert not [alert for alert in panel.alerts if of_hotels(alert) and alert.direction == "up"]
    for judged in panel.judged[-30:]:
        amount = judged.scores.amount
        places = [at for at, node in enumerate(judged.scores.nodes) if node.sector == "accommodation"]
        assert all(0.5 < amount.observed[at] / amount.expected[at] < 2 for at in places), judged.scores.day
