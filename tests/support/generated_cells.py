"""A file of cells of four regions of Austria and three sectors, for runs through the command line."""

import csv
import math
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

FIRST, DAYS = date(2023, 1, 1), 150
REGIONS = {"AT11": 1, "AT12": 2, "AT13": 3, "AT31": 4}
SECTORS = {"retail-food": 1, "accommodation": 2, "fuel": 3}

Amount = Callable[[date, str, str, str], str | None]
"""What stands as the amount of a day, region and sector in place of the right one; None leaves the row out."""


def write_cells(path: Path, *, sunday: float, amount: Amount) -> Path:
    """Write the file; `sunday` is what a Sunday brings by a Monday."""
    dice, weekdays = random.Random(7), (1, 1, 1, 1.05, 1.3, 1.4, sunday)  # noise
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["date", "region", "sector", "transactions", "amount"])
        for day in (FIRST + timedelta(offset) for offset in range(DAYS)):
            for region, wide in REGIONS.items():
                for sector, large in SECTORS.items():
                    count = int(1000 * wide * large * weekdays[day.weekday()] * math.exp(dice.gauss(0, 0.05)))
                    told = amount(day, region, sector, f"{20 * large * count:.2f}")
                    if told is not None:
                        rows.writerow([day, region, sector, count, told])
    return path
