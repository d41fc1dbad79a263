"""A file that is not in the order of time is told for that, and for nothing else."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from earlywarn.adapters.files import open_inputs
from earlywarn.adapters.inference import infer_panel
from earlywarn.adapters.run_files import RunResult, run_files
from earlywarn.adapters.time_order import TimeOrder
from earlywarn.application.compose import compose
from earlywarn.application.settings import Settings

START, DAY = 1_551_702_896_000, 86_400_000


def run(path: Path, days: Sequence[int], *, sort: bool = False) -> RunResult:
    lines = [
        {"id": f"t{at}", "ts": START + day * DAY, "amount_minor": 100, "currency": "CHF", "mcc": "5411",
         "region": "CH04", "country": "CH"}
        for at, day in enumerate(days)
    ]  # fmt: skip
    (path / "tx.jsonl").write_text("\n".join(map(json.dumps, lines)))
    inputs = open_inputs([str(path / "tx.jsonl")])
    settings = Settings(run="r", panels=(infer_panel(inputs).panel,))
    return run_files(compose(settings), inputs, path / "out", received_ms=START + 900 * DAY, sort=sort, report=not sort)


@pytest.mark.parametrize("how", ["shuffled", "newest first", "by shop"])
def test_a_file_in_no_order_of_time_is_told_for_that(how: str, tmp_path: Path) -> None:
    """The first warning and the report's headline name the cause and the way out, not sums of weeks."""
    days = list(range(150))
    if how == "shuffled":
        random.Random(1).shuffle(days)
    days = days[::-1] if how == "newest first" else days * 2 if how == "by shop" else days
    result = run(tmp_path, days)
    first = result.warnings[0]
    assert f"{tmp_path}/tx.jsonl is not in the order of time: " in first
    assert "Run it again with --sort" in first
    assert "weeks or months" not in " ".join(result.warnings)
    assert "nothing between" not in " ".join(result.warnings), "a leap of the clock is no cause either"
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    state = page[page.index('<div class="state') : page.index('<dl class="figures">')]
    assert "he input is not in the order of time, so " in state
    assert "weeks or months" not in page
    assert run(tmp_path, days, sort=True).summary["rejected"] == {}


def test_one_wrong_time_stamp_and_a_few_late_records_are_no_disorder() -> None:
    behind_a_leap = TimeOrder()
    for day in range(100):
        behind_a_leap.add("a", START + day * DAY)
    assert behind_a_leap.unsorted({"a": 200}, has_leapt=True) == {}
    assert behind_a_leap.unsorted({"a": 200}, has_leapt=False) == {"a": 100}
    assert behind_a_leap.unsorted({"a": 20_000}, has_leapt=False) == {}
    shuffled = TimeOrder()
    for day in (5, 1, 9, 2, 8, 3):
        shuffled.add("b", START + day * DAY)
    assert shuffled.unsorted({"b": 50}, has_leapt=True) == {"b": 6}
