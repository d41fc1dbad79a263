"""`generate` from the command line: cells of foreign files, and a result for machines."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earlywarn.cli.app import app
from earlywarn.errors import InputError

FOREIGN = "Day;Gebiet;Branche;Anzahl;Umsatz\n" + "".join(
    f"{day}.02.2021;Nord;food;50;1000,50\n" for day in range(1, 29)
)
MAPPING = """
{ name: ours, kind: cells, format: { delimiter: ';', decimal: ',' }, constants: { currency: EUR },
  columns: { date: { column: Day, date_format: '%d.%m.%Y' }, region: Gebiet, sector: Branche,
  transactions: Anzahl, amount: Umsatz } }
"""


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "foreign.csv"
    path.write_text(FOREIGN)
    return path


def test_cells_of_a_foreign_file_are_expanded_and_the_truth_is_printed_for_machines(cells: Path) -> None:
    (cells.parent / "ours.yaml").write_text(MAPPING)
    options = ["--mapping", str(cells.parent / "ours.yaml"), "--no-poisson", "--json"]
    finished = CliRunner().invoke(app, ["generate", str(cells), "--out", str(cells.parent / "load.jsonl"), *options])
    assert finished.exit_code == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert (found["file"], found["transactions"], found["amount_minor"]) == ("load.jsonl", 28 * 50, 28 * 100_050)
    assert found == json.loads((cells.parent / "load.truth.json").read_text())


def test_who_is_told_of_a_mapping_is_told_how_its_dates_are_written(cells: Path) -> None:
    finished = CliRunner().invoke(app, ["generate", str(cells), "--out", str(cells.parent / "load.jsonl")])
    assert isinstance(finished.exception, InputError)
    assert "(--mapping FILE" in str(finished.exception)
    assert "columns: { date: { column: Day, date_format: '%d.%m.%Y' }, region: COLUMN, " in str(finished.exception)
    assert not list(cells.parent.glob("load*"))


def test_dates_of_which_day_and_month_may_be_either_are_told_both_ways(cells: Path) -> None:
    """The name of the column says nothing, its dates do."""
    cells.write_text("Tag,Gebiet,Branche,Anzahl\n03/04/2021,Nord,food,50\n03/05/2021,Nord,food,50\n")
    finished = CliRunner().invoke(app, ["generate", str(cells), "--out", str(cells.parent / "load.jsonl")])
    assert "date: { column: Tag, date_format: '%m/%d/%Y' }" in str(finished.exception)
    assert " } } (or, where days stand first, date_format: '%d/%m/%Y'); all keys" in str(finished.exception)


def test_a_mapping_without_cells_is_bad_usage() -> None:
    finished = CliRunner().invoke(app, ["generate", "--out", "load.jsonl", "--mapping", "swiss-cards"])
    assert finished.exit_code == 2
    assert "--mapping" in finished.output
