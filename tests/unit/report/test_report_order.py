"""The order of the alerts: what is open first, then the gravest, then what is widest; it is said beside them."""

import re
from datetime import timedelta
from pathlib import Path

from report_page import FIRST, SWISS, Page, alert, collect, page_of

from earlywarn.adapters.report import ReportCollector
from earlywarn.domain.alert import Evidence


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
