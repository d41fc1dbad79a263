"""What a panel is called that covers a part of its countries."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from report_page import EFFECT, FIRST, SWISS, alert, collect, make_run, page_of

from earlywarn.alerting.words import subject
from earlywarn.domain.alert import Evidence


@pytest.mark.parametrize(
    ("name", "region", "heading", "note"),
    [
        ("Switzerland", "CH04", "Switzerland (2 regions)", "2 of the 7 regions of Switzerland"),
        ("Testland", "CH04", "Testland", "2 of the 7 regions of Switzerland"),
        (
            "Switzerland, Liechtenstein",
            "LI00",
            "Switzerland (1 region) and Liechtenstein",
            "1 of the 7 regions of Switzerland",
        ),
    ],
)
def test_a_few_regions_are_not_called_by_their_country(
    tmp_path: Path, name: str, region: str, heading: str, note: str
) -> None:
    """Who reads no further must neither take a part for the whole country, nor the whole panel for a part of it."""
    page = page_of(collect(sorted([("CH07", "food"), (region, "food")]), 160, name=name), tmp_path)
    told = f"{heading} The data hold {note}. In the week to 9 June 2019, card spending in {heading} was"
    assert told in page.words


def test_cards_and_charts_of_a_part_of_a_country_do_not_claim_the_whole(tmp_path: Path) -> None:
    cells = sorted((region, sector) for region in ("CH04", "CH07") for sector in ("food", "fuel"))
    collector = collect(cells, 160, name="Switzerland")
    collector.observe(alert(None, "fuel", FIRST + timedelta(150)))
    collector.observe(alert(None, None, FIRST + timedelta(151)))
    page = page_of(collector, tmp_path)
    part = "Switzerland (2 regions)"
    assert page.words.startswith(f"{part}: early warning from card payments")
    assert f" fuel in {part} " in page.words
    assert f" {part}, all sectors " in page.words
    assert page.data()["panels"][0]["series"][0]["name"] == f"{part}: all sectors"  # type: ignore[index]
    assert " Switzerland" not in page.words.replace(part, "").replace("2 of the 7 regions of Switzerland", "")


def test_a_panel_of_all_regions_has_the_name_of_its_country() -> None:
    """Also one that held a part of them before, and one whose regions nobody knows yet."""
    names = make_run(name="Switzerland").names
    part = names.over("P", ["CH04"])
    for each in (names, names.over("P", []), part.over("P", [f"CH0{at}" for at in range(1, 8)])):
        assert subject(alert(None, None, FIRST), each) == "Switzerland, all regions and sectors"
        assert subject(alert(None, "fuel", FIRST), each) == "fuel, all regions of Switzerland"
    assert subject(alert("CH04", None, FIRST), part) == "Z\u00fcrich, all sectors"


def test_a_panel_of_many_places_is_called_in_brief_but_in_its_heading(tmp_path: Path) -> None:
    """Sentences, headings of alerts and notices name the first few places, and say how many more there are."""
    whole = "Austria, Belgium, Bulgaria, Cyprus, Czechia, Germany"
    collector = collect(sorted(("CH04", sector) for sector in ("food", "fuel")), 160, name=whole)
    text = f"{whole}, all regions and sectors: card spending down."
    collector.observe(alert(None, None, FIRST + timedelta(155), text=text))
    missing = f"{whole}: 30 % of the expected volume was not reported."
    collector.observe(alert(None, None, FIRST + timedelta(156), kind="coverage", direction="none", text=missing))
    page = page_of(collector, tmp_path)
    brief = "Austria, Belgium, Bulgaria and 3 more"
    assert f"In the week to 9 June 2019, card spending in {brief} was" in page.words
    assert f"Open: {brief}, all regions and sectors (card spending down" in page.words
    assert f"Mind the data. {brief}: 30 % of the expected volume" in page.words
    assert re.findall(r"<h4>(.*?)</h4>", page.text) == [f"{brief}, all regions and sectors"] * 2
    assert '<p class="sentence">Card spending down.</p>' in page.text
    assert re.findall(rf"<h1[^>]*>{whole}</h1>", page.text), "the whole of it is told once"


def test_the_first_lines_say_one_thing_each(tmp_path: Path) -> None:
    """What is open, what lasts, and what has no alert stand apart: one long paragraph is read by nobody."""
    collector = collect(SWISS, 200, last_factor=0.9)
    evidence = (Evidence(name="last_days_effect", value=-20.0, unit="pct"),)
    over: dict[str, object] = {"status": "resolved", "outcome": "accepted", "resolved_on": "2019-06-20"}
    collector.observe(alert("CH04", "food", FIRST + timedelta(130), evidence=evidence, **over))
    collector.observe(alert("CH07", "fuel", FIRST + timedelta(195), direction="up", evidence=(EFFECT,)))
    told = re.findall(r'<p class="state-alerts">(.*?)</p>', page_of(collector, tmp_path).text)
    starts = ["One alert is open", "1 shock lasts as a new level", "Largest change without an alert: "]
    assert [sentence.startswith(start) for sentence, start in zip(told, starts, strict=True)] == [True] * 3
