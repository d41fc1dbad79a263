"""The end of a shock is no shock: on the real sample with a dip in it, and where refunds outweigh what is sold."""

from collections.abc import Callable
from datetime import date, timedelta

import msgspec
import pytest
from alert_rules import broken_rules
from shocked_panel import SHOCK, ShockedPanel, cells, composed, one_after_another
from swiss_sample import sample

from earlywarn.alerting.words import figure
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell


def rises(panel: ShockedPanel, since: date) -> list[str]:
    """Return the series of alerts of rises that begin in the five weeks from a day on.

    Parts are left out, and the way back from a level that had been accepted, which is told as that.
    """
    last = {alert.id: alert for alert in panel.alerts}
    return [
        alert.series_id
        for alert in last.values()
        if alert.direction == "up"
        and alert.parent is None
        and figure(alert, "days_since_level_began") is None
        and since <= date.fromisoformat(alert.opened_on) < since + timedelta(35)
    ]


@pytest.mark.parametrize(
    ("first", "days", "factor", "region"),
    [
        (date(2019, 9, 16), 21, 0.90, None),
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


@pytest.mark.parametrize(
    ("first", "region"), [(date(2019, 8, 12), "CH01"), (date(2019, 9, 23), "CH04"), (date(2019, 11, 11), None)]
)
def test_a_dip_of_days_is_over_when_it_is_and_no_rise_is_told_after_it(first: date, region: str | None) -> None:
    """Three days tell that it is; so the alert keeps the size of the dip, and the models unlearn it."""
    last = first + timedelta(4)

    def change(cell: Cell) -> float:
        return 0.6 if first <= cell.day <= last and region in (None, cell.region) else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    place = "CH/*/*" if region is None else f"CH/{region}/*"
    [fall] = [alert for alert in panel.tops(first, 6) if alert.series_id == place]
    end = panel.revisions(fall)[-1]
    assert (end.status, end.outcome) == ("resolved", "recovered")
    assert last - timedelta(1) <= date.fromisoformat(end.resolved_on or "") <= last + timedelta(1)
    assert date.fromisoformat(end.as_of) <= last + timedelta(8)
    assert (figure(end, "effect") or 0.0) < -28
    untouched = ShockedPanel(sample(), lambda _: 1.0)
    untouched.play(composed())
    assert set(rises(panel, first)) <= set(rises(untouched, first))


@pytest.mark.parametrize(("first", "region"), [(date(2019, 9, 9), "CH04"), (date(2019, 10, 21), None)])
def test_the_way_back_from_a_level_of_days_is_told(first: date, region: str | None) -> None:
    """Four days after the level was accepted."""
    ended = first + timedelta(21)

    def change(cell: Cell) -> float:
        return 0.7 if first <= cell.day < ended and region in (None, cell.region) else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    place = "CH/*/*" if region is None else f"CH/{region}/*"
    [back] = [alert for alert in panel.tops(ended, 7) if alert.series_id == place]
    assert back.direction == "up"
    assert figure(back, "days_since_level_began") is not None


@pytest.mark.parametrize(("first", "place"), [(date(2019, 7, 29), (None, None)), (date(2019, 9, 9), ("CH04", None))])
def test_each_step_of_a_reopening_is_told(first: date, place: tuple[str | None, str | None]) -> None:
    """Three weeks of closure become the usual level, then three weeks at half, then all is as before."""
    half, ended = first + timedelta(21), first + timedelta(42)
    levels = one_after_another(first, ((21, 0.1), (21, 0.5)), *place)
    panel = ShockedPanel(sample(), levels)
    panel.play(composed())
    assert not broken_rules(panel.alerts)
    series_id = f"CH/{place[0] or '*'}/{place[1] or '*'}"
    opened = [each for each in panel.alerts if each.status == "open" and each.series_id == series_id]
    for step in (half, ended):
        lately = (step.isoformat(), (step + timedelta(5)).isoformat())
        [rise] = [each for each in opened if lately[0] <= each.as_of < lately[1]]
        assert rise.direction == "up"
        assert figure(rise, "days_since_level_began") is not None


@pytest.mark.parametrize(
    ("days", "factors", "region", "within_days"),
    [
        (14, (0.8, 1.3), None, 4),
        (10, (0.7, 1.3), "CH04", 6),
        (14, (1.3, 0.8), None, 5),
        (10, (1.5, 0.75), "CH07", 8),
    ],
)
def test_what_begins_in_the_place_of_a_shock_is_told_by_its_own_size(
    days: int, factors: tuple[float, float], region: str | None, within_days: int
) -> None:
    """Against what was usual before both, and not by the way from the one to the other, which is twice as long."""
    first = date(2019, 9, 9)
    second = first + timedelta(days)

    def change(cell: Cell) -> float:
        at = int(cell.day >= second)
        return factors[at] if first <= cell.day < second + timedelta(21) and region in (None, cell.region) else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    place = "CH/*/*" if region is None else f"CH/{region}/*"
    direction = "up" if factors[1] > 1 else "down"
    told = panel.tops(second, within_days)
    [alert] = [alert for alert in told if (alert.series_id, alert.direction) == (place, direction)]
    change_of_usual, change_since = 100 * (factors[1] - 1), 100 * (factors[1] / factors[0] - 1)
    size = figure(alert, "effect") or 0.0
    assert abs(size - change_of_usual) < abs(size - change_since)
    assert date.fromisoformat(alert.opened_on) >= second


def test_the_way_back_of_all_is_no_matter_of_one_mean_payment_that_is_higher() -> None:
    """While an alert of a cell's mean payment is open: the sample has one of half a million francs in November."""
    first, ended = date(2019, 10, 4), date(2019, 11, 18)
    panel = ShockedPanel(sample(), lambda cell: 0.75 if first <= cell.day < ended else 1.0)
    panel.play(composed())
    tickets = [alert for alert in panel.alerts if alert.measure == "mean_ticket" and alert.as_of[:7] == "2019-11"]
    assert any(alert.opened_on < ended.isoformat() and alert.status != "resolved" for alert in tickets)
    [back] = [alert for alert in panel.tops(ended, 4) if alert.series_id == "CH/*/*"]
    assert (back.direction, back.measure) == ("up", "amount")


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


@pytest.mark.parametrize(("first", "place"), [(date(2019, 6, 10), (None, None)), (date(2019, 5, 20), ("CH04", None))])
def test_nothing_leads_back_from_a_level_that_has_ended(first: date, place: tuple[str | None, str | None]) -> None:
    """Four weeks of a fall become the usual level and end; two months later all spend more than ever."""
    boom = first + timedelta(84)
    panel = ShockedPanel(sample(), one_after_another(first, ((28, 0.7), (56, 1.0), (14, 1.3)), *place))
    panel.play(composed())
    assert not broken_rules(panel.alerts)
    rises = [each for each in panel.tops(first + timedelta(21), 77) if each.series_id == f"CH/{place[0] or '*'}/*"]
    back, rise = [each for each in rises if each.direction == "up"]
    assert figure(back, "days_since_level_began") is not None
    assert "which had become usual" in back.text
    assert date.fromisoformat(rise.opened_on) == boom
    assert figure(rise, "days_since_level_began") is None
    assert "which had become usual" not in rise.text


@pytest.mark.parametrize("place", [("CH04", None), (None, "Food and beverage services")])
def test_what_stays_down_when_the_country_is_back_leads_back_later(place: tuple[str | None, str | None]) -> None:
    """Six weeks after the others; its level had become usual with theirs."""
    first, ended = date(2019, 5, 6), date(2019, 7, 22)
    region, sector = place

    def change(cell: Cell) -> float:
        inside = region in (None, cell.region) and sector in (None, cell.sector)
        last = ended if inside else first + timedelta(28)
        return 0.6 if first <= cell.day < last else 1.0

    panel = ShockedPanel(sample(), change)
    panel.play(composed())
    series_id = f"CH/{region or '*'}/{'food-beverage-services' if sector else '*'}"
    [rise] = [each for each in panel.tops(ended, 5) if each.series_id == series_id]
    assert rise.direction == "up"
    assert "What is expected is the level of the fall that began on 6 May 2019, which had become usual." in rise.text
