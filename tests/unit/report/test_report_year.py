"""Slow changes: the last seven days against the year before, of the panel, each region and each sector."""

import re
from datetime import timedelta
from pathlib import Path

import numpy as np
from report_page import FIRST, SWISS, Page, collect, page_of, rows

from earlywarn.adapters.report import ReportCollector
from earlywarn.adapters.report.collector import PanelRecord
from earlywarn.aggregation.rows import AggregateRows, Coverage, Gap

DAYS = 400


def changed(offset: int, change: float, *, vintage: int = 0, payments: int = 7000) -> AggregateRows:
    """Return the rows of a day whose 7-day sums are `change` (payments: half of it) off those of the year before."""
    made = rows(FIRST + timedelta(offset), SWISS, vintage=vintage)
    made.windows["7d"] = np.array([[payments, 350_000_00]] * len(made.series))
    made.year_on_year[:] = (change / 2, change)
    return made


def table(page: Page) -> dict[str, list[str]]:
    [found] = re.findall(r'<table class="years">.*?</table>', page.text.replace("\u202f", " "), flags=re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, flags=re.DOTALL) for row in found.split("<tr>")[3:]]
    plain = [[re.sub(r"<[^>]+>", " ", cell).strip() for cell in row] for row in cells]
    return {" ".join(name.split()): values[:4] for name, *values in plain}


def collected() -> ReportCollector:
    return collect(SWISS, DAYS)


def test_a_slow_decline_is_seen_beside_what_is_expected(tmp_path: Path) -> None:
    collector = collected()
    collector.observe(changed(DAYS - 2, -0.5))
    collector.observe(changed(DAYS - 1, -0.12))
    collector.observe(changed(DAYS - 3, 0.9, vintage=1))  # a correction of an older day is no newer day
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


def test_a_series_of_another_day_or_of_too_little_says_so(tmp_path: Path) -> None:
    collector = collected()
    collector.observe(changed(DAYS - 2, 0.2))
    last = changed(DAYS - 1, 20.0)
    for at, series in enumerate(last.series):
        if series.region == "CH07":
            last.year_on_year[at] = np.nan  # nothing a year before
        if series.sector == "food":
            last.windows["7d"][at, 0] = 350  # 350 payments were 32 in a week the year before
    collector.observe(last)
    told = table(page_of(collector, tmp_path))
    assert told["Ticino to 3 Feb 2020"][0] == "+20 %"
    assert told["Z\u00fcrich"][0] == "21 times"
    assert told["food"][::2] == ["small base", "small base"]


def test_sums_that_lack_data_say_so(tmp_path: Path) -> None:
    """A silent region is no decline; a gap a year before is no rise."""
    collector = collected()
    gaps = {3: Gap(("CH07",), totals=((None, None, 0.5), ("CH07", None, 0.0))), 364: Gap((), ((None, "food", 0.2),))}
    record: PanelRecord = collector.panels["P"]
    for back, gap in gaps.items():
        day = FIRST + timedelta(DAYS - 1 - back)
        record.coverage.remove((day, Coverage()))
        record.coverage.append((day, Coverage(gap=gap)))
    collector.observe(changed(DAYS - 1, -0.12))
    told = table(page_of(collector, tmp_path))
    assert "Ticino data missing in this week" in told
    assert "All regions and sectors data missing in this week" in told
    assert "food data missing a year before" in told
    assert "Z\u00fcrich" in told
