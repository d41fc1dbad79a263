"""Typed transactions from CSV and Parquet: earlywarn's own columns."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from earlywarn.adapters.files import InputDefaults, InputFile, ReadLimits, RowBatch, open_inputs
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction

HEADER = "id,ts,amount_minor,currency,mcc,region,card,kind,count\n"
GOOD = "t1,1551702896000,1234,CHF,0742,CH04,4929123412341234,refund,1\n"


def rows(file: InputFile) -> dict[int, Transaction | Reject]:
    found: dict[int, Transaction | Reject] = {}
    for batch in file.batches():
        assert isinstance(batch, RowBatch)
        found |= dict(zip(batch.lines, batch.records, strict=True))
    return found


def opened(path: Path, text: str, defaults: InputDefaults | None = None) -> InputFile:
    path.write_text(text)
    [file] = open_inputs([str(path)], defaults=defaults, limits=ReadLimits(batch_rows=2))
    return file


def test_a_row_is_the_transaction_that_its_json_would_be(tmp_path: Path) -> None:
    file = opened(
        tmp_path / "a.csv", HEADER + GOOD + "t2,2019-03-04T12:34:56Z,5,CHF,,,,,\n", InputDefaults(country="CH")
    )
    found = rows(file)
    assert file.kind == "transactions"
    assert found[2] == Transaction(
        id="t1", ts=1551702896000, amount_minor=1234, currency="CHF", mcc="0742", region="CH04",
        card="4929123412341234", kind="refund", country="CH",
    )  # fmt: skip
    assert found[3] == Transaction(id="t2", ts=1551702896000, amount_minor=5, currency="CHF", country="CH")


def test_a_time_without_offset_is_local_in_the_default_zone(tmp_path: Path) -> None:
    zone = InputDefaults(time_zone="Europe/Zurich")
    text = "id,ts,amount_minor,currency\n" + "".join(
        f"{n},{ts},1,CHF\n"
        for n, ts in enumerate(["2019-03-04T13:34:56", "2019-07-04 02:00:00", "2019-07-04T02:00+02:00"])
    )
    found = [
        record.ts for record in rows(opened(tmp_path / "a.csv", text, zone)).values() if isinstance(record, Transaction)
    ]
    summer = int(datetime(2019, 7, 4, tzinfo=UTC).timestamp() * 1000)
    assert found == [1551702896000, summer, summer]


@pytest.mark.parametrize(
    ("row", "reason", "field"),
    [
        (",1551702896000,1,CHF,,,,,", RejectReason.MISSING_FIELD, "id"),
        ("x,,1,CHF,,,,,", RejectReason.MISSING_FIELD, "ts"),
        ("x,yesterday,1,CHF,,,,,", RejectReason.TIME_INVALID, "ts"),
        ("x,1551702896000,,CHF,,,,,", RejectReason.MISSING_FIELD, "amount_minor"),
        ("x,1551702896000,12.5,CHF,,,,,", RejectReason.WRONG_TYPE, "amount_minor"),
        ("x,1551702896000,1,,,,,,", RejectReason.MISSING_FIELD, "currency"),
        ("x,1551702896000,1,XYZ,,,,,", RejectReason.CURRENCY_UNKNOWN, "currency"),
        ("x,1551702896000,1,CHF,742,,,,", RejectReason.MCC_INVALID, "mcc"),
        ("x,1551702896000,1,CHF,,,,gift,", RejectReason.KIND_UNKNOWN, "kind"),
        ("x,1551702896000,1,CHF,,,,,many", RejectReason.WRONG_TYPE, "count"),
        ("x" * 129 + ",1551702896000,1,CHF,,,,,", RejectReason.ID_INVALID, "id"),
        ("x,1551702896000,1,CHF", RejectReason.ROW_UNREADABLE, ""),
        ('x,1551702896000,1,CHF,,,"open,,', RejectReason.ROW_UNREADABLE, ""),
    ],
)
def test_a_bad_row_has_its_reason_and_costs_no_other_row(
    tmp_path: Path, row: str, reason: RejectReason, field: str
) -> None:
    found = rows(opened(tmp_path / "a.csv", HEADER + GOOD + row + "\n" + GOOD))
    reject = found[3]
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.field) == (reason, field)
    assert isinstance(found[2], Transaction)
    assert isinstance(found[4], Transaction)


def test_a_wrong_time_is_shown_and_so_is_what_would_do(tmp_path: Path) -> None:
    rows_of = {"2020-13-01": "'2020-13-01'", "04.03.2019 13:34": "'04.03.2019 13:34'", "1551702896": None}
    lines = [f"x,{ts},1,CHF,,,,,\n" for ts in rows_of]
    found = rows(opened(tmp_path / "a.csv", HEADER + "".join(lines))).values()
    for reject, text in zip(found, rows_of.values(), strict=True):
        assert isinstance(reject, Reject)
        assert reject.reason is RejectReason.TIME_INVALID
        wanted = f"{text} is no time of ISO 8601 and no epoch milliseconds"
        if text and "." in text:
            wanted += (
                "; correct it, or where most dates are such name a mapping that says date_format: '%d.%m.%Y %H:%M'"
            )
        assert reject.detail == (
            wanted if text else "lies outside 1990 to 2100 (epoch milliseconds are read, not seconds)"
        )


def test_no_reject_shows_a_card_number_even_from_the_wrong_column(tmp_path: Path) -> None:
    card = "4929123412341234"
    spaced = "4929 1234 1234 1234"
    lines = [
        f"x,{card}x,1,CHF,,,,,",
        f"x,1551702896000,{card}x,CHF,,,,,",
        f"x,1551702896000,1,{card},,,,,",
        f"x,1551702896000,1,CHF,{spaced},,,,",
        f"x,1551702896000,1,CHF,,,{card},{spaced},",
        f"x,1551702896000,1,CHF,,,{card * 20},,",
        f"x,1551702896000,1,CHF,,,{card}",
    ]
    for reject in rows(opened(tmp_path / "a.csv", HEADER + "\n".join(lines))).values():
        assert isinstance(reject, Reject)
        assert "1234" not in reject.detail


def test_parquet_transactions_with_numbers_as_mcc_and_native_times(tmp_path: Path) -> None:
    moment = datetime(2019, 3, 4, 12, 34, 56, tzinfo=UTC)
    table = pa.table(
        {
            "id": ["a", "b"],
            "ts": pa.array([moment, moment], pa.timestamp("ms", "UTC")),
            "amount_minor": [1, None],
            "currency": ["CHF", "CHF"],
            "mcc": pa.array([742, 5411], pa.int16()),
        }
    )
    path = tmp_path / "a.parquet"
    parquet.write_table(table, path)
    [file] = open_inputs([str(path)])
    found = rows(file)
    assert found[1] == Transaction(id="a", ts=1551702896000, amount_minor=1, currency="CHF", mcc="0742")
    assert isinstance(found[2], Reject)
    assert found[2].reason is RejectReason.MISSING_FIELD
