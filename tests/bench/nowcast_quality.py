"""At which hour of its first day a shock is seen by the nowcast, against the close; and its false alarms by the budget.

    OPENBLAS_NUM_THREADS=1 PYTHONPATH=tests/support python tests/bench/nowcast_quality.py [--source synthetic|sample]

Daily cells (synthetic ones of seeds, or those of the real sample) become hours by the generator's profile, which each
sector shifts by itself; each hour of a day varies by a log-normal factor that all cells share and one of each cell, and
payments are multinomial given the day. A shock thins what comes of its cells from the first hour on; it is tried on
some days, on a random node of each level, and leaves no trace. The close is judged by
the alarm threshold of the desk, which asks for two days of a step (`youngest_age_days`), so that it tells none on its
first. Undisturbed days are counted as false if an early score of a node that the close does
not alarm of was above the threshold.
"""

import argparse
import copy
from collections import defaultdict
from collections.abc import Iterable
from datetime import date

import numpy as np
from shocked_panel import composed
from swiss_sample import sample

from earlywarn.alerting.parameters import AlertParameters
from earlywarn.alerting.weighing import Weighing
from earlywarn.detection.day_scores import DayScores
from earlywarn.detection.diurnal_profile import HOURS, kinds_of
from earlywarn.detection.hierarchy import NodeTree
from earlywarn.detection.nowcast import Nowcast
from earlywarn.detection.nowcast_parameters import DAYS_OF_A_YEAR, NowcastParameters
from earlywarn.detection.panel_detector import DetectorParameters, PanelDetector
from earlywarn.domain.alert import Direction
from earlywarn.domain.cell import Cell
from earlywarn.generate import synthetic_cells
from earlywarn.generate.options import HOURLY_PROFILE

SIZES = (-0.5, -0.3, -0.2)
TOLD = (9, 11, 13, 15, 17, 19, 23)
READY_DAYS = 120
CLOSE = 24


class Hours:
    """Hours of days, drawn."""

    def __init__(self, tree: NodeTree, *, shared_log: float, own_log: float, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.shared_log, self.own_log = shared_log, own_log
        turn = self.rng.normal(0.0, 1.0, len(tree.sectors))[tree.sector_of]
        hours = np.arange(HOURS)
        self.course = np.array(HOURLY_PROFILE) * np.exp(0.05 * turn[:, None] * (hours - 12))

    def drawn(self, counts: np.ndarray) -> np.ndarray:
        shared = np.exp(self.shared_log * self.rng.standard_normal(HOURS))
        own = np.exp(self.own_log * self.rng.standard_normal(self.course.shape))
        shares = self.course * shared * own
        return self.rng.multinomial(counts, shares / shares.sum(axis=1, keepdims=True)).astype(np.float64)


class Trial:
    """One history, day by day."""

    def __init__(self, cells: Iterable[Cell], *, shared_log: float, own_log: float, seed: int, every_days: int) -> None:
        self.every_days = every_days
        days: dict[date, dict[tuple[str, str], tuple[int, int]]] = {}
        for cell in cells:
            days.setdefault(cell.day, {})[cell.region, cell.sector] = (cell.transactions, cell.amount_minor)
        self.days = days
        self.series = sorted({key for day in days.values() for key in day})
        self.tree = NodeTree(self.series)
        self.hours = Hours(self.tree, shared_log=shared_log, own_log=own_log, seed=seed)
        self.features = composed().panels[0].features
        self.detector = PanelDetector(DetectorParameters(), self.features)
        self.nowcast = Nowcast(NowcastParameters(), self.tree)
        self.rng = np.random.default_rng(seed + 1)
        self.quiet_days = self.false = 0
        self.inside = [0, 0]
        self.seen: dict[tuple[str, float], list[tuple[int, bool]]] = defaultdict(list)

    def run(self) -> None:
        heard = np.ones((len(self.series), HOURS), dtype=bool)
        for age, (day, values) in enumerate(sorted(self.days.items())):
            counts, amounts = np.array([values.get(key, (0, 0)) for key in self.series]).T
            hours = self.hours.drawn(counts)
            if age >= READY_DAYS:
                expected, before = self.detector.expected(day)
                rows = [self.features.row(region, day) for region in self.tree.regions]
                holiday = np.array([row.holiday for row in rows])[self.tree.region_of]
                self.nowcast.begin(expected, kinds_of(day.weekday(), holiday), np.ones(HOURS))
                threshold = self.nowcast.threshold
                if np.isfinite(threshold) and age % self.every_days == 0:
                    self.shocks(day, hours, amounts, heard, before)
                early_best = [np.zeros(len(self.tree.nodes)), np.zeros(len(self.tree.nodes))]
                for hour in range(HOURS):
                    early = self.nowcast.look(hour, hours, heard, before)
                    early_best = [np.maximum(*pair) for pair in zip(early_best, (early.down, early.up), strict=True)]
                    if hour == 13:
                        self.cover(early, counts.astype(float))
            scores = self.detector.step(day, self.series, counts, amounts)
            if age >= READY_DAYS:
                confirmed = np.stack([self.told(scores, "down"), self.told(scores, "up")])
                self.quiet_days += bool(np.isfinite(threshold))
                self.false += bool((np.stack(early_best) > threshold)[~confirmed].any())
                self.nowcast.close(hours, heard, confirmed=confirmed)

    @staticmethod
    def told(scores: DayScores, direction: Direction) -> np.ndarray:
        """Return bool[G], nodes that the close alarms of."""
        return Weighing(scores, direction, AlertParameters()).ratio > 1

    def cover(self, early: object, counts: np.ndarray) -> None:
        truth = self.tree.sums(counts)
        speaks = np.isfinite(early.total)
        self.inside[0] += int(((early.lower <= truth) & (truth <= early.upper))[speaks].sum())
        self.inside[1] += int(speaks.sum())

    def shocks(self, day: date, hours: np.ndarray, amounts: np.ndarray, heard: np.ndarray, before: object) -> None:
        counts = hours.sum(axis=1)
        for level in ("cell", "region", "panel"):
            nodes = [at for at, node in enumerate(self.tree.nodes) if node.level == level]
            large = [at for at in nodes if self.tree.sums(counts)[at] >= 200]
            node = int(self.rng.choice(large))
            inside = self.tree.cells_of(node)
            for size in SIZES:
                left = np.where(inside, 1.0 + size, 1.0)
                thinned = self.rng.binomial(hours.astype(np.int64), left[:, None]).astype(np.float64)
                trial, at = copy.copy(self.nowcast), CLOSE
                for hour in range(HOURS):
                    if trial.look(hour, thinned, heard, before).down[node] > self.nowcast.threshold:
                        at = hour
                        break
                models, whole = copy.deepcopy(self.detector), thinned.sum(axis=1).astype(np.int64)
                scores = models.step(day, self.series, whole, np.rint(amounts * left).astype(np.int64))
                self.seen[level, size].append((at, bool(self.told(scores, "down")[node])))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--source", choices=("synthetic", "sample"), default="synthetic")
    options.add_argument("--days", type=int, default=900)
    options.add_argument("--every-days", type=int, default=15, help="days from one trial of shocks to the next")
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--shared-log", type=float, default=0.05, help="noise of an hour that all cells share")
    options.add_argument("--own-log", type=float, default=0.1, help="noise of an hour of a cell")
    given = options.parse_args()
    trials = []
    for seed in range(given.seeds):
        cells = sample() if given.source == "sample" else synthetic_cells(seed=seed + 1, days=given.days)
        trial = Trial(cells, shared_log=given.shared_log, own_log=given.own_log, seed=seed, every_days=given.every_days)
        trial.run()
        trials.append(trial)
    days, false = sum(each.quiet_days for each in trials), sum(each.false for each in trials)
    budget = NowcastParameters().false_days_year
    print(f"{len(trials[0].series)} cells, {days} days with a threshold, {false} with a false provisional alert:")
    print(f"{DAYS_OF_A_YEAR * false / days:.1f} a year, the budget is {budget:g}")
    inside, spoken = (sum(each.inside[at] for each in trials) for at in (0, 1))
    print(f"whole day within its 95 % interval at the end of hour 13: {inside / spoken:.3f} of {spoken}")
    print("seen by the end of hour " + " ".join(f"{hour:>5}" for hour in TOLD) + "  at the close     n  median hour")
    for level, size in trials[0].seen:
        at, closed = np.array([seen for each in trials for seen in each.seen[level, size]]).T
        shares = " ".join(f"{(at <= hour).mean():5.2f}" for hour in TOLD)
        median = int(np.median(at))
        when = "not on the day" if median == CLOSE else str(median)
        print(f"{level:>8} {size:+.0%}{'':10}{shares}  {closed.mean():12.2f} {len(at):5}  {when}")


if __name__ == "__main__":
    main()
