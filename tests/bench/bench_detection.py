"""Cost of the models: microseconds per series and day, one core; fails if a goal is missed.

On the Swiss sample (49 series, 14 months), and on panels of any size (REGIONSxSECTORS, each in a process of its own):
CPU of the last days, the process's peak memory with everything imported, the snapshot and what writing it takes.

python tests/bench/bench_detection.py [--rounds 3] [--panels 7x7 25x20 100x20] [--days 130] [--json]
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import numpy as np
from command_line import PANEL, SAMPLE

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import open_inputs, shipped_mapping
from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.desk import AlertDesk
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.fold import JudgedDay
from earlywarn.application.settings import PanelSettings, Settings, load
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.domain.reject import Reject
from earlywarn.domain.state import encode_state

RECEIVED_MS = 1_767_225_600_000
GOAL_US = 300.0
GOAL_SECONDS_A_DAY = 2.0
GOAL_SNAPSHOT_MB = 100.0
LATE_DAYS = 20
"""Days at the end that are timed: the models have settled, and everything is learned each day."""


def closed_days(run: Run) -> list[ClosedDay]:
    """Return the days of the 49 Swiss series as the folds close them."""
    inputs = open_inputs([str(SAMPLE)], shipped_mapping("swiss-cards"))
    block, fold = run.block_fold(0, 1), compose_fold(run, 1)
    days = []
    for batch in feeds_of(inputs, run.panels[0].panel.calendar)[0].batches():
        outcomes = [each for each in batch.outcomes if isinstance(each, Reject) or each.region != "9999"]
        sealed, _ = block.add(range(block.position, block.position + len(outcomes)), outcomes, RECEIVED_MS)
        for partial in [*sealed, block.flush()]:
            if partial is not None:
                days += [output.closed for output in fold.apply(partial) if isinstance(output, JudgedDay)]
    return days


def large_panel(regions: int, sectors: int, days: int) -> dict[str, float]:
    """Return what the models of a panel take that no adapter feeds: made of weeks, shared and own noise, and counts."""
    settings = PanelSettings(
        id="large",
        any_region=True,
        countries=(),
        holiday_countries=("DE",),
        currency="EUR",
        time_zone="Europe/Berlin",
        classification="open",
        resolution="day",
    )
    run = compose(Settings(run="bench", panels=(settings,)))
    detector = PanelDetector(run.settings.detection, run.panels[0].features)
    series = [(f"R{region:03}", f"S{sector:02}") for region in range(regions) for sector in range(sectors)]
    region_of, sector_of = np.divmod(np.arange(len(series)), sectors)
    level = 40.0 + 10.0 * np.arange(len(series)) % 400
    spent = []
    for day in range(days):
        rng = np.random.default_rng((20221, day))
        shared = 0.03 * (rng.standard_normal(regions)[region_of] + rng.standard_normal(sectors)[sector_of])
        wave = 0.2 * np.sin(2 * np.pi * day / 7)
        counts = rng.poisson(level * np.exp(wave + shared + 0.03 * rng.standard_normal(len(series))))
        amounts = np.round(counts * 4000 * np.exp(0.02 * rng.standard_normal(len(series)))).astype(np.int64)
        start = time.process_time()
        detector.step(date(2022, 1, 1) + timedelta(day), series, counts, amounts)
        spent.append(time.process_time() - start)
    start = time.process_time()
    size = len(encode_state(detector.state()))
    took = time.process_time() - start
    seconds = statistics.median(spent[-LATE_DAYS:])
    return {
        "cells": len(series),
        "days": days,
        "seconds_a_day": round(seconds, 4),
        "model_us": round(seconds / len(series) * 1e6, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "snapshot_mb": round(size / 1e6, 2),
        "snapshot_seconds": round(took, 2),
    }


def large_panels(sizes: list[str], days: int) -> list[dict[str, float]]:
    """Return the same for each size, every one in a process of its own, so that peaks of memory are apart."""
    found = []
    for size in sizes:
        regions, sectors = map(int, size.split("x"))
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            found.append(alone.submit(large_panel, regions, sectors, days).result())
    return found


def missed(panel: dict[str, float]) -> bool:
    """Return whether a panel misses a goal."""
    return (
        panel["model_us"] >= GOAL_US
        or panel["seconds_a_day"] >= GOAL_SECONDS_A_DAY
        or panel["snapshot_mb"] >= GOAL_SNAPSHOT_MB
    )


def main() -> int:
    """Measure, print, and fail only if the goal is missed by the best round (the machine may be busy)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--panels", nargs="*", default=["7x7", "25x20", "100x20"], metavar="REGIONSxSECTORS")
    parser.add_argument("--days", type=int, default=130, help="days of each panel")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    run = compose(load(PANEL, {}))
    days = closed_days(run)
    series_days = sum(len(day.cells) for day in days)
    model_us, desk_us = [], []
    for _ in range(options.rounds):
        detector = PanelDetector(run.settings.detection, run.panels[0].features)
        letterhead = Letterhead(run="bench", exercise=True, model_version="", config_hash="")
        desk = AlertDesk("CH", run.settings.alerts, letterhead, run.names)
        models = alerts = 0.0
        for day in days:
            start = time.process_time()
            scores = detector.step(day.day, day.cells, day.transactions, day.amount_minor, usable=True)
            middle = time.process_time()
            desk.step(scores, day, detector)
            models += middle - start
            alerts += time.process_time() - middle
        model_us.append(models / series_days * 1e6)
        desk_us.append(alerts / series_days * 1e6)
    result = {
        "series_days": series_days,
        "rounds": options.rounds,
        "model_us_median": round(statistics.median(model_us), 1),
        "model_us_min": round(min(model_us), 1),
        "alerts_us_median": round(statistics.median(desk_us), 1),
        "goal_us": GOAL_US,
    }
    panels = large_panels(options.panels, options.days)
    if options.json:
        print(json.dumps(result | {"panels": panels}))
    else:
        print(
            f"models: {result['model_us_median']} us of CPU per series and day (median of {options.rounds}, "
            f"least {result['model_us_min']}), alert desk {result['alerts_us_median']} us; "
            f"{series_days} series-days; goal below {GOAL_US:.0f} us"
        )
        for panel in panels:
            print(
                f"{panel['cells']:,} cells, after {panel['days']} days: {panel['model_us']} us of CPU a cell and day "
                f"({panel['seconds_a_day']:.3f} s a day, goal {GOAL_SECONDS_A_DAY:.0f} s and {GOAL_US:.0f} us), peak "
                f"memory {panel['peak_mib']:.0f} MiB, snapshot {panel['snapshot_mb']:.1f} MB (goal "
                f"{GOAL_SNAPSHOT_MB:.0f}) in {panel['snapshot_seconds']:.2f} s"
            )
    return 0 if min(model_us) < GOAL_US and not any(missed(panel) for panel in panels) else 1


if __name__ == "__main__":
    sys.exit(main())
