"""Generated transactions through the command line: exact against the truth, whatever is wrong with some records."""

import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from command_line import PANEL, Command

RECEIVED = "1767225600000"


@pytest.fixture(scope="module")
def generated(earlywarn: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate 120 days of transactions, some late, double or broken; return the folder."""
    folder = tmp_path_factory.mktemp("generated")
    finished = earlywarn(
        "generate", "--out", folder / "tx.jsonl.zst", "--transactions", "150000", "--days", "120",
        "--late-share", "0.01", "--duplicate-share", "0.002", "--broken-share", "0.01",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return folder


@pytest.fixture(scope="module")
def ran(earlywarn: Command, generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the generated transactions; return the folder of the results."""
    out = tmp_path_factory.mktemp("ran")
    finished = earlywarn("run", generated / "tx.jsonl.zst", "--out", out, "--received-at", RECEIVED, "--no-report")
    assert finished.returncode == 0, finished.stderr
    return out


def test_aggregates_equal_the_truth(generated: Path, ran: Path) -> None:
    """Cells of days, latest vintage, equal the generator's own count exactly, late and double records included."""
    differing = duckdb.sql(f"""
        with truth as (select date::varchar as day, region,
                              sum(transactions + duplicate_transactions) as n,
                              sum(amount_minor + duplicate_amount_minor) as amount
                       from '{generated}/truth.parquet' group by all),
        ours as (select start[:10] as day, region, sum(transactions) as n, sum(amount_minor) as amount
                 from '{ran}/aggregates.parquet'
                 where level = 'cell' and bucket = 'day' and latest group by all)
        select * from truth full join ours using (day, region)
        where coalesce(truth.n, 0) <> coalesce(ours.n, 0) or coalesce(truth.amount, 0) <> coalesce(ours.amount, 0)
    """).fetchall()
    assert differing == []


def test_hours_sum_to_days(ran: Path) -> None:
    """The latest hours of every series sum to its latest days."""
    differing = duckdb.sql(f"""
        with hours as (select series_id, start[:10] as day, sum(transactions) as n, sum(amount_minor) as amount
                       from '{ran}/aggregates.parquet' where bucket = 'hour' and latest group by all),
        days as (select series_id, start[:10] as day, transactions as n, amount_minor as amount
                 from '{ran}/aggregates.parquet' where bucket = 'day' and latest)
        select * from hours full join days using (series_id, day)
        where coalesce(hours.n, 0) <> coalesce(days.n, 0) or coalesce(hours.amount, 0) <> coalesce(days.amount, 0)
    """).fetchall()
    assert differing == []


def test_each_bucket_has_one_latest_vintage(ran: Path) -> None:
    """Vintages are numbered from 0 (late rows of an unborn cell: from 1) without gap, the last one is `latest`."""
    wrong = duckdb.sql(f"""
        select series_id, bucket, start from '{ran}/aggregates.parquet'
        group by all having sum(latest::int) <> 1 or max(vintage) <> max(vintage) filter (latest)
            or count(distinct vintage) <> count(*) or max(vintage) - min(vintage) + 1 <> count(*)
    """).fetchall()
    assert wrong == []
    revised = duckdb.sql(f"select count(*) from '{ran}/aggregates.parquet' where vintage > 0").fetchall()[0]
    assert revised[0] > 0


def test_broken_records_are_listed_with_their_reasons(generated: Path, ran: Path) -> None:
    """rejects.jsonl holds every broken record once, with file, line, field and the expected reason."""
    truth = json.loads((generated / "truth.json").read_text())
    rejects = [json.loads(line) for line in (ran / "rejects.jsonl").read_text().splitlines()]
    counted: dict[str, int] = {}
    for reject in rejects:
        counted[reject["reason"]] = counted.get(reject["reason"], 0) + 1
        assert reject["file"].endswith("tx.jsonl.zst")
        assert reject["line"] >= 1
    assert counted == truth["expected_rejects"]
    assert json.loads((ran / "summary.json").read_text())["rejected"] == counted


def test_chopping_into_files_changes_nothing(earlywarn: Command, generated: Path, ran: Path, tmp_path: Path) -> None:
    """The same records dealt into three files, each a partition of its own, give the same final values and alerts."""
    with pa.input_stream(str(generated / "tx.jsonl.zst")) as stream:
        lines = stream.read().splitlines(keepends=True)
    for part in range(3):
        (tmp_path / f"part-{part}.jsonl").write_bytes(b"".join(lines[part::3]))
    out = tmp_path / "out"
    finished = earlywarn("run", tmp_path / "part-*.jsonl", "--out", out, "--received-at", RECEIVED, "--no-report")
    assert finished.returncode == 0, finished.stderr
    kept = "series_id, bucket, start, transactions, amount_minor"
    one, other = (f"select {kept} from '{each}/aggregates.parquet' where latest" for each in (ran, out))
    assert duckdb.sql(f"({one} except {other}) union all ({other} except {one})").fetchall() == []


def test_nothing_readable_exits_1_and_says_why(earlywarn: Command, tmp_path: Path) -> None:
    """A file of rubbish gives exit 1, one clear line, and the rejects."""
    file = tmp_path / "rubbish.jsonl"
    file.write_text('{"id": 1}\nno json\n{"id":"a","ts":1,"amount_minor":1,"currency":"XXQ","region":"CH04"}\n')
    finished = earlywarn("run", file, "--out", tmp_path / "out")
    assert finished.returncode == 1
    assert "not one record could be used" in finished.stderr
    assert len((tmp_path / "out/rejects.jsonl").read_text().splitlines()) == 3


def test_bad_usage_exits_2(earlywarn: Command, tmp_path: Path) -> None:
    """An unknown option, or no input, is bad usage."""
    assert earlywarn("run", "--frobnicate", "--out", tmp_path).returncode == 2
    assert earlywarn("run", "--out", tmp_path).returncode == 2
    missing = earlywarn("run", tmp_path / "nothing.csv", "--out", tmp_path)
    assert missing.returncode == 1
    assert "nothing.csv" in missing.stderr


def test_plain_cells_need_nothing_else(earlywarn: Command, tmp_path: Path) -> None:
    """Cells with region and sector names of their own, sorted by region, without country or currency, just run."""
    rows = [
        f"2021-01-{day:02},{region},{sector},{1000 + day},{12.345 * (1000 + day):.3f}"
        for region in ("North", "South / West")
        for sector in ("food", "50% off")
        for day in range(1, 29)
    ]
    (tmp_path / "cells.csv").write_text("\n".join(["date,region,sector,transactions,amount", *rows]))
    finished = earlywarn("run", tmp_path / "cells.csv", "--out", tmp_path / "out")
    assert finished.returncode == 0, finished.stderr
    ids = duckdb.sql(
        f"select distinct series_id from '{tmp_path}/out/aggregates.parquet' where level = 'cell'"
    ).fetchall()
    assert ("panel/South %2F West/50%25 off",) in ids
    assert len(ids) == 4


def test_an_output_folder_that_cannot_be_made_is_one_line(earlywarn: Command, tmp_path: Path) -> None:
    (tmp_path / "cells.csv").write_text("date,region,sector,transactions,amount\n2021-01-01,A,b,1,1\n")
    (tmp_path / "file").write_text("")
    finished = earlywarn("run", tmp_path / "cells.csv", "--out", tmp_path / "file" / "out")
    assert finished.returncode == 1
    assert len(finished.stderr.strip().splitlines()) == 1


def test_transactions_out_of_order_are_sorted_on_request(earlywarn: Command, tmp_path: Path) -> None:
    """A file sorted by shop loses its old records as too late and says so; with --sort nothing is lost."""
    lines = [
        json.dumps({"id": f"{shop}{day}", "ts": 1_551_702_896_000 + day * 86_400_000, "amount_minor": 100,
                    "currency": "CHF", "mcc": "5411", "region": "CH04"})
        for shop in "ab" for day in range(120)
    ]  # fmt: skip
    (tmp_path / "tx.jsonl").write_text("\n".join(lines))
    plain = earlywarn("run", tmp_path / "tx.jsonl", "--out", tmp_path / "plain", "--no-report")
    assert "--sort" in plain.stderr
    finished = earlywarn("run", tmp_path / "tx.jsonl", "--out", tmp_path / "sorted", "--sort", "--no-report", "--json")
    assert json.loads(finished.stdout)["transactions"] == 240
    assert json.loads(finished.stdout)["rejected"] == {}


def test_copies_are_told_on_request(earlywarn: Command, generated: Path, tmp_path: Path) -> None:
    """With a window as long as the file the second copies are rejects of their own reason, and nothing else changes."""
    config = tmp_path / "panel.toml"
    config.write_text(PANEL.read_text() + "\n[fold]\ndeduplicate_blocks = 1000\n")
    plain, told = (
        earlywarn(
            "run", generated / "tx.jsonl.zst", "--config", path, "--out", tmp_path / path.stem,
            "--received-at", RECEIVED, "--no-report", "--json",
        )
        for path in (_without_window(config), config)
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    before, after = json.loads(plain.stdout), json.loads(told.stdout)
    copies = after["rejected"].pop("duplicate")
    assert copies == json.loads((generated / "tx.truth.json").read_text())["duplicates"] > 100
    assert after["rejected"] == before["rejected"]
    differing = duckdb.sql(f"""
        with truth as (select date::varchar as day, region, sum(transactions) as n, sum(amount_minor) as amount
                       from '{generated}/truth.parquet' group by all),
        ours as (select start[:10] as day, region, sum(transactions) as n, sum(amount_minor) as amount
                 from '{tmp_path}/panel/aggregates.parquet'
                 where level = 'cell' and bucket = 'day' and latest group by all)
        select * from truth full join ours using (day, region)
        where coalesce(truth.n, 0) <> coalesce(ours.n, 0) or coalesce(truth.amount, 0) <> coalesce(ours.amount, 0)
    """).fetchall()
    assert differing == []


def _without_window(config: Path) -> Path:
    path = config.with_name("plain.toml")
    path.write_text(config.read_text().replace("deduplicate_blocks = 1000", ""))
    return path
