"""The generated pages are fresh and no link is broken."""

import re
import subprocess
import sys
from pathlib import Path

from prometheus_client import Counter, Gauge

from earlywarn.adapters.stream import fold_metrics, metrics
from earlywarn.cli.app import app

BUILD = Path(__file__).parents[2] / "docs/build.py"


def test_generated_pages_are_fresh_and_links_whole() -> None:
    finished = subprocess.run([sys.executable, BUILD, "--check"], capture_output=True, text=True, check=False)  # noqa: S603  # our own script
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_interfaces_tell_what_is_not_built_yet() -> None:
    """Every command that docs/interfaces.md names is there, or stands in its list of what is not, as in README's."""
    page = (BUILD.parent / "interfaces.md").read_text(encoding="utf-8")
    named = {
        text.split()[0]
        for paragraph in re.findall(r"\*\*Command line\*\* `earlywarn`: (.+?)\n\n", page, re.DOTALL)
        for text in re.findall(r"`([a-z][^`]*)`", paragraph.partition("Bad usage")[0])
    } - {"alerts.jsonl", "aggregates.parquet", "summary.json", "report.html"}
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


def test_every_metric_is_documented_and_no_other() -> None:
    families = [
        family
        for module in (metrics, fold_metrics)
        for collector in vars(module).values()
        if isinstance(collector, Counter | Gauge)
        for family in collector.collect()
    ]
    shown = {f"{each.name}_total" if each.type == "counter" else each.name for each in families}
    page = (BUILD.parent / "operations/metrics.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(earlywarn_\w+)", page)) == shown
