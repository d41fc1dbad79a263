"""A week against what was expected of it, in short and in words; where a percentage says nothing, there is none."""

import math

from earlywarn.adapters.report.history import WeekDeviation
from earlywarn.adapters.report.wording import against_expected, change_against, signed
from earlywarn.alerting.words import TOO_LITTLE

SMALL_BASE = "small base"
"""In a cell, where there is no room for `TOO_LITTLE`; the legend says what it means."""
NOTHING = "nothing came, and nothing is expected any more"


def in_short(week: WeekDeviation) -> str:
    """Return it for a cell of a table or a label of the map."""
    if week.is_nothing:
        return "0"
    return SMALL_BASE if week.is_too_little else signed(week.share)


def in_words(week: WeekDeviation) -> str:
    """Return it as what a series was."""
    if week.is_nothing:
        return NOTHING
    return TOO_LITTLE if week.is_too_little else against_expected(week.share)


def verdict(week: WeekDeviation) -> str:
    """Return whether it is usual, with the range; of what was at nothing until a shock none is known."""
    if math.isnan(week.lower):
        return "of which no usual range is known"
    side = "inside" if week.is_usual else "outside"
    return f"{side} its usual range ({signed(week.lower)} to {signed(week.upper)})"


def for_a_key_figure(week: WeekDeviation | None, than: str) -> str:
    """Return what stands below a key figure of the whole panel; `than` is what was expected."""
    if week is None:
        return "last week: not judged"
    if week.is_nothing or week.is_too_little:
        return f"last week: {in_words(week)}"
    return f"last week {change_against(week.share, than)}"
