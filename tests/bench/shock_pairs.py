"""How alerts tell shocks that follow each other: random pairs of steps in the real sample, on one panel.

    OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests/support python tests/bench/shock_pairs.py [--pairs 80] [--seed 2]

A pair is a step of the panel, a region, a sector or a cell, and another one, or the way back, in its place. A step is
told if an alert of its direction, of its place or of one around it, opens within ten days of it, or was open then. An
alert is false if its direction fits neither what is usual nor a step that had lasted for fourteen days. Alerts of the
undisturbed sample, and parts of wider ones, are left out.
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from math import log
from typing import NamedTuple

from shocked_panel import ShockedPanel, composed
from swiss_sample import sample

from earlywarn.domain.alert import Alert
from earlywarn.domain.cell import Cell

FIRST, DAYS = date(2019, 7, 1), 110
SECTORS = {
    "Accommodation": "accommodation",
    "Food and beverage services": "food-beverage-services",
    "Retail: Other goods": "retail-other",
    "Retail: Food, beverage, tobacco": "retail-food",
}
NOTABLE, TOLD_DAYS, USUAL_DAYS, SAME_DAYS = 0.15, 10, 14, 4


class Pair(NamedTuple):
    """Two steps, of a place (None: all), each with its first day, the one behind its last, and its factor."""

    region: str | None
    sector: str | None
    steps: tuple[tuple[date, date, float], tuple[date, date, float]]

    def factor(self, day: date) -> float:
        return next((factor for first, end, factor in self.steps if first <= day < end), 1.0)

    def change(self, cell: Cell) -> float:
        inside = self.region in (None, cell.region) and self.sector in (None, cell.sector)
        return self.factor(cell.day) if inside else 1.0


def pairs(count: int, seed: int, regions: list[str]) -> Iterator[Pair]:
    chance = random.Random(seed)
    for _ in range(count):
        scope = chance.choice(["panel", "panel", "region", "sector", "cell"])
        region = chance.choice(regions) if scope in {"region", "cell"} else None
        sector = chance.choice(list(SECTORS)) if scope in {"sector", "cell"} else None
        first = FIRST + timedelta(chance.randrange(DAYS))
        one, second = chance.choice([0.4, 0.6, 0.75, 1.3, 1.5]), first + timedelta(chance.choice([5, 10, 14, 21, 35]))
        other, end = chance.choice([1.0, 1.0, 0.6, 0.75, 1.3]), second + timedelta(chance.choice([10, 21]))
        yield Pair(region, sector, ((first, second, one), (second, end, other)))


def tops(change: ShockedPanel) -> tuple[list[Alert], dict[str, Alert]]:
    """Return the first revisions of economic alerts without a parent, and the last ones by id."""
    first: dict[str, Alert] = {}
    last: dict[str, Alert] = {}
    for alert in change.alerts:
        if alert.kind == "economic":
            first.setdefault(alert.id, alert)
            last[alert.id] = alert
    return [alert for alert in first.values() if last[alert.id].parent is None], last


def judge(pair: Pair, alerts: list[Alert], last: dict[str, Alert], found: Counter[str]) -> None:
    """Count what the alerts of a pair make of it."""
    for alert in alerts:
        day, sign = date.fromisoformat(alert.detected_on), -1 if alert.direction == "down" else 1
        usual = [f for first, end, f in pair.steps if first < day and (min(end, day) - first).days >= USUAL_DAYS]
        found["false"] += not any(sign * log(pair.factor(day) / reference) > 0.05 for reference in [1.0, *usual])
    for name, (first, end, factor) in zip(("first", "second"), pair.steps, strict=True):
        if abs(factor - 1.0) < NOTABLE:
            continue
        direction, soon = "down" if factor < 1 else "up", first + timedelta(min((end - first).days, TOLD_DAYS))
        told = [alert for alert in alerts if alert.direction == direction and is_around(alert, pair)]
        opened = [date.fromisoformat(alert.detected_on) for alert in told]
        open_before = [
            alert
            for alert, day in zip(told, opened, strict=True)
            if day < first and (last[alert.id].outcome is None or last[alert.id].as_of > first.isoformat())
        ]
        found[f"{name} steps"] += 1
        found[f"{name} missed"] += not open_before and not any(first <= day < soon for day in opened)


def is_around(alert: Alert, pair: Pair) -> bool:
    of_sector = pair.sector is None or alert.sector in (SECTORS[pair.sector], None)
    return of_sector and (pair.region is None or alert.region in (pair.region, None))


def main() -> None:
    parser = argparse.ArgumentParser(description="Random pairs of steps in the real sample.")
    parser.add_argument("--pairs", type=int, default=80)
    parser.add_argument("--seed", type=int, default=2)
    asked = parser.parse_args()
    cells, found = sample(), Counter[str]()
    calm = ShockedPanel(cells, lambda _: 1.0)
    calm.play(composed())
    undisturbed, _ = tops(calm)
    for pair in pairs(asked.pairs, asked.seed, sorted({cell.region for cell in cells})):
        panel = ShockedPanel(cells, pair.change)
        panel.play(composed())
        alerts, last = tops(panel)
        within = (pair.steps[0][0].isoformat(), (pair.steps[1][1] + timedelta(28)).isoformat())
        own = [
            alert
            for alert in alerts
            if within[0] <= alert.detected_on < within[1]
            and not any(
                (alert.series_id, alert.direction) == (each.series_id, each.direction)
                and abs(date.fromisoformat(alert.detected_on) - date.fromisoformat(each.detected_on)).days <= SAME_DAYS
                for each in undisturbed
            )
        ]
        found["alerts"] += len(own)
        judge(pair, own, last, found)
    for name in ("first steps", "first missed", "second steps", "second missed", "alerts", "false"):
        print(f"{name:15}{found[name]:5}")


if __name__ == "__main__":
    main()
