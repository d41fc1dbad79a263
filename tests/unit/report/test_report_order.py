"""The order of the alerts: what is open first, then the gravest, then what is widest; it is said beside them."""

import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from report_page import EFFECT, FIRST, SWISS, Page, alert, collect, page_of

from earlywarn.adapters.report import ReportCollector
from earlywarn.adapters.report.hardest_hit import largest_without_alert
from earlywarn.adapters.report.history import PanelHistory
from earlywarn.adapters.report.levels import Returns
from earlywarn.adapters.report.standing import Standing
from earlywarn.domain.alert import Direction, Evidence


def titles(page: Page) -> list[str]:
    return re.findall(r"<h4>(.*?)</h4>", page.text)


def test_severity_ranks_open_alerts_then_their_part_of_spending_then_their_age(tmp_path: Path) -> None:
    collector = collect(SWISS, 200)
    made = [
        alert("CH07", "food", FIRST + timedelta(199), severity="medium"),
        alert("CH04", "food", FIRST + timedelta(170), severity="high"),
        alert("CH04", "fuel", FIRST + timedelta(180), severity="high"),
        alert(None, "fuel", FIRST + timedelta(175), severity="high"),
        alert("CH07", "fuel", FIRST + timedelta(150), severity="severe"),
    ]
    for each in made:
        collector.observe(each)
    page = page_of(collector, tmp_path)
    assert titles(page) == [
        "fuel in Ticino",
        "fuel, all regions of Testland",
        "fuel in Z\u00fcrich",
        "food in Z\u00fcrich",
        "food in Ticino",
    ]
    assert "The gravest first; of equal severity, that with the largest part of all spending." in page.words
    assert "Part of all spending 50 %" in page.words.replace("\u202f", " ")


def test_alerts_that_the_first_lines_do_not_name_are_counted_with_their_regions(tmp_path: Path) -> None:
    collector = collect(SWISS, 200)
    for region, sector in (*SWISS, (None, "fuel")):
        grade = "severe" if region == "CH04" else "high"
        collector.observe(alert(region, sector, FIRST + timedelta(190), severity=grade))
    words = page_of(collector, tmp_path).words
    first = words[words.index("First: ") :]
    assert "; fuel in Z\u00fcrich (" in first
    assert "); then 3 more, in all regions and Ticino." in first


@pytest.mark.parametrize(
    ("region", "sector", "direction", "named"),
    [
        ("CH07", "food", "up", "Ticino, all sectors"),
        ("CH07", "food", "down", "Z\u00fcrich, all sectors"),
        ("CH07", None, "down", "Z\u00fcrich, all sectors"),
        (None, "food", "down", "Ticino, all sectors"),
        (None, None, "down", ""),
        (None, None, "up", "Ticino, all sectors"),
    ],
)
def test_the_largest_change_of_which_no_alert_tells_is_named(
    region: str | None, sector: str | None, direction: Direction, named: str
) -> None:
    """An alert of the same direction tells of it: its own, one around it that it moves along with, one within it."""
    collector = collect(SWISS, 200, last_factor=0.9)
    effect = msgspec.structs.replace(EFFECT, value=-12.0 if direction == "down" else 12.0)
    collector.observe(alert(region, sector, FIRST + timedelta(195), direction=direction, evidence=(effect,)))
    history, run = PanelHistory(collector.panels["P"], 0.95), collector.run
    standing = Standing(list(collector.alerts.values()), None, run.settings, run.names, [], Returns([]))
    told = largest_without_alert(history, standing, run.names).replace("\u202f", " ")
    assert told.startswith(f"Largest change without an alert: {named}, 10 % below" if named else "")
    assert bool(told) == bool(named)


def test_the_largest_change_of_which_no_alert_tells_stands_in_the_first_lines(tmp_path: Path) -> None:
    words = page_of(collect(SWISS, 200, last_factor=0.9), tmp_path).words.replace("\u202f", " ")
    assert "No alert is open. Largest change without an alert: Ticino, all sectors, 10 % below what was" in words
    assert "without an alert:" not in page_of(collect(SWISS, 200), tmp_path).words


def test_a_new_level_of_next_to_nothing_is_counted_and_not_named_in_the_first_lines(tmp_path: Path) -> None:
    collector = collect(SWISS, 200)
    for kept in collector.panels["P"].days:
        small = [(node.region, node.sector) == ("CH07", "fuel") for node in kept.nodes]
        kept.values[1, :, small] *= 0.001
    evidence = (Evidence(name="last_days_effect", value=-20.0, unit="pct"),)
    over: dict[str, object] = {"status": "resolved", "outcome": "accepted", "resolved_on": "2019-06-20"}
    collector.observe(alert("CH07", "fuel", FIRST + timedelta(130), evidence=evidence, **over))
    words = page_of(collector, tmp_path).words.replace("\u202f", " ")
    assert "1 shock lasts as a new level, now taken as usual: less than 0.1 % of all spending." in words


def test_what_is_over_comes_after_what_lasts_newest_first(tmp_path: Path) -> None:
    collector = collect(SWISS, 200)
    over: dict[str, object] = {"status": "resolved", "outcome": "recovered", "resolved_on": "2019-06-20"}
    accepted = {**over, "outcome": "accepted"}
    evidence = (Evidence(name="last_days_effect", value=-20.0, unit="pct"),)
    collector.observe(alert("CH04", "food", FIRST + timedelta(120), severity="severe", **over))
    collector.observe(alert("CH04", "fuel", FIRST + timedelta(150), severity="medium", **over))
    collector.observe(alert("CH07", "food", FIRST + timedelta(130), severity="medium", evidence=evidence, **accepted))
    collector.observe(alert("CH07", "fuel", FIRST + timedelta(100), severity="medium"))
    page = page_of(collector, tmp_path)
    assert titles(page) == ["fuel in Ticino", "food in Ticino", "fuel in Z\u00fcrich", "food in Z\u00fcrich"]
    assert page.words.count("Newest first.") == 1
    assert "1 shock lasts as a new level, now taken as usual: food in Ticino (card spending" in page.words


def test_without_any_spending_the_score_ranks(tmp_path: Path) -> None:
    collector: ReportCollector = collect(SWISS, 200)
    for kept in collector.panels["P"].days:
        kept.values[1] = 0
    collector.observe(alert("CH04", "food", FIRST + timedelta(150), score=1.1))
    collector.observe(alert("CH07", "food", FIRST + timedelta(140), score=2.1))
    page = page_of(collector, tmp_path)
    assert titles(page) == ["food in Ticino", "food in Z\u00fcrich"]
    assert "Part of all spending" not in page.words


def test_lines_do_not_end_within_a_date_or_between_a_currency_and_its_amount(tmp_path: Path) -> None:
    collector = collect(SWISS, 200)
    text = "Down 20 % since 16 Jul 2019. On 19 Jul 2019: CHF 1\u202f000 against CHF 2\u202f000 expected."
    collector.observe(alert("CH04", "food", FIRST + timedelta(196), text=text))
    page = page_of(collector, tmp_path).text
    assert text.replace("CHF ", "CHF\u00a0").replace(" Jul 2019", "\u00a0Jul\u00a02019") in page
    assert "In the week to 19\u00a0July\u00a02019, card spending in Testland was" in page
    assert "(card spending down by an unknown size since 16\u00a0Jul\u00a02019)" in page


def test_severities_of_what_is_over_are_not_taken_for_those_of_today(tmp_path: Path) -> None:
    collector = collect(SWISS, 200)
    collector.observe(alert("CH04", "food", FIRST + timedelta(196), severity="medium"))
    assert "Alerts 1 1 open; 1 medium" in page_of(collector, tmp_path).words
    over: dict[str, object] = {"status": "resolved", "outcome": "recovered", "resolved_on": "2019-06-20"}
    collector.observe(alert("CH07", "food", FIRST + timedelta(120), **over))
    assert "Alerts 2 1 open; in all 1 severe, 1 medium" in page_of(collector, tmp_path).words
