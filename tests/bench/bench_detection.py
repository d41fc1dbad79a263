"""Cost of the models: microseconds per series and day on the Swiss sample (49 series, 14 months), one core.

python tests/bench/bench_detection.py [--rounds 3] [--json]
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from command_line import PANEL, SAMPLE

from earlywarn.adapters.feeds import feeds_of
from earlywarn.adapters.files import open_inputs, shipped_mapping
from earlywarn.aggregation.rows import ClosedDay
from earlywarn.alerting.desk import AlertDesk
from earlywarn.alerting.letterhead import Letterhead
from earlywarn.application.compose import Run, compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.fold import JudgedDay
from earlywarn.application.settings import load
from earlywarn.detection.panel_detector import PanelDetector
from earlywarn.domain.reject import Reject

RECEIVED_MS = 1_767_225_600_000
GOAL_US = 300.0


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


def main() -> int:
    """Measure, print, and fail only if the goal is missed by the best round (the machine may be busy)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
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
            desk.step(scores, day, detector.accept)
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
    if options.json:
        print(json.dumps(result))
    else:
        print(
            f"models: {result['model_us_median']} us of CPU per series and day (median of {options.rounds}, "
            f"least {result['model_us_min']}), alert desk {result['alerts_us_median']} us; "
            f"{series_days} series-days; goal below {GOAL_US:.0f} us"
        )
    return 0 if min(model_us) < GOAL_US else 1


if __name__ == "__main__":
    sys.exit(main())
