"""Long runs of days of which the models know less: around the turn of the year a shock is told late, or not at all.

Of each special day (docs/calendars.md) little is learned, and single ones say little. Holidays come one by one and end
within days; where such days follow each other for a week and more, evidence is missing for as long.
"""

from collections import Counter
from collections.abc import Callable, Collection
from datetime import date, timedelta

from earlywarn.adapters.report.wording import short_day
from earlywarn.domain.day_features import DayFeatures

_LEAST_DAYS = 7
"""Fewer special days in a row are made up for by those around them."""
_AFTER_DAYS = 14
"""For so long afterwards a shock of these days may still be told."""
_MOST_DAYS = 31
_ONE = timedelta(days=1)


def special_days(
    features: DayFeatures, cells: Collection[tuple[str | None, str | None]], last_day: date, least_inflation: float
) -> str:
    """Say that the models know less of the days around a report's last one, as a sentence; empty if they do not.

    Args:
        features: what the calendar says of days.
        cells: of the panel, as region and sector.
        last_day: of the report.
        least_inflation: mean variance factor of the cells from which a day is special to the models.
    """
    of_cells = Counter(region for region, _ in cells if region is not None)

    def is_special(day: date) -> bool:
        found = sum(count * features.row(region, day).inflation for region, count in of_cells.items())
        return found >= least_inflation * max(of_cells.total(), 1)

    for back in range(_AFTER_DAYS + 1):
        day = last_day - back * _ONE
        if not is_special(day):
            continue
        first, last = _end(day, -_ONE, is_special), _end(day, _ONE, is_special)
        if (last - first).days + 1 >= _LEAST_DAYS:
            return _told(first, last)
    return ""


def _end(day: date, step: timedelta, is_special: Callable[[date], bool]) -> date:
    """Return the last of the special days that follow each other from a day on; a month at most."""
    for _ in range(_MOST_DAYS):
        if not is_special(day + step):
            break
        day += step
    return day


def _told(first: date, last: date) -> str:
    is_new_year = first.year < last.year
    what = "Days around the turn of the year" if is_new_year else "Holidays and the days around them"
    return (
        f"{what} ({short_day(first)} to {short_day(last)}) are judged with less certainty: a fall or rise in them may "
        "be told up to two weeks late, or not at all."
    )
