"""Which way out a file has whose rows are written otherwise: one mapping for all of them, or a correction of few."""

from pathlib import Path

import pytest

from earlywarn.adapters.files import InputDefaults, InputFile, open_inputs
from earlywarn.adapters.files.trial import mapping_that_reads
from earlywarn.domain.reject import Reject

CELLS = "date;region;sector;transactions;amount"
TRANSACTIONS = "id;ts;amount_minor;sector"


def opened(path: Path, head: str, rows: list[str]) -> InputFile:
    path.write_text("\n".join([head, *rows, ""]))
    [file] = open_inputs([str(path)], defaults=InputDefaults(currency="CHF"))
    return file


def said(file: InputFile) -> list[str]:
    """Return what the rejects of a file say, the first of each field."""
    details: dict[str, str] = {}
    for batch in file.batches():
        for outcome in getattr(batch, "cells", None) or getattr(batch, "records", ()):
            if isinstance(outcome, Reject):
                details.setdefault(outcome.field, outcome.detail)
    return list(details.values())


@pytest.mark.parametrize(
    ("head", "usual", "foreign"),
    [
        (CELLS, "2023-01-{:02};R;s;10;12.50", "{:02}.02.2023;R;s;10;12.50"),
        (CELLS, "2023-01-{:02};R;s;10;12.50", "2023-02-{:02};R;s;10;12,50"),
        (TRANSACTIONS, "t;2023-01-{:02};1250;s", "t;{:02}.02.2023;1250;s"),
        (TRANSACTIONS, "t;2023-01-{:02};1250;s", "t;2023-02-{:02};12.50;s"),
    ],
)
def test_a_mapping_is_the_way_out_of_most_rows_and_not_of_few(
    tmp_path: Path, head: str, usual: str, foreign: str
) -> None:
    """With it the others cannot be read, or are a hundredfold."""
    few = opened(tmp_path / "few.csv", head, [(foreign if at < 4 else usual).format(at) for at in range(1, 20)])
    assert mapping_that_reads(few, said(few)) == ""
    most = opened(tmp_path / "most.csv", head, [(usual if at < 4 else foreign).format(at) for at in range(1, 20)])
    assert "kind: " in mapping_that_reads(most, said(most))


def test_few_rows_are_read_by_a_mapping_that_reads_all_others_too(tmp_path: Path) -> None:
    """Most amounts are whole, so a decimal comma is nothing to them."""
    rows = [f"2023-01-{at:02};R;s;10;{at}{',50' if at == 7 else ''}" for at in range(1, 20)]
    file = opened(tmp_path / "a.csv", CELLS, rows)
    assert "format: { delimiter: ';', decimal: ',' }" in mapping_that_reads(file, said(file))


def test_all_that_is_written_otherwise_in_a_row_comes_to_one_mapping(tmp_path: Path) -> None:
    """A reject tells of the first field alone; what the next ones need is found by trying."""
    file = opened(tmp_path / "a.csv", CELLS, [f"{at:02}.01.2023;R;s;1.234;1.312,50" for at in range(1, 20)])
    assert all("thousands" not in each for each in said(file))
    mapping = mapping_that_reads(file, said(file))
    assert "date_format: '%d.%m.%Y'" in mapping
    assert "decimal: ',', thousands: '.'" in mapping


def test_where_no_one_mapping_reads_a_row_none_is_named(tmp_path: Path) -> None:
    """Points stand between thousands of counts, and before decimals of amounts."""
    file = opened(tmp_path / "a.csv", CELLS, [f"2023-01-{at:02};R;s;1.234;12.50" for at in range(1, 20)])
    assert mapping_that_reads(file, said(file)) == ""


def test_category_codes_that_lost_their_zero_are_read_by_a_mapping_that_pads_them(tmp_path: Path) -> None:
    """A spreadsheet makes a number of 0742; the other codes stay what they are."""
    head = "id;ts;amount_minor;mcc"
    file = opened(
        tmp_path / "a.csv", head, [f"t;2023-01-{at:02};1250;{742 if at < 4 else 5411}" for at in range(1, 20)]
    )
    [detail] = said(file)
    assert detail == (
        "'742' is no merchant category code of four digits, as text; if its leading zero was lost, as in spreadsheets, "
        "name a mapping that says zero_pad: 4 for mcc"
    )
    assert "mcc: { column: mcc, zero_pad: 4 } } }" in mapping_that_reads(file, said(file))
    whole = opened(tmp_path / "b.csv", head, ["t;2023-01-01;1250;54112"])
    assert said(whole) == ["a text of 5 characters (digits) is no merchant category code of four digits, as text"]
