"""The forecast of the next 28 days against a seasonal naive one, River's HoltWinters and its SNARIMAX, on the sample.

Every cell, region, sector and the panel; transactions, amounts and mean tickets; the days before 2020-02-24; warm-up
120 days; an origin every six days (so that all weekdays are origins), horizons 1 to 28. The pinball loss at 2.5, 10,
50, 90 and 97.5 % is divided by the seasonal naive one's of the same series, and averaged over series, horizons and
origins.
Coverage is that of the 80 and 95 % intervals. The models of a panel run as they do online: with the alert desk, and
nothing from the future. The others have, for each series and horizon, the quantiles of their own past relative errors
around their forecast. Parameters of HoltWinters and SNARIMAX are the best of a grid on these very data, which favours
them; SNARIMAX has a Bayesian linear regression (by its default, gradient descent, it diverges) and the holidays.

Fails if the product's loss is not below each of the others'.

OPENBLAS_NUM_THREADS=1 python tests/bench/forecast_quality.py [--every 6] [--json]
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from bench_detection import PANEL, closed_days
from river import linear_model, time_series

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.desk import AlertDesk
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import load
from earlywarn.detection.day_scores import MEASURES
from earlywarn.detection.hierarchy import LEVELS, NodeTree
from earlywarn.detection.panel_detector import PanelDetector

BEFORE = date(2020, 2, 24)
WARM_UP_DAYS, HORIZON_DAYS, WEEK_DAYS = 120, 28, 7
QUANTILES = np.array([0.025, 0.1, 0.5, 0.9, 0.975])
FIRST_DAYS = 8
"""Days that the others do not see: New Year's Day would start HoltWinters' season."""
ERRORS_FROM_DAY = 40
"""From so many days on the others' errors count for their intervals."""
HOLIDAYS = ("hol_wd", "hol_sat", "pre", "post")
Floats = np.ndarray


class Panel:
    """The series [T, 3 G] of a panel's nodes by day, and what the calendar says of them."""

    def __init__(self, run: Run, days: list[ClosedDay]) -> None:
        self.run, self.days = run, days
        self.tree = NodeTree(days[0].cells)
        sums = [self.tree.sums(np.stack([day.transactions, day.amount_minor], axis=1).astype(float)) for day in days]
        count, amount = np.moveaxis(np.stack(sums), 2, 0)
        self.values = np.concatenate([count, amount, amount / count], axis=1)
        self.levels = np.tile([node.level for node in self.tree.nodes], len(MEASURES))
        self.ahead = np.full((len(days), HORIZON_DAYS, self.values.shape[1]), np.nan)
        for age in range(1, HORIZON_DAYS + 1):
            self.ahead[:-age, age - 1] = self.values[age:]
        features = run.panels[0].features
        places = [features.names.index(name) for name in HOLIDAYS]
        dates = [days[0].day + timedelta(age) for age in range(len(days) + HORIZON_DAYS)]
        rows = [[features.row(region, day).values for region in self.tree.regions] for day in dates]
        cells = np.array(rows)[:, :, places][:, self.tree.region_of]
        means = np.stack([self.tree.means(of_day) for of_day in cells])
        self.holidays = np.tile(means, (1, len(MEASURES), 1))


def product(panel: Panel, origins: list[int]) -> Floats:
    """Return the quantiles [O, H, 3 G, 5] of the panel's models, an alert desk beside them."""
    run = panel.run
    detector = PanelDetector(run.settings.detection, run.panels[0].features)
    letterhead = Letterhead(run="bench", exercise=True, model_version="", config_hash="")
    desk = AlertDesk("CH", run.settings.alerts, letterhead, run.names)
    found = []
    for place, day in enumerate(panel.days):
        desk.step(detector.step(day.day, day.cells, day.transactions, day.amount_minor), day, detector)
        if place in origins:
            told = detector.forecast()
            ends = (told.lower_95, told.lower_80, told.expected, told.upper_80, told.upper_95)
            by_node = np.stack(ends, axis=-1)
            found.append(np.moveaxis(by_node, 2, 0).reshape(HORIZON_DAYS, -1, len(QUANTILES)))
    return np.stack(found)


def seasonal_naive(panel: Panel) -> Floats:
    """Return the forecasts [T, H, 3 G]: the same weekday of the last week known."""
    found = np.full_like(panel.ahead, np.nan)
    for age in range(1, HORIZON_DAYS + 1):
        back = (-age) % WEEK_DAYS
        found[back:, age - 1] = panel.values[: len(panel.values) - back]
    return found


def of_river(
    panel: Panel,
    model: Callable[[], time_series.base.Forecaster],
    origins: list[int],
    *,
    logs: bool,
    holidays: bool = False,
) -> Floats:
    """Return the forecasts [T, H, 3 G] of one River model a series, made every other day and at every origin."""
    found = np.full_like(panel.ahead, np.nan)
    for series in range(panel.values.shape[1]):
        values, one = panel.values[:, series], model()
        values = np.log(values) if logs else values
        shift, scale = (values[FIRST_DAYS:ERRORS_FROM_DAY].mean(), 1.0) if holidays else (0.0, 1.0)
        if not logs:
            scale = values[FIRST_DAYS:ERRORS_FROM_DAY].mean()
        given = [dict(zip(HOLIDAYS, row, strict=True)) | {"one": 1.0} for row in panel.holidays[:, series].tolist()]
        for day in range(FIRST_DAYS, len(values)):
            value = float((values[day] - shift) / scale)
            one.learn_one(value, given[day]) if holidays else one.learn_one(value)
            if day >= ERRORS_FROM_DAY and (day % 2 == 0 or day in origins):
                xs = given[day + 1 : day + 1 + HORIZON_DAYS] if holidays else None
                told = shift + scale * np.array(one.forecast(HORIZON_DAYS, xs))
                found[day, :, series] = np.exp(np.clip(told, -50.0, 50.0)) if logs else told
    return found


def with_past_errors(panel: Panel, forecasts: Floats, origins: list[int]) -> Floats:
    """Return quantiles [O, H, 3 G, 5]: a forecast times the quantiles of its past errors at that horizon."""
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.log(panel.ahead / forecasts)
    found = np.full((len(origins), *forecasts.shape[1:], len(QUANTILES)), np.nan)
    for place, origin in enumerate(origins):
        for age in range(1, HORIZON_DAYS + 1):
            past = errors[: origin - age + 1, age - 1]
            past = past[np.isfinite(past).any(axis=1)]
            factors = np.exp(np.nan_to_num(np.nanquantile(past, QUANTILES, axis=0)).T)
            factors[:, 2] = 1.0
            found[place, age - 1] = forecasts[origin, age - 1][:, None] * factors
    return found


def pinball(quantiles: Floats, seen: Floats) -> Floats:
    """Return the mean pinball loss over the quantiles, shape of `seen`."""
    beyond = seen[..., None] - quantiles
    return np.maximum(QUANTILES * beyond, (QUANTILES - 1.0) * beyond).mean(axis=-1)


def scored(panel: Panel, quantiles: Floats, origins: list[int], naive: Floats) -> dict[str, object]:
    """Return loss and coverage: of all, by week of the horizon, by level."""
    seen = panel.ahead[origins]
    known = np.isfinite(seen)
    loss = np.where(known, pinball(quantiles, seen) / naive, np.nan)
    inside = {
        name: np.where(known, (seen >= quantiles[..., low]) & (seen <= quantiles[..., -1 - low]), np.nan)
        for name, low in (("coverage_80", 1), ("coverage_95", 0))
    }
    halves = np.array_split(np.arange(len(origins)), 2)
    result: dict[str, object] = {"n": int(known.sum())}
    for name, values in ({"loss": loss} | inside).items():
        weeks = [values[:, week * WEEK_DAYS : (week + 1) * WEEK_DAYS] for week in range(HORIZON_DAYS // WEEK_DAYS)]
        result[name] = {
            "all": round(float(np.nanmean(values)), 4),
            "weeks": [round(float(np.nanmean(week)), 3) for week in weeks],
            "levels": {level: round(float(np.nanmean(values[:, :, panel.levels == level])), 3) for level in LEVELS},
            "halves": [round(float(np.nanmean(values[half])), 3) for half in halves],
        }
    return result


def holt_winters(alpha: float, beta: float, gamma: float) -> Callable[[], time_series.base.Forecaster]:
    return lambda: time_series.HoltWinters(
        alpha=alpha, beta=beta, gamma=gamma, seasonality=WEEK_DAYS, multiplicative=True
    )


def snarimax() -> time_series.base.Forecaster:
    regression = linear_model.BayesianLinearRegression(alpha=1.0, beta=20.0)
    return time_series.SNARIMAX(p=1, d=0, q=1, m=WEEK_DAYS, sp=3, sd=0, sq=3, regressor=regression)


def main() -> int:
    """Score all, print, and fail if the product is not better than each of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=6, help="days from one origin to the next")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    run = compose(load(PANEL, {}))
    panel = Panel(run, [day for day in closed_days(run) if day.day < BEFORE])
    origins = list(range(WARM_UP_DAYS - 1, len(panel.days) - 1, options.every))
    makers: dict[str, Callable[[], Floats]] = {
        "earlywarn": lambda: product(panel, origins),
        "seasonal naive": lambda: with_past_errors(panel, seasonal_naive(panel), origins),
        "HoltWinters": lambda: with_past_errors(
            panel, of_river(panel, holt_winters(0.15, 0.02, 0.1), origins, logs=False), origins
        ),
        "HoltWinters of logs": lambda: with_past_errors(
            panel, of_river(panel, holt_winters(0.1, 0.02, 0.1), origins, logs=True), origins
        ),
        "SNARIMAX of logs": lambda: with_past_errors(
            panel, of_river(panel, snarimax, origins, logs=True, holidays=True), origins
        ),
    }
    made, seconds = {}, {}
    for name, make in makers.items():
        start = time.process_time()
        made[name] = make()
        seconds[name] = round(time.process_time() - start, 1)
    losses = pinball(made["seasonal naive"], panel.ahead[origins])
    naive = np.nanmean(np.where(np.isfinite(losses), losses, np.nan), axis=(0, 1))
    found = {name: scored(panel, quantiles, origins, naive) for name, quantiles in made.items()}
    if options.json:
        print(json.dumps({name: each | {"seconds": seconds[name]} for name, each in found.items()}))
    else:
        print(f"{len(origins)} origins, {panel.values.shape[1]} series, n = {found['earlywarn']['n']:,}")
        for name, each in found.items():
            print(f"{name} ({seconds[name]} s)")
            for what in ("loss", "coverage_80", "coverage_95"):
                print(f"  {what:12} {each[what]}")
    ours = found["earlywarn"]["loss"]["all"]
    return 0 if all(ours < each["loss"]["all"] for name, each in found.items() if name != "earlywarn") else 1


if __name__ == "__main__":
    sys.exit(main())
