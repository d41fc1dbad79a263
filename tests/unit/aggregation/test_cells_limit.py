"""Cells of any code: so many are told apart, what further ones bring counts together, and nothing is lost."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from earlywarn.adapters import arrow_batch
from earlywarn.adapters.kafka.recount import unpacked
from earlywarn.adapters.kafka.wire import encode_rows
from earlywarn.aggregation.cells import OTHERS
from earlywarn.aggregation.intake import decode
from earlywarn.aggregation.partial import OTHER_SOURCES, Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.control_marks import CONTROL_HEADER, END
from earlywarn.application.fold import RunFold
from earlywarn.application.recount import Recount
from earlywarn.application.settings import load
from earlywarn.application.verification import Publication, PublishedRow, verify
from earlywarn.domain.transaction import Transaction

START_MS = 1_551_702_896_000
HOUR_MS = 3_600_000
RECEIVED_MS = 4_000_000_000_000
LIMIT = 10
CELLS = 300
HOURS = 60
STEP_MS = HOURS * HOUR_MS // CELLS
ANY_REGION, OPEN, NUTS = "any_region = true", 'classification = "open"', 'countries = ["CH"]'


def run_of(folder: Path, *rules: str, limit: int = LIMIT) -> Run:
    """Return a run of one panel whose codes `rules` say."""
    path = folder / "run.toml"
    path.write_text(
        f"[coverage]\ncells_limit = {limit}\n"
        + "\n".join(['[[panels]]\nid = "any"\ncurrency = "CHF"\ntime_zone = "UTC"', *rules])
    )
    return compose(load(path, {}))


def log_of(*, regions: int = CELLS, sectors: int = CELLS) -> list[bytes]:
    """Return payments of ever new codes, and of an honest cell between them."""
    made_up = [
        {"id": f"h{at}", "ts": START_MS + at * STEP_MS, "region": f"R{at % regions}", "sector": f"x:{at % sectors}"}
        for at in range(CELLS)
    ]
    honest = [{"id": f"t{at}", "ts": START_MS + at * STEP_MS, "region": "R0", "sector": "x:0"} for at in range(CELLS)]
    records = sorted([*honest, *made_up], key=lambda record: (record["ts"], record["id"]))
    return [json.dumps({**each, "amount_minor": 100, "currency": "CHF"}).encode() for each in records]


def partials(run: Run, log: Sequence[bytes], batch: int) -> list[Partial]:
    block, found = run.block_fold(0, 1), list[Partial | None]()
    for start in range(0, len(log), batch):
        values = log[start : start + batch]
        sealed, rejected = block.add(range(start, start + len(values)), decode(values), RECEIVED_MS)
        assert not rejected
        found += [*sealed, block.flush()]
    return [each for each in [*found, *block.end(len(log))] if each is not None]


def published(fold: RunFold, log: Sequence[Partial]) -> list[bytes]:
    return [
        value
        for partial in log
        for output in fold.apply(partial)
        if isinstance(output, AggregateRows)
        for _, value in encode_rows(output)
    ]


def cells(values: Sequence[bytes]) -> Counter[tuple[str, str]]:
    """Return the transactions of every cell, by days."""
    found: Counter[tuple[str, str]] = Counter()
    for row in map(msgspec.json.decode, values):
        if (row["bucket"], row["level"]) == ("day", "cell"):
            found[row["region"], row["sector"]] += row["transactions"]
    return found


@pytest.mark.parametrize(
    ("rules", "others"),
    [((ANY_REGION, OPEN), (OTHERS, OTHERS)), ((NUTS, OPEN), ("CH04", OTHERS))],
    ids=["any region and sector", "any sector"],
)
def test_cells_beyond_the_limit_count_together(tmp_path: Path, rules: tuple[str, ...], others: tuple[str, str]) -> None:
    run, log = run_of(tmp_path, *rules), log_of()
    if NUTS in rules:
        log = [value.replace(b'"region": "R', b'"country": "CH", "region": "CH04", "_": "') for value in log]
    found = cells(published(compose_fold(run, 1), partials(run, log, 50)))
    assert len(found) == LIMIT + 1
    assert found.total() == 2 * CELLS
    assert found[others] == CELLS - LIMIT
    assert max(found.values()) >= CELLS


def test_declared_codes_have_no_limit(tmp_path: Path) -> None:
    run = run_of(tmp_path, NUTS, limit=1)
    record = {"amount_minor": 100, "currency": "CHF", "country": "CH", "mcc": "5411"}
    log = [
        json.dumps(
            record | {"id": f"{region}{hour}", "ts": START_MS + hour * HOUR_MS, "region": f"CH0{region}"}
        ).encode()
        for hour in range(HOURS)
        for region in range(1, 8)
    ]
    assert len(cells(published(compose_fold(run, 1), partials(run, log, 50)))) == 7


def test_it_is_a_function_of_the_log(tmp_path: Path) -> None:
    """However it is read, and wherever a detector goes on from a snapshot."""
    run, log = run_of(tmp_path, ANY_REGION, OPEN), log_of()
    whole = published(compose_fold(run, 1), partials(run, log, 50))
    assert sorted(published(compose_fold(run, 1), partials(run, log, 1))) == sorted(whole)
    sent = partials(run, log, 50)
    for at in (1, len(sent) // 2):
        first, second = compose_fold(run, 1), compose_fold(run, 1)
        before = published(first, sent[:at])
        second.restore(first.snapshot())
        assert before + published(second, sent[at:]) == whole


def test_a_card_in_a_field_that_names_what_is_published_goes_no_further(tmp_path: Path) -> None:
    """As a source, a sector or a region, of what is accepted as of what is not, in records and in batches of them."""
    card = "4929 1234 1234 1234"
    record = {"id": "t", "ts": START_MS, "region": "R0", "sector": "x:0", "amount_minor": 100, "currency": "CHF"}
    spoilt = [{"source": card}, {"source": card, "amount_minor": -1}, {"sector": card}, {"region": card}]
    outcomes = decode([json.dumps(record | each).encode() for each in spoilt])
    single, batched = (run_of(tmp_path, ANY_REGION, OPEN).block_fold(0, 1) for _ in range(2))
    _, rejected = single.add(range(len(outcomes)), outcomes, RECEIVED_MS)
    batch = arrow_batch.decode(arrow_batch.encode([each for each in outcomes if isinstance(each, Transaction)]))
    assert isinstance(batch, arrow_batch.ArrowBatch)
    _, rejected_rows = batched.add_columns(0, batch.columns, RECEIVED_MS)
    for found in (rejected, rejected_rows):
        assert [each.reject.reason.value for each in found] == [
            "amount_out_of_range", "sector_unknown", "region_unknown",
        ]  # fmt: skip
    for partial in (single.flush(), batched.flush()):
        assert partial is not None
        assert [row.source for row in (*partial.sources, *partial.unread)] == [OTHER_SOURCES, OTHER_SOURCES, ""]
        assert "4929" not in str((partial, rejected, rejected_rows))


def test_a_recount_agrees(tmp_path: Path) -> None:
    run, log = run_of(tmp_path, ANY_REGION, OPEN), log_of()
    recount, publication = Recount(run, unpacked, finite=True), Publication()
    for offset, value in enumerate(log):
        recount.take(0, offset, value, [], RECEIVED_MS)
    recount.take(0, len(log), None, [(CONTROL_HEADER, END)], RECEIVED_MS)
    values = published(compose_fold(run, 1), partials(run, log, 50))
    for value in values:
        publication.add(msgspec.json.decode(value, type=PublishedRow))
    assert verify(run, recount, publication, {}, partitions=1).equal
    lost = Publication()
    for value in values:
        row = msgspec.json.decode(value, type=PublishedRow)
        if row.transactions and OTHERS in row.series_id.replace("%28", "(").replace("%29", ")"):
            row = msgspec.structs.replace(row, transactions=row.transactions - 1)
        lost.add(row)
    assert verify(run, recount, lost, {}, partitions=1).found
