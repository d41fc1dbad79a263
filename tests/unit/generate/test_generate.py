"""Generated transactions: exact, reproducible, in order, and with a truth that holds."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from earlywarn.adapters.files import JsonBatch, open_inputs
from earlywarn.aggregation.intake import decode_one
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import ConfigError
from earlywarn.generate import (
    GenerateOptions,
    Shock,
    Truth,
    expected_transactions,
    generate,
    synthetic_cells,
    write_generated,
)
from earlywarn.generate.amounts import split_amounts
from earlywarn.generate.broken import BREAKAGES, OVERSIZED
from earlywarn.generate.clock import event_times

FIRST = date(2019, 3, 30)
FOOD = "Retail: Food, beverage, tobacco"
CELLS = [
    Cell(FIRST + timedelta(days=day), region, sector, count, count * 4_321 + 7, "CHF", "CH")
    for day in range(4)  # over the night of 31 March, which has 23 hours in Zurich
    for region, sector, count in [("CH04", FOOD, 300), ("CH04", "own", 50), ("CH01", FOOD, 200), ("CH01", "own", 0)]
]
EXACT = GenerateOptions(poisson=False, jitter_seconds=0)
ZURICH = ZoneInfo("Europe/Zurich")


def lines_of(cells: Sequence[Cell], options: GenerateOptions, truth: Truth | None = None) -> list[bytes]:
    return [value for batch in generate(cells, options, truth) for value in batch]


def accepted(lines: list[bytes]) -> list[Transaction]:
    return [outcome for outcome in map(decode_one, lines) if isinstance(outcome, Transaction)]


def moment(transaction: Transaction) -> int:
    assert isinstance(transaction.ts, int)
    return transaction.ts


def folded(transactions: list[Transaction]) -> dict[tuple[date, str, str, str], tuple[int, int]]:
    """Count each id once, by local day, region, sector (or MCC) and channel: the plain loop."""
    sums: dict[tuple[date, str, str, str], tuple[int, int]] = {}
    for record in {record.id: record for record in transactions}.values():
        day = datetime.fromtimestamp(moment(record) / 1000, ZURICH).date()
        key = (day, record.region or "", record.sector or record.mcc or "", record.channel or "")
        count, amount = sums.get(key, (0, 0))
        sums[key] = (count + 1, amount + record.amount_minor)
    return sums


@given(
    st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 60)), min_size=1, max_size=8),
    st.floats(0.01, 4),
    st.integers(0, 2**32),
)
def test_amounts_add_up_to_the_minor_unit(cells: list[tuple[int, int]], sigma: float, seed: int) -> None:
    totals = np.array([total if count else 0 for total, count in cells], dtype=np.int64)
    counts = np.array([count for _, count in cells], dtype=np.int64)
    amounts = split_amounts(totals, counts, sigma, np.random.default_rng(seed))
    assert (amounts >= 0).all()
    parts = np.split(amounts, np.cumsum(counts)[:-1])
    assert [int(part.sum()) for part in parts] == totals.tolist()


def test_without_chance_and_scale_the_cells_come_back_exactly_in_time_order() -> None:
    truth = Truth()
    records = accepted(lines_of(CELLS, EXACT, truth))
    sums = folded(records)
    assert sums == {
        (cell.day, cell.region, cell.sector, "pos"): (cell.transactions, cell.amount_minor)
        for cell in CELLS
        if cell.transactions
    }
    assert truth.cells.keys() == sums.keys()
    times = [moment(record) for record in records]
    assert times == sorted(times)
    assert len({record.id for record in records}) == len(records) == truth.transactions == 2200
    assert max(Counter(record.card for record in records).values()) > 2, "busy cards come again"


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    options = GenerateOptions(seed=5, late_share=0.1, duplicate_share=0.1, broken_share=0.1, ecom_share=0.2)
    first = lines_of(CELLS, options)
    assert first == lines_of(list(reversed(CELLS)), options), "the order of the cells does not matter"
    assert first != lines_of(CELLS, msgspec.structs.replace(options, seed=6))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 2), use_mcc=st.booleans())
def test_the_truth_is_what_a_plain_loop_counts(seed: int, scale: float, use_mcc: bool) -> None:  # noqa: FBT001  # drawn
    """With everything on: late, duplicate and broken records, e-commerce, MCCs, shocks, chance."""
    truth = Truth()
    options = GenerateOptions(
        seed=seed, scale=scale, use_mcc=use_mcc, ecom_share=0.3, late_share=0.1, duplicate_share=0.1, broken_share=0.05,
        shocks=(Shock(first_day=FIRST, days=2, change_pct=40, region="CH04", measure="amount"),),
    )  # fmt: skip
    lines = lines_of(CELLS, options, truth)
    future = {"time_in_future", "time_invalid", "amount_out_of_range", "count_out_of_range"}  # the fold's own checks
    sectors = {"sector_missing", "region_missing"}
    checked_later = sum(count for reason, count in truth.expected_rejects.items() if reason in future | sectors)
    records = [record for record in accepted(lines) if not _is_broken(record)]
    assert folded(records) == {key: (row[0], row[1]) for key, row in truth.cells.items()}
    assert len(lines) == truth.records
    assert len(records) - len({record.id for record in records}) == truth.duplicates
    rejected = sum(isinstance(decode_one(line), Reject) for line in lines)
    assert truth.broken - checked_later <= rejected <= truth.broken
    assert truth.late == sum(row[2] for row in truth.cells.values())


def _is_broken(record: Transaction) -> bool:
    """Say whether a record decodes but breaks a rule that lies after decoding."""
    return (
        not 0 <= record.amount_minor <= 10**15
        or record.count < 0
        or not isinstance(record.ts, int)
        or not 0 < record.ts < 4 * 10**12
        or record.region is None
        or (record.mcc is None and record.sector is None)
    )


def test_every_breakage_breaks_a_good_record_for_the_reason_it_names() -> None:
    [good] = lines_of(CELLS[:1], msgspec.structs.replace(EXACT, scale=1 / 300))
    assert isinstance(decode_one(good), Transaction)
    for breakage in (*BREAKAGES, OVERSIZED):
        outcome = decode_one(breakage.apply(good))
        if isinstance(outcome, Reject):
            assert outcome.reason is breakage.reason
        else:
            assert _is_broken(outcome), breakage.reason
    named = {breakage.reason for breakage in (*BREAKAGES, OVERSIZED)}
    of_panel_or_file = {
        RejectReason.NULL_VALUE, RejectReason.TOO_LATE, RejectReason.CURRENCY_NO_RATE, RejectReason.SECTOR_UNKNOWN,
        RejectReason.REGION_UNKNOWN, RejectReason.PANEL_UNKNOWN, RejectReason.ROW_UNREADABLE,
        RejectReason.DUPLICATE_CELL, RejectReason.NOT_ARROW, RejectReason.DUPLICATE, RejectReason.CONTROL_MARK,
        RejectReason.AFTER_END,
    }  # fmt: skip
    assert named | of_panel_or_file == set(RejectReason)


def test_disorder_stays_within_the_jitter_and_late_records_within_their_days() -> None:
    options = GenerateOptions(jitter_seconds=600, late_share=0.05, late_days_max=10)
    truth = Truth()
    newest = 0
    late = []
    for record in accepted(lines_of(CELLS, options, truth)):
        behind_seconds = (newest - moment(record)) / 1000
        if behind_seconds > 600:
            late.append(behind_seconds)
        newest = max(newest, moment(record))
    assert truth.late / truth.transactions == pytest.approx(0.05, abs=0.02)
    assert 0 < len(late) <= truth.late
    assert max(late) <= 10 * 86_400


def test_a_shock_changes_its_cells_and_no_other() -> None:
    shock = Shock(first_day=FIRST + timedelta(days=1), days=2, change_pct=-50, region="CH04", sector=FOOD)
    truth = Truth()
    lines_of(CELLS, msgspec.structs.replace(EXACT, shocks=(shock,)), truth)
    for cell in CELLS:
        hit = cell.region == "CH04" and cell.sector == FOOD and 1 <= (cell.day - FIRST).days <= 2
        count = truth.cells.get((cell.day, cell.region, cell.sector, "pos"), [0])[0]
        assert count == (cell.transactions // 2 if hit else cell.transactions)


def test_a_target_number_scales_counts_and_amounts_alike() -> None:
    truth = Truth()
    lines_of(CELLS, GenerateOptions(transactions=50_000), truth)
    assert truth.transactions == pytest.approx(50_000, rel=0.03)
    mean_ticket = sum(cell.amount_minor for cell in CELLS) / sum(cell.transactions for cell in CELLS)
    assert truth.amount_minor / truth.transactions == pytest.approx(mean_ticket, rel=0.01)


@pytest.mark.parametrize(("day", "hours"), [(date(2019, 3, 31), 23), (date(2019, 10, 27), 25), (date(2019, 5, 1), 24)])
def test_times_fill_the_local_day_whatever_its_length(day: date, hours: int) -> None:
    """The hour that the clock leaves out gets nothing; the one it shows twice gets twice as much."""
    times = event_times(day, ZURICH, np.ones(24), 50_000, np.random.default_rng(1))
    local = [datetime.fromtimestamp(int(ts) / 1000, ZURICH) for ts in times]
    assert {one.date() for one in local} == {day}
    by_hour = Counter(one.hour for one in local)
    two = {23: 0.0, 24: 1.0, 25: 2.0}[hours] * 50_000 / hours
    assert by_hour[2] == pytest.approx(two, rel=0.1)
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZURICH).astimezone(UTC).timestamp()
    assert max(times) < (midnight + hours * 3600) * 1000


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.jsonl.zst"])
def test_a_written_file_reads_back_with_its_truth_beside_it(tmp_path: Path, name: str) -> None:
    truth = write_generated(CELLS, GenerateOptions(seed=3, duplicate_share=0.1), tmp_path / "out" / name)
    [file] = open_inputs([str(tmp_path / "out" / name)])
    lines = [value for batch in file.batches() if isinstance(batch, JsonBatch) for value in batch.values]
    assert lines == lines_of(CELLS, GenerateOptions(seed=3, duplicate_share=0.1))
    summary = msgspec.json.decode((tmp_path / "out" / "truth.json").read_bytes())
    assert (summary["records"], summary["duplicates"]) == (len(lines), truth.duplicates)
    assert summary["options"]["seed"] == 3
    table = parquet.read_table(tmp_path / "out" / "truth.parquet")
    assert sum(table["amount_minor"].to_pylist()) == summary["amount_minor"] == truth.amount_minor
    assert table.equals(truth.table())


def test_each_file_keeps_its_truth_beside_those_of_others(tmp_path: Path) -> None:
    """A second file in the folder takes nothing of the first one's truth; truth.json is the latest one's."""
    for name, seed in (("one.jsonl", 1), ("two.jsonl.gz", 2)):
        write_generated(CELLS, GenerateOptions(seed=seed), tmp_path / name)
    seeds = {
        name: msgspec.json.decode((tmp_path / f"{name}.json").read_bytes())["options"]["seed"]
        for name in ("one.truth", "two.truth", "truth")
    }
    assert seeds == {"one.truth": 1, "two.truth": 2, "truth": 2}
    latest = parquet.read_table(tmp_path / "truth.parquet")
    assert latest.equals(parquet.read_table(tmp_path / "two.truth.parquet"))
    assert not latest.equals(parquet.read_table(tmp_path / "one.truth.parquet"))


def test_what_breaks_off_leaves_the_earlier_file_and_no_draft(tmp_path: Path) -> None:
    write_generated(CELLS, EXACT, tmp_path / "t.jsonl")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_generated(CELLS, GenerateOptions(seed=9), tmp_path / "t.jsonl", interrupt)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("options", [GenerateOptions(scale=3), GenerateOptions(transactions=7_000)])
def test_the_expected_number_is_about_what_comes(options: GenerateOptions) -> None:
    assert len(lines_of(CELLS, options)) == pytest.approx(expected_transactions(CELLS, options), rel=0.05)


def test_settings_that_cannot_be_used_are_all_named() -> None:
    options = GenerateOptions(scale=0, late_share=2, jitter_seconds=-1, time_zone="Mars/Olympus", sources=())
    with pytest.raises(ConfigError) as caught:
        generate([], options)
    for name in ("scale", "late_share", "jitter_seconds", "Mars/Olympus", "sources"):
        assert name in str(caught.value)


def test_no_cells_give_no_records() -> None:
    assert lines_of([], GenerateOptions(transactions=10)) == []


def test_synthetic_cells_are_complete_reproducible_and_move_together() -> None:
    cells = list(synthetic_cells(seed=2, days=400))
    assert cells == list(synthetic_cells(seed=2, days=400))
    assert len(cells) == 400 * 7 * 7
    counts = np.array([cell.transactions for cell in cells], dtype=np.float64).reshape(400, 49)
    assert counts.sum(axis=1).mean() == pytest.approx(200_000, rel=0.5)
    weekly = np.diff(np.log(counts[:, :]), n=1, axis=0)[7:] - np.diff(np.log(counts), n=1, axis=0)[:-7]
    correlation = np.corrcoef(weekly.T)
    assert correlation[~np.eye(49, dtype=bool)].mean() > 0.3
    sundays = [index for index in range(400) if (date(2022, 1, 1) + timedelta(days=index)).weekday() == 6]
    assert counts[sundays].sum() / len(sundays) < 0.8 * counts.sum() / 400
    with pytest.raises(ConfigError, match="need days"):
        synthetic_cells(days=0)
