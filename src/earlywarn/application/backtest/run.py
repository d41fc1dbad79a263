"""`run_backtest`: histories and a plan in, the track record out."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.application.backtest.judge import Replay, judge_of
from earlywarn.application.backtest.plan import BacktestPlan
from earlywarn.application.backtest.result import (
    BacktestResult,
    Chosen,
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
        panels=tuple(_panel(run, panel, days, plan, jobs=jobs, counter=counter) for panel, days in used.items()),
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
    run: Run, panel: str, days: tuple[ClosedDay, ...], plan: BacktestPlan, *, jobs: int, counter: _Counter
) -> PanelBacktest:
    replay = Replay(judge_of(run, panel), days, plan, run.settings.coverage)
    sequential: Trials = lambda untouched, starts: run_trials(replay, untouched, starts, counter)  # noqa: E731
    trials = sequential if jobs == 1 else _Parallel(run.settings, panel, replay, jobs, counter)
    return PanelBacktest(
        panel=panel,
        first_day=days[0].day.isoformat(),
        last_day=days[-1].day.isoformat(),
        second_half_from=days[replay.middle].day.isoformat(),
        days=len(days),
        cells=len(days[-1].cells),
        points=operating_points(replay, run.settings.alerts.alarm_evidence, trials, counter.expect),
    )


def operating_points(
    replay: Replay, configured: float, trials: Trials, expect: Callable[[int], None] = lambda _: None
) -> tuple[OperatingPoint, ...]:
    """Return the figures at the configured threshold and, if the plan asks for it, at the calibrated one.

    Args:
        replay: history and plan; the history is long enough for the plan.
        configured: the threshold in use (nats).
        trials: runs the trials of a schedule against an untouched run.
        expect: told how many trials one operating point has, before they begin.
    """
    plan = replay.plan
    untouched = judge_untouched(replay, configured)
    starts = schedule(plan, plan.targets(untouched.nodes), len(replay.days))
    expect(sum(map(len, starts.values())) * len(plan.changes_pct))
    runs: list[tuple[Chosen, Untouched]] = [("configured", untouched)]
    if plan.false_per_series_year is not None:
        runs.append((plan.calibrate_on, calibrated(replay, untouched, plan.false_per_series_year)))
    return tuple(
        OperatingPoint(
            chosen=chosen,
            threshold=each.threshold,
            false_alarms=false_alarms_of(each, plan),
            detections=detections_of(trials(each, starts), plan),
        )
        for chosen, each in runs
    )


class _Parallel:
    """Shares trials among processes; the order of the result is that of the schedule, whoever is first."""

    def __init__(self, settings: Settings, panel: str, replay: Replay, jobs: int, counter: _Counter) -> None:
        self._settings, self._panel, self._replay, self._jobs = settings, panel, replay, jobs
        self._counter = counter

    def __call__(self, untouched: Untouched, starts: Schedule) -> list[Trial]:
        """Run the trials of `starts`."""
        days, plan = tuple(self._replay.days), self._replay.plan
        with ProcessPoolExecutor(self._jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
            futures = [
                pool.submit(_work, self._settings, self._panel, (days, plan, untouched, part))
                for part in _stretches(starts, self._jobs)
            ]
            for future in as_completed(futures):
                self._counter(len(future.result()))
        return [trial for future in futures for trial in future.result()]


def _stretches(starts: Schedule, jobs: int) -> list[dict[int, Sequence[Node]]]:
    """Cut a schedule into stretches of days of about equally many trials, two for each job.

    A process folds the history up to its last start, so it takes a stretch and not single days.
    """
    wanted = sum(map(len, starts.values())) / (2 * jobs)
    parts: list[dict[int, Sequence[Node]]] = [{}]
    for start, targets in starts.items():
        if sum(map(len, parts[-1].values())) >= wanted:
            parts.append({})
        parts[-1][start] = targets
    return parts


def _work(
    settings: Settings, panel: str, task: tuple[tuple[ClosedDay, ...], BacktestPlan, Untouched, Schedule]
) -> list[Trial]:
    days, plan, untouched, starts = task
    return run_trials(Replay(judge_of(compose(settings), panel), days, plan, settings.coverage), untouched, starts)
