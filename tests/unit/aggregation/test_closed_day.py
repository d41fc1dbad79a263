"""A closed day says which regions fell silent as a whole, and which cells were heard."""

from datetime import date

import numpy as np

from earlywarn.aggregation.rows import ClosedDay, Coverage
from earlywarn.domain.series import CellKey


def test_a_silent_region_has_several_sectors_and_its_cells_were_not_heard() -> None:
    """Of a region with one sector, silence may be what happened to that sector: its cell was heard."""
    cells = tuple(CellKey(*key) for key in [("east", "food"), ("north", "food"), ("north", "fuel"), ("west", "food")])
    counts = np.array([0, 0, 0, 9])
    closed = ClosedDay(
        "P", date(2024, 1, 1), cells, counts, counts, Coverage(quiet=("region east", "region north")), complete=True
    )
    assert closed.silent_regions == ("north",)
    assert closed.heard_cells.tolist() == [True, False, False, True]
    assert closed.heard
