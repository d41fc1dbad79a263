"""Results are functions of the log: where they are made, nobody asks what time it is."""

import ast
from pathlib import Path

import pytest

import earlywarn

ROOT = Path(earlywarn.__file__).parent
PURE = ("domain", "aggregation", "detection", "alerting")
STREAM = ("application/aggregator.py", "application/detector.py", "application/fold.py", "adapters/stream")
WALL = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
MONOTONIC = {("time", "monotonic"), ("time", "monotonic_ns"), ("time", "perf_counter")}


def asked(path: Path) -> set[tuple[str, str]]:
    """Return the (module or class, function) pairs that a file mentions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add((node.value.id, node.attr))
        if isinstance(node, ast.ImportFrom):
            found |= {(node.module or "", alias.name) for alias in node.names}
    return found


def files(places: tuple[str, ...]) -> list[Path]:
    return [
        path for place in places for path in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    ]


@pytest.mark.parametrize("path", files(PURE), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_core_reads_no_clock(path: Path) -> None:
    assert not asked(path) & (WALL | MONOTONIC)


@pytest.mark.parametrize("path", files(STREAM), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_services_read_no_wall_clock(path: Path) -> None:
    """A clock that jumps can move nothing: flushes, idleness and snapshots go by a clock that does not go back."""
    assert not asked(path) & WALL
