"""The scored days of a panel in which one cell falls further each week, for six weeks."""

import random
from datetime import date, timedelta
from functools import cache

from shocked_panel import FIRST, composed, played

from earlywarn.detection.day_scores import DayScores
from earlywarn.domain.cell import Cell

FALLS_ON = date(2022, 5, 2)
LEFT = (0.7, 0.5, 0.35, 0.25, 0.18, 0.12)
SECTORS = ("Retail: Food, beverage, tobacco", "Retail: Fuel stations", "Accommodation")


def calm(days: int, noise: float = 0.03) -> list[Cell]:
    """Return a calm panel of four regions by three sectors."""
    chance, found = random.Random(2), []
    for age in range(days):
        day = FIRST + timedelta(age)
        for region in ("CH01", "CH02", "CH03", "CH04"):
            for sector in SECTORS:
                count = round(3_000 * chance.lognormvariate(0, noise) * (0.5 if day.weekday() == 6 else 1.0))
                found.append(Cell(day, region, sector, count, 5_000 * count, "CHF"))
    return found


def change(cell: Cell) -> float:
    """Return what is left of a cell."""
    weeks = (cell.day - FALLS_ON).days // 7
    return LEFT[weeks] if weeks >= 0 and (cell.region, cell.sector) == ("CH01", SECTORS[1]) else 1.0


@cache
def judged_days() -> list[DayScores]:
    """Return the scored days, the last of them in the sixth week of the fall."""
    panel = calm((FALLS_ON - FIRST).days + 7 * len(LEFT))
    return [judged.scores for judged in played(composed(), panel, change).judged]
