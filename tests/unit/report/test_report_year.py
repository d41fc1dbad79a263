"""Slow changes: the last seven days against the year before, of the panel, each region and each sector."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from report_page import FIRST, SWISS, Page, alert, collect, page_of

from earlywarn.adapters.report import ReportCollector
from earlywarn.domain.series import CellKey

DAYS = 400
WIDE = [(f"CH0{region}", f"s{sector}") for region in range(1, 7) for sector in range(1, 7)]
"""Of 36 cells of equal size, so that a region or sector is a sixth."""


def table(page: Page) -> dict[str, list[str]]:
    [found] = re.findall(r'<table class="years">.*?</table>', page.text.replace("\u202f", " "), flags=re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in found.split("<tr>")[3:]]
    plain = [[re.sub(r"<[^>]+>", " ", cell).strip() for cell in row] for row in cells]
    return {" ".join(name.split()): values[:4] for name, *values in plain}


def changed(
    collector: ReportCollector, days: range, factors: tuple[float, float], hit: Callable[[CellKey], bool]
) -> ReportCollector:
    """Change payments and spending of cells on days (so many before the end); NaN is not heard, 0 is nothing there."""
    for back in days:
        kept = collector.panels["P"].days[-1 - back]
        for at, node in enumerate(kept.nodes):
            if node.level == "cell" and hit(CellKey(node.region or "", node.sector or "")):
                kept.values[0, :, at] *= factors[0]
                kept.values[1, :, at] *= factors[1]
    return collector


def words_of(collector: ReportCollector, tmp_path: Path) -> str:
    return page_of(collector, tmp_path).words.replace("\u202f", " ")


def test_a_slow_decline_is_seen_beside_what_is_expected(tmp_path: Path) -> None:
    collector = changed(collect(SWISS, DAYS), range(7), (0.94, 0.88), lambda _: True)
    page = page_of(collector, tmp_path)
    assert list(table(page)) == ["All regions and sectors", "Z\u00fcrich", "Ticino", "food", "fuel"]
    assert all(told[::2] == ["\u221212 %", "\u22126 %"] for told in table(page).values())
    assert table(page)["Ticino"][1::2] == ["0 %", "0 %"]
    assert "slowly, over months, raises no alert" in page.words
    assert "from the 7 days to 4 Feb 2020 against the same weekdays a year (364 days) before" in page.words
    words = page.words.replace("\u202f", " ")
    assert "last week 0 % against expected; \u221212 % against a year before" in words
    assert "Spending was 12 % below that of a year before; slow changes raise no alert. No alert is open" in words


def test_less_than_a_year_is_said(tmp_path: Path) -> None:
    page = page_of(collect(SWISS, 160), tmp_path)
    assert "not known yet: 160 of the 371 days that it needs have been seen" in page.words
    assert not page.with_class("years")
    assert "against a year before;" not in page.words
    assert "that of a year before" not in page.words


@pytest.mark.parametrize("years_back", [0, 364])
def test_a_region_that_was_not_heard_in_one_year_is_left_out_of_both(tmp_path: Path, years_back: int) -> None:
    """Neither a silent region is a decline, nor a gap of the year before a rise."""
    collector = collect(WIDE, DAYS)
    changed(collector, range(years_back, years_back + 7), (np.nan, np.nan), lambda cell: cell.region == "CH06")
    page = page_of(collector, tmp_path)
    words = page.words.replace("\u202f", " ")
    assert "Spending was at that of a year before, without Zentralschweiz." in words
    assert "0 % against a year before, without Zentralschweiz" in words
    told = table(page)
    assert told["All regions and sectors without Zentralschweiz"][::2] == ["0 %", "0 %"]
    assert told["s1 without Zentralschweiz"][::2] == ["0 %", "0 %"]
    assert told["Zentralschweiz"][::2] == ["no comparison", "no comparison"]
    assert told["Ticino" if "Ticino" in told else "Z\u00fcrich"][::2] == ["0 %", "0 %"]


def test_days_that_were_not_heard_are_left_out_of_both_years(tmp_path: Path) -> None:
    collector = changed(collect(WIDE, DAYS), range(366, 367), (np.nan, np.nan), lambda _: True)
    assert "Spending was at that of a year before, without 1 of the 7 days." in words_of(collector, tmp_path)


def test_a_few_days_of_a_region_are_left_out_with_how_many(tmp_path: Path) -> None:
    """Of all of it as the region, of one of its sectors as that; of a total that has the other days it is not gone."""
    collector = changed(collect(WIDE, DAYS), range(2), (np.nan, np.nan), lambda cell: cell == ("CH06", "s1"))
    told = "Spending was at that of a year before, without"
    assert f"{told} 1 sector in a region (2 days)." in words_of(collector, tmp_path)
    collector = changed(collect(WIDE, DAYS), range(2), (np.nan, np.nan), lambda cell: cell[0] == "CH06")
    assert f"{told} Zentralschweiz (2 days)." in words_of(collector, tmp_path)


def test_what_no_figure_shows_is_not_named(tmp_path: Path) -> None:
    """A small cell that is new would stand in every first line for a year."""
    collector = changed(collect(WIDE, DAYS), range(60, DAYS), (0.0, 0.0), lambda cell: cell == ("CH06", "s1"))
    changed(collector, range(60), (0.01, 0.01), lambda cell: cell == ("CH06", "s1"))
    assert "Spending was at that of a year before. No alert is open" in words_of(collector, tmp_path)


@pytest.mark.parametrize(
    ("days", "hit", "name"),
    [
        (range(100, DAYS), lambda cell: cell.region == "CH06", "Zentralschweiz"),
        (range(100, DAYS), lambda cell: cell.sector == "s6", "s6"),
    ],
)
def test_what_is_new_since_is_no_rise(tmp_path: Path, days: range, hit: Callable[[CellKey], bool], name: str) -> None:
    collector = changed(collect(WIDE, DAYS), days, (0.0, 0.0), hit)
    assert f"Spending was at that of a year before, without {name}." in words_of(collector, tmp_path)


def test_a_sector_of_another_name_is_no_fall(tmp_path: Path) -> None:
    collector = changed(collect(WIDE, DAYS), range(60, DAYS), (0.0, 0.0), lambda cell: cell.sector == "s6")
    changed(collector, range(60), (0.0, 0.0), lambda cell: cell.sector == "s5")
    assert "Spending was at that of a year before, without s5 and s6." in words_of(collector, tmp_path)


def test_too_little_that_can_be_compared_has_no_figure(tmp_path: Path) -> None:
    """Of a gap of four days a year before the other three would say it all."""
    collector = changed(collect(WIDE, DAYS), range(364, 368), (np.nan, np.nan), lambda _: True)
    changed(collector, range(7), (1.5, 1.5), lambda _: True)
    page = page_of(collector, tmp_path)
    assert (
        "There is no comparison with a year before: missing in one of the two years are 4 of the 7 days." in page.words
    )
    assert page.words.count("; no comparison with a year before") == 2, "the key figures"
    assert "of a year before, " not in page.words
    assert table(page)["s1"][::2] == ["no comparison", "no comparison"]


def test_small_bases_and_large_rises_are_no_percentages(tmp_path: Path) -> None:
    collector = changed(collect(SWISS, DAYS), range(7), (21.0, 21.0), lambda cell: cell.region == "CH04")
    changed(collector, range(364, 371), (0.001, 0.001), lambda cell: cell.sector == "food")
    told = table(page_of(collector, tmp_path))
    assert told["food"][::2] == ["small base", "small base"]
    assert told["fuel"][0] == "11 times"


def test_the_year_before_says_nothing_of_alerts(tmp_path: Path) -> None:
    collector = collect(SWISS, DAYS)
    collector.observe(alert("CH07", None, FIRST + timedelta(DAYS - 2)))
    assert "Spending was at that of a year before. One alert is open" in words_of(collector, tmp_path)
