"""The sample of real card payments, as cells."""

import csv
import gzip
from datetime import date
from functools import cache

from swiss_logs import REGIONS, SAMPLE

from earlywarn.domain.cell import Cell

LAST = date(2019, 11, 30)


@cache
def sample() -> list[Cell]:
    """Return the sample's first eleven months, without what lies outside of the country."""
    found = []
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            day, region = date.fromisoformat(row["Date"]), REGIONS[row["Region"]]
            if day <= LAST and region != "9999":
                amount = round(100 * float(row["Amount CHF"]))
                count = int(row["Number of transactions"])
                found.append(Cell(day, region, row["Merchant category"], count, amount, "CHF", "CH"))
    return sorted(found, key=lambda cell: (cell.day, cell.region, cell.sector))
