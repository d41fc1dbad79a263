"""Compare the product's detector with a yardstick on a panel's history: POD within 7 and 14 days.

    OPENBLAS_NUM_THREADS=1 python tests/bench/detection_quality.py HISTORY.csv YARDSTICK.py [--starts N]

HISTORY.csv: Date, Region, Merchant category, Amount, Number of transactions. YARDSTICK.py: a module with
`Detector`, `Holidays`, `calendar_row` and `NAMES` (the reference detector of the project's guide).

Protocol: warm-up 120 days; a step held 28 days in one cell, count and amount, at random starts per cell; one
threshold for all, set to `--rate` false episodes per series-year on the untouched data (episodes with gaps of
at most 7 days are one); after 10 days of alarm the new level is accepted; a series in alarm the week
before is excluded. Both detectors see the same calendar, the same starts and the same rule of acceptance.
"""

import argparse
import copy
import csv
import datetime as dt
import importlib.util
import random
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from earlywarn.detection.panel_detector import DetectorParameters, PanelDetector
from earlywarn.detection.whitening_parameters import WhiteningParameters

WARM_UP_DAYS, HELD_DAYS, QUIET_DAYS, HOLD_DAYS = 120, 28, 7, 10
Panel = dict[dt.date, tuple[np.ndarray, np.ndarray]]


def load_module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("yardstick", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_panel(path: str, before: dt.date) -> tuple[list[tuple[str, str]], Panel]:
    rows: dict[dt.date, dict[tuple[str, str], tuple[int, int]]] = {}
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 -- a script
        for date, region, sector, amount, count in list(csv.reader(file))[1:]:
            day = dt.date.fromisoformat(date)
            if region != "9999" and day < before:
                rows.setdefault(day, {})[region, sector] = (int(count), round(100 * float(amount)))
    series = sorted({key for day in rows.values() for key in day})
    return series, {
        day: (
            np.array([values.get(key, (0, 0))[0] for key in series], dtype=np.int64),
            np.array([values.get(key, (0, 0))[1] for key in series], dtype=np.int64),
        )
        for day, values in sorted(rows.items())
    }


class YardstickCalendar:
    """The yardstick's calendar in the shape of `domain.day_features`."""

    class Row:
        def __init__(self, values: np.ndarray, inflation: float) -> None:
            self.values, self.inflation = values, inflation
            self.holiday, self.label = False, ""

    def __init__(self, module: ModuleType) -> None:
        self.names = tuple(module.NAMES)
        self.holidays, self.module, self.cache = module.Holidays(), module, {}

    def row(self, region: str, day: dt.date) -> Any:  # noqa: ANN401 -- duck-typed
        if (region, day) not in self.cache:
            values, inflation = self.module.calendar_row(day, lambda d: self.holidays(region, d))
            self.cache[region, day] = self.Row(values, inflation)
        return self.cache[region, day]


class Yardstick:
    def __init__(self, calendar: YardstickCalendar, series: list[tuple[str, str]], threshold: float) -> None:
        self.series = series
        self.detector = calendar.module.Detector(series, calendar.holidays, h=threshold)

    def step(self, day: dt.date, counts: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        out = self.detector.step(day, {key: (c, a) for key, c, a in zip(self.series, counts, amounts, strict=True)})
        if not out:
            return np.zeros((2, len(self.series)))
        return np.array([[out[key][side] for key in self.series] for side in (0, 1)])


class Product:
    def __init__(
        self,
        features: YardstickCalendar,
        series: list[tuple[str, str]],
        threshold: float,
        parameters: DetectorParameters,
    ) -> None:
        self.series, self.threshold = series, threshold
        self.detector = PanelDetector(parameters, features)
        self.alarm_days: np.ndarray | None = None

    def step(self, day: dt.date, counts: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        scores = self.detector.step(day, self.series, counts, amounts)
        both = np.array([scores.down.score, scores.up.score]) * scores.ready
        if self.alarm_days is None:
            self.alarm_days = np.zeros(both.shape[1], dtype=int)
        self.alarm_days = np.where(both.max(0) > self.threshold, self.alarm_days + 1, 0)
        held = np.flatnonzero(self.alarm_days >= HOLD_DAYS)
        if len(held):
            self.detector.accept([scores.nodes[g] for g in held])
            self.alarm_days[held] = 0
        return both[:, : len(self.series)]


def false_rate(scores: np.ndarray, threshold: float) -> float:
    """Episodes of either direction per series-year in scores[day, side, cell] after the warm-up."""
    episodes = 0
    alarm = (scores[WARM_UP_DAYS:] > threshold).any(axis=1)
    for column in alarm.T:
        days = np.flatnonzero(column)
        episodes += int(len(days) > 0) + int((np.diff(days) > QUIET_DAYS + 1).sum())
    return episodes / (scores.shape[2] * alarm.shape[0] / 365.25)


def calibrate(scores: np.ndarray, rate: float) -> float:
    return next(h for h in np.arange(1.0, 40.0, 0.05) if false_rate(scores, h) <= rate)


def judge(
    build: Callable[[float], Any],
    calendar: YardstickCalendar,
    panel: Panel,
    series: list[tuple[str, str]],
    options: argparse.Namespace,
) -> None:
    shared = {id(thing): thing for thing in (calendar, calendar.holidays)}
    days, threshold, scores = list(panel), 4.75, np.empty(0)
    for _ in range(3):
        detector, began = build(threshold), time.perf_counter()
        scores = np.array([detector.step(day, *panel[day]) for day in days])
        cost = (time.perf_counter() - began) / len(days) / len(series) * 1e6
        threshold = calibrate(scores, options.rate)
    print(
        f"  threshold {threshold:.2f}: {false_rate(scores, threshold):.2f} false/series-year, {cost:.0f} us/series-day"
    )
    rng, starts = random.Random(options.seed), {}
    for cell in range(len(series)):
        for start in rng.sample(range(WARM_UP_DAYS, len(days) - HELD_DAYS), options.starts):
            starts.setdefault(start, []).append(cell)
    shocks = [tuple(map(float, shock.split(":"))) for shock in options.shocks]
    hits = {shock: [] for shock in shocks}
    detector = build(threshold)
    for index, day in enumerate(days):
        for cell in starts.get(index, ()):
            if (scores[index - QUIET_DAYS : index, :, cell] > threshold).any():
                continue
            for counts_by, amounts_by in shocks:
                trial, delay = copy.deepcopy(detector, dict(shared)), None
                side = 0 if min(counts_by, amounts_by) < 0 else 1
                for age in range(14):
                    counts, amounts = (values.copy() for values in panel[days[index + age]])
                    counts[cell] = round(counts[cell] * (1 + counts_by))
                    amounts[cell] = round(amounts[cell] * (1 + amounts_by))
                    if trial.step(days[index + age], counts, amounts)[side, cell] > threshold:
                        delay = age
                        break
                hits[counts_by, amounts_by].append(99 if delay is None else delay)
        detector.step(day, *panel[day])
    for (counts_by, amounts_by), delays in hits.items():
        seven, fourteen = (float(np.mean(np.array(delays) < within)) for within in (7, 14))
        print(f"  count {counts_by:+.0%} amount {amounts_by:+.0%}: POD {seven:.3f} / {fourteen:.3f}  (n={len(delays)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history")
    parser.add_argument("yardstick")
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--before", type=dt.date.fromisoformat, default=dt.date(2020, 2, 24))
    parser.add_argument(
        "--shocks", nargs="*", default=["-.2:-.2", "-.1:-.1", "0:-.2", "-.2:0", ".3:.3"], metavar="COUNT:AMOUNT"
    )
    parser.add_argument("--only", choices=["yardstick", "product"])
    parser.add_argument(
        "--full-up-to-series",
        type=int,
        default=WhiteningParameters().full_up_to_series,
        help="log series up to which all correlations are kept; 0 forces blocks and factors",
    )
    options = parser.parse_args()
    series, panel = load_panel(options.history, options.before)
    calendar = YardstickCalendar(load_module(options.yardstick))
    if options.only != "product":
        print("yardstick")
        judge(lambda threshold: Yardstick(calendar, series, threshold), calendar, panel, series, options)
    if options.only != "yardstick":
        print("product")
        parameters = DetectorParameters(whitening=WhiteningParameters(full_up_to_series=options.full_up_to_series))
        judge(lambda threshold: Product(calendar, series, threshold, parameters), calendar, panel, series, options)


if __name__ == "__main__":
    main()
