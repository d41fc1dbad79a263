"""Rows of a file that cannot be read, through the command line: told as not understood, and no fall."""

import json
from pathlib import Path

import pyarrow.parquet as pq
from command_line import Command, read_alerts
from generated_cells import write_cells

BAD = {
    ("2023-05-08", "AT13", "fuel"): "-66000.00",
    ("2023-05-15", "AT31", "retail-food"): "1e300",
    ("2023-05-22", "AT12", "accommodation"): "n/a",
}


def written(path: Path) -> Path:
    """Write cells, three of which have an amount that is none."""
    return write_cells(
        path, sunday=0.9, amount=lambda day, region, sector, right: BAD.get((str(day), region, sector), right)
    )


def test_a_row_that_cannot_be_read_is_told_and_no_fall(earlywarn: Command, tmp_path: Path) -> None:
    """Each leaves its cell unheard on its day, and with it a part of its totals; the next day says that it is over."""
    out = tmp_path / "out"
    finished = earlywarn("run", written(tmp_path / "cells.csv"), "--country", "AT", "--out", out, "--no-report")
    assert finished.returncode == 0, finished.stderr
    assert sum(json.loads((out / "summary.json").read_bytes())["rejected"].values()) == 3
    alerts = read_alerts(out)
    assert [(each["kind"], each["status"], each["as_of"]) for each in alerts] == [
        ("coverage", status, day) for day, _, _ in BAD for status in ("open", "resolved")
    ]
    assert "100\u202f% in fuel in Wien" in str(alerts[0]["text"]).replace("Fuel", "fuel")
    for row in pq.read_table(out / "aggregates.parquet").to_pylist():
        bad = [key for key in BAD if key[0] == row["start"][:10]]
        inside = [key for key in bad if row["region"] in (None, key[1]) and row["sector"] in (None, key[2])]
        if not inside:
            assert row["coverage"] == 1.0, row
        elif row["level"] == "cell":
            assert (row["transactions"], row["coverage"]) == (0, 0.0), row
        else:
            assert 0 < row["coverage"] < 1, row
