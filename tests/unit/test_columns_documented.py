"""What the docs say of fields and columns is what is read and written, no more and no less."""

import re
from pathlib import Path

import msgspec
import pytest

from earlywarn.adapters.files import open_inputs
from earlywarn.adapters.files.mapping import CELL_FIELDS
from earlywarn.adapters.files.rejects import _Line
from earlywarn.adapters.inference import infer_panel
from earlywarn.adapters.output.aggregates import SCHEMA as AGGREGATES
from earlywarn.adapters.output.divisions import SCHEMA as DIVISIONS
from earlywarn.adapters.output.forecast import SCHEMA as FORECAST
from earlywarn.adapters.run_files import run_files
from earlywarn.application.compose import compose
from earlywarn.application.settings import Settings
from earlywarn.domain.alert import Alert
from earlywarn.domain.transaction import Transaction
from earlywarn.generate.truth import SCHEMA as TRUTH

DOCS = Path(__file__).parents[2] / "docs"


def section(page: str, heading: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    [found] = re.findall(rf"^## {re.escape(heading)}\n(.+?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def first_column(text: str, head: str) -> list[str]:
    """Return the names in the first column of the table with that heading."""
    [rows] = re.findall(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [name for row in rows.splitlines() for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


@pytest.mark.parametrize(
    ("heading", "written"),
    [
        ("aggregates.parquet", AGGREGATES.names),
        ("divisions.parquet", DIVISIONS.names),
        ("forecast.parquet", FORECAST.names),
    ],
)
def test_every_column_is_documented_in_its_order(heading: str, written: list[str]) -> None:
    told = first_column(section("outputs.md", heading), "column")
    assert sorted(told) == sorted(written)
    assert set(told[:3]) <= set(written[:5])


def test_fields_of_rejects_and_of_alerts_are_documented() -> None:
    assert first_column(section("outputs.md", "rejects.jsonl"), "field") == list(_Line.__struct_fields__)
    page = (DOCS / "interfaces.md").read_text(encoding="utf-8")
    [alert] = re.findall(r"\*\*Alert\*\*.+?\n\n", page, re.DOTALL)
    assert {name for name in Alert.__struct_fields__ if not re.search(rf"\b{name}\b", alert)} == set()


def test_keys_of_the_summary_are_documented(tmp_path: Path) -> None:
    cells = tmp_path / "cells.csv"
    cells.write_text("date,region,sector,transactions,amount,currency\n2024-01-01,A,own,9,90,CHF\n")
    inputs = open_inputs([str(cells)])
    run = compose(Settings(run="r", panels=(infer_panel(inputs).panel,)))
    run_files(run, inputs, tmp_path / "out", received_ms=1_710_000_000_000)
    summary = msgspec.json.decode((tmp_path / "out/summary.json").read_bytes(), type=dict[str, object])
    told = first_column(section("outputs.md", "summary.json"), "key")
    assert {name.partition(".")[0] for name in told} == set(summary)


def test_fields_of_inputs_are_documented() -> None:
    assert first_column(section("inputs.md", "Cells"), "field of a cell") == list(CELL_FIELDS)
    transactions = first_column(section("inputs.md", "Transactions"), "field of a transaction")
    assert sorted(transactions) == sorted(Transaction.__struct_fields__)
    generated = set(re.findall(r"`(\w+)`", section("inputs.md", "Generated data").partition("- `truth.parquet`")[2]))
    assert set(TRUTH.names) <= generated
