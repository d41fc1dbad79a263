"""Dates by the format of a mapping that is not theirs."""

from pathlib import Path

import pytest

from earlywarn.adapters.files import open_inputs
from earlywarn.adapters.files.mappings import parse_mapping
from earlywarn.domain.reject import Reject

CELLS = (
    "{ name: m, kind: cells, constants: { currency: EUR }, columns: { date: { column: when, date_format: '%s' }, "
    "region: where, sector: what, transactions: count, amount: much } }"
)
PAYMENTS = (
    "{ name: m, kind: transactions, constants: { currency: EUR }, columns: { ts: { column: when, date_format: '%s' }, "
    "region: where, amount: much } }"
)


@pytest.mark.parametrize("mapping", [CELLS, PAYMENTS])
@pytest.mark.parametrize(
    ("date_format", "when", "said"),
    [
        ("%d/%m/%Y", "10/25/2025", "%m/%d/%Y"),
        ("%m/%d/%Y", "25/10/2025", "%d/%m/%Y"),
        ("%d.%m.%Y", "10.25.2025", "%m.%d.%Y"),
        ("%d/%m/%Y", "10/32/2025", ""),
        ("%d/%m/%Y", "25.10.2025", ""),
    ],
)
def test_a_date_with_day_and_month_swapped_is_told_and_what_it_makes_of_others(
    tmp_path: Path, mapping: str, date_format: str, when: str, said: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"when,where,what,count,much\n{when},A,food,5,10\n")
    [file] = open_inputs([str(path)], parse_mapping(mapping % date_format, "m.yaml"))
    [reject] = [
        each for batch in file.batches() for each in getattr(batch, "cells", None) or getattr(batch, "records", ())
    ]
    assert isinstance(reject, Reject)
    told = f"of the form {date_format}"
    swapped = (
        f"; with day and month swapped it is one: if all are written so, say date_format: '{said}' in the mapping, by "
        "which days up to the 12th are now read as of another month"
    )
    assert reject.detail.endswith(told + (swapped if said else ""))
