"""The folder of results: one finished run's files, whatever was there and however a run ends."""

import json
from pathlib import Path

import pytest

from earlywarn.adapters.run_files import RunResult, run_files
from earlywarn.adapters.run_folder import RESULTS, RunFolder
from earlywarn.cli.preparing import prepare
from earlywarn.errors import InputError

HEADER = "date,region,sector,transactions,amount,currency,country\n"
DAYS = "".join(f"2021-01-{day:02},AT13,food,100,{day}00.50,EUR,AT\n" for day in range(1, 29))
RECEIVED_MS = 1_700_000_000_000
LEARNING = (
    "panel AT: the models are still learning what is usual (28 days seen); alerts are raised from about day 90 on, "
    "none can be before"
)


def ran(path: Path, out: Path, *, report: bool = True) -> RunResult:
    ready = prepare([str(path)], config=None)
    return run_files(ready.run, ready.inputs, out, received_ms=RECEIVED_MS, report=report, assumed=ready.assumed)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "cells.csv"
    path.write_text(HEADER + DAYS)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_run_leaves_its_results_and_nothing_else(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    result = ran(cells, out)
    assert set(contents(out)) == set(RESULTS)
    assert result.report == out / "report.html"


def test_a_run_without_report_takes_the_old_report_away(cells: Path, tmp_path: Path) -> None:
    ran(cells, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    result = ran(cells, tmp_path / "out", report=False)
    assert set(contents(tmp_path / "out")) == {*RESULTS, "notes.txt"} - {"report.html"}
    assert result.report is None


def test_a_run_that_could_use_nothing_leaves_only_what_explains_it(cells: Path, tmp_path: Path) -> None:
    ran(cells, tmp_path / "out")
    bad = tmp_path / "bad.csv"
    bad.write_text(HEADER + "2021-01-01,AT13,food,10,12;5,EUR,AT\n")
    with pytest.raises(InputError, match="not one record could be used") as caught:
        ran(bad, tmp_path / "out")
    assert set(contents(tmp_path / "out")) == {"summary.json", "rejects.jsonl"}
    assert str(caught.value).splitlines()[1] == f"{bad}:2: amount: '12;5' is not a number (wrong_type)"
    assert json.loads((tmp_path / "out/summary.json").read_bytes())["accepted_records"] == 0


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, OSError])
def test_a_run_that_breaks_off_leaves_the_folder_as_it_was(
    cells: Path, tmp_path: Path, stop: type[BaseException]
) -> None:
    """An interrupt in the middle of the input: the earlier results stand, whole, and no draft does."""
    ran(cells, tmp_path / "out")
    before = contents(tmp_path / "out")
    ready = prepare([str(cells)], config=None)

    def interrupt(_: int) -> None:
        raise stop

    for out in (tmp_path / "out", tmp_path / "new" / "out"):
        with pytest.raises(stop):
            run_files(ready.run, ready.inputs, out, received_ms=RECEIVED_MS, progress=interrupt)
    assert contents(tmp_path / "out") == before
    assert not (tmp_path / "new").exists(), "folders that the run made go with it"


def test_what_is_no_result_is_never_removed(tmp_path: Path) -> None:
    """Only the names that earlywarn writes are replaced; a folder of such a name is refused, and so is an input."""
    out = tmp_path / "out"
    (out / "kept").mkdir(parents=True)
    (out / "alerts.jsonl.bak").write_text("mine")
    with RunFolder(out, []) as folder:
        (folder.draft / "summary.json").write_text("{}")
        folder.publish()
    assert sorted(path.name for path in out.iterdir()) == ["alerts.jsonl.bak", "kept", "summary.json"]
    with pytest.raises(InputError, match="is an input"), RunFolder(out, [out / "summary.json"]):
        pytest.fail("an input would be replaced")
    (out / "report.html").mkdir()
    with pytest.raises(InputError, match="is a folder"), RunFolder(out, []):
        pytest.fail("a folder would be replaced")
    assert (out / "report.html").is_dir()
    assert (out / "summary.json").read_text() == "{}"


def test_a_place_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for out, words in ((tmp_path / "file", "is a file"), (tmp_path / "file" / "out", "cannot be written")):
        with pytest.raises(InputError, match=words), RunFolder(out, []):
            pytest.fail("there is no folder")


def test_mostly_rejected_input_is_a_warning_with_examples(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(HEADER + DAYS + "2021-02-01,AT13,food,-1,1,EUR,AT\n" * 60)
    result = ran(path, tmp_path / "out", report=True)
    first, example, learning, *more = result.warnings
    assert first == "60 of 88 records were rejected (68.1 %); the first of each reason:"
    assert example == f"{path}:30: transactions: -1 is not within 0 to 10^9 (count_out_of_range)"
    assert (learning, more) == (LEARNING, [])
    assert json.loads((tmp_path / "out/summary.json").read_bytes())["warnings"] == [first, example, LEARNING]
    assert first in (tmp_path / "out/report.html").read_text()


def test_few_rejects_are_no_warning(cells: Path, tmp_path: Path) -> None:
    with cells.open("a") as stream:
        stream.write("2021-02-01,AT13,food,-1,1,EUR,AT\n" * 20)
    assert ran(cells, tmp_path / "out", report=False).warnings == (LEARNING,)
