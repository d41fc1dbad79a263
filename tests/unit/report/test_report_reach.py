"""What a panel is called that covers a part of its countries."""

from pathlib import Path

import pytest
from report_page import collect, page_of


@pytest.mark.parametrize(
    ("name", "region", "heading", "note"),
    [
        ("Switzerland", "CH04", "2 of the 7 regions of Switzerland", ""),
        ("Testland", "CH04", "Testland", "Of its countries the data hold 2 of the 7 regions of Switzerland."),
        ("Switzerland, Liechtenstein", "LI00", "1 of the 7 regions of Switzerland and Liechtenstein", ""),
    ],
)
def test_a_few_regions_are_not_called_by_their_country(
    tmp_path: Path, name: str, region: str, heading: str, note: str
) -> None:
    """Who reads no further than the headline must not take a part of a country for the whole of it."""
    page = page_of(collect(sorted([("CH07", "food"), (region, "food")]), 160, name=name), tmp_path)
    assert (
        f"{heading} {note} In the week to 9 June 2019, card spending in {heading} was".replace("  ", " ") in page.words
    )
