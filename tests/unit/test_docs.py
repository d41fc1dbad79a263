"""The generated pages are fresh and no link is broken."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge

from earlywarn.adapters.arrow_batch import ArrowBatch, decode
from earlywarn.adapters.replay import Pace, Standing
from earlywarn.adapters.replay.probed import Figures
from earlywarn.adapters.stream import aggregator_metrics, detector_metrics, metrics
from earlywarn.aggregation.columns import ARROW_STREAM, CONTENT_TYPE_HEADER
from earlywarn.application.compose import compose
from earlywarn.application.settings import PanelSettings, Settings
from earlywarn.cli.app import app
from earlywarn.domain.transaction import Transaction

BUILD = Path(__file__).parents[2] / "docs/build.py"


def test_generated_pages_are_fresh_and_links_whole() -> None:
    finished = subprocess.run([sys.executable, BUILD, "--check"], capture_output=True, text=True, check=False)  # noqa: S603  # our own script
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_no_help_is_cut() -> None:
    assert "…" not in (BUILD.parent / "commands.md").read_text(encoding="utf-8")


def test_interfaces_tell_what_is_not_built_yet() -> None:
    """Every command that docs/interfaces.md names is there, or stands in its list of what is not, as in README's."""
    page = (BUILD.parent / "interfaces.md").read_text(encoding="utf-8")
    named = {
        text.split()[0]
        for paragraph in re.findall(r"\*\*Command line\*\* `earlywarn`: (.+?)\n\n", page, re.DOTALL)
        for text in re.findall(r"`([a-z][^`]*)`", paragraph.partition("Bad usage")[0])
    } - {"alerts.jsonl", "aggregates.parquet", "forecast.parquet", "summary.json", "report.html"}
    there = {
        command.name or command.callback.__name__.replace("_", "-")
        for command in app.registered_commands
        if command.callback
    }
    there |= {str(group.name) for group in app.registered_groups}
    [missing] = re.findall(r"\*\*Not yet built\*\*(.+?)\n\n", page, re.DOTALL)
    not_yet = set(re.findall(r"`([a-z-]+)`", missing))
    assert {"run", "replay"} <= named
    assert named <= there | not_yet
    readme = (BUILD.parents[1] / "README.md").read_text(encoding="utf-8")
    [apart] = re.findall(r"## What it is not yet\n(.+?)\n## ", readme, re.DOTALL)
    assert named - there <= set(re.findall(r"`([a-z-]+)`", apart))


def test_the_map_names_every_folder_and_no_file_that_is_gone() -> None:
    page = (BUILD.parent / "architecture.md").read_text(encoding="utf-8")
    package = BUILD.parents[1] / "src/earlywarn"
    tables = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    named = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]+)`", tables))))
    folders = {path.parent.name for path in package.rglob("*.py")} - {"earlywarn"}
    assert folders <= named, folders - named
    for file in re.findall(r"[\w/]+/\w+\.py", page):
        assert (package / file).is_file() or (package.parents[1] / file).is_file(), file


def test_the_example_of_a_batched_record_is_one() -> None:
    """The page's own code makes a message that counts as the page says, under the header that services look for."""
    page = (BUILD.parent / "inputs.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    made: dict[str, Any] = {}
    exec(code, made)  # noqa: S102  # our own page
    assert made["headers"] == [(CONTENT_TYPE_HEADER, ARROW_STREAM)]
    batch = decode(made["value"])
    assert isinstance(batch, ArrowBatch)
    run = compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))
    fold = run.block_fold(0, 1)
    _, rejected = fold.add_columns(0, batch.columns, 1_551_702_900_000)
    partial = fold.flush()
    assert partial is not None
    assert rejected == []
    assert sorted((row.region, row.sector, row.transactions, row.amount_minor) for row in partial.rows) == [
        ("CH01", "restaurants", 1, 990),
        ("CH04", "grocery", 1, 1234),
    ]
    named = re.findall(r"^\| (`.+?`) \| (?:text|integer)", page, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(named))) == set(Transaction.__struct_fields__)


def test_every_metric_is_documented_and_no_other() -> None:
    families = [
        family
        for module in (metrics, aggregator_metrics, detector_metrics)
        for collector in vars(module).values()
        if isinstance(collector, Counter | Gauge)
        for family in collector.collect()
    ]
    standing = Standing()
    standing.newest_ms = 0
    families += Figures(standing, Pace(None, clock=float, sleep=print)).collect()
    shown = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    page = (BUILD.parent / "operations/metrics.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(earlywarn_\w+)", page)) == shown
