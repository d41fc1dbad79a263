"""Rows of a file that cannot be read, through the command line: told as not understood, and no fall."""

import csv
import json
import math
import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
from command_line import Command, read_alerts

FIRST, DAYS = date(2023, 1, 1), 150
REGIONS = {"AT11": 1, "AT12": 2, "AT13": 3, "AT31": 4}
SECTORS = {"retail-food": 1, "accommodation": 2, "fuel": 3}
WEEKDAYS = (1, 1, 1, 1.05, 1.3, 1.4, 0.9)
BAD = {
    ("2023-05-08", "AT13", "fuel"): "-66000.00",
    ("2023-05-15", "AT31", "retail-food"): "1e300",
    ("2023-05-22", "AT12", "accommodation"): "n/a",
}


def written(path: Path) -> Path:
    """Write cells, three of which have an amount that is none."""
    dice = random.Random(7)  # noise
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["date", "region", "sector", "transactions", "amount"])
        for day in (FIRST + timedelta(offset) for offset in range(DAYS)):
            for region, wide in REGIONS.items():
                for sector, large in SECTORS.items():
                    count = int(1000 * wide * large * WEEKDAYS[day.weekday()] * math.exp(dice.gauss(0, 0.05)))
                    amount = BAD.get((str(day), region, sector), f"{20 * large * count:.2f}")
                    rows.writerow([day, region, sector, count, amount])
    return path


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
