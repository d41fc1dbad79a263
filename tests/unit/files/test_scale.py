"""Amounts in thousands or millions of the currency, as tables of banks and offices have them."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from earlywarn.adapters.files import CellBatch, RowBatch, open_inputs
from earlywarn.adapters.files.mappings import parse_mapping
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Transaction

CELLS = """
{ name: bank, kind: cells, constants: { currency: EUR }, columns: { date: day, region: nuts2, sector: branch,
  transactions: n_tx, amount: { column: turnover, scale: %s } } }
"""
PAYMENTS = """
{ name: bank, kind: transactions, constants: { currency: EUR }, columns: { ts: day,
  amount: { column: turnover, scale: thousands } } }
"""


@pytest.mark.parametrize(
    ("scale", "figures", "minor"),
    [
        ("thousands", ["254.737", "0.00123456", "-0.000001"], [25_473_700, 123, 0]),
        ("millions", ["1.5", "0.00000001", "2"], [150_000_000, 1, 200_000_000]),
    ],
)
def test_cells_in_thousands_or_millions_are_whole_minor_units(
    tmp_path: Path, scale: str, figures: list[str], minor: list[int]
) -> None:
    path = tmp_path / "bank.csv"
    days = "".join(f"2025-01-0{day},PT11,food,9000,{figure}\n" for day, figure in enumerate(figures, 1))
    path.write_text(f"day,nuts2,branch,n_tx,turnover\n{days}")
    [file] = open_inputs([str(path)], parse_mapping(CELLS % scale, "bank.yaml"))
    batches = [batch for batch in file.batches() if isinstance(batch, CellBatch)]
    found = [cell.amount_minor for batch in batches for cell in batch.cells if isinstance(cell, Cell)]
    assert found == minor


def test_floating_point_thousands_are_no_rounded_amounts(tmp_path: Path) -> None:
    """Parquet in kEUR with three decimals is exact in euros."""
    path = tmp_path / "bank.parquet"
    columns = {"nuts2": ["PT11"] * 2, "branch": ["food"] * 2, "n_tx": [9000] * 2, "turnover": [254.737, 0.1 + 0.2]}
    parquet.write_table(pa.table({"day": ["2025-01-01", "2025-01-02"], **columns}), path)
    [file] = open_inputs([str(path)], parse_mapping(CELLS % "thousands", "bank.yaml"))
    [batch] = [batch for batch in file.batches() if batch.lines]
    assert isinstance(batch, CellBatch)
    assert [cell.amount_minor for cell in batch.cells if isinstance(cell, Cell)] == [25_473_700, 30_000]
    assert batch.rounded == 0


def test_an_amount_with_too_many_decimals_is_told_what_a_mapping_may_say(tmp_path: Path) -> None:
    path = tmp_path / "bank.csv"
    path.write_text("day,turnover\n2025-01-01T10:00:00Z,1.25\n2025-01-01T10:00:00Z,1.2512345\n")
    [file] = open_inputs([str(path)], parse_mapping(PAYMENTS, "bank.yaml"))
    [batch] = [batch for batch in file.batches() if batch.lines]
    assert isinstance(batch, RowBatch)
    good, bad = batch.records
    assert isinstance(good, Transaction)
    assert good.amount_minor == 125_000
    assert isinstance(bad, Reject)
    assert bad.detail == (
        "'1251.2345' has more than 2 decimals of EUR; correct it, or where most have so many say in the mapping "
        "rounding: half_even, or scale: thousands"
    )
