"""Ranges of parameters: every number that can be set has one, so that none breaks a run long after it was given."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from earlywarn.errors import ConfigError

MOST_DAYS = 36_500
"""A century: the longest memory or wait, in days, that a setting may ask for."""


class Range(NamedTuple):
    """The numbers from `least` to `most`, an end that is not `_in` excluded; `note` says why. NaN lies in none.

    >>> str(Range(1, 12)), str(Range(0, 1, most_in=False)), str(Range(0, 100, least_in=False)), 0.0 in Range(0, 1)
    ('from 1 to 12', 'from 0 to below 1', 'above 0 to 100', True)
    >>> str(Range(1, math.inf))
    '1 or more'
    """

    least: float
    most: float
    least_in: bool = True
    most_in: bool = True
    note: str = ""

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float) or math.isnan(value):
            return False
        above = value >= self.least if self.least_in else value > self.least
        return above and (value <= self.most if self.most_in else value < self.most)

    def __str__(self) -> str:
        lower = f"from {self.least:,}" if self.least_in else f"above {self.least:,}"
        note = f"; {self.note}" if self.note else ""
        if math.isinf(self.most):
            return f"{self.least:,} or more{note}" if self.least_in else f"{lower}{note}"
        return f"{lower} to {'' if self.most_in else 'below '}{self.most:,}{note}"


SHARE = Range(0, 1)
INNER_SHARE = Range(0, 1, least_in=False, most_in=False)
"""A share, or a weight of the past, that is neither nothing nor all."""
DAYS = Range(0, MOST_DAYS)
SOME_DAYS = Range(1, MOST_DAYS)


UNBOUNDED = 1_000_000_000
"""For a limit that may be put where nothing reaches it."""


def up_to(most: float) -> Range:
    """Return the positive numbers up to `most`."""
    return Range(0, most, least_in=False)


def out_of_range(parameters: msgspec.Struct, ranges: Mapping[str, Range]) -> list[str]:
    """Return a line for each field whose value, or one of whose values, lies outside of its range."""
    problems = []
    for name, allowed in ranges.items():
        value = getattr(parameters, name)
        several = isinstance(value, tuple)
        if not all(each in allowed for each in (value if several else (value,))):
            problems.append(f"{name} = {list(value) if several else value}: give {'numbers ' * several}{allowed}")
    return problems


def check_ranges(parameters: msgspec.Struct, ranges: Mapping[str, Range], *rules: tuple[bool, str]) -> None:
    """Check the ranges of fields, and if all hold the rules between them (whether it holds, and what to say if not).

    Raises:
        ConfigError: one line for each problem.
    """
    problems = out_of_range(parameters, ranges) or [line for holds, line in rules if not holds]
    if problems:
        raise ConfigError("\n".join(problems))
