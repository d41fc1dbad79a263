"""The map: regions that are not the whole of their country lie on it, drawn pale, without becoming too small to see."""

import re
from pathlib import Path

import pytest
from report_page import SWISS, collect, page_of

from earlywarn.adapters.report.labels import place_labels
from earlywarn.adapters.report.territory import Territory, territory
from earlywarn.reference.nuts import load_regions


def extent(paths: list[str]) -> tuple[float, float]:
    """Return width and height of what paths draw."""
    points = [tuple(map(float, point.split())) for path in paths for point in re.split("[MLZ]+", path) if point]
    return tuple(max(each) - min(each) for each in zip(*points, strict=True))  # type: ignore[return-value]


def drawn(*codes: str) -> Territory:
    return territory(codes, load_regions())


@pytest.mark.parametrize("codes", [("CH07",), ("CH01", "CH02"), ("DE3", "DE4"), ("AT12", "AT13"), ("CH011", "CH070")])
def test_regions_lie_in_their_country(codes: tuple[str, ...]) -> None:
    """The country fills the map, and the regions lie within it at its scale."""
    found = drawn(*codes)
    width, height = extent([found.land])
    assert (width, height) == pytest.approx((found.width - 12, found.height - 12), abs=0.3)
    across, along = extent([each.path for each in found.shapes])
    assert 0.25 <= max(across / width, along / height) <= 1


@pytest.mark.parametrize("country", ["CH", "DE", "FR", "NO", "PT", "UK"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_complete_panel_is_its_country(country: str, level: int) -> None:
    assert not drawn(*load_regions().codes(level, country)).land


@pytest.mark.parametrize("codes", [("AT13",), ("DE3",), ("FR10",), ("ES70",), ("FRY1", "FRY2"), ("LI",)])
def test_small_or_distant_regions_fill_the_map_alone(codes: tuple[str, ...]) -> None:
    found = drawn(*codes)
    assert not found.land
    width, height = extent([each.path for each in found.shapes])
    assert max(width / (found.width - 12), height / (found.height - 12)) == pytest.approx(1, abs=0.01)


def test_figures_that_would_touch_on_a_phone_stand_at_different_heights() -> None:
    """Vorarlberg lies beside Tirol; of the other regions of Austria none lifts its figure."""
    labels = place_labels(territory(load_regions().codes(2, "AT"), load_regions()), lambda code: code)
    assert {code for code, label in labels.items() if label.is_lifted} == {"AT34"}
    assert abs(labels["AT34"].x - labels["AT33"].x) < 112


def test_countries_around_several_regions_are_drawn_together() -> None:
    """Of a panel of two countries, of which one is whole, both are drawn; what lies overseas is not."""
    found = drawn("BE1", "BE2", "BE3", "FRE1", "FRE2", "FRY1")
    assert found.missing == ("FRY1",)
    assert found.land.count("M") > 1
    assert extent([found.land])[1] == pytest.approx(found.height - 12, abs=0.3)


def test_the_country_is_no_part_of_what_is_read_or_followed(tmp_path: Path) -> None:
    page = page_of(collect(SWISS, 120), tmp_path)
    land = page.with_class("land")
    assert [(tag, attrs["aria-hidden"]) for tag, attrs in land] == [("path", "true")] * 2, "one for each measure"
    for figure in re.findall(r'<svg class="map .*?</svg>', page.text, flags=re.DOTALL):
        assert figure.index('class="land"') < figure.index("<a "), "it lies behind the regions"
