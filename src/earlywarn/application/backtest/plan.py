"""What a backtest injects: steps, their targets and their starts. Everything follows from the plan and its seeds."""

import random
from collections.abc import Sequence
from datetime import date
from typing import Literal

import msgspec

from earlywarn.detection.hierarchy import LEVELS, Level, Node
from earlywarn.domain.ranges import Range
from earlywarn.errors import ConfigError

ShockMeasure = Literal["both", "amount", "transactions"]
CalibrationSpan = Literal["first-half", "whole"]
CHANGE_PCT = Range(-100, 1000)
"""Sizes of steps in per cent."""


class BacktestPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The shocks of a backtest and how they are judged.

    changes_pct: sizes of the steps in per cent; 0 injects nothing and shows what chance finds.
    days: length of a step; afterwards the series is as it was.
    ramp_days: days over which the step grows to its size, within its length; 0 is at once.
    measure: what steps: count and amount, the amount alone (tickets), or the count alone.
    levels: of the targets; a target above the cells is a shock in each of its cells.
    regions, sectors: targets with these codes only; none takes all.
    starts_per_target: random first days of each target and seed, the same for all sizes.
    seeds: each draws starts of its own.
    warm_up_days: judged days before the first start, and before false episodes count.
    within_days: spans, in days from the first shocked day on, in which a detection counts.
    quiet_days: alarms with at most so many quiet days between are one episode; a target in alarm within so
        many days before the start is excluded.
    false_per_series_year: false episodes per cell and year to which a second operating point is
        calibrated; None for the configured threshold alone.
    calibrate_on: the days that choose that threshold: the first half (both halves are reported, the
        second is honest), or the whole history (in sample).
    until: last day of the history that is used.
    """

    changes_pct: tuple[float, ...] = (-10.0, -20.0, -30.0, -50.0, 30.0)
    days: int = 28
    ramp_days: int = 0
    measure: ShockMeasure = "both"
    levels: tuple[Level, ...] = ("cell",)
    regions: tuple[str, ...] = ()
    sectors: tuple[str, ...] = ()
    starts_per_target: int = 20
    seeds: tuple[int, ...] = (1,)
    warm_up_days: int = 120
    within_days: tuple[int, ...] = (7, 14)
    quiet_days: int = 7
    false_per_series_year: float | None = 1.0
    calibrate_on: CalibrationSpan = "first-half"
    until: date | None = None

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: one sentence for every value that cannot be used.
        """
        rate = self.false_per_series_year
        rules = (
            ("changes_pct", self.changes_pct, all(size in CHANGE_PCT for size in self.changes_pct), CHANGE_PCT),
            ("changes_pct", self.changes_pct, bool(self.changes_pct), "at least one"),
            ("days", self.days, self.days >= 1, "at least 1"),
            ("ramp_days", self.ramp_days, 0 <= self.ramp_days <= self.days, "0 to the length of the step"),
            ("levels", self.levels, bool(self.levels) and set(self.levels) <= set(LEVELS), f"some of {LEVELS}"),
            ("starts_per_target", self.starts_per_target, self.starts_per_target >= 1, "at least 1"),
            ("seeds", self.seeds, bool(self.seeds), "at least one"),
            ("warm_up_days", self.warm_up_days, self.warm_up_days >= self.quiet_days, "quiet_days or more"),
            ("within_days", self.within_days, bool(self.within_days) and min(self.within_days) >= 1, "at least 1"),
            ("quiet_days", self.quiet_days, self.quiet_days >= 1, "at least 1"),
            ("false_per_series_year", rate, rate is None or rate > 0, "above 0"),
        )
        problems = [f"{name} = {value}: expected {rule}" for name, value, holds, rule in rules if not holds]
        if problems:
            raise ConfigError("\n".join(f"backtest: {problem}" for problem in problems))

    @property
    def watched_days(self) -> int:
        """Days from the start of a shock on for which a detection is waited for."""
        return max(self.days, *self.within_days)

    def factor(self, change_pct: float, age_days: int) -> float:
        """Return what a value is multiplied with `age_days` after the first shocked day.

        >>> plan = BacktestPlan(days=10, ramp_days=2)
        >>> [plan.factor(-20.0, age) for age in (0, 1, 9, 10)]
        [0.9, 0.8, 0.8, 1.0]
        """
        if age_days >= self.days:
            return 1.0
        grown = min(1.0, (age_days + 1) / self.ramp_days) if self.ramp_days else 1.0
        return 1.0 + change_pct / 100.0 * grown

    def targets(self, nodes: Sequence[Node]) -> list[Node]:
        """Return the nodes to shock, in the order of `nodes`.

        Raises:
            ConfigError: there is none.
        """
        chosen = [
            node
            for node in nodes
            if node.level in self.levels
            and (not self.regions or node.region is None or node.region in self.regions)
            and (not self.sectors or node.sector is None or node.sector in self.sectors)
        ]
        if not chosen:
            regions = sorted({node.region for node in nodes if node.region is not None})
            sectors = sorted({node.sector for node in nodes if node.sector is not None})
            raise ConfigError(
                f"backtest: no {' or '.join(self.levels)} matches regions {list(self.regions) or 'all'} and sectors "
                f"{list(self.sectors) or 'all'}; the history has regions {regions} and sectors {sectors}"
            )
        return chosen

    def starts(self, target: Node, days: int) -> list[int]:
        """Return the first shocked days of a target as places in a history of `days` days, with all seeds."""
        possible = range(self.warm_up_days, days - self.watched_days + 1)
        return [
            start
            for seed in self.seeds
            for start in sorted(
                # Not security: the starts must be the same for the same seed, on every machine.
                random.Random(f"{seed}/{target.label}").sample(  # noqa: S311
                    possible, min(self.starts_per_target, len(possible))
                )
            )
        ]
