"""The untouched history: what a contestant says of it, its false episodes, and the threshold that keeps them at a rate.

Every alarm of the untouched history counts as false, real events too. Of a series an episode is alarms of either
direction with gaps of at most `QUIET_DAYS` days. A rate "a series-year" counts cells; one "a panel-year" counts all
nodes together, and both directions of each apart.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from earlywarn.application.backtest.untouched import DAYS_PER_YEAR, episode_starts
from track_record.contestants.contestant import Contestant, Loop
from track_record.sample import WARM_UP_DAYS, Flags, Floats, Integers, Sample

QUIET_DAYS = 7
STEPS_PER_FOLD = 200
"""Thresholds are looked for on a grid with so many steps in each factor of e."""
_ROUNDS_MAX = 6
_FOLDS_MAX = 5

Per = Literal["series-year", "panel-year"]
Chosen = Literal["first half", "whole"]


class Rate(msgspec.Struct, frozen=True):
    """A rate of false episodes that is allowed."""

    episodes: float
    per: Per

    @property
    def name(self) -> str:
        """Return it in words."""
        return f"{self.episodes:g} a {self.per}"


RATES = (Rate(1.0, "series-year"), Rate(0.2, "series-year"), Rate(12.0, "panel-year"))


class FalseRate(msgspec.Struct, frozen=True):
    """False episodes per year; the standard error is the greater one of Poisson's and of one clustered by weeks."""

    episodes: int
    years: float
    per_year: float
    standard_error: float


@dataclass(frozen=True)
class Untouched:
    """Evidence of a history of T days, float64[T, 2, G], under a rule of acceptance with its own `level`."""

    level: float
    evidence: Floats
    cells: int

    def false_starts(self, threshold: float, per: Per, span: slice) -> Integers:
        """Return int64[days of the span]: the false episodes that begin on each day."""
        alarm: Flags = np.asarray(self.evidence[span] > threshold, dtype=np.bool_)
        if per == "series-year":
            alarm = np.logical_or.reduce(alarm[:, :, : self.cells], axis=1, keepdims=True)
        begins: Integers = episode_starts(alarm, QUIET_DAYS).sum(axis=(1, 2), dtype=np.int64)
        return begins

    def series(self, per: Per) -> int:
        """Return how many series-years, or panel-years, pass in a year."""
        return self.cells if per == "series-year" else 1


def judge_untouched(make: Callable[[Sample], Contestant], sample: Sample, level: float) -> Untouched:
    """Let a new contestant see the whole history."""
    nodes = len(sample.tree.nodes)
    loop = Loop(make(sample), level, nodes)
    days = zip(sample.days, sample.counts, sample.amounts, strict=True)
    return Untouched(level, np.stack([loop.step(*day) for day in days]), len(sample.series))


def span_of(chosen: Chosen, sample: Sample) -> slice:
    """Return the days that choose a threshold."""
    return slice(WARM_UP_DAYS, sample.middle if chosen == "first half" else len(sample.days))


def keeps(untouched: Untouched, threshold: float, rate: Rate, span: slice) -> bool:
    """Return whether alarms above a threshold keep a rate in a span of days."""
    found = int(untouched.false_starts(threshold, rate.per, span).sum())
    years = untouched.series(rate.per) * (span.stop - span.start) / DAYS_PER_YEAR
    return bool(found <= rate.episodes * years)


def lowest_threshold(untouched: Untouched, rate: Rate, span: slice) -> float:
    """Return the lowest threshold of the grid from which on all keep the rate.

    One below a threshold that does not is no answer, even where episodes have merged into few.
    """
    evidence = untouched.evidence[span]
    if rate.per == "series-year":
        evidence = evidence[:, :, : untouched.cells]
    greatest = float(evidence.max(initial=0.0))
    if greatest <= 0.0:
        return 0.0
    place = math.ceil(math.log(greatest) * STEPS_PER_FOLD)
    lowest = place - _FOLDS_MAX * STEPS_PER_FOLD
    while place > lowest and keeps(untouched, math.exp((place - 1) / STEPS_PER_FOLD), rate, span):
        place -= 1
    return math.exp(place / STEPS_PER_FOLD)


def settled(make: Callable[[Sample], Contestant], sample: Sample, rate: Rate) -> Untouched:
    """Return the untouched run whose level of acceptance is the threshold that keeps the rate in the first half.

    The level decides what is accepted, and so the evidence that it is chosen from: runs are repeated at each one's
    answer until one comes again. Of those that keep the rate in their own run the lowest is taken; if none does (it
    may swing between two), the highest tried.
    """
    span = span_of("first half", sample)
    runs: dict[float, tuple[Untouched, bool]] = {}
    level = math.inf
    for _ in range(_ROUNDS_MAX):
        if level in runs:
            break
        untouched = judge_untouched(make, sample, level)
        runs[level] = untouched, keeps(untouched, level, rate, span)
        level = lowest_threshold(untouched, rate, span)
    tried = {level: each for level, each in runs.items() if math.isfinite(level)}
    keeping = [level for level, (_, keeps_it) in tried.items() if keeps_it]
    return tried[min(keeping) if keeping else max(tried)][0]


def false_rate(untouched: Untouched, threshold: float, per: Per, sample: Sample, span: slice) -> FalseRate:
    """Return the false episodes that begin in a span, told apart over all days after the warm-up."""
    whole = untouched.false_starts(threshold, per, slice(WARM_UP_DAYS, len(sample.days)))
    begins = whole[span.start - WARM_UP_DAYS : span.stop - WARM_UP_DAYS]
    years = untouched.series(per) * len(begins) / DAYS_PER_YEAR
    episodes = int(begins.sum())
    error = max(math.sqrt(max(episodes, 1)), weekly_error(begins)) / years
    return FalseRate(episodes, round(years, 3), round(episodes / years, 4), round(error, 4))


def weekly_error(begins: Integers) -> float:
    """Return the standard error of a sum of days that are alike within weeks: series share their bad days.

    >>> weekly_error(np.ones(70, dtype=np.int64)), round(weekly_error(np.repeat([0, 2], 35)), 2)
    (0.0, 23.33)
    """
    weeks = [part.sum() for part in np.split(begins, range(7, len(begins), 7))]
    return math.sqrt(len(weeks) * np.var(weeks, ddof=1)) if len(weeks) > 1 else 0.0
