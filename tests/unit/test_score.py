"""`score`: one univariate CSV in, the same rows with a score out."""

import gzip
import io
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from earlywarn.adapters.series_csv import HELD_ROWS, read_series, score_file
from earlywarn.application.score import PROBLEMS_KEPT, ProblemCounter, ScoreSummary, SeriesRow
from earlywarn.errors import InputError


def series(count: int = 300, step: timedelta = timedelta(minutes=5)) -> list[str]:
    random = np.random.default_rng(1)
    first = datetime(2014, 4, 1)  # noqa: DTZ001  # local time, as such files have it
    return [f"{first + at * step},{value:.3f}" for at, value in enumerate(random.normal(20, 1, count).tolist())]


def write(folder: Path, text: str) -> Path:
    path = folder / "series.csv"
    path.write_bytes(text.encode())
    return path


def score(path: Path) -> tuple[list[list[str]], ScoreSummary]:
    out = io.StringIO()
    summary = score_file(path, out)
    header, *rows = out.getvalue().splitlines()
    assert header == "timestamp,value,score"
    return [row.split(",") for row in rows], summary


def seconds(folder: Path, *timestamps: str) -> list[float]:
    """Return what each timestamp means, alone in a file."""
    return [row.seconds for each in timestamps for row in read_series(write(folder, f"{each},1\n"))]


def test_every_row_comes_out_in_order_as_it_was_with_its_score(tmp_path: Path) -> None:
    lines = series()
    lines[200] = lines[200].rsplit(",", 1)[0] + ",45.000"
    rows, summary = score(write(tmp_path, "timestamp,value\n" + "\n".join(lines) + "\n"))
    assert [",".join(row[:2]) for row in rows] == lines
    found = [float(row[2]) for row in rows]
    assert all(0 <= each <= 1 for each in found)
    assert max(range(300), key=lambda at: found[at]) == 200
    assert found[200] > 0.75
    assert (summary.rows, summary.scored, summary.bad) == (300, 300, 0)


def test_the_scores_of_a_prefix_are_the_prefix_of_the_scores(tmp_path: Path) -> None:
    lines = series()
    whole, _ = score(write(tmp_path, "\n".join(lines)))
    part, _ = score(write(tmp_path, "\n".join(lines[:150])))
    assert part == whole[:150]


def test_a_bad_row_is_reported_keeps_its_place_and_touches_no_other_score(tmp_path: Path) -> None:
    lines = series(60)
    path = write(tmp_path, "\n".join(["timestamp,value", *lines]))
    clean, _ = score(path)
    bad = ["2014-04-01 00:50:00,", "yesterday,3.5", "2014-04-01 00:50:00,NaN", "2014-04-01 00:50:00,high"]
    bad += [f"2014-04-01 00:50:00,{value}" for value in ("1e308", "-1e999", "-inf")]
    bad += ["alone"]
    rows, summary = score(write(tmp_path, "\n".join(["timestamp,value", *lines[:10], *bad, *lines[10:]])))
    assert rows[:10] + rows[18:] == clean
    assert [row[2] for row in rows[10:18]] == [""] * 8
    assert (summary.rows, summary.scored, summary.bad) == (68, 60, 8)
    assert summary.problems == (
        f"{path}:12: value: is missing",
        f"{path}:13: timestamp: 'yesterday' is no timestamp; expected ISO 8601 or epoch seconds",
        f"{path}:14: value: 'NaN' is no finite number",
        f"{path}:15: value: 'high' is no finite number",
        f"{path}:16: value: '1e308' is too large; values lie within ±1e+300",
        f"{path}:17: value: '-1e999' is too large; values lie within ±1e+300",
        f"{path}:18: value: '-inf' is no finite number",
        f"{path}:19: row: 'alone' has 1 columns; expected timestamp and value",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no row is there"),
        ("timestamp,value\n", "no row is there"),
        ("timestamp,value\n2020-01-01,x\n", ":2: value: 'x' is no finite number"),
        ("a,b,c\n2020-01-01,1,2\n", ":1: timestamp: no such column; value: no such column; the header is 'a,b,c'"),
        ("when,timestamp,what\n1,2,3\n", ":1: value: no such column"),
        ("date,transactions,amount\n2020-01-01,1,2\n", ":1: value: transactions and amount could be it; the header"),
        ("day,date,y\n1,2020-01-01,2\n", ":1: timestamp: day and date could be it; the header"),
    ],
)
def test_nothing_to_score_is_an_input_error_and_writes_nothing(tmp_path: Path, text: str, reason: str) -> None:
    out = io.StringIO()
    with pytest.raises(InputError, match=reason):
        score_file(write(tmp_path, text), out)
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("text", "timestamp", "told"),
    [
        ("ts;val\n2020-01-01;1,5\n", "2020-01-01", ""),
        ("a,b\n2020-01-01,1.5\n", "2020-01-01", ""),
        ("Datum\tUmsatz\n2020-01-01\t1.5\n", "2020-01-01", ""),
        ("count|day\n1.5|2020-01-01\n", "2020-01-01", ""),
        ("other,timestamp,day,value,amount\n9,2020-01-01,2,1.5,3\n", "2020-01-01", ""),
        ("ds,holiday,y\n2020-01-01,0,1.5\n", "2020-01-01", "the columns 'ds' and 'y' of 3 are taken"),
        ("2020-01-01,1.5,9\n", "2020-01-01", "the first two of 3 columns are taken"),
    ],
)
def test_of_two_columns_any_names_do_and_of_more_what_is_taken_is_told(
    tmp_path: Path, text: str, timestamp: str, told: str
) -> None:
    lines: list[str] = []
    path = write(tmp_path, text)
    [row] = read_series(path, lines.append)
    assert (row.timestamp, row.number, row.problem) == (timestamp, 1.5, "")
    assert lines == ([f"{path}: {told}"] if told else [])


def test_a_file_of_rubbish_is_given_up_with_bounded_memory(tmp_path: Path) -> None:
    """Rows are held back until one can be used, but not for ever: then they are written without a score."""
    rows, summary = score(write(tmp_path, "timestamp,value\n" + "x,1\n" * (HELD_ROWS + 500) + "2020-01-01,1\n"))
    assert (summary.rows, summary.scored) == (HELD_ROWS + 501, 1)
    assert len(rows) == HELD_ROWS + 501


def test_times_that_do_not_ascend_are_problems_and_not_scored(tmp_path: Path) -> None:
    """Backward and double times keep their places; the rows after them are scored as if they were not there."""
    lines = series(60)
    clean, _ = score(write(tmp_path, "\n".join(lines)))
    disordered = [*lines[:20], lines[5], lines[19], *lines[20:]]
    path = write(tmp_path, "\n".join(disordered))
    rows, summary = score(path)
    assert rows[:20] + rows[22:] == clean
    assert [row[2] for row in rows[20:22]] == ["", ""]
    first, second = (line.split(",")[0] for line in (lines[5], lines[19]))
    advice = "sort the file by time, each time once"
    assert summary.problems == (
        f"{path}:21: timestamp: '{first}' is earlier than the row above; {advice}",
        f"{path}:22: timestamp: '{second}' is the same time as in the row above; {advice}",
    )


@pytest.mark.parametrize("minutes", [5, 30, 60])
def test_the_hour_that_local_clocks_show_twice_is_no_disorder(tmp_path: Path, minutes: int) -> None:
    """Set back by an hour, clocks without an offset show an hour again; a third time is a mistake."""
    night = datetime(2019, 10, 27)  # noqa: DTZ001  # local time, as such files have it
    step = timedelta(minutes=minutes)
    until_three = [night + at * step for at in range(180 // minutes)]
    again = until_three[-60 // minutes :]
    after = [until_three[-1] + at * step for at in range(1, 20)]
    _, summary = score(write(tmp_path, "".join(f"{each},1\n" for each in (*until_three, *again, *after))))
    assert summary.bad == 0
    _, summary = score(write(tmp_path, "".join(f"{each},1\n" for each in (*until_three, *again, *again, *after))))
    assert summary.bad == 60 // minutes


def test_with_an_offset_the_instant_decides_the_order(tmp_path: Path) -> None:
    clock = ["02:00:00+02:00", "02:30:00+02:00", "02:00:00+01:00", "02:30:00+01:00"]
    path = write(tmp_path, "".join(f"2019-10-27T{each},1\n" for each in [*clock, clock[0]]))
    assert [line.split(":")[1] for line in score(path)[1].problems] == ["5"]


def test_a_header_is_optional_and_its_names_are_followed(tmp_path: Path) -> None:
    bare = [row.number for row in read_series(write(tmp_path, "2020-01-01,1\n2020-01-02,2\n"))]
    named = list(read_series(write(tmp_path, "id,Value,label,Timestamp\na,1,0,2020-01-01\nb,2,1,2020-01-02\n")))
    assert bare == [row.number for row in named] == [1.0, 2.0]
    assert [row.timestamp for row in named] == ["2020-01-01", "2020-01-02"]


def test_timestamps_of_every_kind_mean_the_local_time_they_show(tmp_path: Path) -> None:
    noon = seconds(
        tmp_path,
        "2019-01-31 12:00:00",
        "2019-01-31T12:00:00",
        "2019-01-31T12:00:00+02:00",
        "2019-01-31T12:00:00Z",
        "2019/01/31 12:00",
        "1548936000",
        "1548936000000",
        "1548936000000000",
        "1.548936e9",
    )
    assert set(noon) == {1548936000.0}
    midnight = seconds(tmp_path, "2019-01-01", "20190101", "2019-01", "2019-01-01 00:00:00.000")
    assert set(midnight) == {1546300800.0}


@pytest.mark.parametrize(
    "text", ["ts;y\r\n2020-01-01;1,5\r\n", "\ufeffts\ty\n2020-01-01\t1.5", 'ds|y\n2020-01-01|"1.5"\n\n']
)
def test_separators_line_ends_marks_and_quotes(tmp_path: Path, text: str) -> None:
    assert [row.number for row in read_series(write(tmp_path, text))] == [1.5]


def test_a_compressed_file_is_read_as_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "series.csv.gz"
    path.write_bytes(gzip.compress(b"2020-01-01,1\n2020-01-02,2\n"))
    assert [row.number for row in read_series(path)] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x93\x00\xff" * 2_000, r"neither text nor Parquet \(first bytes 93 00 ff 93\); a series is read from CSV"),
        (b"PAR1" + bytes(99), "a Parquet file; a series is read from CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(99), "an Excel workbook; save the sheet as CSV"),
    ],
)
def test_a_file_that_is_no_text_is_refused_in_one_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "series.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as told:
        score_file(path, io.StringIO())
    assert "\n" not in str(told.value)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        score_file(tmp_path / "nowhere.csv", io.StringIO())


def test_problems_kept_are_bounded_and_all_are_counted() -> None:
    counter = ProblemCounter("f.csv")
    for line in range(PROBLEMS_KEPT + 5):
        counter.add(SeriesRow(line, "", "", problem="value: is missing"))
    summary = counter.summary()
    assert (summary.bad, len(summary.problems)) == (PROBLEMS_KEPT + 5, PROBLEMS_KEPT)


def test_progress_adds_up_to_the_rows(tmp_path: Path) -> None:
    told: list[int] = []
    score_file(write(tmp_path, "\n".join(series(1200))), io.StringIO(), progress=told.append)
    assert (sum(told), len(told)) == (1200, 2)
