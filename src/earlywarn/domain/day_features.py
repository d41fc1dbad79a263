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

import msgspec

from earlywarn.domain.calendar import orthodox_easter, western_easter
from earlywarn.errors import ConfigError

_ONE = timedelta(days=1)
_CACHED_ROWS = 65_536
_PENTECOST_DAYS = 49
_HOLIDAY = 0.5

NAMES: tuple[str, ...] = (
    "const",
    *("d0", "d1", "d2", "d3", "d4", "d5"),  # Monday .. Saturday, against an ordinary Sunday
    *("hol_wd", "hol_sat", "hol_sun"),  # the share that keeps a holiday, by what the day would have been
    *("pre", "post", "post2", "bridge"),  # open days before, after and two days after one, bridge days
    *("dec24", "dec31", "ramp", "between"),  # year-end; ramp grows until 23 December
    "bf",  # Black Friday
    *("payday", "mstart", "paysince"),  # from pay day on; days 1 to 4; months since the last pay day
    *("c1", "s1", "c2", "s2"),  # season: year and half-year
    *("advsun", "eastsun"),  # Sundays that are open in Advent; the share with Easter Sunday or Pentecost
    "school",  # the share with school holidays; only if a table is given
)
"""Features in their order; their prior spread is the model's (`detection.regression_bank`)."""


class FeatureRow(msgspec.Struct, frozen=True):
    """The features of one day in one region.

    Attributes:
        values: One number for each of `DayFeatures.names`.
        inflation: At least 1: what multiplies the variance of the observation on a day whose kind has a
            wide spread of effects, seen or not.
        holiday: Half of the region or more keeps a public holiday, so that some deliver nothing.
        label: What makes the day special, for people; empty exactly where the inflation is 1.
    """

    values: tuple[float, ...]
    inflation: float
    holiday: bool
    label: str


Share = Callable[[str, date], float]


class DayFeatures:
    """Feature rows of days in regions.

    Args:
        holiday: Share of a region that keeps a public holiday on a day, in [0, 1].
        school: Share of a region that has school holidays on a day, in [0, 1]; None leaves the feature out.
        orthodox: Share of a region that keeps Easter by the Julian computus, in [0, 1].
        pay_day: The day of the month, 1 to 28, from which most salaries are on the accounts.

    Raises:
        ConfigError: `pay_day` is not a day that every month has.
    """

    def __init__(
        self,
        holiday: Share,
        school: Share | None = None,
        *,
        orthodox: Callable[[str], float] = lambda _region: 0.0,
        pay_day: int = 25,
    ) -> None:
        if not 1 <= pay_day <= 28:
            raise ConfigError(f"pay_day = {pay_day} is not in every month; choose 1 to 28")
        self._holiday = holiday
        self._school = school
        self._orthodox = orthodox
        self._pay_day = pay_day
        self.names: tuple[str, ...] = NAMES if school is not None else NAMES[:-1]
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
            self._orthodox(region),
        )

    def _computed(
        self, day: date, holiday: tuple[float, float, float, float], school: float, orthodox: float
    ) -> FeatureRow:
        two_before, before, today, after = holiday
        weekday, open_day = day.weekday(), day.weekday() < 6
        december = day.month == 12
        angle = 2 * pi * day.timetuple().tm_yday / 365.25
        features = {
            "const": 1.0,
            **{f"d{place}": float(weekday == place) for place in range(6)},
            "hol_wd": today * (weekday < 5),
            "hol_sat": today * (weekday == 5),
            "hol_sun": today * (weekday == 6),
            "pre": after * (1 - today) * open_day,
            "post": before * (1 - today) * open_day,
            "post2": two_before * (1 - before) * (1 - today) * open_day,
            "bridge": (1 - today) * (before if weekday == 4 else after if weekday == 0 else 0.0),
            "dec24": float(december and day.day == 24),
            "dec31": float(december and day.day == 31),
            "ramp": day.day / 23 if december and day.day < 24 and open_day else 0.0,
            "between": float((december and 26 < day.day < 31) or (day.month == 1 and 1 < day.day < 6)),
            "bf": {-1: 0.3, 0: 1.0, 1: 0.6}.get((day - black_friday(day.year)).days, 0.0),
            "payday": float(day.day >= self._pay_day),
            "mstart": float(day.day <= 4),
            "paysince": self._days_since_pay_day(day) / 31,
            "c1": cos(angle),
            "s1": sin(angle),
            "c2": cos(2 * angle),
            "s2": sin(2 * angle),
            "advsun": float(december and 8 <= day.day < 24 and weekday == 6),
            "eastsun": (1 - orthodox) * _is_easter(day, western_easter) + orthodox * _is_easter(day, orthodox_easter),
            "school": school,
        }
        inflation, label = _uncertainty(day, today, features)
        return FeatureRow(
            values=tuple(float(features[name]) for name in self.names),
            inflation=inflation,
            holiday=today >= _HOLIDAY,
            label=label,
        )

    def _days_since_pay_day(self, day: date) -> int:
        if day.day >= self._pay_day:
            return day.day - self._pay_day
        last_month = day - day.day * _ONE
        return (day - last_month.replace(day=self._pay_day)).days


def _is_easter(day: date, easter: Callable[[int], date]) -> bool:
    return (day - easter(day.year)).days in (0, _PENTECOST_DAYS)


def _uncertainty(day: date, today: float, features: Mapping[str, float]) -> tuple[float, str]:
    """Return the greatest inflation of what the day is, and its name."""
    december = day.month == 12
    kinds = (
        (
            1 + 8 * min(1.0, 2 * today),
            "public holiday" if today >= _HOLIDAY else "public holiday in part of the region",
        ),
        (6.0 * features["eastsun"], "Easter or Pentecost Sunday"),
        (4.0 * features["dec24"], "Christmas Eve"),
        (4.0 * features["dec31"], "New Year's Eve"),
        (4.0 * (features["bf"] > 0), "Black Friday and the days around it"),
        (4.0 * features["advsun"], "Sunday in Advent"),
        (1 + 3 * min(1.0, 2 * features["pre"]), "day before a public holiday"),
        (1 + 3 * min(1.0, 2 * features["post"]), "day after a public holiday"),
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
