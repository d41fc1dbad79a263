"""The untouched history: its evidence, its false episodes, and the threshold that keeps them at a rate."""

from dataclasses import dataclass

import numpy as np

from earlywarn.application.backtest.judge import Flags, Floats, Integers, Replay, alarms, embed
from earlywarn.detection.hierarchy import Node

DAYS_PER_YEAR = 365.25
THRESHOLD_STEP = 0.05
"""Thresholds are looked for at multiples of this (nats)."""
_THRESHOLD_MAX = 200.0
_ROUNDS_MAX = 6


@dataclass(frozen=True, slots=True)
class Untouched:
    """What one judge said of a history of T days without shocks, over the G nodes of its last day.

    `evidence` is float64[T, 2, G], `ready` bool[T, G], `opened` int64[T]: alerts without a parent, `named`
    bool[T, 2, G]: an alert of this very node was opened.
    """

    threshold: float
    nodes: tuple[Node, ...]
    evidence: Floats
    ready: Flags
    opened: Integers
    named: Flags

    @property
    def alarms(self) -> Flags:
        """Return bool[T, 2, G]: the alarms at the judge's own threshold."""
        return alarms(self.evidence, self.threshold)


def judge_untouched(replay: Replay, threshold: float) -> Untouched:
    """Judge all days of a replay from the first on."""
    judge = replay.judge_at(threshold)
    judged = [judge.step(closed) for closed in replay.days]
    nodes = judged[-1].nodes
    index = {node: place for place, node in enumerate(nodes)}
    return Untouched(
        threshold=judge.threshold,
        nodes=nodes,
        evidence=np.stack([embed(each.evidence, each.nodes, index) for each in judged]),
        ready=np.stack([embed(each.ready, each.nodes, index) for each in judged]),
        opened=np.array([each.opened for each in judged], dtype=np.int64),
        named=np.stack([embed(each.named, each.nodes, index) for each in judged]),
    )


def episode_starts(alarm: Flags, quiet_days: int) -> Flags:
    """Return where episodes begin: alarms with more than `quiet_days` quiet days before them.

    Args:
        alarm: bool[T, ...], days first.
        quiet_days: longest gap within one episode (days).

    >>> days = np.array([1, 1, 0, 0, 1, 0, 0, 0, 1], dtype=bool)
    >>> np.flatnonzero(episode_starts(days, 2)).tolist()
    [0, 8]
    """
    day = np.arange(len(alarm)).reshape(-1, *[1] * (alarm.ndim - 1))
    never = -quiet_days - 2
    latest = np.maximum.accumulate(np.where(alarm, day, never), axis=0)
    before = np.concatenate([np.full((1, *alarm.shape[1:]), never), latest[:-1]])
    starts: Flags = alarm & (day - before > quiet_days + 1)
    return starts


class RateLimit:
    """Counts the false episodes of cells within a span of days and holds them against a rate per series-year.

    Episodes of both directions count, those that begin within the span.

    Args:
        untouched: a run without shocks.
        span: places of the days that count.
        per_series_year: episodes per cell and year that are allowed.
        quiet_days: longest gap within one episode (days).
    """

    def __init__(self, untouched: Untouched, span: slice, per_series_year: float, quiet_days: int) -> None:
        cells = [place for place, node in enumerate(untouched.nodes) if node.level == "cell"]
        self._evidence = untouched.evidence[span][:, :, cells]
        self._allowed = per_series_year * float(untouched.ready[span][:, cells].sum()) / DAYS_PER_YEAR
        self._quiet_days = quiet_days

    def holds(self, threshold: float) -> bool:
        """Return whether alarms above `threshold` (nats) keep the rate."""
        alarm = alarms(self._evidence, threshold)
        return int(episode_starts(alarm, self._quiet_days).sum()) <= self._allowed

    def lowest(self) -> float:
        """Return the lowest threshold, a multiple of the step, from which on all keep the rate.

        One below a threshold that does not is no answer, even where episodes have merged into few.
        """
        step = int(np.ceil(min(float(self._evidence.max(initial=0.0)), _THRESHOLD_MAX) / THRESHOLD_STEP)) + 1
        while step > 1 and self.holds((step - 1) * THRESHOLD_STEP):
            step -= 1
        return round(step * THRESHOLD_STEP, 6)


def calibrated(replay: Replay, first: Untouched, per_series_year: float) -> Untouched:
    """Return the untouched run at the lowest threshold found that, in its own run, keeps the rate on the plan's span.

    The threshold decides what is accepted as normal, and so the evidence that it is chosen from: runs are
    repeated at each one's answer until one comes again. If none keeps the rate in its own run (it may
    swing between two), the highest threshold tried is taken; the achieved rate is reported anyway.
    """
    span = slice(replay.plan.warm_up_days, None if replay.plan.calibrate_on == "whole" else replay.middle)
    runs: dict[float, tuple[Untouched, bool]] = {}
    run = first
    for _ in range(_ROUNDS_MAX):
        limit = RateLimit(run, span, per_series_year, replay.plan.quiet_days)
        runs[run.threshold] = run, limit.holds(run.threshold)
        threshold = limit.lowest()
        if threshold in runs:
            break
        run = judge_untouched(replay, threshold)
    keeping = [threshold for threshold, (_, holds) in runs.items() if holds]
    return runs[min(keeping) if keeping else max(runs)][0]
