"""What the calendar says of a day in a region: the regressors of the daily model, and how far to trust it.

The features are effects on the logarithm of a day's spending that return with the calendar in every country:
weekday, public holidays by the share of the region that keeps them, the days around them, moving feasts,
Christmas trade, pay day and the turn of the month, the season of the year, school holidays. Their choice
follows the reference detector of the project; docs/calendars.md says what was judged how.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from math import cos, pi, sin
from types import MappingProxyType

import msgspec

from earlywarn.domain.calendar import western_easter
from earlywarn.errors import ConfigError

_ONE = timedelta(days=1)
_CACHED_ROWS = 65_536
_PENTECOST_DAYS = 49

PRIOR_SD: Mapping[str, float] = MappingProxyType(
    {
        "const": 0.7071,
        "monday": 1.0,
        "tuesday": 1.0,
        "wednesday": 1.0,
        "thursday": 1.0,
        "friday": 1.0,
        "saturday": 1.0,
        "holiday_weekday": 0.6,
        "holiday_saturday": 0.6,
        "holiday_sunday": 0.4,
        "before_holiday": 0.25,
        "after_holiday": 0.25,
        "second_after_holiday": 0.1,
        "bridge": 0.2,
        "christmas_eve": 0.4,
        "new_years_eve": 0.4,
        "december_ramp": 0.3,
        "between_years": 0.2,
        "black_friday": 0.4,
        "pay_day": 0.05,
        "month_start": 0.05,
        "since_pay_day": 0.05,
        "year_cos": 0.12,
        "year_sin": 0.12,
        "half_year_cos": 0.04,
        "half_year_sin": 0.04,
        "advent_sunday": 0.4,
        "feast_sunday": 0.4,
        "school_holiday": 0.1,
    }
)
"""Features in their order, each with the standard deviation of its effect (log points) before it was seen.

The base of the weekdays is an ordinary Sunday. `school_holiday` is a feature only if a table is given.
"""


class FeatureRow(msgspec.Struct, frozen=True):
    """The features of one day in one region.

    Attributes:
        values: One number for each of `DayFeatures.names`.
        inflation: At least 1: what multiplies the variance of the observation on a day whose kind has a
            wide spread of effects, seen or not.
        special: The day is so uncertain (inflation of `SPECIAL` and above) that its evidence counts for less.
        label: What makes the day special, for people; empty exactly where the inflation is 1.
    """

    values: tuple[float, ...]
    inflation: float
    special: bool
    label: str


SPECIAL = 1.9

Share = Callable[[str, date], float]


class DayFeatures:
    """Feature rows of days in regions.

    Args:
        holiday: Share of a region that keeps a public holiday on a day, in [0, 1].
        school: Share of a region that has school holidays on a day, in [0, 1]; None leaves the feature out.
        easter: Easter Sunday of a year, by the computus the country follows.
        pay_day: The day of the month, 1 to 28, from which most salaries are on the accounts.

    Raises:
        ConfigError: `pay_day` is not a day that every month has.
    """

    def __init__(
        self,
        holiday: Share,
        school: Share | None = None,
        *,
        easter: Callable[[int], date] = western_easter,
        pay_day: int = 25,
    ) -> None:
        if not 1 <= pay_day <= 28:
            raise ConfigError(f"pay_day = {pay_day} is not in every month; choose 1 to 28")
        self._holiday = holiday
        self._school = school
        self._easter = easter
        self._pay_day = pay_day
        self.names: tuple[str, ...] = tuple(name for name in PRIOR_SD if school is not None or name != "school_holiday")
        # A row depends on the region through these shares alone, so regions that keep the same days share it.
        self._row = lru_cache(maxsize=_CACHED_ROWS)(self._computed)

    def row(self, region: str, day: date) -> FeatureRow:
        """Return the features of `day` in `region`: the same for the same day and shares, whenever asked."""
        return self._row(
            day,
            (
                self._holiday(region, day - 2 * _ONE),
                self._holiday(region, day - _ONE),
                self._holiday(region, day),
                self._holiday(region, day + _ONE),
            ),
            0.0 if self._school is None else self._school(region, day),
        )

    def _computed(self, day: date, holiday: tuple[float, float, float, float], school: float) -> FeatureRow:
        two_before, before, today, after = holiday
        weekday, open_day = day.weekday(), day.weekday() < 6
        december = day.month == 12
        angle = 2 * pi * day.timetuple().tm_yday / 365.25
        features = {
            "const": 1.0,
            **{name: float(weekday == place) for place, name in enumerate(self.names[1:7])},
            "holiday_weekday": today * (weekday < 5),
            "holiday_saturday": today * (weekday == 5),
            "holiday_sunday": today * (weekday == 6),
            "before_holiday": after * (1 - today) * open_day,
            "after_holiday": before * (1 - today) * open_day,
            "second_after_holiday": two_before * (1 - before) * (1 - today) * open_day,
            "bridge": (1 - today) * (before if weekday == 4 else after if weekday == 0 else 0.0),
            "christmas_eve": float(december and day.day == 24),
            "new_years_eve": float(december and day.day == 31),
            "december_ramp": day.day / 23 if december and day.day < 24 and open_day else 0.0,
            "between_years": float((december and 26 < day.day < 31) or (day.month == 1 and 1 < day.day < 6)),
            "black_friday": {-1: 0.3, 0: 1.0, 1: 0.6}.get((day - black_friday(day.year)).days, 0.0),
            "pay_day": float(day.day >= self._pay_day),
            "month_start": float(day.day <= 4),
            "since_pay_day": self._days_since_pay_day(day) / 31,
            "year_cos": cos(angle),
            "year_sin": sin(angle),
            "half_year_cos": cos(2 * angle),
            "half_year_sin": sin(2 * angle),
            "advent_sunday": float(december and 8 <= day.day < 24 and weekday == 6),
            "feast_sunday": float((day - self._easter(day.year)).days in (0, _PENTECOST_DAYS)),
            "school_holiday": school,
        }
        inflation, label = _uncertainty(day, today, features)
        return FeatureRow(
            values=tuple(float(features[name]) for name in self.names),
            inflation=inflation,
            special=inflation >= SPECIAL,
            label=label,
        )

    def _days_since_pay_day(self, day: date) -> int:
        if day.day >= self._pay_day:
            return day.day - self._pay_day
        last_month = day - day.day * _ONE
        return (day - last_month.replace(day=self._pay_day)).days


def _uncertainty(day: date, today: float, features: Mapping[str, float]) -> tuple[float, str]:
    """Return the greatest inflation of what the day is, and its name."""
    december = day.month == 12
    kinds = (
        (1 + 8 * min(1.0, 2 * today), "public holiday" if today >= 0.5 else "public holiday in part of the region"),
        (6.0 * features["feast_sunday"], "Easter or Pentecost Sunday"),
        (4.0 * features["christmas_eve"], "Christmas Eve"),
        (4.0 * features["new_years_eve"], "New Year's Eve"),
        (4.0 * (features["black_friday"] > 0), "Black Friday and the days around it"),
        (4.0 * features["advent_sunday"], "Sunday in Advent"),
        (1 + 3 * min(1.0, 2 * features["before_holiday"]), "day before a public holiday"),
        (1 + 3 * min(1.0, 2 * features["after_holiday"]), "day after a public holiday"),
        (3.0 * (features["bridge"] > 0.2), "bridge day"),
        (4.0 * (december and 20 <= day.day < 27), "days before Christmas" if day.day < 25 else "Christmas"),
        (4.0 * (december and day.day >= 27), "between Christmas and New Year"),
        (4.0 * (day.month == 1 and day.day <= 3), "first days of the year"),
    )
    # The first of the greatest: the order above is that of what people would name first.
    inflation, label = max(kinds, key=lambda kind: kind[0])
    return (float(inflation), label) if inflation > 1.0 else (1.0, "")


def black_friday(year: int) -> date:
    """Return the day after Thanksgiving: after the fourth Thursday of November.

    >>> black_friday(2019)
    datetime.date(2019, 11, 29)
    """
    first = date(year, 11, 1)
    return first + timedelta(days=(3 - first.weekday()) % 7 + 22)
