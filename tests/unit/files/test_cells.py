"""Cells: sorted, exact in minor units, every bad row with its line and reason."""

import gzip
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import CellBatch, InputDefaults, InputFile, ReadLimits, merge_cells, open_inputs
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Place, Reject, RejectReason, Whereabouts
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import InputError

CHF = InputDefaults(currency="CHF", country="CH")
HEADER = "date,region,sector,transactions,amount\n"


def outcomes(file: InputFile) -> list[tuple[int, Cell | Reject]]:
    pairs: list[tuple[int, Cell | Reject]] = []
    for batch in file.batches():
        assert isinstance(batch, CellBatch)
        pairs += zip(batch.lines, batch.cells, strict=True)
    return pairs


def opened(path: Path, text: str | bytes, defaults: InputDefaults = CHF) -> InputFile:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    [file] = open_inputs([str(path)], defaults=defaults)
    return file


def test_cells_sorted_by_region_come_out_by_day_region_and_sector(tmp_path: Path) -> None:
    text = HEADER + "2019-01-02,CH04,food,2,20.00\n2019-01-01,CH04,food,1,10.10\n2019-01-01,CH01,food,3,0\n"
    file = opened(tmp_path / "a.csv", text)
    assert file.kind == "cells"
    assert outcomes(file) == [
        (4, Cell(date(2019, 1, 1), "CH01", "food", 3, 0, "CHF", "CH")),
        (3, Cell(date(2019, 1, 1), "CH04", "food", 1, 1010, "CHF", "CH")),
        (2, Cell(date(2019, 1, 2), "CH04", "food", 2, 2000, "CHF", "CH")),
    ]


def test_amounts_round_half_even_to_the_currency_of_the_row_and_are_counted(tmp_path: Path) -> None:
    text = "date,region,sector,transactions,amount,currency\n" + "".join(
        f"2019-01-0{day},R,s,1,{amount},{currency}\n"
        for day, amount, currency in [(1, "1.005", "EUR"), (2, "1.015", "EUR"), (3, "7.5", "JPY"), (4, "1.25", "EUR")]
    )
    file = opened(tmp_path / "a.csv", text)
    assert [cell.amount_minor for _, cell in outcomes(file) if isinstance(cell, Cell)] == [100, 102, 8, 125]
    assert sum(batch.rounded for batch in file.batches() if isinstance(batch, CellBatch)) == 3


@pytest.mark.parametrize(
    ("row", "reason", "field"),
    [
        ("2019-01-01,R,s,1", RejectReason.ROW_UNREADABLE, ""),
        ("2019-01-01,R,s,1,2,3", RejectReason.ROW_UNREADABLE, ""),
        ('2019-01-01,R,"s,1,2', RejectReason.ROW_UNREADABLE, ""),
        ('2019-01-01,R,"s"x,1,2', RejectReason.ROW_UNREADABLE, ""),
        (b"2019-01-01,Z\xfcrich,s,1,2", RejectReason.ROW_UNREADABLE, ""),
        ("01.01.2019,R,s,1,2", RejectReason.TIME_INVALID, "date"),
        ("1890-01-01,R,s,1,2", RejectReason.TIME_INVALID, "date"),
        (",R,s,1,2", RejectReason.MISSING_FIELD, "date"),
        ("2019-01-01,,s,1,2", RejectReason.REGION_MISSING, "region"),
        ("2019-01-01,R, ,1,2", RejectReason.SECTOR_MISSING, "sector"),
        ("2019-01-01,R," + "s" * 257 + ",1,2", RejectReason.TEXT_TOO_LONG, "sector"),
        ("2019-01-01,R,s,-1,2", RejectReason.COUNT_OUT_OF_RANGE, "transactions"),
        ("2019-01-01,R,s,1.5,2", RejectReason.WRONG_TYPE, "transactions"),
        ("2019-01-01,R,s,1e400,2", RejectReason.COUNT_OUT_OF_RANGE, "transactions"),
        ("2019-01-01,R,s,1,-0.01", RejectReason.AMOUNT_OUT_OF_RANGE, "amount"),
        ("2019-01-01,R,s,1,100000000000.01", RejectReason.AMOUNT_OUT_OF_RANGE, "amount"),
        ("2019-01-01,R,s,99,9999999999999.99", RejectReason.AMOUNT_OUT_OF_RANGE, "amount"),
        ("2019-01-01,R,s,1000,10000000000000.01", RejectReason.AMOUNT_OUT_OF_RANGE, "amount"),
        ("2019-01-01,R,s,1,1e999999", RejectReason.AMOUNT_OUT_OF_RANGE, "amount"),
        ("2019-01-01,R,s,1,NaN", RejectReason.WRONG_TYPE, "amount"),
        ("2019-01-01,R,s,1,", RejectReason.MISSING_FIELD, "amount"),
        ("2019-01-01,R,s,1,CHF 2", RejectReason.WRONG_TYPE, "amount"),
    ],
)
def test_a_bad_row_is_a_reject_with_its_line_and_the_file_goes_on(
    tmp_path: Path, row: str | bytes, reason: RejectReason, field: str
) -> None:
    line = row if isinstance(row, bytes) else row.encode()
    content = HEADER.encode() + b"2019-01-01,R,s,1,2\n\n" + line + b"\n2019-01-02,R,s,1,2\n"
    found = dict(outcomes(opened(tmp_path / "a.csv", content)))
    assert isinstance(found[2], Cell)
    assert isinstance(found[5], Cell)
    reject = found[4]
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.field) == (reason, field)
    assert len(found) == 3


def test_unknown_currency_and_country_of_a_row_are_rejects(tmp_path: Path) -> None:
    text = HEADER.strip() + ",currency,country\n2019-01-01,R,a,1,2,XYZ,CH\n2019-01-01,R,b,1,2,CHF,QQ\n"
    found = dict(outcomes(opened(tmp_path / "a.csv", text)))
    reasons = {line: reject.reason for line, reject in found.items() if isinstance(reject, Reject)}
    assert reasons == {2: RejectReason.CURRENCY_UNKNOWN, 3: RejectReason.COUNTRY_UNKNOWN}


def test_a_cell_that_stands_twice_keeps_its_earlier_line(tmp_path: Path) -> None:
    text = HEADER + "2019-01-02,R,s,1,2\n2019-01-01,R,s,1,1\n2019-01-02,R,s,9,9\n2019-01-02,R,s,8,8\n"
    found = outcomes(opened(tmp_path / "a.csv", text))
    assert [line for line, _ in found] == [3, 2, 4, 5]
    assert isinstance(found[1][1], Cell)
    for _, reject in found[2:]:
        assert isinstance(reject, Reject)
        assert reject.reason is RejectReason.DUPLICATE_CELL
        assert "line 2" in reject.detail


def test_quoted_texts_may_hold_delimiters_line_breaks_and_quotes(tmp_path: Path) -> None:
    text = HEADER + '2019-01-01,R,"a, ""b""\nc",1,2\n2019-01-01,R,d,1,2\n'
    for chunk_bytes in (3, 1 << 20):
        path = tmp_path / "a.csv"
        path.write_text(text)
        [file] = open_inputs([str(path)], defaults=CHF, limits=ReadLimits(chunk_bytes=chunk_bytes))
        found = outcomes(file)
        assert [(line, cell.sector) for line, cell in found if isinstance(cell, Cell)] == [(2, 'a, "b"\nc'), (4, "d")]


@pytest.mark.parametrize("chunk_bytes", [5, 1 << 20])
def test_a_stray_quote_costs_its_own_line_only(tmp_path: Path, chunk_bytes: int) -> None:
    rows = [f"2019-01-{day:02d},R,{'' if day != 3 else chr(34)}s,1,2\n" for day in range(1, 29)]
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "".join(rows) + '2019-02-01,R,"t",1,2\n')
    [file] = open_inputs([str(path)], defaults=CHF, limits=ReadLimits(chunk_bytes=chunk_bytes))
    found = dict(outcomes(file))
    assert [line for line, outcome in found.items() if isinstance(outcome, Reject)] == [4]
    assert len(found) == 29


def test_semicolons_bom_crlf_gzip_and_utf16_are_read(tmp_path: Path) -> None:
    text = HEADER + "2019-01-01,Zürich,s,1,2\n"
    expected = [(2, Cell(date(2019, 1, 1), "Zürich", "s", 1, 200, "CHF", "CH"))]
    odd = text.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig")
    assert outcomes(opened(tmp_path / "a.csv", odd)) == expected
    assert outcomes(opened(tmp_path / "b.csv.gz", gzip.compress(odd))) == expected
    assert outcomes(opened(tmp_path / "c.csv", text.encode("utf-16"))) == expected


def test_parquet_cells_of_any_column_types(tmp_path: Path) -> None:
    """Dates may be dates or timestamps, numbers integers, decimals or floats; null is a missing field."""
    columns = {
        "region": pa.array(["R", "R", None]).dictionary_encode(),
        "date": pa.array([date(2019, 1, 2), date(2019, 1, 1), date(2019, 1, 1)]),
        "sector": ["s", "s", "s"],
        "transactions": pa.array([2.0, 1.0, 1.0]),
        "amount": pa.array([Decimal("2.345"), Decimal("1.10"), Decimal(1)], pa.decimal128(10, 3)),
        "note": ["not read"] * 3,
    }
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table(columns), path)
    [file] = open_inputs([str(path)], defaults=CHF)
    found = outcomes(file)
    assert [(line, getattr(cell, "amount_minor", None)) for line, cell in found] == [(3, None), (2, 110), (1, 234)]
    assert file.position_bytes == file.size_bytes
    columns["date"] = pa.array([datetime(2019, 1, day) for day in (2, 1, 1)], pa.timestamp("ns"))  # noqa: DTZ001
    parquet.write_table(pa.table(columns), path)
    [file] = open_inputs([str(path)], defaults=CHF)
    assert outcomes(file) == found


def test_without_any_currency_the_input_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither the file nor the settings name a currency"):
        opened(tmp_path / "a.csv", HEADER + "2019-01-01,R,s,1,2\n", InputDefaults())


def test_cells_of_several_files_merge_by_day_and_cross_duplicates_are_rejects(tmp_path: Path) -> None:
    one = opened(tmp_path / "one.csv", HEADER + "2019-01-01,A,s,1,1\n2019-01-02,A,s,2,2\nbad\n")
    two = opened(tmp_path / "two.csv", HEADER + "2019-01-01,B,s,3,3\n2019-01-02,A,s,4,4\n")
    seen = [
        (Path(batch.file).stem, line, outcome.day.day if isinstance(outcome, Cell) else outcome.reason)
        for batch in merge_cells([one, two])
        for line, outcome in zip(batch.lines, batch.cells, strict=True)
    ]
    assert seen == [
        ("one", 4, RejectReason.ROW_UNREADABLE),
        ("one", 2, 1),
        ("two", 2, 1),
        ("one", 3, 2),
        ("two", 3, RejectReason.DUPLICATE_CELL),
    ]


@pytest.mark.parametrize("number", ["1_000", "\u0663", "\uff12\uff10"])
def test_numbers_are_written_in_plain_digits(tmp_path: Path, number: str) -> None:
    """What Python reads beside them (underscores, digits of other scripts) is no number of a file."""
    file = opened(tmp_path / "a.csv", f"{HEADER}2019-01-01,R,s,1,{number}\n2019-01-01,R,s,{number},1\n")
    assert [reject.field for _, reject in outcomes(file) if isinstance(reject, Reject)] == ["amount", "transactions"]


def test_histories_hold_withdrawn_currencies(tmp_path: Path) -> None:
    text = "date,region,sector,transactions,amount,currency\n2019-01-01,R,s,1,1.25,HRK\n2019-01-01,R,t,1,1.25,BGN\n"
    found = [cell for _, cell in outcomes(opened(tmp_path / "a.csv", text)) if isinstance(cell, Cell)]
    assert sorted((cell.currency, cell.amount_minor) for cell in found) == [("BGN", 125), ("HRK", 125)]


@pytest.mark.parametrize(
    ("row", "about"),
    [
        ("2019-01-01,CH04,food,17,-5.00", Cell(date(2019, 1, 1), "CH04", "food", 17, 0, "", "CH")),
        ("2019-01-01,CH04,food,17,1e300", Cell(date(2019, 1, 1), "CH04", "food", 17, 0, "", "CH")),
        ("2019-01-01,CH04,food,17,", Cell(date(2019, 1, 1), "CH04", "food", 17, 0, "", "CH")),
        ("2019-01-01,CH04,food,-17,5.00", Cell(date(2019, 1, 1), "CH04", "food", 1, 0, "", "CH")),
        ("2019-01-01,CH04,food,many,n/a", Cell(date(2019, 1, 1), "CH04", "food", 1, 0, "", "CH")),
        ("01.02.2019,CH04,food,17,5.00", None),
        ("2019-01-01,,food,17,-5.00", None),
        (f"2019-01-01,CH04,{'x' * 257},17,5.00", None),
        ("2019-01-01,CH04,food,17", None),
    ],
)
def test_a_row_that_cannot_be_used_says_which_cell_it_is(tmp_path: Path, row: str, about: Cell | None) -> None:
    """With its transactions if they can be read, else as one; not if its day, region or sector cannot be read."""
    [(_, outcome)] = outcomes(opened(tmp_path / "a.csv", HEADER + row + "\n"))
    assert isinstance(outcome, Reject)
    assert outcome.about == about


@pytest.mark.parametrize(
    ("before", "row", "day"),
    [
        ("2019-07-01,CH01,food,3,5.00", "1 July,CH04,food,17,5.00", date(2019, 7, 1)),
        ("2019-07-01,CH04,food,3,5.00", ",CH04,food,17,5.00", date(2019, 7, 2)),
        ("2019-07-01,CH04,food,3,5.00\n,CH04,food,3,5.00", "9999-07-01,CH04,food,17,5.00", date(2019, 7, 3)),
        ("2019-07-01,CH04,food,3,5.00\n2019-07-01,CH05,food,3,5.00", "2.7.2019,CH04,food,17,5.00", date(2019, 7, 2)),
        (
            "2019-07-01,CH03,food,3,5.00\n2019-07-01,CH04,food,3,5.00\n2.7.2019,CH03,food,3,5.00",
            "2.7.2019,CH04,food,17,5.00",
            date(2019, 7, 2),
        ),
    ],
)
def test_a_row_without_a_date_is_of_the_day_that_its_place_suggests(
    tmp_path: Path, before: str, row: str, day: date
) -> None:
    """That of the row before it, or the next where its cell has one of that day: of days in order, and cells."""
    found = outcomes(opened(tmp_path / "a.csv", HEADER + before + "\n" + row + "\n"))
    about = [outcome.about for _, outcome in found if isinstance(outcome, Reject)][-1]
    assert isinstance(about, Cell)
    assert (about.day, about.region, about.transactions) == (day, "CH04", 17)


def test_a_cell_that_is_not_used_would_have_counted_at_noon(tmp_path: Path) -> None:
    """As the record does that stands for a cell."""
    file = opened(tmp_path / "a.csv", HEADER + "2019-07-01,CH04,food,17,-5.00\n2019-07-01,CH01,food,1,5.00\n")
    [feed] = feeds_of([file], LocalCalendar("Europe/Zurich"))
    rejected, accepted = (each for batch in feed.batches() for each in batch.outcomes)
    assert isinstance(rejected, Reject)
    assert isinstance(accepted, Transaction)
    assert rejected.about == Whereabouts(
        ts=accepted.ts, place=Place(region="CH04", country="CH", sector="food"), count=17
    )
