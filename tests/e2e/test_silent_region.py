"""A region that comes no more before the end of the input: summary, aggregates, alerts and report all say so."""

import json
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
from command_line import Command, read_alerts
from generated_cells import write_cells

GONE = date(2023, 5, 17)


def written(path: Path) -> Path:
    """Write cells of which AT31, two fifths of all payments, is not reported from `GONE` on."""
    return write_cells(
        path, sunday=0.4, amount=lambda day, region, _, right: right if region != "AT31" or day < GONE else None
    )


def test_everything_that_a_run_leaves_says_that_a_region_is_missing(earlywarn: Command, tmp_path: Path) -> None:
    """Coverage stands beside every row that is without it, and beside no other."""
    out = tmp_path / "out"
    finished = earlywarn("run", written(tmp_path / "cells.csv"), "--country", "AT", "--out", out)
    assert finished.returncode == 0, finished.stderr
    warning = f"panel AT: nothing was reported of region AT31 from {GONE} to the end of the input"
    assert warning in finished.stderr
    summary = json.loads((out / "summary.json").read_bytes())
    assert [text for text in summary["warnings"] if text.startswith(warning)]
    assert 0.55 < summary["least_coverage"] < 0.65
    for row in pq.read_table(out / "aggregates.parquet").to_pylist():
        is_gone = row["start"][:10] >= GONE.isoformat()
        if not is_gone or (row["region"] or "AT31") != "AT31":
            assert (row["coverage"], row["coverage_volume"]) == (1.0, 1.0), row
        elif row["region"] == "AT31":
            assert (row["transactions"], row["coverage"], row["coverage_volume"]) == (0, 0.0, 0.0), row
        else:
            assert 0.55 < row["coverage"] == row["coverage_volume"] < 0.65, row
    notices = [alert for alert in read_alerts(out) if alert["kind"] == "coverage"]
    assert [(alert["status"], alert["as_of"]) for alert in notices] == [
        ("open", "2023-05-17"),
        ("updated", "2023-05-24"),
    ]
    assert "nothing has been reported since 17 May 2023 (8 days, to 24 May 2023)" in str(notices[-1]["text"])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Austria (4 regions) without Ober\u00f6sterreich was" in page
    assert "every day complete" not in page
    assert "No alert is open" not in page
