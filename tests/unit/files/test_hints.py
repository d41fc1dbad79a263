"""Files of another notation: the first reject says what to write, and with that the file is read."""

import re
from pathlib import Path

import pytest
import yaml

from earlywarn.adapters.files import CellBatch, InputDefaults, InputFile, RowBatch, open_inputs
from earlywarn.adapters.files.mappings import parse_mapping
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import InputError

CHF = InputDefaults(currency="CHF", country="CH", time_zone="Europe/Zurich")
CELL_COLUMNS = "date: {date}\n  region: region\n  sector: sector\n  transactions: transactions\n  amount: amount"

POINTS = "{ decimal: ',', thousands: '.' }"
AS_MAPPED = " as the mapping says, format: { decimal: ',' }"


def opened(path: Path, content: bytes, mapping: str = "") -> InputFile:
    path.write_bytes(content)
    [file] = open_inputs([str(path)], parse_mapping(mapping, "m.yaml") if mapping else None, defaults=CHF)
    return file


def cells(file: InputFile) -> list[Cell | Reject]:
    return [cell for batch in file.batches() if isinstance(batch, CellBatch) for cell in batch.cells]


def read(file: InputFile) -> list[CellBatch | RowBatch]:
    return [batch for batch in file.batches() if isinstance(batch, CellBatch | RowBatch) and batch.lines]


def mapping(date: str = "date", form: str = "") -> str:
    columns = CELL_COLUMNS.format(date=date)
    return f"name: own\nkind: cells\n{f'format: {form}' if form else ''}\ncolumns:\n  {columns}\n"


@pytest.mark.parametrize(
    ("transactions", "amount", "read"),
    [
        ("1,234", "5.00", (1234, 500)),
        ("1", "1,234,567", (1, 123_456_700)),
        ("1", "1,234.56", (1, 123_456)),
        ("1", "12,50", (1, 1250)),
        ("1", "1.234,56", (1, 123_456)),
        ("1.234.567", "1,00", (1_234_567, 100)),
        ("1'234", "5.00", (1234, 500)),
        ("1 234", "5", (1234, 500)),
        ("1\u202f234", "5", (1234, 500)),
        ("1", "1\u00a0234,5", (1, 123_450)),
    ],
)
def test_numbers_of_another_notation_are_read_with_the_format_that_their_reject_names(
    tmp_path: Path, transactions: str, amount: str, read: tuple[int, int]
) -> None:
    text = f"date;region;sector;transactions;amount\n2023-12-31;R;s;{transactions};{amount}\n".encode()
    [reject] = cells(opened(tmp_path / "a.csv", text))
    assert isinstance(reject, Reject)
    said = re.search(r"format: \{ (.+?) \}", reject.detail)
    assert said is not None, reject.detail
    form = f'{{ delimiter: ";", {said[1]} }}'
    assert yaml.safe_load(form)
    [cell] = cells(opened(tmp_path / "a.csv", text, mapping(form=form)))
    assert isinstance(cell, Cell)
    assert (cell.transactions, cell.amount_minor) == read


def test_one_comma_before_three_digits_of_an_amount_may_be_either(tmp_path: Path) -> None:
    text = b"date;region;sector;transactions;amount\n2023-12-31;R;s;1;1,234\n"
    [reject] = cells(opened(tmp_path / "a.csv", text))
    assert isinstance(reject, Reject)
    assert reject.detail == (
        "'1,234' is not a number; correct it, or where most have such thousands name a mapping that says format: "
        "{ thousands: ',' }, for decimal commas { decimal: ',' }"
    )


@pytest.mark.parametrize(
    ("form", "amount", "way_out"),
    [
        ("decimal: '.', thousands: ','", "276.417,33", "format: { decimal: ',', thousands: '.' }"),
        ("decimal: '.', thousands: ','", "417,33", "format: { decimal: ',' }"),
        ("decimal: ',', thousands: '.'", "276,417.33", "format: { thousands: ',' }"),
        ("decimal: ',', thousands: '.'", "417.33", "correct the value, or the mapping"),
        ("decimal: '.', thousands: ','", "1,2345", "format: { decimal: ',' }"),
        ("decimal: '.', thousands: ','", "1234,567", "format: { decimal: ',' }"),
    ],
)
def test_a_number_that_is_not_grouped_as_its_mapping_says_is_rejected_with_the_way_out(
    tmp_path: Path, form: str, amount: str, way_out: str
) -> None:
    """Without its thousands signs it would pass for another number, often one of a thousandth."""
    text = f"date;region;sector;transactions;amount\n2023-12-31;R;s;1;{amount}\n".encode()
    [reject] = cells(opened(tmp_path / "a.csv", text, mapping(form=f'{{ delimiter: ";", {form} }}')))
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.field) == (RejectReason.WRONG_TYPE, "amount")
    said = f"{amount!r} has no groups of three digits as the mapping says, format: {{ {form} }}; "
    assert reject.detail.startswith(said)
    assert reject.detail.endswith(way_out)


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("417.33", f"{AS_MAPPED}; correct the value, or the mapping"),
        (
            "1.234",
            f"{AS_MAPPED}; correct it, or where most have such thousands name a mapping that says format: {POINTS}",
        ),
        ("n.a.", ""),
        ("?", ""),
    ],
)
def test_a_point_where_the_mapping_names_another_decimal_sign_is_quoted_as_it_stands(
    tmp_path: Path, amount: str, told: str
) -> None:
    text = f"date;region;sector;transactions;amount\n2023-12-31;R;s;1;{amount}\n".encode()
    [reject] = cells(opened(tmp_path / "a.csv", text, mapping(form='{ delimiter: ";", decimal: "," }')))
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.field) == (RejectReason.WRONG_TYPE, "amount")
    assert reject.detail.replace(f"{amount!r} is not a number", "") == told


def test_a_count_of_one_with_three_decimals_may_be_a_thousand_and_is_not_guessed(tmp_path: Path) -> None:
    """A mapping that says what its points are reads it, as one or the other; no other form of a count is in doubt."""
    text = "date;region;sector;transactions;amount\n2023-12-31;R;s;{};5\n"
    [reject] = cells(opened(tmp_path / "a.csv", text.format("12.000").encode()))
    assert isinstance(reject, Reject)
    assert (reject.reason, reject.field) == (RejectReason.WRONG_TYPE, "transactions")
    way_out = f"write it without a point, or where most have such thousands name a mapping that says format: {POINTS}"
    assert reject.detail == (f"'12.000' may be 12 or 12000; {way_out}, for decimals {{ decimal: '.', thousands: ',' }}")
    said = re.findall(r"\{ (decimal: .+?) \}", reject.detail)
    forms = [mapping(form=f'{{ delimiter: ";", {each} }}') for each in said]
    read = [cells(opened(tmp_path / "a.csv", text.format("12.000").encode(), form))[0] for form in forms]
    assert [cell.transactions for cell in read if isinstance(cell, Cell)] == [12_000, 12]
    for count in ("12.0", "12.00", "12.0000", "0.000", "1200.000"):
        [cell] = cells(opened(tmp_path / "a.csv", text.format(count).encode()))
        assert isinstance(cell, Cell), count
        assert cell.transactions == float(count)


@pytest.mark.parametrize("amount", ["276417.33 €", "€ 12", "CHF 12", "5 Fr."])
def test_an_amount_with_its_currency_is_quoted_with_the_way_out(tmp_path: Path, amount: str) -> None:
    text = f"date;region;sector;transactions;amount\n2023-12-31;R;s;1;{amount}\n".encode()
    [reject] = cells(opened(tmp_path / "a.csv", text))
    assert isinstance(reject, Reject)
    way_out = "; write the number alone: its currency stands in a column currency, or is that of the panel"
    assert reject.detail == f"{amount!r} is not a number{way_out}"


def test_major_units_where_minor_ones_are_expected_are_read_with_the_mapping_that_their_reject_names(
    tmp_path: Path,
) -> None:
    text = b"id,ts,amount_minor\nt-1,2023-12-31,4.18\n"
    [batch] = opened(tmp_path / "a.csv", text).batches()
    assert isinstance(batch, RowBatch)
    [reject] = batch.records
    assert isinstance(reject, Reject)
    assert reject.detail.startswith("'4.18' is not a whole number of minor units; if the column holds major units, ")
    said = re.search(r"a mapping that says (amount: amount_minor)", reject.detail)
    assert said is not None
    own = f"name: own\nkind: transactions\ncolumns:\n  id: id\n  ts: ts\n  {said[1]}\n"
    [batch] = opened(tmp_path / "a.csv", text, own).batches()
    assert isinstance(batch, RowBatch)
    assert [record.amount_minor for record in batch.records if isinstance(record, Transaction)] == [418]


@pytest.mark.parametrize(
    ("kind", "head", "row"),
    [
        ("cells", "date;region;sector;transactions;amount", "2023-12-31;R;s;1;12,50"),
        ("cells", "date\tregion\tsector\ttransactions\tamount", "31.12.2023\tR\ts\t1\t12.50"),
        ("cells", "date,region,sector,transactions,amount", "2023-12-31,Zürich,s,1,12.50"),
        ("cells", "date,region,sector,transactions,amount,country", "2023-12-31,R,s,1'000,12.50,CH"),
        ("transactions", "id,ts,amount_minor,sector", "t,2023-12-31 10:00,12.50,s"),
        ("transactions", "id;ts;amount_minor;sector", "t;31.12.2023 10:00;1250;s"),
    ],
)
def test_the_mapping_in_whole_that_a_reject_leads_to_reads_the_file(
    tmp_path: Path, kind: str, head: str, row: str
) -> None:
    """With the file's own delimiter, which a mapping has to name."""
    content = f"{head}\n{row}\n".encode("latin-1")
    file = opened(tmp_path / "a.csv", content)
    [[reject]] = [batch.cells if isinstance(batch, CellBatch) else batch.records for batch in read(file)]
    assert isinstance(reject, Reject)
    own = file.mapping_for(["'n/a' is not a number", f"a.csv:2: {reject.detail} ({reject.reason})"])
    mapped = opened(tmp_path / "a.csv", content, own)
    [[record]] = [batch.cells if isinstance(batch, CellBatch) else batch.records for batch in read(mapped)]
    assert isinstance(record, Cell if kind == "cells" else Transaction), record
    assert record.amount_minor == 1250
    assert mapped.mapping_for([reject.detail]) == "", "it has one"
    assert file.mapping_for(["'n/a' is not a number"]) == ""


def test_foreign_columns_are_refused_with_a_mapping_to_begin_with(tmp_path: Path) -> None:
    """The names are legible in another encoding too, and what only people know is COLUMN."""
    head = "Nr;Zeit;Währung;MCC;Région (NUTS)\n".encode("latin-1")
    with pytest.raises(InputError) as refused:
        opened(tmp_path / "a.csv", head)
    assert "found the columns Nr, Zeit, Währung, MCC, Région (NUTS) (no UTF-8; shown as latin-1);" in str(refused.value)
    said = re.search(r"names of columns for COLUMN: (\{.+\});", str(refused.value))
    assert said is not None
    named = said[1]
    for name in ("Nr", "Zeit", "Nr", "Währung", "'Région (NUTS)'"):
        named = named.replace("COLUMN", name, 1)
    assert set(parse_mapping(named, "m.yaml").columns()) == {"Nr", "Zeit", "Währung", "MCC", "Région (NUTS)"}
    assert opened(tmp_path / "a.csv", head, named).kind == "transactions"


def test_cells_with_a_column_mcc_are_told_that_it_is_their_sector(tmp_path: Path) -> None:
    """With the option that says so, and a mapping that gives codes the zeros that a table takes from them."""
    text = b"date,region,MCC,transactions,amount\n2023-12-31,R,742,1,2\n"
    with pytest.raises(InputError) as refused:
        opened(tmp_path / "a.csv", text)
    assert "for cells it lacks sector (cells have their MCC there: write sector for mcc; " in str(refused.value)
    assert "--classification mcc" in str(refused.value)
    said = re.search(r"names of columns for COLUMN: (\{.+\});", str(refused.value))
    assert said is not None
    [cell] = cells(opened(tmp_path / "a.csv", text, said[1]))
    assert isinstance(cell, Cell)
    assert cell.sector == "0742"


def test_points_between_thousands_are_told_beside_decimal_commas(tmp_path: Path) -> None:
    text = b"date;region;sector;transactions;amount\n2023-12-31;R;s;1;1.234,50\n"
    [reject] = cells(opened(tmp_path / "a.csv", text, mapping(form='{ delimiter: ";", decimal: "," }')))
    assert isinstance(reject, Reject)
    assert "thousands: '.'" in reject.detail


@pytest.mark.parametrize(
    ("date", "wanted"),
    [
        ("31.12.2023", "%d.%m.%Y"),
        ("12/31/2023", "%m/%d/%Y"),
        ("31/12/2023", "%d/%m/%Y"),
        ("31-12-2023", "%d-%m-%Y"),
        ("2023/12/31", "%Y/%m/%d"),
        ("31.12.23", "%d.%m.%y"),
    ],
)
def test_dates_of_another_form_are_read_with_the_date_format_that_their_reject_names(
    tmp_path: Path, date: str, wanted: str
) -> None:
    text = f"date,region,sector,transactions,amount\n{date},R,s,1,2\n".encode()
    [reject] = cells(opened(tmp_path / "a.csv", text))
    assert isinstance(reject, Reject)
    assert reject.detail.endswith(f"name a mapping that says date_format: '{wanted}'")
    [cell] = cells(opened(tmp_path / "a.csv", text, mapping(f"{{ column: date, date_format: '{wanted}' }}")))
    assert isinstance(cell, Cell)
    assert cell.day.isoformat() == "2023-12-31"


def test_a_date_that_may_be_of_two_months_is_told_with_both_forms(tmp_path: Path) -> None:
    [reject] = cells(opened(tmp_path / "a.csv", b"date,region,sector,transactions,amount\n01/02/2023,R,s,1,2\n"))
    assert isinstance(reject, Reject)
    assert reject.detail.endswith("date_format: '%m/%d/%Y' (or '%d/%m/%Y')")


@pytest.mark.parametrize("date", ["2023-02-30", "99.99.2023", "soon", "123/1/2023", "1.2.345"])
def test_what_is_no_date_in_any_form_gets_no_advice(tmp_path: Path, date: str) -> None:
    [reject] = cells(opened(tmp_path / "a.csv", f"date,region,sector,transactions,amount\n{date},R,s,1,2\n".encode()))
    assert isinstance(reject, Reject)
    assert "date_format" not in reject.detail


@pytest.mark.parametrize("time", ["31.12.2023 13:30", "12/31/2023 1:30:00 PM", "31.12.2023 13:30:00.000"])
def test_times_of_transactions_are_read_with_the_date_format_that_their_reject_names(tmp_path: Path, time: str) -> None:
    text = f"id,ts,amount_minor\nt-1,{time},100\n".encode()
    [batch] = opened(tmp_path / "a.csv", text).batches()
    assert isinstance(batch, RowBatch)
    [reject] = batch.records
    assert isinstance(reject, Reject)
    said = re.search(r"date_format: ('.+')$", reject.detail)
    assert said is not None, reject.detail
    columns = f"id: id\n  ts: {{ column: ts, date_format: {said[1]} }}\n  amount_minor: amount_minor"
    own = f"name: own\nkind: transactions\ncolumns:\n  {columns}\n"
    [batch] = opened(tmp_path / "a.csv", text, own).batches()
    assert isinstance(batch, RowBatch)
    [record] = batch.records
    assert isinstance(record, Transaction)
    assert record.ts == 1_704_025_800_000


def test_bytes_in_another_encoding_are_told_with_the_way_out(tmp_path: Path) -> None:
    text = "date,region,sector,transactions,amount\n2023-12-31,Zürich,s,1,2\n".encode("latin-1")
    [reject] = cells(opened(tmp_path / "a.csv", text))
    assert isinstance(reject, Reject)
    assert reject.detail == (
        "bytes that are not text in UTF-8, as which the file is read; save it as UTF-8, or name a mapping that says "
        "which it is, such as format: { encoding: latin-1 }"
    )
    [cell] = cells(opened(tmp_path / "a.csv", text, mapping(form="{ encoding: latin-1 }")))
    assert isinstance(cell, Cell)
    assert cell.region == "Zürich"


def test_a_header_in_another_encoding_than_its_mapping_says_is_told(tmp_path: Path) -> None:
    text = "Tag;region;sector;transactions;amount\n".replace("Tag", "Tägig").encode("latin-1")
    with pytest.raises(InputError, match=r"reads Tägig; .*; UTF-8 it is not: save it as UTF-8"):
        opened(tmp_path / "a.csv", text, mapping("Tägig", '{ delimiter: ";" }'))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_json_in_utf16_is_refused_with_the_way_out(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="UTF-16, and JSON is read as UTF-8 alone; save it as UTF-8"):
        opened(tmp_path / "a.jsonl", '{"id": "t-1"}\n'.encode(encoding))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_refused_with_the_way_out(tmp_path: Path, encoding: str) -> None:
    text = "date,region,sector,transactions,amount\n2023-12-31,R,s,1,2\n"
    with pytest.raises(InputError, match="UTF-16 without a byte order mark, and so not read; save it as UTF-8"):
        opened(tmp_path / "a.csv", text.encode(encoding))
