"""Small panels of uneven cells with a shock in one node, and whether its alert is of that node."""

import random
from collections.abc import Iterator
from datetime import timedelta

from shocked_panel import FIRST, SHOCK, ShockedPanel, played

from earlywarn.application.compose import Run
from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell

CLASSES = {
    "Retail: Food, beverage, tobacco": "retail-food",
    "Accommodation": "accommodation",
    "Retail: Fuel stations": "retail-fuel",
    "Transport services": "transport-services",
    "Food and beverage services": "food-beverage-services",
}
"""A provider's categories, and their names in series."""
LEVELS = ("cell", "region", "sector", "panel")
DAYS = (SHOCK - FIRST).days + 15


def panel(seed: int, noise: float) -> tuple[list[Cell], list[str], list[str]]:
    """Return the cells of a calm panel, its regions and its sectors."""
    chance = random.Random(seed)
    regions = [f"CH0{at}" for at in range(1, chance.randint(2, 5) + 1)]
    sectors = list(CLASSES)[: chance.randint(2, 5)]
    usual = {(region, sector): 800 * chance.lognormvariate(0, 1) for region in regions for sector in sectors}
    found = []
    for age in range(DAYS):
        day = FIRST + timedelta(age)
        for (region, sector), size in usual.items():
            week = 0.6 if day.weekday() == 6 else 1.0
            count = max(round(size * week * chance.lognormvariate(0, noise)), 1)
            found.append(Cell(day, region, sector, count, 5_000 * count, "CHF"))
    return found, regions, sectors


def verdict(shock: ShockedPanel, region: str | None, sector: str | None) -> str:
    """Return how a shock of a node was told."""
    tops = [alert for alert in shock.tops() if alert.direction == "down"]
    if not tops:
        return "missed"
    first = min(alert.detected_on for alert in tops)
    told = max((alert for alert in tops if alert.detected_on == first), key=lambda alert: alert.score)
    return compared(told, region, sector)


def compared(told: Alert, region: str | None, sector_name: str | None) -> str:
    sector = None if sector_name is None else CLASSES[sector_name]
    if (told.region, told.sector) == (region, sector):
        return "right"
    if told.region in (None, region) and told.sector in (None, sector):
        return "wider"
    if region in (None, told.region) and sector in (None, told.sector):
        return "narrower"
    return "other"


def shocks(seed: int, regions: list[str], sectors: list[str]) -> Iterator[tuple[str, str | None, str | None]]:
    chance = random.Random(seed)
    region, sector = chance.choice(regions), chance.choice(sectors)
    for level in LEVELS:
        yield (
            level, region if level in {"cell", "region"} else None, sector if level in {"cell", "sector"} else None
        )  # fmt: skip


def told(run: Run, seed: int, noise: float, percent: float) -> Iterator[tuple[str, str, int]]:
    """Yield of a shock at each level how it was told, and how many more alerts without a parent there were."""
    calm, regions, sectors = panel(seed, noise)
    for level, region, sector in shocks(seed, regions, sectors):

        def change(cell: Cell, region: str | None = region, sector: str | None = sector) -> float:
            hit = region in (None, cell.region) and sector in (None, cell.sector) and cell.day >= SHOCK
            return 1 + percent / 100 if hit else 1.0

        shock = played(run, calm, change)
        yield level, verdict(shock, region, sector), max(len(shock.tops()) - 1, 0)
