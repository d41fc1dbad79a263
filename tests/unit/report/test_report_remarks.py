"""The head of the page: what figures lack, what is doubtful and what was assumed are told apart, and shortly."""

import re
from pathlib import Path

from report_page import SUMMARY, SWISS, Page, collect

from earlywarn.adapters.report import write_report

LACKS = [f"8 of 100 records were rejected, case {number}" for number in range(6)]
ASSUMED = [{"setting": "currency", "value": "EUR", "reason": "the input names none (--currency)"}]


def kinds(page: Page) -> dict[str, list[str]]:
    """Return the remarks by the heading of the list that they stand in."""
    headings = dict(re.findall(r'<p class="banner-kind" id="([^"]+)"><strong>(.*?)</strong>', page.text))
    found: dict[str, list[str]] = {}
    for name, body in re.findall(r'<ul aria-labelledby="(remarks-\d)">(.*?)</ul>', page.text, flags=re.DOTALL):
        found.setdefault(headings[name], []).extend(re.findall(r"<li>(.*?)</li>", body))
    return found


def test_remarks_of_three_kinds_stand_under_headings(tmp_path: Path) -> None:
    summary = {**SUMMARY, "warnings": [*LACKS, "panel P: the clock leapt"], "assumed": ASSUMED}
    write_report(tmp_path / "report.html", collect(SWISS, 30), summary, LACKS)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert kinds(page) == {
        "Left out of the figures": LACKS,
        "Doubtful in the data": ["panel P: the clock leapt"],
        "Assumed, since nothing says it": ["currency EUR; the input names none (--currency)"],
    }
    assert "2 more" in page.words, "four of a kind are shown, the others are folded in"


def test_without_remarks_there_is_no_heading(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", collect(SWISS, 30), SUMMARY)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert not page.with_class("banner-kind")
