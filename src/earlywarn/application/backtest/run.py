"""`run_backtest`: histories and a plan in, the track record out."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Literal

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.application.backtest.judge import Judge, judge_of
from earlywarn.application.backtest.plan import BacktestPlan
from earlywarn.application.backtest.result import (
    BacktestResult,
    OperatingPoint,
    PanelBacktest,
    detections_of,
    false_alarms_of,
)
from earlywarn.application.backtest.trials import Schedule, Trial, run_trials, schedule
from earlywarn.application.backtest.untouched import Untouched, calibrated, judge_untouched
from earlywarn.application.compose import Run, compose
from earlywarn.application.settings import Settings
from earlywarn.detection import MODEL_VERSION
from earlywarn.detection.hierarchy import Node
from earlywarn.errors import InputError

Progress = Callable[[int, int], None]
"""Told of trials: how many are done, and of how many."""
Trials = Callable[[Untouched, Schedule], list[Trial]]


def run_backtest(
    run: Run,
    history: Mapping[str, Sequence[ClosedDay]],
    plan: BacktestPlan,
    *,
    jobs: int = 1,
    progress: Progress = lambda _done, _total: None,
) -> BacktestResult:
    """Inject the plan's shocks into each panel's history and measure how soon they are seen.

    Args:
        run: the run whose detector, desk and thresholds are judged.
        history: closed days by panel id, ascending (`collect_history`).
        plan: shocks, and how they are judged.
        jobs: processes among which the trials are shared; the result does not depend on it. More than one
            starts fresh interpreters, so a script that calls this needs the usual `__main__` guard.
        progress: told of the trials done.

    Raises:
        InputError: a history is too short for the warm-up and a shock after it.
        ConfigError: no series matches the plan.
    """
    used = {
        panel: tuple(closed for closed in days if plan.until is None or closed.day <= plan.until)
        for panel, days in sorted(history.items())
    }
    for panel, days in used.items():
        needed = plan.warm_up_days + plan.watched_days
        if len(days) < needed:
            raise InputError(
                f"backtest: panel {panel} has {len(days)} complete days; the warm-up of {plan.warm_up_days} and a "
                f"shock of {plan.watched_days} need {needed}: give more history, or a shorter warm-up"
            )
    points_per_panel = 1 if plan.false_per_series_year is None else 2
    counter = _Counter(progress, points_per_panel * len(used))
    return BacktestResult(
        plan=plan,
        model_version=MODEL_VERSION,
        config_hash=run.fingerprint,
        panels=tuple(_panel(run, panel, days, plan, jobs, counter) for panel, days in used.items()),
    )


class _Counter:
    """Adds up trials; each operating point is expected to be as long as the first."""

    def __init__(self, progress: Progress, points: int) -> None:
        self._progress, self._points = progress, points
        self._done, self._total = 0, 0

    def expect(self, trials: int) -> None:
        """Say how many trials one operating point has."""
        self._total = max(self._total, trials * self._points)
        self._progress(self._done, self._total)

    def __call__(self, trials: int) -> None:
        self._done += trials
        self._progress(self._done, max(self._total, self._done))


def _panel(
    run: Run, panel: str, days: tuple[ClosedDay, ...], plan: BacktestPlan, jobs: int, counter: _Counter
) -> PanelBacktest:
    judge_at = judge_of(run, panel)
    trials = (
        _sequential(judge_at, days, plan, counter) if jobs == 1 else _parallel(run, panel, days, plan, jobs, counter)
    )
    middle = (plan.warm_up_days + len(days)) // 2
    return PanelBacktest(
        panel=panel,
        first_day=days[0].day.isoformat(),
        last_day=days[-1].day.isoformat(),
        second_half_from=days[middle].day.isoformat(),
        days=len(days),
        cells=len(days[-1].cells),
        points=operating_points(judge_at, run.settings.alerts.alarm_evidence, days, plan, trials, counter.expect),
    )


def operating_points(
    judge_at: Callable[[float], Judge],
    configured: float,
    days: Sequence[ClosedDay],
    plan: BacktestPlan,
    trials: Trials,
    expect: Callable[[int], None] = lambda _: None,
) -> tuple[OperatingPoint, ...]:
    """Return the figures at the configured threshold and, if the plan asks for it, at the calibrated one.

    Args:
        judge_at: makes judges by threshold.
        configured: the threshold in use (nats).
        days: the history, long enough for the plan.
        plan: shocks, and how they are judged.
        trials: runs the trials of a schedule against an untouched run.
        expect: told how many trials one operating point has, before they begin.
    """
    untouched = judge_untouched(judge_at(configured), days)
    starts = schedule(plan, plan.targets(untouched.nodes), len(days))
    expect(sum(map(len, starts.values())) * len(plan.changes_pct))
    runs: list[tuple[Literal["configured", "first-half", "whole"], Untouched]] = [("configured", untouched)]
    if plan.false_per_series_year is not None:
        end = len(days) if plan.calibrate_on == "whole" else (plan.warm_up_days + len(days)) // 2
        span = slice(plan.warm_up_days, end)
        quiet_days, rate = plan.quiet_days, plan.false_per_series_year
        at_rate = calibrated(judge_at, days, untouched, span=span, rate=rate, quiet_days=quiet_days)
        runs.append((plan.calibrate_on, at_rate))
    return tuple(
        OperatingPoint(
            chosen=chosen,
            threshold=each.threshold,
            false_alarms=false_alarms_of(each, plan),
            detections=detections_of(trials(each, starts), plan),
        )
        for chosen, each in runs
    )


def _sequential(
    judge_at: Callable[[float], Judge], days: Sequence[ClosedDay], plan: BacktestPlan, counter: _Counter
) -> Trials:
    return lambda untouched, starts: run_trials(judge_at, days, untouched, plan, starts, counter)


def _parallel(
    run: Run, panel: str, days: tuple[ClosedDay, ...], plan: BacktestPlan, jobs: int, counter: _Counter
) -> Trials:
    def trials(untouched: Untouched, starts: Schedule) -> list[Trial]:
        # Each process folds the history once up to its last start, so it takes a stretch of days, not single ones.
        parts = _stretches(starts, jobs)
        with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            futures = [pool.submit(_work, run.settings, panel, days, untouched, plan, part) for part in parts]
            for future in as_completed(futures):
                counter(len(future.result()))
        return [trial for future in futures for trial in future.result()]

    return trials


def _stretches(starts: Schedule, jobs: int) -> list[dict[int, Sequence[Node]]]:
    """Cut a schedule into runs of days with about equally many trials each, several for each job."""
    wanted = sum(map(len, starts.values())) / (4 * jobs)
    parts: list[dict[int, Sequence[Node]]] = [{}]
    for start, targets in starts.items():
        if sum(map(len, parts[-1].values())) >= wanted:
            parts.append({})
        parts[-1][start] = targets
    return parts


def _work(
    settings: Settings,
    panel: str,
    days: tuple[ClosedDay, ...],
    untouched: Untouched,
    plan: BacktestPlan,
    starts: Schedule,
) -> list[Trial]:
    return run_trials(judge_of(compose(settings), panel), days, untouched, plan, starts)
