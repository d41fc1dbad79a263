"""The folder of results: one finished run's files, whatever was there and however a run ends."""

import errno
import html
import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earlywarn.adapters.disk_room import told_when_full
from earlywarn.adapters.run_files import RunResult, run_files
from earlywarn.adapters.run_folder import RESULTS, RunFolder
from earlywarn.cli.app import app
from earlywarn.cli.preparing import prepare
from earlywarn.errors import ConfigError, InputError

HEADER = "date,region,sector,transactions,amount,currency,country\n"
DAYS = "".join(f"2021-01-{day:02},AT13,food,100,{day}00.50,EUR,AT\n" for day in range(1, 29))
RECEIVED_MS = 1_700_000_000_000
SHOCKED = HEADER + "".join(
    f"{date(2021, 1, 1) + timedelta(at)},{region},food,{count},{count * 20 + 7 * at % 11}.00,EUR,AT\n"
    for at in range(130)
    for place, region in enumerate(("AT11", "AT12", "AT13"))
    for count in [round((1000 + 13 * at * (place + 2) % 29) * (0.5 if at >= 120 and region == "AT13" else 1))]
)
"""130 days to 10 May 2021; from the 121st on half of Vienna's payments are missing."""
LEARNING = (
    "panel AT: the models are still learning what is usual (28 days seen); alerts are raised from about day 90 on, "
    "none can be before"
)

LACKING = "Figures lack them, so a fall may be no more than that"


def ran(path: Path, out: Path, *, report: bool = True, country: str | None = None) -> RunResult:
    ready = prepare([str(path)], config=None, country=country)
    return run_files(
        ready.run,
        ready.inputs,
        out,
        received_ms=RECEIVED_MS,
        report=report,
        assumed=ready.assumed,
        inferred=ready.inferred,
    )


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


def test_a_run_that_could_use_nothing_leaves_earlier_results_and_what_explains_it(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran(cells, out)
    before = contents(out)
    bad = tmp_path / "bad.csv"
    bad.write_text(HEADER + "2021-01-01,AT13,food,10,12;5,EUR,AT\n")
    for folder, name in ((out, "failed.rejects.jsonl"), *[(tmp_path / "new", "rejects.jsonl")] * 2):
        with pytest.raises(InputError, match="not one record could be used") as caught:
            ran(bad, folder)
        first, example = str(caught.value).splitlines()
        assert f"see {folder / name}" in first
        assert example == f"{bad}:2: amount: '12;5' is not a number (wrong_type)"
    failed = {"failed.summary.json", "failed.rejects.jsonl"}
    assert set(contents(tmp_path / "new")) == {"summary.json", "rejects.jsonl"}, "there are no results to leave"
    assert {name: content for name, content in contents(out).items() if name not in failed} == before
    assert set(contents(out)) == {*before, *failed}
    assert json.loads((out / "failed.summary.json").read_bytes())["accepted_records"] == 0
    ran(cells, out)
    assert set(contents(out)) == set(RESULTS), "the next run takes away what explained the failed one"


def test_settings_that_cannot_be_used_leave_earlier_results(cells: Path, tmp_path: Path) -> None:
    ran(cells, tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "bad.toml").write_text("run = 5\n")
    with pytest.raises(ConfigError):
        prepare([str(cells)], config=tmp_path / "bad.toml")
    with pytest.raises(InputError):
        ran(tmp_path / "none.csv", tmp_path / "out")
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_results_that_cannot_all_be_moved_leave_the_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: BaseException
) -> None:
    """A move in the middle fails: what was moved before goes back, and no draft is left."""
    earlier = dict.fromkeys(RESULTS, b"earlier")
    out = tmp_path / "out"
    out.mkdir()
    for name, content in earlier.items():
        (out / name).write_bytes(content)
    replace, moves = Path.replace, []

    def failing(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 8:
            raise stop
        return replace(self, target)

    with RunFolder(out, []) as folder:
        for name in RESULTS[:4]:
            (folder.draft / name).write_text("new")
        monkeypatch.setattr(Path, "replace", failing)
        with pytest.raises((InputError, KeyboardInterrupt)):
            folder.publish()
    assert len(moves) > 8
    assert contents(out) == earlier


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


@pytest.mark.parametrize("words", ["No space left on device", "Error writing bytes to file. Detail: [errno 28]"])
def test_a_full_disk_names_the_folder_and_the_way_out(cells: Path, tmp_path: Path, words: str) -> None:
    """Whatever library was writing, and whatever it says; other errors stay what they are."""
    ready = prepare([str(cells)], config=None)

    def write(_: int) -> None:
        raise OSError(errno.ENOSPC, words)

    out = tmp_path / "out"
    told = f"{out}: cannot be written to: No space left on device; make room there, or choose another folder (--out)"
    with pytest.raises(InputError, match=re.escape(told)):
        run_files(ready.run, ready.inputs, out, received_ms=RECEIVED_MS, progress=write)
    assert not out.exists()
    with pytest.raises(OSError, match="Input/output"), told_when_full(out):
        raise OSError(errno.EIO, "Input/output error")


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
    first, example, mostly, end, learning, *more = result.warnings
    assert (
        first
        == f"60 of 88 records were rejected (68.1 %), all as count_out_of_range. {LACKING}; the first of each reason:"
    )
    assert example == f"{path}:30: transactions: -1 is not within 0 to 10^9 (count_out_of_range)"
    assert mostly.startswith(f"{path}: most of it could not be read, 60 of 88 records. What is published of it is not ")
    assert end.startswith("the input goes on after 2021-01-28, to 2021-02-01, and nothing of these days could be ")
    assert (learning, more) == (LEARNING, [])
    told = json.loads((tmp_path / "out/summary.json").read_bytes())["warnings"]
    assert told == [first, example, mostly, end, LEARNING]
    assert first in (tmp_path / "out/report.html").read_text()


def test_a_share_of_rejects_that_may_hide_a_region_is_a_warning_with_its_commonest_reason(tmp_path: Path) -> None:
    """One region of four is mistyped, and one row has no count."""
    path = tmp_path / "cells.csv"
    regions = "".join(DAYS.replace("AT13", region) for region in ("AT11", "AT12", "AT13", "AT3l"))
    path.write_text(HEADER + regions + "2021-01-28,AT13,food,-1,1,EUR,AT\n")
    first, *examples, learning = ran(path, tmp_path / "out", report=False, country="AT").warnings
    told = "29 of 113 records were rejected (25.6 %), 28 of them as region_unknown"
    assert (first, learning) == (f"{told}. {LACKING}; the first of each reason:", LEARNING)
    assert [line.rpartition(" ")[2] for line in examples] == ["(region_unknown)", "(count_out_of_range)"]


def test_few_rows_of_another_notation_are_to_be_corrected(tmp_path: Path) -> None:
    """A mapping would read them and nothing else: it is not named as the way out."""
    path = tmp_path / "cells.csv"
    path.write_text(HEADER + DAYS.replace("2021-01-07", "07.01.2021").replace("2021-01-09", "09.01.2021"))
    *_, way_out, learning = ran(path, tmp_path / "out", report=False).warnings
    assert way_out == (
        f"{path}: correct lines 8 (date '07.01.2021'), 10 (date '09.01.2021') in the file: a mapping that reads them "
        "would make others unreadable, or something else"
    )
    assert learning == LEARNING


def test_regions_by_their_names_are_told_with_their_codes(tmp_path: Path) -> None:
    """By local name, whatever its case and accents, and by ISO 3166-2; of what nobody knows nothing is guessed."""
    path = tmp_path / "cells.csv"
    names = ("Tirol", "KÄRNTEN", "AT-5", "Tyrolia")
    path.write_text(HEADER + DAYS + "".join(f"2021-02-01,{name},food,1,1,EUR,AT\n" for name in names))
    ran(path, tmp_path / "out", report=False, country="AT")
    rejects = [json.loads(line) for line in (tmp_path / "out/rejects.jsonl").read_bytes().splitlines()]
    told = dict(each["detail"].split(" is no region of the panel") for each in rejects)
    assert told == {
        "'Tirol'": "; did you mean AT33?",
        "'KÄRNTEN'": "; did you mean AT21?",
        "'AT-5'": "; did you mean AT32?",
        "'Tyrolia'": "",
    }


def test_records_of_another_country_are_told_with_it_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    head, days = (text.replace(",EUR,AT", "").replace(",currency,country", "") for text in (HEADER, DAYS))
    path.write_text(head + days)
    with pytest.raises(InputError) as refused:
        ran(path, tmp_path / "out", country="DE")
    _, example, way_out = str(refused.value).splitlines()
    assert example == f"{path}:2: region: 'AT13' is of AT, and the panel is of DE (panel_unknown)"
    told = "no panel takes records of Austria (AT): 28"
    assert way_out == f"panel_unknown: {told}; if that is right, name it (--country AT, or countries in the settings)"
    path.write_text(head + days + days.replace("AT13", "DE30") + "2021-02-01,CH04,food,1,1\n")
    *_, way_out = ran(path, tmp_path / "out", report=False, country="AT").warnings[:3]
    told = "Germany (DE): 28, Switzerland (CH): 1"
    assert way_out == (
        f"panel_unknown: no panel takes records of {told}; if that is right, name them (countries in the settings)"
    )


def test_few_rejects_are_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(SHOCKED + "2021-02-01,AT13,food,-1,1,EUR,AT\n" * 3)
    result = ran(path, tmp_path / "out", report=False)
    assert (result.summary["rejected"], result.warnings) == ({"count_out_of_range": 3}, ())
    first = f"{path}:{SHOCKED.count(chr(10)) + 1}: transactions: -1 is not within 0 to 10^9 (count_out_of_range)"
    assert result.summary["rejected_first"] == {"count_out_of_range": first}


def test_figures_do_not_lack_copies(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text(HEADER + DAYS + DAYS)
    first, *_ = ran(path, tmp_path / "out", report=False).warnings
    assert first == "28 of 56 records were rejected (50 %), all as duplicate_cell; the first of each reason:"
    path.write_text(HEADER + DAYS + DAYS + "2021-02-01,AT13,food,-1,1,EUR,AT\n")
    first, *_ = ran(path, tmp_path / "out", report=False).warnings
    assert "28 of them as duplicate_cell. Figures lack 1 of them (the others are copies), so a fall" in first


def test_rows_that_contradict_earlier_ones_are_told_first_whatever_copies_stand_before_them(tmp_path: Path) -> None:
    """However few they are: a copy does no harm, and a district under the code of its country does."""
    path = tmp_path / "cells.csv"
    lines = SHOCKED.splitlines(keepends=True)
    path.write_text("".join([*lines[:20], *lines[5:7], *lines[20:], lines[1].replace(",food,", ",food,1")]))
    result = ran(path, tmp_path / "out", report=False)
    at = len(lines) + 3
    [told] = result.warnings
    assert told.startswith(
        "1 row has other figures than an earlier one of the same date, region and sector, which alone "
    )
    assert told.endswith(f"; the first is {path}:{at}")
    example = result.summary["rejected_first"]
    assert isinstance(example, dict)
    assert example["duplicate_cell"].startswith(
        f"{path}:{at}: date: date, region and sector: stands on line 2 already, "
    )
    path.write_text(HEADER + DAYS + DAYS + DAYS.replace(",100,", ",90,"))
    told, share, *_ = ran(path, tmp_path / "out", report=False).warnings
    assert told.startswith("28 rows have other figures than an earlier one ")
    assert "all as duplicate_cell. Figures lack 28 of them (the others are copies), so a fall" in share


def test_files_that_lack_many_of_their_records_are_a_warning_in_a_long_run_too(tmp_path: Path) -> None:
    """Of a history in 130 files, three regions each, one lost a region and one the counts of two."""
    days = tmp_path / "days"
    days.mkdir()
    _, *rows = SHOCKED.splitlines(keepends=True)
    for at in range(130):
        day = "".join(rows[3 * at : 3 * at + 3])
        broken = day.replace(",food,", ",food,-", 2) if at == 60 else day.replace("AT13", "AT3l") if at == 70 else day
        (days / f"{at:03}.csv").write_text(HEADER + broken)
    ready = prepare([str(days / "*.csv")], config=None, country="AT")
    result = run_files(ready.run, ready.inputs, tmp_path / "out", received_ms=RECEIVED_MS)
    told = "2 of 3 records were rejected (66.6 %), all as count_out_of_range (and many of 1 more file)"
    [warning] = result.warnings
    assert warning == (
        f"{days / '060.csv'}: {told}. Figures of its days lack them, so a fall of these may be no more than that"
    )
    assert json.loads((tmp_path / "out/summary.json").read_bytes())["warnings"] == [warning]
    assert html.unescape((tmp_path / "out/report.html").read_text()).count(warning) == 1


@pytest.mark.parametrize(
    ("received", "stated", "exercise"),
    [
        ("2021-05-11", None, False),
        ("2021-07-09", None, False),
        ("2021-07-10", None, True),
        ("2021-07-10", False, False),
        ("2021-05-11", True, True),
    ],
)
def test_an_inferred_panel_is_an_exercise_if_its_history_is_past(
    tmp_path: Path, received: str, *, stated: bool | None, exercise: bool
) -> None:
    """60 days after its end it is live data still; what is stated holds. Alerts, summary and report say the same."""
    path, out = tmp_path / "cells.csv", tmp_path / "out"
    path.write_text(SHOCKED)
    ready = prepare([str(path)], config=None, exercise=stated)
    result = run_files(
        ready.run, ready.inputs, out, assumed=ready.assumed, past_days=ready.past_days,
        received_ms=int(datetime.fromisoformat(f"{received}T12:00").replace(tzinfo=UTC).timestamp() * 1000),
    )  # fmt: skip
    written = [json.loads(line)["exercise"] for line in (out / "alerts.jsonl").read_text().splitlines()]
    assert written
    assert {*written, *(alert.exercise for alert in result.alerts), result.summary["exercise"]} == {exercise}
    assert ("Exercise." in (out / "report.html").read_text()) is exercise
    told = {each.setting: each for each in result.assumed}
    assert [each["setting"] for each in json.loads((out / "summary.json").read_bytes())["assumed"]] == [*told]
    if stated is None:
        assert told["exercise"].value == str(exercise).lower()
        assert "the input ends on 2021-05-10" in told["exercise"].reason
    else:
        assert "exercise" not in told


@pytest.mark.parametrize("step", [7, 30])
def test_sums_of_weeks_or_months_are_no_days(tmp_path: Path, step: int) -> None:
    """They are told for what they are: nothing is said of a history too short, or of days that are complete."""
    path, out = tmp_path / "cells.csv", tmp_path / "out"
    days = [date(2021, 1, 1) + timedelta(at) for at in range(0, 300, step)]
    path.write_text(HEADER + "".join(f"{day},AT13,food,7000,70000.50,EUR,AT\n" for day in days))
    result = ran(path, out)
    closed = (days[-1] - days[0]).days + 1
    [warning] = result.warnings
    assert warning.startswith(f"panel AT: values on {len(days)} of {closed} days; one row per local day is needed")
    assert result.summary["least_coverage"] == len(days) / closed
    report = (out / "report.html").read_text()
    assert f"Austria (1 region): values on {len(days)} of {closed} days" in report
    assert f"The input has values on {len(days)} of {closed} days" in report
    assert report.count("Most days have no value, so there is nothing to compare here.") == 3
    learning = ("still learning what is usual", "nothing to compare with yet", 'class="explorer"', "no shock found")
    as_of_days = ("every day complete", "of the expected volume was heard.", 'class="sketch', 'class="years"')
    for wrong in (*learning, *as_of_days):
        assert wrong not in report, wrong
    assert f"values on {len(days)} of {closed} days, to {days[-1].day} {days[-1]:%B %Y}" in report


def test_days_on_which_nothing_comes_are_not_called_complete(tmp_path: Path) -> None:
    """A panel that rests on Sundays is one of days, and its Sundays are told."""
    path, out = tmp_path / "cells.csv", tmp_path / "out"
    days = [day for day in (date(2021, 1, 1) + timedelta(at) for at in range(100)) if day.weekday() < 6]
    path.write_text(HEADER + "".join(f"{day},AT13,food,7000,70000.50,EUR,AT\n" for day in days))
    assert not any("one row per local day" in each for each in ran(path, out).warnings)
    report = (out / "report.html").read_text()
    assert "all that was expected; no value on 14 days" in report
    assert "every day complete" not in report


def test_cells_that_contradict_themselves_are_counted_and_told(tmp_path: Path) -> None:
    path, out = tmp_path / "cells.csv", tmp_path / "out"
    odd = DAYS.splitlines(keepends=True)
    odd[3] = odd[3].replace(",100,", ",0,")
    odd[9] = odd[9].replace("1000.50", "0.00")
    odd[11] = "2021-01-12,AT13,food,0,0.00,EUR,AT\n"
    path.write_text(HEADER + "".join(odd))
    result = ran(path, out, report=False)
    assert (result.summary["one_sided_cells"], result.summary["rejected"]) == (2, {})
    told = "cells with transactions and no amount, or an amount and no transactions: 2; they count as they stand, "
    assert result.warnings == (f"{told}the first is {path}:5", LEARNING)


@pytest.mark.parametrize(("amount", "told"), [(".507,", True), (".4999999999998,", False)])
def test_amounts_that_were_nearly_all_rounded_are_told_unless_it_is_what_floating_point_sums_leave(
    tmp_path: Path, amount: str, *, told: bool
) -> None:
    path, out = tmp_path / "cells.csv", tmp_path / "out"
    path.write_text(HEADER + DAYS.replace(".50,", amount))
    result = ran(path, out)
    assert result.summary["amounts_rounded"] == (28 if told else 0)
    said = f"{path}: 28 of 28 amounts have more decimals than their currency and were rounded. "
    assert any(each.startswith(said) and "scale: thousands" in each for each in result.warnings) == told
    assert ("28 of 28 amounts" in (out / "report.html").read_text().partition("Doubtful in the data")[2]) == told


def test_a_day_in_the_future_is_told_as_it_stands_in_the_file(tmp_path: Path) -> None:
    """A cell has a date, no epoch milliseconds; a transaction's time is told as it stands and as people read it."""
    path = tmp_path / "cells.csv"
    path.write_text(HEADER + DAYS + "2099-01-01,AT13,food,100,1.00,EUR,AT\n")
    ran(path, tmp_path / "out", report=False)
    [reject] = map(json.loads, (tmp_path / "out/rejects.jsonl").read_text().splitlines())
    detail = "2099-01-01: after the time of receipt and its tolerance, 2023-11-14T22:18:20Z"
    assert (reject["line"], reject["field"], reject["detail"]) == (30, "date", detail)
    record = '{"id":"1","ts":%d,"amount_minor":100,"currency":"EUR","mcc":"5411","region":"AT13"}\n'
    lines = tmp_path / "days.jsonl"
    lines.write_text(record % 1_613_000_000_000 + record % 4_070_948_400_000)
    ran(lines, tmp_path / "out", report=False)
    [reject] = map(json.loads, (tmp_path / "out/rejects.jsonl").read_text().splitlines())
    assert reject["field"] == "ts"
    assert reject["detail"].startswith("4070948400000 (2099-01-01T11:00:00Z): after the time of receipt and its toler")


def test_the_days_of_a_history_are_those_from_its_first_to_its_last(tmp_path: Path) -> None:
    """Also of transactions, whose first day may have begun before the input and is not judged."""
    path = tmp_path / "days.jsonl"
    record = '{"id":"1","ts":"2021-03-%02dT11:00:00Z","amount_minor":1,"currency":"EUR","mcc":"5411","region":"AT13"}\n'
    path.write_text("".join(record % day for day in range(1, 31)))
    result = ran(path, tmp_path / "out")
    [warning] = result.warnings
    assert "(30 days seen)" in warning
    assert "(30 days seen)" in (tmp_path / "out/report.html").read_text()


@pytest.mark.parametrize("contents_of_input", ["", " \n", HEADER])
def test_an_input_without_a_record_leaves_a_summary_that_says_so(
    contents_of_input: str, tmp_path: Path, cells: Path
) -> None:
    """Beside results of an earlier run it is called failed.*, and these stay, whether the file has a header or not."""
    path, out = tmp_path / "nothing.csv", tmp_path / "out"
    path.write_text(contents_of_input)
    finished = CliRunner().invoke(app, ["run", str(path), "--out", str(out)])
    assert isinstance(finished.exception, InputError)
    assert set(contents(out)) == {"summary.json", "rejects.jsonl"}
    summary = json.loads((out / "summary.json").read_bytes())
    assert summary["failed"].startswith(f"{path}: ")
    assert summary["failed"] in str(finished.exception)
    assert (summary["inputs"], summary["records"]) == ([str(path)], 0)
    result = ran(cells, out, report=False)
    assert result.summary["failed"] == ""
    before = contents(out)
    CliRunner().invoke(app, ["run", str(path), "--out", str(out)])
    after = contents(out)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"failed.summary.json", "failed.rejects.jsonl"}
