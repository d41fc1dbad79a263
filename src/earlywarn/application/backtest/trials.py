"""Trials: one step injected at one target from one day on, and the day on which its node alarms.

The untouched history is folded once; before each start its state is kept, and every trial resumes from it. So
a trial sees exactly what a run would have seen, and nothing from the future.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import numpy as np

from earlywarn.aggregation.rows import ClosedDay
from earlywarn.application.backtest.judge import DOWN, UP, Judge, Replay, alarms
from earlywarn.application.backtest.plan import BacktestPlan
from earlywarn.application.backtest.untouched import Untouched
from earlywarn.detection.hierarchy import Node


class Trial(msgspec.Struct, frozen=True):
    """One shock. Delays count from the first shocked day (0: the alarm was decided at its close).

    `delay_days` is None where the target never alarmed in the shock's direction while it was watched;
    `chance_days` is the delay that the untouched history would have shown. An excluded trial was not run:
    its target was in alarm just before, or not ready.
    """

    target: Node
    start: int
    change_pct: float
    excluded: bool
    delay_days: int | None = None
    chance_days: int | None = None


Schedule = Mapping[int, Sequence[Node]]
"""Targets by the place of their first shocked day."""


def schedule(plan: BacktestPlan, targets: Iterable[Node], days: int) -> dict[int, list[Node]]:
    """Return which targets are shocked from which day on, in order of days, for a history of `days` days."""
    starts: dict[int, list[Node]] = {}
    for target in targets:
        for start in plan.starts(target, days):
            starts.setdefault(start, []).append(target)
    return dict(sorted(starts.items()))


def run_trials(
    replay: Replay,
    untouched: Untouched,
    starts: Schedule,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Trial]:
    """Return the trials of a schedule, all sizes of the plan for each target and start.

    Args:
        replay: days and shocks.
        untouched: the run over the same days at the threshold of the trials.
        starts: targets by the place of their first shocked day, ascending.
        progress: told how many trials were done since its last call.
    """
    alarm = untouched.alarms
    place = {node: at for at, node in enumerate(untouched.nodes)}
    plan = replay.plan
    running, trial_judge = replay.judge_at(untouched.threshold), replay.judge_at(untouched.threshold)
    trials: list[Trial] = []
    folded = 0
    for start, targets in starts.items():
        for closed in replay.days[folded:start]:
            running.step(closed)
        folded = start
        saved = running.state()
        for target in targets:
            at = place[target]
            before = alarm[start - plan.quiet_days : start, :, at].any()
            excluded = bool(before) or not untouched.ready[start - 1, at]
            for change_pct in plan.changes_pct:
                delay = chance = None
                if not excluded:
                    trial_judge.restore(saved)
                    delay = _delay(trial_judge, replay, target, start, change_pct)
                    watched = alarm[start : start + plan.watched_days, _directions(change_pct), at].any(axis=1)
                    chance = int(np.argmax(watched)) if watched.any() else None
                trials.append(Trial(target, start, change_pct, excluded, delay, chance))
            progress(len(plan.changes_pct))
    return trials


def _delay(judge: Judge, replay: Replay, target: Node, start: int, change_pct: float) -> int | None:
    for age, closed in enumerate(replay.days[start : start + replay.plan.watched_days]):
        judged = judge.step(shocked(closed, replay.plan, target, change_pct, age))
        if target in judged.nodes:
            alarm = alarms(judged.evidence, judge.threshold)[:, judged.nodes.index(target)]
            if alarm[_directions(change_pct)].any():
                return age
    return None


def _directions(change_pct: float) -> list[int]:
    return [DOWN] if change_pct < 0 else [UP] if change_pct > 0 else [DOWN, UP]


def shocked(closed: ClosedDay, plan: BacktestPlan, target: Node, change_pct: float, age_days: int) -> ClosedDay:
    """Return a closed day with the shock in every cell of the target; figures are rounded half to even."""
    inside = np.array(
        [target.region in (None, cell.region) and target.sector in (None, cell.sector) for cell in closed.cells],
        dtype=bool,
    )
    factor = np.where(inside, plan.factor(change_pct, age_days), 1.0)
    counts, amounts = (
        np.where(inside, np.rint(values * factor), values).astype(np.int64)
        for values in (closed.transactions, closed.amount_minor)
    )
    return dataclasses.replace(
        closed,
        transactions=closed.transactions if plan.measure == "amount" else counts,
        amount_minor=closed.amount_minor if plan.measure == "transactions" else amounts,
    )
