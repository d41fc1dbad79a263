"""What a backtest found, as plain values with sample sizes and standard errors beside every figure."""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from earlywarn.application.backtest.judge import DOWN, UP, Integers
from earlywarn.application.backtest.plan import BacktestPlan
from earlywarn.application.backtest.trials import Trial
from earlywarn.application.backtest.untouched import DAYS_PER_YEAR, Untouched, episode_starts
from earlywarn.detection.hierarchy import LEVELS, Level

Counted = Literal["cell", "region", "sector", "panel", "all nodes", "alerts"]
Chosen = Literal["configured", "first-half", "whole"]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Episodes per year; `standard_error` is Poisson's, of one episode where there was none."""

    episodes: int
    years: float
    per_year: float | None
    standard_error: float | None


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """False episodes on the untouched history after the warm-up, both directions.

    `of`: "cell", "region", "sector", "panel" count node episodes per series-year of that level; "all nodes" counts
    node episodes of every level per panel-year; "alerts" counts the desk's alerts without a parent per panel-year.
    `series` is the number of nodes (1 for the panel's own rates).
    """

    of: Counted
    series: int
    whole: Rate
    first_half: Rate
    second_half: Rate


class Within(msgspec.Struct, frozen=True, kw_only=True):
    """The share of trials detected within `days` of the first shocked day (1 is that day alone).

    `standard_error` is clustered by target, `binomial_error` takes trials as independent; both are shares.
    `chance` is the share in which the untouched history alarms in the same span. `published` and the two after it
    are the same for alerts: of the trials with a published alert that names the target, or a wider one that holds it.
    """

    days: int
    share: float
    standard_error: float
    binomial_error: float
    chance: float
    published: float
    published_error: float
    published_chance: float


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """Trials of one size at one level. `trials` were run, `excluded` were not, of `targets` nodes.

    `within` is empty where no trial was run. `median_delay_days` is that of the alarms and counts from the first
    shocked day (0); None where half of the trials or more were not detected while they were watched.
    """

    level: Level
    change_pct: float
    targets: int
    trials: int
    excluded: int
    within: tuple[Within, ...]
    median_delay_days: float | None


class OperatingPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one threshold.

    `chosen` says how: "configured", or calibrated "first-half" (of the second half it is out of sample) or
    "whole" (in sample).
    """

    chosen: Chosen
    threshold: float
    false_alarms: tuple[FalseAlarms, ...]
    detections: tuple[Detection, ...]


class PanelBacktest(msgspec.Struct, frozen=True, kw_only=True):
    """One panel's track record; days are local, ISO 8601. `second_half_from` is the first day of the second half."""

    panel: str
    first_day: str
    last_day: str
    second_half_from: str
    days: int
    cells: int
    points: tuple[OperatingPoint, ...]


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """A backtest: `msgspec.json.encode` and `msgspec.to_builtins` take it as it is."""

    plan: BacktestPlan
    model_version: str
    config_hash: str
    panels: tuple[PanelBacktest, ...]


def share_with_errors(hits: Sequence[bool], clusters: Sequence[object]) -> tuple[float, float, float]:
    """Return the share of hits, its standard error clustered by `clusters`, and the binomial one.

    The binomial error is taken at the Jeffreys estimate (hits + 1/2) / (n + 1), so that it is above 0 where all
    trials agree; the clustered one is never below it, since few clusters may agree by accident.
    Source: Cameron and Miller (2015), Journal of Human Resources 50 (clustered variance with the factor G/(G-1)).

    >>> share_with_errors([True] * 30 + [False] * 10, [at % 8 for at in range(40)])[0]
    0.75
    """
    trials = len(hits)
    share = sum(hits) / trials
    jeffreys = (sum(hits) + 0.5) / (trials + 1)
    binomial = math.sqrt(jeffreys * (1 - jeffreys) / trials)
    residuals: dict[object, float] = {}
    for hit, cluster in zip(hits, clusters, strict=True):
        residuals[cluster] = residuals.get(cluster, 0.0) + hit - share
    groups = len(residuals)
    clustered = 0.0
    if groups > 1:
        clustered = math.sqrt(groups / (groups - 1) * sum(value**2 for value in residuals.values())) / trials
    return share, max(clustered, binomial), binomial


def detections_of(trials: Sequence[Trial], plan: BacktestPlan) -> tuple[Detection, ...]:
    """Return the figures for each level and size of the plan."""
    found = []
    for level in plan.levels:
        for change_pct in plan.changes_pct:
            chosen = [each for each in trials if each.target.level == level and each.change_pct == change_pct]
            if chosen:
                found.append(_detection(level, change_pct, chosen, plan))
    return tuple(found)


def _detection(level: Level, change_pct: float, trials: Sequence[Trial], plan: BacktestPlan) -> Detection:
    run = [each for each in trials if not each.excluded]
    within = []
    targets = [each.target for each in run]
    for days in plan.within_days if run else ():
        share, error, binomial = share_with_errors([_soon(each.seen.alarm_days, days) for each in run], targets)
        published, published_error, _ = share_with_errors([_soon(each.seen.alert_days, days) for each in run], targets)
        within.append(
            Within(
                days=days,
                share=round(share, 4),
                standard_error=round(error, 4),
                binomial_error=round(binomial, 4),
                chance=round(sum(_soon(each.by_chance.alarm_days, days) for each in run) / len(run), 4),
                published=round(published, 4),
                published_error=round(published_error, 4),
                published_chance=round(sum(_soon(each.by_chance.alert_days, days) for each in run) / len(run), 4),
            )
        )
    delays = np.array([math.inf if each.seen.alarm_days is None else float(each.seen.alarm_days) for each in run])
    # Of an even number the upper middle one: the mean of a delay and of infinity would be none.
    median = float(np.sort(delays)[len(delays) // 2]) if run else math.inf
    return Detection(
        level=level,
        change_pct=change_pct,
        targets=len({each.target for each in run}),
        trials=len(run),
        excluded=len(trials) - len(run),
        within=tuple(within),
        median_delay_days=median if math.isfinite(median) else None,
    )


def _soon(delay_days: int | None, within_days: int) -> bool:
    return delay_days is not None and delay_days < within_days


def false_alarms_of(untouched: Untouched, plan: BacktestPlan) -> tuple[FalseAlarms, ...]:
    """Return the rates of false episodes of an untouched run: by level, of all nodes, and of alerts."""
    total = len(untouched.ready)
    middle = (plan.warm_up_days + total) // 2
    spans = (slice(plan.warm_up_days, total), slice(plan.warm_up_days, middle), slice(middle, total))
    # Episodes are told apart over the whole span, so that one across the middle is one.
    starts = np.zeros_like(untouched.alarms)
    starts[spans[0]] = episode_starts(untouched.alarms[spans[0]], plan.quiet_days)
    by_node = starts[:, DOWN].astype(np.int64) + starts[:, UP]
    judged = np.asarray(untouched.ready.any(axis=1), dtype=np.int64)[:, None]
    found = []
    for level in LEVELS:
        nodes = [place for place, node in enumerate(untouched.nodes) if node.level == level]
        if nodes:
            of_level = by_node[:, nodes], untouched.ready[:, nodes].astype(np.int64)
            found.append(_false_alarms(level, len(nodes), spans, *of_level))
    found.append(_false_alarms("all nodes", 1, spans, by_node, judged))
    found.append(_false_alarms("alerts", 1, spans, untouched.opened[:, None], judged))
    return tuple(found)


def _false_alarms(
    of: Counted, series: int, spans: tuple[slice, slice, slice], episodes: Integers, series_days: Integers
) -> FalseAlarms:
    whole, first_half, second_half = (_rate(int(episodes[span].sum()), int(series_days[span].sum())) for span in spans)
    return FalseAlarms(of=of, series=series, whole=whole, first_half=first_half, second_half=second_half)


def _rate(episodes: int, series_days: int) -> Rate:
    years = series_days / DAYS_PER_YEAR
    return Rate(
        episodes=episodes,
        years=round(years, 3),
        per_year=round(episodes / years, 4) if years else None,
        standard_error=round(math.sqrt(max(episodes, 1)) / years, 4) if years else None,
    )
