"""A record of the same content has the same outcome, whatever format it comes in."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from earlywarn.adapters.files import InputDefaults, JsonBatch, RowBatch, open_inputs
from earlywarn.aggregation.intake import Outcome, decode
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction

GOOD: dict[str, Any] = {
    "id": "t1", "ts": "2019-03-04T12:30:00Z", "amount_minor": 100, "currency": "CHF", "mcc": "5411", "region": "CH04",
    "country": "CH", "channel": "pos", "source": None, "sector": None, "kind": "purchase", "count": 1, "v": 1,
}  # fmt: skip
SECOND_MS = 1_551_702_600_000

CASES: list[tuple[dict[str, Any], Any]] = [
    ({}, SECOND_MS),
    ({"ts": "2019-03-04T12:29:59.999999Z"}, SECOND_MS - 1),
    ({"ts": "2019-03-04T12:29:59.9999999Z"}, SECOND_MS - 1),
    ({"ts": "2019-03-04T13:29:59.999999999+01:00"}, SECOND_MS - 1),
    ({"ts": "2019-03-04T12:30:00.0009999Z"}, SECOND_MS),
    ({"ts": "2019-03-04 12:30:00Z"}, SECOND_MS),
    ({"kind": None, "count": None, "v": None, "country": None, "channel": None, "card": None}, SECOND_MS),
    ({"ts": "1989-12-31T23:59:59.9999999Z"}, RejectReason.TIME_INVALID),
    ({"ts": None}, RejectReason.MISSING_FIELD),
    ({"ts": "yesterday", "kind": None}, RejectReason.TIME_INVALID),
    ({"id": None, "kind": None}, RejectReason.MISSING_FIELD),
    ({"amount_minor": None, "v": None}, RejectReason.MISSING_FIELD),
    ({"amount_minor": 10**15 + 1, "count": None}, RejectReason.AMOUNT_OUT_OF_RANGE),
    ({"amount_minor": 10**13}, SECOND_MS),
    ({"amount_minor": 10**13 + 1, "count": None}, RejectReason.AMOUNT_OUT_OF_RANGE),
    ({"amount_minor": -(10**13) - 1, "kind": "refund"}, RejectReason.AMOUNT_OUT_OF_RANGE),
    ({"amount_minor": 3 * 10**13 + 1, "count": 3}, RejectReason.AMOUNT_OUT_OF_RANGE),
    ({"count": 10**9 + 1}, RejectReason.COUNT_OUT_OF_RANGE),
    ({"count": -1}, RejectReason.COUNT_OUT_OF_RANGE),
    ({"count": -(10**9) - 1, "kind": "reversal"}, RejectReason.COUNT_OUT_OF_RANGE),
    ({"v": 2, "kind": None}, RejectReason.VERSION_UNKNOWN),
    ({"currency": "chf", "count": None}, RejectReason.CURRENCY_UNKNOWN),
    ({"kind": "Refund"}, RejectReason.KIND_UNKNOWN),
]


def outcomes(folder: Path, record: dict[str, Any]) -> dict[str, Outcome]:
    """Return what becomes of a record by format."""
    (folder / "a.jsonl").write_text(json.dumps(record) + "\n")
    with (folder / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([record, ["" if value is None else value for value in record.values()]])
    numbers = {"amount_minor", "count", "v"}
    columns = {name: pa.array([each], pa.int64() if name in numbers else pa.string()) for name, each in record.items()}
    pq.write_table(pa.table(columns), folder / "a.parquet")
    found: dict[str, Outcome] = {}
    for name in ("a.jsonl", "a.csv", "a.parquet"):
        [file] = open_inputs([str(folder / name)], defaults=InputDefaults())
        for batch in file.batches():
            if isinstance(batch, JsonBatch):
                [found[name]] = decode(batch.values)
            elif isinstance(batch, RowBatch):
                [found[name]] = batch.records
    return found


@pytest.mark.parametrize(("changes", "wanted"), CASES)
def test_every_format_has_the_same_outcome(tmp_path: Path, changes: dict[str, Any], wanted: int | RejectReason) -> None:
    found = outcomes(tmp_path, GOOD | changes)
    told = {name: each.reason if isinstance(each, Reject) else each.ts for name, each in found.items()}
    assert told == dict.fromkeys(("a.jsonl", "a.csv", "a.parquet"), wanted)
    accepted = [each for each in found.values() if not isinstance(each, Reject)]
    assert all((each.kind, each.count, each.v) == ("purchase", 1, 1) for each in accepted)


@pytest.mark.parametrize(("amount_minor", "count"), [(3 * 10**13, 3), (10**15, 100), (10**15, 10**9), (10**15, 0)])
def test_a_record_of_several_payments_has_room_for_each(tmp_path: Path, amount_minor: int, count: int) -> None:
    """A record may stand for the payments of a whole day and sector, in a currency of small units; or for none."""
    found = outcomes(tmp_path, GOOD | {"amount_minor": amount_minor, "count": count})
    accepted = [each for each in found.values() if not isinstance(each, Reject)]
    assert [(each.amount_minor, each.count) for each in accepted] == [(amount_minor, count)] * 3
    assert len(set(accepted)) == 1
    assert {type(each) for each in accepted} == {Transaction}


@pytest.mark.parametrize("kind", ["reversal", "refund"])
def test_what_takes_away_may_say_so_by_its_signs_as_well(tmp_path: Path, kind: str) -> None:
    """Both negative is how some providers write a reversal; its kind says what it does."""
    found = outcomes(tmp_path, GOOD | {"kind": kind, "amount_minor": -1000, "count": -3})
    accepted = [each for each in found.values() if not isinstance(each, Reject)]
    assert [(each.kind, each.amount_minor, each.count) for each in accepted] == [(kind, -1000, 3)] * 3
