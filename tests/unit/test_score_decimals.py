"""`score`: which sign stands before decimals is not guessed where a number may be two."""

import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earlywarn.adapters.series_csv import read_series, score_file
from earlywarn.cli.app import app

GROUPED = "is no finite number; write it without signs between thousands, and name its decimal sign (--decimal)"


@pytest.mark.parametrize(
    ("delimiter", "value", "decimal", "number", "problem"),
    [
        (";", "1,5", "", 1.5, ""),
        (";", "12.5", "", 12.5, ""),
        (";", "0,123", "", 0.123, ""),
        (";", "1,2345", "", 1.2345, ""),
        (";", "1,234", "", None, "value: '1,234' may be 1.234 or 1234; say the decimal sign (--decimal)"),
        (";", "1,234", ",", 1.234, ""),
        (";", "12.5", ",", None, f"value: '12.5' {GROUPED}"),
        (";", "1,5", ".", None, f"value: '1,5' {GROUPED}"),
        (";", "1.234,5", "", None, f"value: '1.234,5' {GROUPED}"),
        (";", "1 234,5", ",", None, f"value: '1 234,5' {GROUPED}"),
        (",", '"1,234"', "", None, f"value: '1,234' {GROUPED}"),
        (",", '"1,234"', ",", 1.234, ""),
        (",", "12.5", "", 12.5, ""),
        ("\t", "high", "", None, "value: 'high' is no finite number"),
    ],
)
def test_a_number_is_read_by_its_decimal_sign_or_says_the_way_out(
    tmp_path: Path, delimiter: str, value: str, decimal: str, number: float | None, problem: str
) -> None:
    path = tmp_path / "series.csv"
    path.write_text(f"timestamp{delimiter}value\n2026-01-01{delimiter}{value}\n")
    [row] = read_series(path, decimal=decimal)
    assert row.problem == problem
    assert problem or row.number == number


def test_rows_that_may_be_two_numbers_are_listed_and_the_others_scored(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text("timestamp;value\n2026-01-01;1,234\n2026-01-02;1,5\n2026-01-03;12.5\n")
    summary = score_file(path, io.StringIO())
    assert (summary.scored, summary.bad) == (2, 1)
    finished = CliRunner().invoke(app, ["score", str(path)])
    assert finished.exit_code == 1
    assert f"{path}:2: value: '1,234' may be 1.234 or 1234; say the decimal sign (--decimal)" in finished.stderr
    named = CliRunner().invoke(app, ["score", str(path), "--decimal", ",", "--out", str(tmp_path / "scored.csv")])
    assert f"{path}:4: value: '12.5' is no finite number; " in named.stderr
    assert (tmp_path / "scored.csv").read_text().startswith('timestamp,value,score\n2026-01-01,"1,234",0.')
