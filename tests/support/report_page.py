"""Panels of even days with alerts of our making, and the page that the report makes of them, taken apart."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np

from earlywarn.adapters.report import ReportCollector, write_report
from earlywarn.aggregation.rows import AggregateRows, ClosedDay, Coverage
from earlywarn.application.compose import Run, compose
from earlywarn.application.fold import JudgedDay
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.detection import day_scores
from earlywarn.detection.day_scores import DayScores, Deviation
from earlywarn.detection.effect_bank import EffectBank, EffectParameters
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.domain.alert import Alert, Evidence
from earlywarn.domain.series import CellKey, Series, series_of

FIRST = date(2019, 1, 1)
HOSTILE = '</script><script>alert(1)</script><img src="https://evil.example/x" onerror=alert(1)>'
EMPTY_ELEMENTS = {"meta", "input", "br", "img", "link", "base"}
SUMMARY: dict[str, object] = {
    "earlywarn": "0.1.0",
    "run": "test",
    "model_version": "1",
    "inputs": [f"{HOSTILE}.csv"],
    "received_at": "2020-03-01T00:00:00+00:00",
    "records": 1000,
    "accepted_records": 990,
    "transactions": 123456,
    "late_transactions": 7,
    "rejected": {"region_unknown": 8, "too_late": 2},
    "amounts_rounded": 3,
    "revised_rows": 0,
    "seconds": 1.5,
}


class Page(HTMLParser):
    """A page taken apart: elements with their attributes, scripts by id, and the text that is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(text)
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.words += " "
        self.elements.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an empty element."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that elements nest."""
        self.words += " "
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what is read, and scripts."""
        if self.open and self.open[-1] == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        elif self.open and self.open[-1] != "style":
            self.words += data

    def with_class(self, name: str) -> list[tuple[str, dict[str, str | None]]]:
        """Return the elements of a class."""
        return [each for each in self.elements if name in (each[1].get("class") or "").split()]

    def cells(self) -> list[tuple[str, str, str]]:
        """Return of the figures of the table of regions by sectors the measure, the cell's text, and it in words."""
        words = dict(re.findall(r'<li id="([^"]+)">(.*?)</li>', self.text))
        cells = [
            (re.search(r'aria-describedby="words-\d+-(\w+)-[^"]*"', cell), cell)
            for table in re.findall(r'<table class="heat".*?</table>', self.text, flags=re.DOTALL)
            for cell in re.findall(r"<td.*?</td>", table)
        ]
        return [
            (found[1], re.sub(r"<[^>]+>", "", cell), words[found[0].split('"')[1]]) for found, cell in cells if found
        ]

    def data(self) -> dict[str, list[dict[str, object]]]:
        """Return the data of the charts."""
        found = next(text for attrs, text in self.scripts if attrs.get("id") == "chart-data")
        return json.loads(found)  # type: ignore[no-any-return]


EFFECT = Evidence(name="effect", value=-20.0, unit="pct")


def make_run(**panel: object) -> Run:
    settings = PanelSettings(
        id="P",
        name=str(panel.pop("name", "Testland")),
        countries=(),
        currency="CHF",
        time_zone="Europe/Zurich",
        region_level="none",
        any_region=True,
        classification="open",
        resolution="day",
    )
    return compose(Settings(run="test", panels=(settings,)))


def judged(day: date, cells: list[tuple[str, str]], *, factor: float = 1.0, ready: bool = True) -> JudgedDay:
    """Return a day on which every node has `factor` of the 1,000 expected payments of each of its cells."""
    tree = NodeTree(cells)
    size = tree.sizes.astype(float)
    wave = 1 + 0.01 * ((day.toordinal() * 7) % 5 - 2)

    def deviation(each: float) -> Deviation:
        expected = each * size
        return Deviation(expected * factor * wave, expected, 0.9 * expected, 1.1 * expected, np.zeros(len(size)))

    nothing = np.zeros(len(size))
    evidence = day_scores.Evidence(nothing, nothing.astype(np.int64), nothing.astype(np.int64), nothing, nothing)
    scores = DayScores(
        day=day,
        usable=True,
        nodes=tree.nodes,
        ready=np.full(len(size), ready),
        usable_days=np.full(len(size), 100),
        holiday=np.zeros(len(size), dtype=bool),
        down=evidence,
        up=evidence,
        transactions=deviation(1000.0),
        amount=deviation(50_000_00.0),
        mean_ticket=deviation(50_00.0),
        effects=EffectBank(EffectParameters(), tree, window_days=21).effects(np.zeros(len(size), dtype=bool)),
        reach=1.96,
        contributions=np.zeros((len(size), len(cells))),
        mix_regions=(),
        mix_rank=np.zeros(0),
        drifting=(),
        muted=np.zeros(len(size), dtype=bool),
    )
    keys = tuple(CellKey(*cell) for cell in cells)
    counts = np.full(len(cells), 1000)
    return JudgedDay(
        ClosedDay(
            "P",
            day,
            keys,
            counts,
            counts * 5000,
            Coverage(),
            complete=True,
            cells_heard=np.ones(len(keys)),
            cells_new=np.zeros(len(keys), dtype=bool),
        ),
        scores,
    )


def rows(
    day: date, cells: list[tuple[str, str]], *, coverage: Coverage | None = None, vintage: int = 0
) -> AggregateRows:
    series = series_of("P", tuple(CellKey(*cell) for cell in cells))
    counts = np.full(len(series), 1000)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return AggregateRows(
        panel="P",
        bucket="day",
        start_seconds=int(start.timestamp()),
        start=start.isoformat(),
        series=series,
        vintage=np.full(len(series), vintage),
        transactions=counts,
        amount_minor=counts * 5000,
        windows={},
        year_on_year=np.full((len(series), 2), np.nan),
        coverage=coverage or Coverage(),
        volume_heard=np.ones(len(series)),
    )


def alert(region: str | None, sector: str | None, day: date, **changes: object) -> Alert:
    series = Series("P", region, sector)
    made = Alert(
        id=f"{series.series_id} {day}",
        revision=1,
        sequence=1,
        run="test",
        kind="economic",
        status="open",
        panel="P",
        level=series.level,
        series_id=series.series_id,
        region=region,
        sector=sector,
        measure="amount",
        direction="down",
        severity="severe",
        probability=0.99,
        opened_on=day.isoformat(),
        detected_on=day.isoformat(),
        resolved_on=None,
        as_of=day.isoformat(),
        observed=4000.0,
        expected=5000.0,
        lower=4500.0,
        upper=5500.0,
        change_pct=-20.0,
        score=1.5,
        evidence=(),
        parent=None,
        children=(),
        supersedes=None,
        provisional=False,
        exercise=False,
        text=f"{region} {sector}: spending fell.",
        model_version="1",
        config_hash="c0ffee",
    )
    return msgspec.structs.replace(made, **changes)


def collect(
    cells: list[tuple[str, str]], days: int, *, ready_from: int = 90, name: str = "Testland", last_factor: float = 1.0
) -> ReportCollector:
    collector = ReportCollector(make_run(name=name))
    for offset in range(days):
        day = FIRST + timedelta(offset)
        factor = last_factor if offset >= days - 7 else 1.0
        collector.observe(rows(day, cells))
        collector.observe(judged(day, cells, factor=factor, ready=offset >= ready_from))
    return collector


def page_of(collector: ReportCollector, tmp_path: Path, summary: dict[str, object] | None = None) -> Page:
    path = tmp_path / "report.html"
    write_report(path, collector, SUMMARY if summary is None else summary)
    return Page(path.read_text(encoding="utf-8"))


SWISS = [("CH04", "food"), ("CH04", "fuel"), ("CH07", "food"), ("CH07", "fuel")]
