"""What a browser makes of the page where nobody scrolls: pictures of all of it, and paper."""

import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from report_page import FIRST, SUMMARY, SWISS, judged, make_run, rows

from earlywarn.adapters.report import ReportCollector, write_report
from earlywarn.application.compose import compose

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PRINTS = '<script>window.addEventListener("load", () => window.dispatchEvent(new Event("beforeprint")))</script>'


def drawn_charts(page: Path, folder: Path) -> int:
    """Return how many of the charts that can be zoomed a browser draws that shows the top of the page."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=800,600", "--virtual-time-budget=10000"]
    command = [str(CHROMIUM), *options, f"--user-data-dir={folder}", "--dump-dom", page.as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)  # noqa: S603  # Chromium
    return len(re.findall(r'class="plot-container', ran.stdout))


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
    text = page.read_text(encoding="utf-8")
    unguarded = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    printed.write_text(unguarded.replace("</body>", f"{PRINTS}</body>"), encoding="utf-8")
    assert drawn_charts(page, tmp_path / "screen") == 1
    assert drawn_charts(printed, tmp_path / "paper") == 2
