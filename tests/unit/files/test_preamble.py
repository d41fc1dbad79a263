"""Lines above the header, as many exports have them."""

import gzip
from pathlib import Path

import pyarrow as pa
import pytest

from earlywarn.adapters.files import CellBatch, ReadLimits, open_inputs
from earlywarn.adapters.files.mappings import parse_mapping
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject
from earlywarn.errors import ConfigError, InputError

EXPORT = (
    '\ufeff"Card payments, daily ""export"\r\n"Provider: ACME\r\nCreated: 11/29/2026\r\n\r\n'
    'Date,Area,Category,Payments,"Value, USD"\r\n'
    "2025-10-25,North,Groceries,127,513.55\r\n"
    "2025-10-26,North,Groceries,many,513.55\r\n"
    "2025-10-27,North,Groceries,128,514.55\r\n"
)
MAPPING = """
{ name: acme, kind: cells, format: { skip_lines: %s }, constants: { currency: USD },
  columns: { date: Date, region: Area, sector: Category, transactions: Payments, amount: "Value, USD" } }
"""


def packed(how: str) -> bytes:
    if how == "utf-16":
        return EXPORT.removeprefix("\ufeff").encode("utf-16")
    plain = EXPORT.encode()
    if how == "gzip":
        return gzip.compress(plain)
    return pa.compress(plain, "zstd", asbytes=True) if how == "zstd" else plain


@pytest.mark.parametrize("how", ["plain", "gzip", "zstd", "utf-16"])
@pytest.mark.parametrize("chunk_bytes", [40, 1 << 20])
def test_rows_below_skipped_lines_are_read_and_keep_the_lines_of_the_file(
    tmp_path: Path, how: str, chunk_bytes: int
) -> None:
    """Skipped lines may hold a quote that is never closed, and be longer than any record."""
    path = tmp_path / "export.csv"
    path.write_bytes(packed(how))
    text = MAPPING % 4
    mapping = parse_mapping(text.replace("}, con", ", encoding: utf-16 }, con") if how == "utf-16" else text, "m.yaml")
    [file] = open_inputs([str(path)], mapping, limits=ReadLimits(chunk_bytes=chunk_bytes))
    pairs = [
        pair
        for batch in file.batches()
        if isinstance(batch, CellBatch)
        for pair in zip(batch.lines, batch.cells, strict=True)
    ]
    assert [(line, cell.transactions) for line, cell in pairs if isinstance(cell, Cell)] == [(6, 127), (8, 128)]
    assert [line for line, cell in pairs if isinstance(cell, Reject)] == [7]


@pytest.mark.parametrize("skipped", [0, 5])
def test_a_mapping_that_skips_too_few_or_too_many_is_told_how_many(tmp_path: Path, skipped: int) -> None:
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    with pytest.raises(InputError) as refused:
        open_inputs([str(path)], parse_mapping(MAPPING % skipped, "m.yaml"))
    assert str(refused.value).endswith("; the header seems to be line 5: say format: { skip_lines: 4 } in the mapping")


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("Date;Area;Category;Payments;Value, USD", "found the columns Date, Area, Category, Payments, 'Value, USD';"),
        ("date;region;sector;transactions;amount", "region, sector, transactions, amount; which are those of cells;"),
        ("id;ts;amount_minor;currency;region", "amount_minor, currency, region; which are those of transactions;"),
    ],
)
def test_without_a_mapping_the_line_of_the_header_is_told_with_one_to_begin_with(
    tmp_path: Path, header: str, told: str
) -> None:
    path = tmp_path / "export.csv"
    path.write_text(f"Daily export, of cards;;;;\nmade: 2026-11-29, 10:00;;;;\n{header}\n2025-10-25;North;a;1;2,5\n")
    with pytest.raises(InputError) as refused:
        open_inputs([str(path)])
    message = str(refused.value)
    above = "the header seems to be line 3: delete the lines above it, or skip them in a mapping; "
    assert message.startswith(f"{path}: {above}found the columns ")
    assert told in message
    assert "format: { delimiter: ';', skip_lines: 2 }" in message


@pytest.mark.parametrize(
    "text", ["when,where,what\n1,2,3\n", "a,b\n1,2\nx,y,z\n", "a\n\n2025-01-01,1,2\n2025-01-02,1,2\n"]
)
def test_a_header_that_is_the_first_line_or_nowhere_is_not_sought_below(tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.csv"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        open_inputs([str(path)])
    assert "seems to be" not in str(refused.value)


def test_a_line_that_is_no_csv_hides_neither_header_nor_message(tmp_path: Path) -> None:
    """A carriage return within a line, as old exports have it."""
    path = tmp_path / "export.csv"
    path.write_bytes(b"made by\rACME\nDate,Area,Category\n10/25/2025,North,a\rb\n10/26/2025,North,c\n")
    with pytest.raises(InputError) as refused:
        open_inputs([str(path)])
    assert "the header seems to be line 2: " in str(refused.value)
    assert "date: { column: Date, date_format: '%m/%d/%Y' }" in str(refused.value)


def test_a_file_that_ends_within_the_skipped_lines_says_so(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    with pytest.raises(InputError, match="no header stands below the 40 lines that the mapping skips"):
        open_inputs([str(path)], parse_mapping(MAPPING % 40, "m.yaml"))


@pytest.mark.parametrize("value", ["-1", "1001", "four", "99999", "[4]", "''", "\u0664"])
def test_lines_that_are_no_number_within_the_limit_are_a_problem_of_the_mapping(value: str) -> None:
    with pytest.raises(
        ConfigError, match=r"line 2: format: skip_lines is .*, it must be a number of lines from 0 to 1,000"
    ):
        parse_mapping(MAPPING % value, "m.yaml")


def test_a_column_that_is_nearly_there_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(EXPORT)
    text = (MAPPING % 4).replace("Payments", "Paymnts")
    with pytest.raises(InputError) as refused:
        open_inputs([str(path)], parse_mapping(text, "m.yaml"))
    assert str(refused.value) == (
        f"{path}: mapping acme reads Paymnts; the file has Date, Area, Category, Payments, 'Value, USD'; "
        "is it Payments for Paymnts?"
    )
