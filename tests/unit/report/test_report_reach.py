"""What a panel is called that covers a part of its countries."""

from datetime import timedelta
from pathlib import Path

import pytest
from report_page import FIRST, alert, collect, make_run, page_of

from earlywarn.alerting.words import subject


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
