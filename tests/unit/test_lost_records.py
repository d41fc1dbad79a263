"""What cannot be read and is in no coverage is told: days at the end of the input, and rows without a place."""

from datetime import date, timedelta
from pathlib import Path

from typer.testing import CliRunner

from earlywarn.adapters.run_files import RunResult, run_files
from earlywarn.cli.app import app
from earlywarn.cli.preparing import prepare

HEADER = "date,region,sector,transactions,amount,currency,country\n"
RECEIVED_MS = 1_700_000_000_000
DAYS = [date(2021, 1, 1) + timedelta(at) for at in range(130)]
"""To 10 May 2021."""
CELLS = HEADER + "".join(
    f"{day},{region},food,{1000 + 7 * day.day},20000.00,EUR,AT\n" for day in DAYS for region in ("AT11", "AT12", "AT13")
)


def ran(path: Path, text: str) -> RunResult:
    path.write_text(text)
    ready = prepare([str(path)], config=None)
    return run_files(ready.run, ready.inputs, path.parent / "out", received_ms=RECEIVED_MS, report=False)


def test_last_days_of_which_nothing_can_be_read_are_told_as_missing(tmp_path: Path) -> None:
    """Rows without a date are of the days that their places suggest."""
    path = tmp_path / "cells.csv"
    result = ran(path, CELLS.replace("2021-05-09", "9 May").replace("2021-05-10", ""))
    assert result.summary["last_day"] == "2021-05-08"
    [told] = [each for each in result.warnings if "goes on" in each]
    said = "the input goes on after 2021-05-08, to 2021-05-10, and nothing of these days could be read: 6 records (see "
    assert told.startswith(said)


def test_a_last_day_of_which_a_part_can_be_read_is_published(tmp_path: Path) -> None:
    result = ran(
        tmp_path / "cells.csv", CELLS.replace("2021-05-10,AT12", "?,AT12").replace("2021-05-10,AT13", "?,AT13")
    )
    assert result.summary["last_day"] == "2021-05-10"
    assert not any("goes on" in each for each in result.warnings)
    assert isinstance(result.summary["least_coverage"], float)
    assert result.summary["least_coverage"] < 0.5


def test_a_day_after_the_last_is_told_of_what_a_day_lacks_alone(tmp_path: Path) -> None:
    """Neither of copies nor of what is of the future, where a year is a mistake."""
    more = ("2021-05-11,AT13,food,-1,1,EUR,AT", "2021-05-10,AT13,food,9,1,EUR,AT", "2031-01-01,AT13,food,x,1,EUR,AT")
    [told] = [each for each in ran(tmp_path / "cells.csv", "\n".join([CELLS, *more])).warnings if "goes on" in each]
    assert told.startswith(
        "the input goes on after 2021-05-10, to 2021-05-11, and nothing of these days could be read: 1 r"
    )


def test_records_that_do_not_say_where_they_count_are_told_beside_the_rejects(tmp_path: Path) -> None:
    """No coverage lacks them: copies are none of them, nor is what lacks its amount alone."""
    path = tmp_path / "cells.csv"
    more = ("2021-05-08,,food,9,1,EUR,AT", "2021-05-08,AT13,,9,1,EUR,AT", "2021-05-08,AT99,food,9,1,EUR,AT", "a,b")
    placed = ("2021-05-10,AT13,food,9,1,EUR,AT", "2021-05-10,AT13,fuel,9,x,EUR,AT")
    result = ran(path, "\n".join([CELLS.rstrip("\n"), *more, *placed, ""]))
    assert result.summary["rejected_unplaced"] == len(more)
    finished = CliRunner().invoke(app, ["run", str(path), "--out", str(tmp_path / "out"), "--no-report"])
    assert "rejects.jsonl; 4 of them do not say where they count, and no coverage lacks them)" in finished.stdout
    ran(path, "\n".join([CELLS.rstrip("\n"), *placed, ""]))
    finished = CliRunner().invoke(app, ["run", str(path), "--out", str(tmp_path / "out"), "--no-report"])
    assert "no coverage lacks" not in finished.stdout
