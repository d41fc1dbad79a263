"""What the page says where a percentage would say nothing: of next to nothing, and beyond tenfold."""

import re
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from report_page import FIRST, SWISS, alert, collect, page_of

from earlywarn.adapters.report import ReportCollector
from earlywarn.adapters.report.history import EXPECTED, OBSERVED, PanelHistory
from earlywarn.domain.alert import Evidence

CELL = ("CH07", "fuel")


def with_last_week(observed: float, expected: float) -> ReportCollector:
    """Return a panel whose one cell has so many of 1,000 payments a day in its last week, and so many expected."""
    collector = collect(SWISS, 200)
    for kept in list(collector.panels["P"].days)[-7:]:
        at = [(node.region, node.sector) for node in kept.nodes].index(CELL)
        kept.values[:2, OBSERVED, at] *= observed / 1000
        kept.values[:2, EXPECTED:, at] *= expected / 1000
    return collector


@pytest.mark.parametrize(
    ("observed", "expected", "cell", "words"),
    [
        (2400.0, 100.0, "24 times", "24 times what was expected"),
        (1000.0, 6.0, "more than 100 times", "more than 100 times what was expected"),
        (3.0, 2.0, "small base", "too little expected for a percentage (CHF 1 050 against CHF 700)"),
        (3.0, 0.0, "small base", "too little expected for a percentage (CHF 1 050 against CHF 0)"),
        (0.0, 1000.0, "\u2212100 %", "100 % below what was expected (CHF 0 against CHF 350 000)"),
        (0.0, 0.0, "0", "nothing came, and nothing is expected any more"),
    ],
)
def test_the_table_says_what_can_be_said(
    observed: float, expected: float, cell: str, words: str, tmp_path: Path
) -> None:
    page = page_of(with_last_week(observed, expected), tmp_path)
    [(told, title)] = [
        (text.replace("\u202f", " "), title.replace("\u202f", " "))
        for measure, text, title in page.cells()
        if measure == "amount" and title.startswith("fuel in Ticino:")
    ]
    assert told.startswith(cell)
    assert words in title
    assert ("CHF 1 050 against" in told) == (cell == "small base"), "the figures stand in the cell"
    wording = page.data()["wording"]
    assert wording == {"mostPct": 999, "mostTimes": 100, "leastPayments": 5.0}


def test_a_new_level_of_nothing_stands_beside_its_zero(tmp_path: Path) -> None:
    collector = with_last_week(0.0, 0.0)
    gone = (Evidence(name="last_days_effect", value=-100.0, unit="pct"),)
    ended: dict[str, object] = {"status": "resolved", "outcome": "accepted", "resolved_on": "2019-07-10"}
    collector.observe(alert(*CELL, FIRST + timedelta(180), evidence=gone, **ended))
    page = page_of(collector, tmp_path)
    assert "0 new level, 30 Jun 2019" in page.words
    week = PanelHistory(collector.panels["P"], 0.95).week(CELL, 1)
    assert week is not None
    assert (week.is_nothing, week.is_usual, week.share) == (True, True, 0.0)


def test_headline_and_key_figures_of_a_tiny_panel_have_no_percentage(tmp_path: Path) -> None:
    collector = collect([("CH07", "fuel")], 160)
    for kept in collector.panels["P"].days:
        kept.values[:2] *= np.float32(0.002)
    page = page_of(collector, tmp_path)
    words = page.words.replace("\u202f", " ")
    assert (
        "card spending in Testland was CHF 700 against CHF 700 expected: too little expected for a percentage" in words
    )
    assert "last week: too little expected for a percentage" in words


def test_an_open_alert_beyond_tenfold_is_told_as_a_multiple_around_it(tmp_path: Path) -> None:
    collector = collect(SWISS, 200)
    rise = alert("CH07", None, FIRST + timedelta(195), direction="up")
    evidence = (Evidence(name="effect", value=2400.0, unit="pct"),)
    collector.observe(msgspec.structs.replace(rise, evidence=evidence))
    page = page_of(collector, tmp_path)
    titles = " ".join(words for _, _, words in page.cells())
    assert "alert: card spending at 25 times what was expected since 15 Jul 2019" in titles


def test_marks_of_the_table_are_explained_beside_it(tmp_path: Path) -> None:
    """In words, each once, also for who hears the page: legends describe the table, its own stands right before it."""
    collector = collect(SWISS, 200)
    collector.observe(alert("CH07", None, FIRST + timedelta(195)))
    page = page_of(collector, tmp_path)
    tables = [attrs for tag, attrs in page.elements if tag == "table" and attrs.get("class") == "heat"]
    assert [attrs["aria-describedby"] for attrs in tables] == ["legend-0 marks-0"] * 2
    [shared] = re.findall(r'<div class="legend" id="legend-0">.*?</dl>', page.text, flags=re.DOTALL)
    [legend] = re.findall(r'<dl class="marks" id="marks-0">.*?</dl>', page.text, flags=re.DOTALL)
    words = " ".join(re.sub(r"<[^>]+>", " ", shared + legend).split())
    assert "! Exclamation mark an alert of exactly this region, or region and sector, is open" in words
    assert words.endswith("\u2013 no figure")
    terms = [re.sub(r"<[^>]+>", "", term) for term in re.findall(r"<dt>(.*?)</dt>", shared + legend)]
    assert terms == [
        "hatched",
        "bold, framed",
        "!Exclamation mark",
        "(!)Exclamation mark in brackets",
        "! withinExclamation mark, within",
        "new level",
        "small base",
        "\u2013",
    ]
    between = page.text[page.text.index(legend) + len(legend) : page.text.index('<table class="heat"')]
    assert not re.sub(r"<[^>]+>", "", between).strip()
    assert (
        '0\u202f%</a><span class="flag" aria-hidden="true">!</span><span class="sr-only">, an alert is open</span>'
        in page.text
    )


def test_what_the_table_says_is_read_without_a_mouse(tmp_path: Path) -> None:
    """Range, sums and reasons stand in a list of their own, which every figure refers to; no title hides them."""
    page = page_of(collect(SWISS, 200, last_factor=0.8), tmp_path)
    figures = [attrs for tag, attrs in page.elements if tag in {"td", "a"} and "aria-describedby" in attrs]
    ids = [attrs["id"] for tag, attrs in page.elements if tag == "li" and "id" in attrs]
    assert [attrs["aria-describedby"] for attrs in figures] == ids
    assert len(ids) == len(page.cells()) == 2 * 3 * 3, "of two measures: regions and sectors with their totals"
    assert not [attrs for tag, attrs in page.elements if tag == "td" and "title" in attrs]
    assert all("its usual range (" in words and "no alert: " in words for _, _, words in page.cells())
    assert len(page.with_class("words")) == 2


def test_why_there_is_no_alert_goes_by_the_figures_of_the_table(tmp_path: Path) -> None:
    """Payments as in the other tab, and the mean payment what is left: together they are the change of spending."""
    collector = collect(SWISS, 200)
    for kept in list(collector.panels["P"].days)[-7:]:
        kept.values[0, OBSERVED] *= np.float32(1.05)
        kept.values[1, OBSERVED] *= np.float32(1.155)
    page = page_of(collector, tmp_path)
    figures = {measure: (text, words) for measure, text, words in page.cells() if words.startswith("fuel in Ticino")}
    assert figures["transactions"][0].startswith("+5")
    told = figures["amount"][1].replace("\u202f", " ")
    assert "16 % above what was expected" in told
    assert "neither the number of payments (+5 %) nor the mean payment (+10 %) has moved enough" in told
