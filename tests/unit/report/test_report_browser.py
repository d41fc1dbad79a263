"""What a browser makes of the page where nobody scrolls: pictures of all of it, and paper."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest
from report_page import FIRST, SUMMARY, SWISS, collect, judged, make_run, rows

from earlywarn.adapters.report import ReportCollector, write_report
from earlywarn.application.compose import compose

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PRINTS = '<script>window.addEventListener("load", () => window.dispatchEvent(new Event("beforeprint")))</script>'


OPENS = """<script>window.addEventListener("load", () => {
  document.querySelector(".chart-table").open = true;
  for (const choice of ["measure-0", "view-0"]) document.getElementsByName(choice)[1].click();
  setTimeout(() => Plotly.Fx.hover(document.querySelector(".chart"), [0, 1, 2, 3].map((line) => (
    { curveNumber: line, pointNumber: 159 }))), 3000);
})</script>"""
"""Single days of payments: the table of the chart, and what is read beside the mouse on the last day."""


def drawn_charts(page: Path, folder: Path) -> int:
    """Return how many of the charts that can be zoomed a browser draws that shows the top of the page."""
    return len(re.findall(r'class="plot-container', dumped(page, folder)))


def dumped(page: Path, folder: Path) -> str:
    """Return what a browser has made of a page, as text."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=800,600", "--virtual-time-budget=10000"]
    command = [str(CHROMIUM), *options, f"--user-data-dir={folder}", "--dump-dom", page.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)  # noqa: S603  # Chromium
    return ran.stdout


def with_script(page: Path, script: str) -> None:
    """Write a page again with a script of ours, which its policy would not let run."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    page.write_text(text.replace("</body>", f"{script}</body>"), encoding="utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_charts_are_drawn_where_nobody_scrolls(tmp_path: Path) -> None:
    """The first at once, for pictures of the whole page; all of them before the page is printed."""
    settings = make_run().settings
    other = msgspec.structs.replace(settings.panels[0], id="Q", name="Elsewhere", countries=("CH",))
    collector = ReportCollector(compose(msgspec.structs.replace(settings, panels=(*settings.panels, other))))
    for day in (FIRST + timedelta(offset) for offset in range(160)):
        for panel in ("P", "Q"):
            seen = judged(day, SWISS)
            collector.observe(replace(rows(day, SWISS), panel=panel))
            collector.observe(replace(seen, closed=replace(seen.closed, panel=panel)))
    page, printed = tmp_path / "report.html", tmp_path / "printed.html"
    write_report(page, collector, SUMMARY)
    shutil.copy(page, printed)
    with_script(printed, PRINTS)
    assert drawn_charts(page, tmp_path / "screen") == 1
    assert drawn_charts(printed, tmp_path / "paper") == 2


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_payments_are_whole_numbers_in_a_chart_and_its_table(tmp_path: Path) -> None:
    """What is packed for the chart is not; of fewer than five expected the alerts tell tenths as well."""
    collector = collect(SWISS, 160)
    for kept in collector.panels["P"].days:
        kept.values[:2] *= np.float32(1.2345)
    for kept in list(collector.panels["P"].days)[-2:]:
        kept.values[0] *= np.float32(0.25 / 1234.5)
    page = tmp_path / "report.html"
    write_report(page, collector, SUMMARY)
    with_script(page, OPENS)
    drawn = dumped(page, tmp_path / "screen")
    [table] = re.findall(r'<details class="chart-table".*?</tbody>', drawn, flags=re.DOTALL)
    told = [re.findall(r"<td>([^<]*)</td>", row) for row in table.split("<tr>")]
    last, _, ordinary = (row for row in told[2:5])
    assert (last[0], last[1], last[2]) == ("9 Jun 2019", "1", "1")
    assert last[4:] == ["0.9", "1.1"]
    assert ordinary[1:3] == ["5\u202f037", "4\u202f938"]
    [layer] = re.findall(r'<g class="hoverlayer">(.*?)</svg>', drawn, flags=re.DOTALL)
    assert " ".join(re.sub(r"<[^>]+>", " ", layer).split()) == "up to 1.1 usual from 0.9 expected 1 observed 1"
