"""Exit codes: 2 for bad usage, 1 for bad input with one clear line per problem; nothing is half written."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from earlywarn.cli.app import run_app

HEADER = "date,region,sector,transactions,amount\n"
CELLS = HEADER + "".join(f"2021-01-{day:02},North,food,{10_000 + day},{day}50.00\n" for day in range(1, 20))
SERIES = "timestamp,value\n" + "".join(f"2020-01-{day:02},{day}\n" for day in range(1, 29))
COMMA = (
    "commas.csv:2: amount: '12,50' is not a number; correct it, or where most have decimal commas name a mapping "
    "that says format: { decimal: ',' } (wrong_type)"
)
COMMA_MAPPING = (
    "the mapping is a file such as ours.yaml (--mapping ours.yaml), in whole: { name: ours, kind: cells, "
    "format: { decimal: ',' }, columns: { date: date, region: region, sector: sector, transactions: transactions, "
    "amount: amount } }; all keys stand in docs/inputs.md (foreign files)"
)
AMBIGUOUS = (
    "commas.csv:1: value: transactions and amount could be it; the header is 'date,region,sector,transactions,amount'; "
    "name the two columns timestamp and value; a panel of regions or sectors is for earlywarn run"
)
NO_CLASSIFICATION = (
    "panel: classification './none' is neither one of coicop-2018, fable, mcc, sparkov, swiss-mcs nor a folder; "
    "give one of these names or the path of a folder with a classification.toml"
)
SECTOR_HINT = (
    "sector_unknown: give the panel the classification of these codes ({}: "
    "coicop-2018, fable, mcc, sparkov, swiss-mcs, or a folder), or open to take codes as they are"
)

PANEL = """
run = "panel"
[[panels]]
id = "P"
currency = "CHF"
time_zone = "Europe/Zurich"
region_level = "none"
any_region = true
classification = "open"
resolution = "day"
"""

BAD_USAGE: list[tuple[tuple[str, ...], str]] = [
    (("run", "cells.csv", "--out", "out", "--country", "XX"), "--country"),
    (("run", "cells.csv", "--out", "out", "--currency", "XXQ"), "--currency"),
    (("run", "cells.csv", "--out", "out", "--time-zone", "Mars/Olympus"), "--time-zone"),
    (("run", "cells.csv", "--out", "out", "--mapping", "nope"), "sparkov"),
    (("run", "cells.csv", "--out", "out", "--config", "panel.toml", "--country", "CH"), "--country"),
    (("replay", "cells.csv", "--config", "panel.toml", "--time-zone", "UTC"), "--time-zone"),
    (("run", "cells.csv", "--out", "out", "--classification", "nope"), "--classification"),
    (("run", "cells.csv", "--out", "out", "--config", "panel.toml", "--classification", "open"), "--classification"),
    (("run", "--out", "out"), "inputs"),
    (("backtest", "cells.csv", "--until", "yesterday"), "--until"),
    (("backtest", "cells.csv", "--level", "village"), "'--level': 'village': give some of"),
    (("backtest", "cells.csv", "--change", "-20", "--change", "0"), "--change"),
    (("score", "series.csv", "--out", "series.csv"), "--out"),
    (("demo", "--port", "99999", "--no-browser"), "--port"),
    (("demo", "--port", "-1", "--no-browser"), "--port"),
    (("replay", "cells.csv", "--no-workers", "--config", "panel.toml", "--exercise"), "workers"),
    (("generate", "--out", "load.txt"), ".jsonl.zst"),
    (("generate", "--out", "load.jsonl", "--shock", "when=never"), "--shock"),
    (("generate", "--out", "load.jsonl", "--first-day", "soon"), "--first-day"),
    (("generate", "--out", "load.jsonl", "--scale", "1", "--transactions", "10"), "--scale"),
    (("generate", "cells.csv", "--out", "load.jsonl", "--scale", "1000"), "--transactions"),
    (("generate", "--out", "load.jsonl", "--broken-share", "2"), "--broken-share"),
    (("generate", "--out", "load.jsonl", "--scale", "inf"), "'--scale': inf: give above 0 to 1,000,000"),
    (("generate", "--out", "load.jsonl", "--scale", "1e308"), "'--scale': 1e+308: give above 0 to 1,000,000"),
    (("generate", "--out", "load.jsonl", "--seed", "-1"), "--seed"),
    (("generate", "--out", "load.jsonl", "--first-day", "2099-12-01"), "--first-day"),
    (("generate", "--out", "load.jsonl", "--first-day", "9999-12-31"), "--first-day"),
    (("generate", "--out", "load.jsonl", "--shock", "first_day=2019-02-01,days=3,change_pct=nan"), "change_pct"),
    (
        ("generate", "--out", "load.jsonl", "--shock", "first_day=2019-02-01,days=0,change_pct=-5"),
        "days=0: give from 1",
    ),
    (
        ("generate", "--out", "load.jsonl", "--shock", "first_day=2019-02-01,days=3,change_pct=-5,region=X"),
        "reaches no",
    ),
]

OUT_OF_RANGE: list[tuple[tuple[str, ...], str]] = [
    (("backtest", "cells.csv", "--change", "-20", "--change", "-150"), "'--change': -150: give from -100 to 1,000"),
    (("backtest", "cells.csv", "--change", "nan"), "'--change': nan: give from -100 to 1,000"),
    (("backtest", "cells.csv", "--days", "0"), "'--days': 0: give 1 or more"),
    (("backtest", "cells.csv", "--ramp-days", "40"), "--ramp-days: 40: give from 0 to the length of the step, 28"),
    (("backtest", "cells.csv", "--warm-up-days", "3"), "'--warm-up-days': 3: give 7 or more"),
    (("backtest", "cells.csv", "--false-per-series-year", "-1"), "'--false-per-series-year': -1: give 0 or more"),
    (("backtest", "cells.csv", "--jobs", "0"), "'--jobs': 0: give 1 or more"),
    (("run", "cells.csv", "--out", "out", "--region-level", "4"), "'--region-level': 4: give from 0 to 3"),
    (("run", "cells.csv", "--out", "out", "--received-at", "9999999999999999"), "9999999999999999: give from 631,1"),
    (("run", "cells.csv", "--out", "out", "--run", "a b"), "'--run': 'a b': give letters, digits, - and _ only"),
    (("demo", "--port", "70000", "--no-browser"), "'--port': 70000: give from 1 to 65,535"),
    (("backtest", "cells.csv", "--change", "20x"), "'--change': '20x' is not a number; give from -100 to 1,000"),
    (("backtest", "cells.csv", "--days", "2.5"), "'--days': '2.5' is not a whole number; give 1 or more"),
    (
        ("generate", "--out", "load.jsonl", "--shock", "first_day=2019-02-01,days=3,change_pct=-5,when=now"),
        "no such part: when; the form is first_day",
    ),
    (("replay", "cells.csv", "--workers", "0"), "'--workers': 0: give 1 or more"),
    (("replay", "cells.csv", "--to", "soon"), "--to: 'soon' is no date"),
    (("replay", "cells.csv", "--from", "2020-02-01", "--to", "2020-01-01"), "--from, --to: 2020-02-01 is after"),
    (("dlq", "list", "--limit", "0"), "'--limit': 0: give 1 or more"),
    (("dlq", "replay", "--mend", "shop=1"), "--mend: 'shop=1': the form is FIELD=VALUE"),
    (("topics", "delete", "--run", "a b"), "'--run': 'a b': give letters, digits, - and _ only"),
    (
        ("generate", "--out", "load.jsonl", "--seed", "99999999999999999999"),
        "'--seed': 99999999999999999999: give from",
    ),
    (("generate", "--out", "load.jsonl", "--late-share", "1.5"), "'--late-share': 1.5: give from 0 to 1"),
    (
        ("generate", "--out", "load.jsonl", "--shock", "first_day=2019-02-01,days=3,change_pct=-150"),
        "--shock: 'first_day=2019-02-01,days=3,change_pct=-150': change_pct=-150.0: give from -100 to 10,000;",
    ),
    (
        ("generate", "--out", "load.jsonl", "--shock", "first_day=2019-02-01,days=few,change_pct=-5"),
        "days=few: give a whole number; the form is",
    ),
    (("generate", "--out", "load.jsonl", "--shock", "first_day=2019-02-31,days=3"), "change_pct is missing; the form"),
    (
        ("generate", "--out", "load.jsonl", "--shock", "first_day=2019-02-31,days=3,change_pct=-5"),
        "first_day=2019-02-31: give a date such as 2020-02-01; the form is",
    ),
]

BAD_INPUT: list[tuple[tuple[str, ...], list[str]]] = [
    (("run", "none.csv", "--out", "out"), ["none.csv: no such file"]),
    (("run", "none*.csv", "--out", "out"), ["none*.csv: no file matches the pattern; check its folder and its ending"]),
    (("run", "folder", "none.csv", "--out", "out"), [
        "folder: is a folder, not a file; name its files, or a glob such as folder/*.jsonl", "none.csv: no such file",
    ]),
    (("run", "/dev/null", "--out", "out"), [
        "/dev/null: a pipe or a device, and inputs are read twice; save it to a file first",
    ]),
    (("run", "cells.csv", "--config", "none.toml", "--out", "out"), [
        "none.toml: cannot be read: No such file or directory",
    ]),
    (("run", "cells.csv", "--out", "series.csv"), ["series.csv: is a file; choose a folder for the results"]),
    (("run", "header.csv", "--out", "out"), [
        "header.csv: there is no record in it; give files with rows after the header",
    ]),
    (("run", "commas.csv", "--out", "out"), [
        "commas.csv: not one record could be used of 1; see out/rejects.jsonl; the first of each reason:",
        COMMA,
        COMMA_MAPPING,
    ]),
    (("run", "cells.csv", "--classification", "mcc", "--out", "out"), [
        "cells.csv: not one record could be used of 19; see out/rejects.jsonl; the first of each reason:",
        "cells.csv:2: sector: 'food' is not in the classification mcc (sector_unknown)",
        SECTOR_HINT.format("--classification"),
    ]),
    (("run", "cells.csv", "--config", "mcc.toml", "--out", "out"), [
        "cells.csv: not one record could be used of 19; see out/rejects.jsonl; the first of each reason:",
        "cells.csv:2: sector: 'food' is not in the classification mcc (sector_unknown)",
        SECTOR_HINT.format("classification in the settings"),
    ]),
    (("run", "cells.csv", "--mapping", "none.yaml", "--out", "out"), [
        "none.yaml: cannot be read: No such file or directory",
    ]),
    (("run", "cells.csv", "--classification", "./none", "--out", "out"), [
        NO_CLASSIFICATION,
    ]),
    *(((*words, "none.toml"), ["none.toml: cannot be read: No such file or directory"]) for words in (
        ("config", "check"),
        ("backtest", "cells.csv", "--config"),
        ("replay", "cells.csv", "--config"),
        ("topics", "create", "--config"),
        ("topics", "delete", "--yes", "--run", "old", "--config"),
        ("verify", "--config"),
        ("rebuild-redis", "--config"),
        ("dlq", "list", "--config"),
        ("dlq", "replay", "--mend", "mcc=5411", "--config"),
    )),
    (("config", "check", "folder"), ["folder: cannot be read: Is a directory"]),
    (("dlq", "replay", "--edit", "none.jsonl"), ["none.jsonl: cannot be read: No such file or directory"]),
    (("backtest", "none.csv"), ["none.csv: no such file"]),
    (("score", "none.csv"), ["none.csv: no such file"]),
    (("score", "empty.csv"), ["empty.csv: no row is there; it needs rows of timestamp,value"]),
    (("score", "commas.csv"), [
        AMBIGUOUS,
    ]),
    (("score", "series.csv", "--out", "folder"), [
        "folder: cannot be written: Is a directory; choose another place for the scores",
    ]),
    (("generate", "none.csv", "--out", "load.jsonl"), ["none.csv: no such file"]),
    (("generate", "commas.csv", "--out", "load.jsonl"), [
        "commas.csv: not one cell could be used",
        COMMA,
    ]),
]  # fmt: skip


class Finished(NamedTuple):
    """A command that ended."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go to a folder with inputs, good and bad."""
    folder = tmp_path
    monkeypatch.chdir(folder)
    (folder / "cells.csv").write_text(CELLS)
    (folder / "series.csv").write_text(SERIES)
    (folder / "panel.toml").write_text(PANEL)
    (folder / "mcc.toml").write_text(PANEL.replace('"open"', '"mcc"'))
    (folder / "header.csv").write_text(HEADER)
    (folder / "empty.csv").write_text("")
    (folder / "commas.csv").write_text('date,region,sector,transactions,amount\n2021-01-01,A,b,10,"12,50"\n')
    (folder / "folder").mkdir()
    return folder


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Finished]]:
    """Return a function that runs the command line in this process, as the installed program would."""

    def run(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["earlywarn", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_app()
        return Finished(int(ended.value.code or 0), *capsys.readouterr())

    handler = signal.getsignal(signal.SIGTERM)
    yield run
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(("arguments", "named"), BAD_USAGE)
def test_bad_usage_exits_2_and_names_the_option(
    workplace: Path, command: Callable[..., Finished], arguments: tuple[str, ...], named: str
) -> None:
    finished = command(*arguments)
    assert finished.code == 2, finished.stderr
    assert named in finished.stderr
    assert not list(workplace.glob("load.*")), "nothing is written"


@pytest.mark.parametrize(("arguments", "told"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_told_with_its_option_the_value_and_the_range(
    workplace: Path, command: Callable[..., Finished], arguments: tuple[str, ...], told: str
) -> None:
    """As they were typed; no name of ours, and no file is begun."""
    finished = command(*arguments)
    assert finished.code == 2, finished.stderr
    message = " ".join(line.strip("│ ") for line in finished.stderr.splitlines())
    assert told in message
    assert not any(name in message for name in ("changes_pct", "ramp_days", "_share =", "$.", "Object"))
    assert not list(workplace.glob("*load.*"))


@pytest.mark.parametrize(("arguments", "lines"), BAD_INPUT)
def test_bad_input_exits_1_with_one_line_per_problem(
    workplace: Path, command: Callable[..., Finished], arguments: tuple[str, ...], lines: list[str]
) -> None:
    finished = command(*arguments)
    assert finished.code == 1, finished.stderr
    found = [line for line in finished.stderr.splitlines() if not line.startswith("earlywarn: assumed: ")]
    assert found == [f"earlywarn: {line}" for line in lines]
    assert finished.stdout == ""
    assert not list(workplace.glob("*load.*")), "no output is begun"


def test_generate_writes_a_bounded_number_unasked(workplace: Path, command: Callable[..., Finished]) -> None:
    """The synthetic panel counts 200,000 transactions a day; unasked, a million of them come out in all."""
    finished = command("generate", "--out", "load.jsonl.zst", "--days", "30")
    assert finished.code == 0
    truth = json.loads((workplace / "load.truth.json").read_text())
    assert truth["transactions"] == pytest.approx(1_000_000, rel=0.02)
    assert "the truth is in load.truth.json" in finished.stderr


def test_a_shock_of_a_sector_with_commas_in_its_name_reaches_it(
    workplace: Path, command: Callable[..., Finished]
) -> None:
    sector = "Retail: Food, beverage, tobacco"
    shock = f"first_day=2019-01-10,sector={sector},days=3,change_pct=-30"
    finished = command("generate", "--out", "load.jsonl", "--days", "30", "--transactions", "500", "--shock", shock)
    assert finished.code == 0, finished.stderr
    [told] = json.loads((workplace / "load.truth.json").read_text())["options"]["shocks"]
    assert (told["sector"], told["days"], told["change_pct"]) == (sector, 3, -30)


def test_generate_expands_the_plain_cells_of_the_documentation(
    workplace: Path, command: Callable[..., Finished]
) -> None:
    """Cells without currency and country: what was assumed is said, rows that are no cells are counted."""
    with (workplace / "cells.csv").open("a") as stream:
        stream.write("2021-02-30,North,food,1,1\n")
    finished = command("generate", "cells.csv", "--out", "load.jsonl", "--transactions", "500")
    assert finished.code == 0
    no_date = "cells.csv:21: date: '2021-02-30' is no date of the form YYYY-MM-DD (time_invalid)"
    assert finished.stderr.splitlines()[:3] == [
        "earlywarn: assumed: currency EUR; the input names none; no country is known (--currency)",
        "earlywarn: assumed: time zone UTC; no country is known; the days of the cells are days there (--time-zone)",
        f"earlywarn: rows left out that are no cells: 1; the first: {no_date}",
    ]
    assert '"currency":"EUR"' in (workplace / "load.jsonl").read_text()
    stated = command("generate", "cells.csv", "--out", "load.jsonl", "--transactions", "500", "--country", "CH")
    assert '"currency":"CHF"' in (workplace / "load.jsonl").read_text()
    assert "UTC" not in stated.stderr


def test_a_run_says_that_its_clock_leapt(workplace: Path, command: Callable[..., Finished]) -> None:
    """One wrong year in history makes what follows too late: the summary, the terminal and a pipe say where."""
    days = [*(f"2021-01-{day:02}" for day in range(1, 20)), "2025-01-20", "2021-01-21", "2021-01-22"]
    (workplace / "days.jsonl").write_text(
        "".join(
            f'{{"id":"{day}","ts":"{day}T11:30:00Z","amount_minor":100,"currency":"CHF","mcc":"5411","region":"CH04"}}\n'
            for day in days
        )
    )
    finished = command("run", "days.jsonl", "--out", "out", "--country", "CH", "--no-report")
    assert finished.code == 0, finished.stderr
    summary = json.loads((workplace / "out/summary.json").read_text())
    assert summary["rejected"] == {"too_late": 2}
    assert summary["uncounted_transactions"] == 0
    [leap] = summary["leaps"]
    assert (leap["silences"], leap["from"], leap["to"]) == (
        1, "2021-01-19T12:00:00+01:00", "2025-01-20T12:00:00+01:00",
    )  # fmt: skip
    [warned] = [line for line in finished.stderr.splitlines() if "nothing between" in line]
    assert "2025-01-20T12:00:00+01:00" in warned
    assert "behind it 2 records were too late" in warned
    assert warned.removeprefix("earlywarn: ") in summary["warnings"]


def test_a_run_says_that_sums_are_capped(workplace: Path, command: Callable[..., Finished]) -> None:
    """However large amounts are, a run goes to its end; it says how many sums are no more than their cap, and where."""
    records = [(day, 100, 1) for day in range(1, 20)] + [(18, 10**15, 100)] * 5_000
    (workplace / "days.jsonl").write_text(
        "".join(
            f'{{"id":"{day}","ts":"2021-01-{day:02}T11:30:00Z","amount_minor":{amount},"count":{count},'
            '"currency":"CHF","mcc":"5411","region":"CH04"}\n'
            for day, amount, count in sorted(records)
        )
    )
    finished = command("run", "days.jsonl", "--out", "out", "--country", "CH")
    assert finished.code == 0, finished.stderr
    summary = json.loads((workplace / "out/summary.json").read_text())
    assert (summary["capped_sums"], summary["rejected"]) == (1, {})
    [warned] = [line for line in finished.stderr.splitlines() if "published as the cap" in line]
    assert "the first of CH/CH04/grocery at 2021-01-18T12:00:00+01:00: look there" in warned
    assert warned.removeprefix("earlywarn: ") in summary["warnings"]


@pytest.mark.usefixtures("workplace")
def test_every_command_reads_the_file_then_the_environment_then_options(
    command: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `run` folds has the fingerprint that `config check` shows and the services have."""

    def fingerprints() -> tuple[str, str]:
        ran = command("run", "cells.csv", "--out", "out", "--no-report", "--run", "mine", "--json")
        checked = command("config", "check", "--json")
        assert (ran.code, checked.code) == (0, 0), ran.stderr + checked.stderr
        summary = json.loads(ran.stdout)
        assert (summary["run"], summary["panels"]) == ("mine", ["P"])
        return summary["config_hash"], json.loads(checked.stdout)["fingerprint"]

    monkeypatch.setenv("EARLYWARN_CONFIG", "panel.toml")
    by_file, same = fingerprints()
    assert by_file == same
    monkeypatch.setenv("EARLYWARN_ALERTS__ALARM_EVIDENCE", "7.5")
    by_environment, same = fingerprints()
    assert by_environment == same
    assert by_environment != by_file
    monkeypatch.setenv("EARLYWARN_ALERTS__ALARM", "7.5")
    refused = command("backtest", "cells.csv")
    assert refused.code == 1
    assert "EARLYWARN_ALERTS__ALARM: no such setting" in refused.stderr


def test_a_few_rejects_are_shown_with_an_example(workplace: Path, command: Callable[..., Finished]) -> None:
    """The first of each reason, the commonest first, where no warning tells it already."""
    good = HEADER + "".join(f"2021-01-{day:02},R{at},food,10,5\n" for day in range(1, 31) for at in range(10))
    bad = "2205-01-31,R1,food,10,5\n2205-01-31,R2,food,10,5\n"
    (workplace / "few.csv").write_text(good + "2021-01-30,R77,food,-1,5\n" + bad)
    finished = command("run", "few.csv", "--out", "out", "--no-report")
    *_, counted, _, example, other, _ = finished.stdout.splitlines()
    assert "rejected: 1 count_out_of_range, 2 time_invalid (see " in counted
    told = "few.csv:303: date: 2205-01-31 lies outside 1990 to 2100 (time_invalid)"
    assert (example, other.partition(":")[0], other.partition("(")[2]) == (told, "few.csv", "count_out_of_range)")
    assert told not in finished.stderr
    (workplace / "many.csv").write_text(good + bad * 9)
    finished = command("run", "many.csv", "--out", "out", "--no-report")
    assert "the first reject" not in finished.stdout
    assert told.replace("few.csv:303", "many.csv:302") in finished.stderr


def test_a_panel_without_a_level_takes_regions_as_they_are_written(
    workplace: Path, command: Callable[..., Finished]
) -> None:
    """TOML has no word for nothing: `region_level = "none"` says it."""
    finished = command("run", "cells.csv", "--out", "out", "--no-report", "--config", "panel.toml", "--json")
    assert json.loads(finished.stdout)["rejected"] == {}
    text = (workplace / "panel.toml").read_text()
    (workplace / "panel.toml").write_text(text.replace('"none"', "2").replace("any_region = true\n", ""))
    other = command("run", "cells.csv", "--out", "other", "--no-report", "--config", "panel.toml")
    assert other.code == 1
    assert "region_unknown" in other.stderr
