"""Sources that come on the real history of cards: what one adds is no rise, and what one takes over is no news."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import cache

import pytest
from panel_run import PanelRun
from shocked_panel import composed
from swiss_sample import sample

from earlywarn.domain.alert import Alert

Share = Callable[[date, str], float]
SUNDAY, MONDAY, STRONG_DAY = date(2019, 9, 22), date(2019, 10, 21), date(2019, 11, 3)
"""A Sunday in autumn, a weak Monday, and a Sunday a week after one on which the shops of a region were open."""
LOOKED_AT_DAYS = 45


@cache
def undisturbed() -> frozenset[tuple[str, str, str]]:
    return frozenset(named(alert) for alert in played({"all": 1.0}, lambda _, __: 1.0) if alert.kind == "economic")


def named(alert: Alert) -> tuple[str, str, str]:
    return alert.series_id, alert.direction, alert.measure


def played(shares: Mapping[str, float], share: Share) -> list[Alert]:
    run = PanelRun()
    for cell in sample():
        for source, whole in shares.items():
            if part := whole * share(cell.day, source):
                run.pay(cell, part, part, source)
    run.play(composed())
    return run.alerts


def told(alerts: list[Alert], since: date) -> tuple[list[Alert], list[Alert]]:
    """Return the notices from a day on, and the economic alerts of the next weeks that the history alone has not."""
    last = since + timedelta(LOOKED_AT_DAYS)
    later = [each for each in alerts if since.isoformat() <= each.as_of <= last.isoformat() and each.status == "open"]
    economic = [each for each in later if each.kind == "economic" and named(each) not in undisturbed()]
    return [each for each in later if each.kind == "coverage"], economic


@pytest.mark.parametrize(
    ("first", "shares"),
    [
        *((first, {"big": 0.6, "small": 0.4, "new": 0.25}) for first in (SUNDAY, MONDAY, STRONG_DAY)),
        *((first, {"big": 1.0, "new": 0.25}) for first in (SUNDAY, STRONG_DAY)),
    ],
)
def test_what_a_source_adds_from_one_day_on_is_told_as_that(first: date, shares: Mapping[str, float]) -> None:
    alerts = played(shares, lambda day, source: float(source != "new" or day >= first))
    notices, economic = told(alerts, first)
    assert notices[0].opened_on == first.isoformat()
    assert "payments come that had not in the weeks before: of source new" in notices[0].text
    assert economic == []


@pytest.mark.parametrize("moved", [0.1, 0.5])
@pytest.mark.parametrize("first", [SUNDAY, MONDAY, STRONG_DAY])
def test_what_a_source_takes_over_is_no_news(moved: float, first: date) -> None:
    def share(day: date, source: str) -> float:
        if source == "new":
            return float(day >= first)
        return 1.0 - moved if source == "small" and day >= first else 1.0

    assert told(played({"big": 0.6, "small": 0.4, "new": 0.4 * moved}, share), first) == ([], [])


def test_what_moves_from_source_to_source_over_weeks_is_no_rise() -> None:
    first, weeks = date(2019, 9, 30), 4

    def share(day: date, source: str) -> float:
        moved = min(max((day - first).days + 1, 0) / (7 * weeks), 1.0)
        return {"new": moved, "small": 1.0 - moved}.get(source, 1.0)

    notices, economic = told(played({"big": 0.6, "small": 0.4, "new": 0.4}, share), first)
    assert "of source new" not in " ".join(each.text for each in notices)
    assert economic == []


def of_half(day: date, source: str) -> float:
    return 0.5 if source == "small" and 0 <= (day - MONDAY).days < 5 else 1.0


def test_a_source_that_brings_half_where_the_other_goes_on_is_told_with_the_fall() -> None:
    """On the day of the fall that it makes, which is not held back: a provider that lost merchants is no recession."""
    alerts = played({"big": 0.6, "small": 0.4}, of_half)
    [first, last] = [each for each in alerts if each.kind == "coverage"]
    falls = [each for each in alerts if each.kind == "economic" and each.as_of >= MONDAY.isoformat()]
    fall = next(each for each in falls if each.series_id == "CH/*/*")
    assert (first.opened_on, first.detected_on, first.status) == ("2019-10-21", falls[0].as_of, "open")
    assert fall.as_of == first.as_of
    assert "Source small has brought 50 % less than the others let expect: that may be no spending." in plain(fall.text)
    assert "since 21 Oct 2019 source small has brought 50 % less than the others let expect" in plain(first.text)
    assert "of a fall that is told from then on, so much may be no spending" in first.text
    assert (last.status, last.resolved_on) == ("resolved", "2019-10-25")
    assert "from 21 Oct 2019 to 25 Oct 2019 source small brought 49 % less" in plain(last.text)


@pytest.mark.parametrize("sectors", [("",), ("Transport", "Retail: Food")])
def test_a_fall_that_all_sources_see_is_theirs_alone(sectors: tuple[str, ...]) -> None:
    """Of everything, or of sectors of which one of them has most."""
    run = PanelRun()
    for cell in sample():
        falls = cell.sector.startswith(sectors) and 0 <= (cell.day - MONDAY).days < 10
        mostly = 0.8 if cell.sector.startswith("Transport") else 0.3
        for source, share in (("big", 1 - mostly), ("small", mostly)):
            run.pay(cell, share * (0.4 if falls else 1.0), share * (0.4 if falls else 1.0), source)
    run.play(composed())
    assert [each.text for each in run.alerts if each.kind == "coverage"] == []
    assert [each for each in run.alerts if each.kind == "economic" and each.as_of == "2019-10-22"]


def plain(text: str) -> str:
    return text.replace("\u202f", " ")
