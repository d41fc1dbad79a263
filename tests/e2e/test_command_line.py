"""The command line as a contract: exit codes, one clear line per problem, and what is said where."""

import fcntl
import html
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from command_line import REPOSITORY, SAMPLE, Command

HEADER = "date,region,sector,transactions,amount\n"
CELLS = HEADER + "".join(
    f"2021-{month:02}-{day:02},{region},{sector},{1000 + 10 * day},{12.5 * (1000 + day):.2f}\n"
    for month in (1, 2, 3)
    for day in range(1, 29)
    for region in ("North", "South")
    for sector in ("food", "fuel")
)
FEW = HEADER + "".join(f"2021-01-{day:02},North,food,{1000 + day},{day}50.00\n" for day in range(1, 20))


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    path = tmp_path / "cells.csv"
    path.write_text(CELLS)
    return path


def problems(finished: "subprocess.CompletedProcess[str]") -> list[str]:
    """Return the lines for people on standard error, without the program's name."""
    lines = finished.stderr.splitlines()
    assert all(line.startswith("earlywarn: ") for line in lines), finished.stderr
    return [line.removeprefix("earlywarn: ") for line in lines]


def test_assumptions_are_told_beside_the_results(earlywarn: Command, cells: Path, tmp_path: Path) -> None:
    """Currency, country and name that nobody stated stand on standard error, in the summary and in the report."""
    finished = earlywarn("run", cells, "--out", tmp_path / "out", "--json")
    assert finished.returncode == 0, finished.stderr
    *told, learning = problems(finished)
    assert [line.split(";")[0] for line in told] == [
        "assumed: country unknown",
        "assumed: currency EUR",
        "assumed: time zone UTC",
        "assumed: classification fable",
        "assumed: name cells.csv",
        "assumed: exercise true",
    ]
    summary = json.loads(finished.stdout)
    settings = [each["setting"] for each in summary["assumed"]]
    assert settings == ["country", "currency", "time zone", "classification", "name", "exercise"]
    assert summary["warnings"] == [learning]
    assert learning.startswith("panel: the models are still learning what is usual (87 days seen); alerts ")
    report = html.unescape((tmp_path / "out/report.html").read_text())
    for line in told:
        assert line.removeprefix("assumed: ") in report
    assert "spending in panel" not in report
    options = ("--country", "AT", "--currency", "EUR", "--no-exercise", "--no-report")
    stated = earlywarn("run", cells, "--out", tmp_path / "out", *options)
    assert [line.split(";")[0] for line in problems(stated)] == [
        "assumed: classification fable",
        learning.split(";")[0].replace("panel:", "panel AT:"),
    ]


def test_the_demo_elsewhere_says_that_its_data_are_generated(earlywarn: Command, tmp_path: Path) -> None:
    """In the alerts, at the head of the report and in the last line, whatever country the generator imitates."""
    finished = earlywarn("demo", "--out", "out", "--no-browser", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert problems(finished)[-1].startswith("these data are generated and not real")
    assert "Generated panel (not real data)" in finished.stdout
    assert "Schweiz" not in finished.stdout
    report = (tmp_path / "out/report.html").read_text()
    assert 'class="place">Generated panel (not real data)</h1>' in report


def test_a_mapping_that_was_guessed_is_told(earlywarn: Command, tmp_path: Path) -> None:
    finished = earlywarn("run", SAMPLE, "--out", tmp_path, "--no-report", "--exercise")
    told, *_ = problems(finished)
    assert told == f"assumed: mapping swiss-cards; its columns are all in {SAMPLE} (--mapping)"


def test_what_a_run_prints_fits_what_it_did(earlywarn: Command, tmp_path: Path) -> None:
    """No empty table without alerts, no word of a report that was not written, no dictionary of Python's."""
    (tmp_path / "few.csv").write_text(FEW + "2021-01-20,North,food,x,1\n2021-01-20,,food,1,1\n")
    finished = earlywarn("run", tmp_path / "few.csv", "--out", tmp_path / "out", "--no-report")
    lines = finished.stdout.splitlines()
    assert lines[0] == "No alert was raised."
    assert "; 0 alerts; rejected: 1 region_missing, 1 wrong_type (see " in lines[1]
    assert lines[2:] == [f"Results: {tmp_path / 'out'}"]


def test_in_a_pipe_nothing_is_cut_or_wrapped(earlywarn: Command, swiss_run: Path, tmp_path: Path) -> None:
    """Each alert is one line, and the rows of a backtest keep their columns."""
    arguments = ("run", SAMPLE, "--config", SAMPLE.parent / "panel.toml", "--out", tmp_path, "--no-report")
    finished = earlywarn(*arguments)
    tops = json.loads((swiss_run / "summary.json").read_text())["alerts"]["without_parent"]["episodes"]
    lines = finished.stdout.splitlines()
    assert len(lines) == 2 + tops + 2
    assert not any(line.endswith(" ") for line in lines)
    panel = SAMPLE.parent / "panel.toml"
    backtest = earlywarn("backtest", SAMPLE, "--config", panel, "--level", "panel", "--change", "-50", "--starts", "1")
    assert backtest.returncode == 0, backtest.stderr
    assert any(len(line) > 80 for line in backtest.stdout.splitlines() if line.startswith("False episodes"))
    assert "\u2026" not in backtest.stdout, "a cut column"


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "series.csv").write_text("timestamp,value\n" + "".join(f"{at * 60},{at}\n" for at in range(20_000)))
    command = [sys.executable, "-m", "earlywarn", "score", str(tmp_path / "series.csv")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=REPOSITORY) as process:  # noqa: S603  # our own program
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"timestamp,value,score\n"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.parametrize("arguments", [("run", "cells.csv", "--out", "out", "--no-report"), ("config", "check")])
def test_nobody_reads_what_is_printed_and_that_is_no_error(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """What Rich prints, and what Typer prints: the pipe is closed before anything stands in it."""
    (tmp_path / "cells.csv").write_text(FEW)
    environment = {**os.environ, "EARLYWARN_CONFIG": str(SAMPLE.parent / "panel.toml")}
    command = [sys.executable, "-m", "earlywarn", *arguments]
    with subprocess.Popen(  # noqa: S603  # our own program
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path,
        env=environment if arguments[0] == "config" else None,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read().decode()
        assert all(line.startswith("earlywarn: ") for line in told.splitlines()), told
        assert process.wait(60) == 0


@pytest.mark.parametrize("columns", [80, 40])
def test_on_a_terminal_no_number_and_no_word_is_cut(swiss_run: Path, tmp_path: Path, columns: int) -> None:
    """Thousands stand apart by narrow spaces, at which no line may break, however narrow the terminal."""
    reader, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    options = ["--config", SAMPLE.parent / "panel.toml", "--mapping", "swiss-cards", "--out", tmp_path, "--no-report"]
    plain = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    with subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", "earlywarn", "run", SAMPLE, *options], stdout=terminal, stderr=subprocess.DEVNULL,
        cwd=REPOSITORY, env=plain | {"TERM": "xterm"},
    ) as process:  # fmt: skip
        os.close(terminal)
        shown = b""
        while chunk := read(reader):
            shown += chunk
        assert process.wait(60) == 0
    os.close(reader)
    lines = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown.decode()).replace("\r", "").split("\n")
    told = [line for line in lines if not line.startswith(("Results", "/"))]
    assert max(map(len, told)) <= columns
    words = {word for line in told for word in line.split(" ")}
    alerts = [json.loads(line) for line in (swiss_run / "alerts.jsonl").read_text().splitlines()]
    latest = {alert["id"]: alert for alert in alerts}
    texts = [alert["text"] for alert in latest.values() if alert["parent"] is None]
    assert any("\u202f" in text for text in texts)
    assert [word for text in texts for word in text.split(" ") if word not in words] == []


def read(terminal: int) -> bytes:
    """Return what comes of a terminal, nothing at its end, which Linux calls an error."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def test_a_demo_whose_port_is_taken_says_so_before_it_begins(earlywarn: Command, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        finished = earlywarn("demo", "--port", str(port), "--no-browser", "--out", tmp_path / "out")
    assert finished.returncode == 1
    [problem] = problems(finished)
    assert problem.startswith(f"port {port} of localhost cannot be used: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("module", ["earlywarn.cli.app", "typer", "numpy", "river", "pyarrow", "earlywarn.cli.verify"])
def test_an_interrupt_while_modules_are_loaded_ends_the_program_without_a_word(module: str) -> None:
    """Loading takes a second or two: an interrupt in it is as clean as later, and is never lost."""
    loaded = f"""
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = ["earlywarn", "--version"]
from earlywarn.cli import main
main()
"""
    finished = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603  # our own program
    assert (finished.returncode, finished.stdout, finished.stderr) == (130, "", "")


def test_score_lists_what_it_could_not_use_and_scores_the_rest(earlywarn: Command, tmp_path: Path) -> None:
    """Exit 1 with a line for each bad row; the good ones are there, in a folder that did not exist."""
    path = tmp_path / "series.csv"
    path.write_text("timestamp,value\n" + "".join(f"2020-01-{day:02},{day}\n" for day in range(1, 29)))
    with path.open("a") as stream:
        stream.write("2020-01-05,7\nsoon,1\n2020-02-01,\n2020-02-02,3\n")
    finished = earlywarn("score", path, "--out", tmp_path / "new" / "scored.csv")
    assert finished.returncode == 1
    assert problems(finished) == [
        f"{path}:30: timestamp: '2020-01-05' is earlier than the row above; sort the file by time, each time once",
        f"{path}:31: timestamp: 'soon' is no timestamp; expected ISO 8601 or epoch seconds",
        f"{path}:32: value: is missing",
    ]
    rows = (tmp_path / "new/scored.csv").read_text().splitlines()
    assert len(rows) == 1 + 28 + 4
    assert [row.endswith(",") for row in rows[-4:]] == [True, True, True, False]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_file(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C or a termination in the middle: the folder is as it was, and the exit is no success."""
    gate, out = tmp_path / "gate", tmp_path / "out"
    (tmp_path / "cells.csv").write_text(CELLS)
    os.mkfifo(gate)
    out.mkdir()
    (out / "summary.json").write_text("{}")
    arguments = ["run", str(tmp_path / "cells.csv"), "--country", "AT", "--out", str(out)]
    slow = "import earlywarn.adapters.run_files as r, os, sys\nfrom earlywarn.cli import main\nwhole = r.run_embedded\n"
    slow += f"def wait(*a, **k):\n    open({str(gate)!r}).read()\n    return whole(*a, **k)\n"
    slow += "r.run_embedded = wait\nsys.argv = ['earlywarn', *sys.argv[1:]]\nmain()\n"
    with subprocess.Popen([sys.executable, "-c", slow, *arguments], cwd=REPOSITORY, stderr=subprocess.PIPE) as process:  # noqa: S603  # our own program
        with gate.open("w"):  # opens when the run has come to its input, with its drafts begun
            assert [path for path in out.iterdir() if path.is_dir()], "drafts are there"
            process.send_signal(number)
        assert process.wait(60) not in {0, -number}
    assert [path.name for path in out.iterdir()] == ["summary.json"]
    assert (out / "summary.json").read_text() == "{}"
