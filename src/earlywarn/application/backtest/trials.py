"""Trials: one step injected at one target from one day on, and the day on which its node alarms.

The untouched history is folded once; before each start its state is kept, and every trial resumes from it. So
a trial sees exactly what a run would have seen, and nothing from the future.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import numpy as np

from earlywarn.aggregation.coverage import heard_share
from earlywarn.aggregation.coverage_parameters import CoverageParameters
from earlywarn.aggregation.rows import ClosedDay, Coverage
from earlywarn.application.backtest.judge import DOWN, UP, Flags, Judge, Replay, alarms
from earlywarn.application.backtest.plan import BacktestPlan
from earlywarn.application.backtest.untouched import Untouched
from earlywarn.detection.hierarchy import Node
from earlywarn.domain.series import holds


class Delays(msgspec.Struct, frozen=True):
    """Days from the first shocked day to the first sign (0: it was decided at its close), None where there was none.

    `alarm_days`: the target's evidence stood above the threshold, in the shock's direction. `alert_days`: an alert was
    published that names the target, or a wider one that holds it.
    """

    alarm_days: int | None = None
    alert_days: int | None = None


class Trial(msgspec.Struct, frozen=True):
    """One shock: what was seen of it while it was watched, and what the untouched history shows in the same days.

    An excluded trial was not run: its target was in alarm just before, or not ready.
    """

    target: Node
    start: int
    change_pct: float
    excluded: bool
    seen: Delays = Delays()
    by_chance: Delays = Delays()


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
        watched = slice(start, start + plan.watched_days)
        for target in targets:
            at = place[target]
            around = [place[node] for node in untouched.nodes if _holds(node, target)]
            before = alarm[start - plan.quiet_days : start, :, at].any()
            excluded = bool(before) or not untouched.ready[start - 1, at]
            for change_pct in plan.changes_pct:
                if excluded:
                    trials.append(Trial(target, start, change_pct, excluded=True))
                    continue
                sides = _directions(change_pct)
                chance = Delays(
                    _first(np.any(alarm[watched, :, at][:, sides], axis=1)),
                    _first(np.any(untouched.named[watched][:, sides][:, :, around], axis=(1, 2))),
                )
                trial_judge.restore(saved)
                seen = _delays(trial_judge, replay, target, start, change_pct)
                trials.append(Trial(target, start, change_pct, excluded=False, seen=seen, by_chance=chance))
            progress(len(plan.changes_pct))
    return trials


def _delays(judge: Judge, replay: Replay, target: Node, start: int, change_pct: float) -> Delays:
    sides = _directions(change_pct)
    alarm_days = alert_days = None
    for age, closed in enumerate(replay.days[start : start + replay.plan.watched_days]):
        judged = judge.step(shocked(closed, replay, target, change_pct, age))
        if alarm_days is None and target in judged.nodes:
            alarm = alarms(judged.evidence, judge.threshold)[sides, judged.nodes.index(target)]
            alarm_days = age if alarm.any() else None
        if alert_days is None:
            around = [_holds(node, target) for node in judged.nodes]
            alert_days = age if judged.named[sides][:, around].any() else None
        if alarm_days is not None and alert_days is not None:
            break
    return Delays(alarm_days, alert_days)


def _first(flags: Flags) -> int | None:
    return int(np.argmax(flags)) if flags.any() else None


def _holds(node: Node, target: Node) -> bool:
    """Return whether a node is the target, or a wider one that holds it."""
    return holds((node.region, node.sector), (target.region, target.sector))


def _directions(change_pct: float) -> list[int]:
    return [DOWN] if change_pct < 0 else [UP] if change_pct > 0 else [DOWN, UP]


def shocked(closed: ClosedDay, replay: Replay, target: Node, change_pct: float, age_days: int) -> ClosedDay:
    """Return a closed day with the shock in every cell of the target; figures are rounded half to even.

    Its coverage is what the meter would have found, if every feed had delivered its part of what was left: a day
    does not know which feed brought which cell.
    """
    inside = np.array([_holds(target, Node("cell", *cell)) for cell in closed.cells], dtype=bool)
    factor = np.where(inside, replay.plan.factor(change_pct, age_days), 1.0)
    counts, amounts = (
        np.where(inside, np.rint(values * factor), values).astype(np.int64)
        for values in (closed.transactions, closed.amount_minor)
    )
    if replay.plan.measure == "amount":
        counts = closed.transactions
    return dataclasses.replace(
        closed,
        transactions=counts,
        amount_minor=closed.amount_minor if replay.plan.measure == "transactions" else amounts,
        coverage=_coverage_left(closed, int(counts.sum()), replay.coverage),
    )


def _coverage_left(closed: ClosedDay, transactions: int, parameters: CoverageParameters) -> Coverage:
    before = int(closed.transactions.sum())
    if not closed.feeds or before <= 0:
        return closed.coverage
    left = transactions / before
    feeds = [feed._replace(heard=round(feed.heard * left)) for feed in closed.feeds]
    volume, silent = heard_share(feeds, parameters)
    return dataclasses.replace(closed.coverage, volume=volume, silent=silent)
