"""Local days: the calendar of a panel's time zone, in which a day has 23, 24 or 25 hours."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import gcd
from zoneinfo import ZoneInfo

from earlywarn.errors import ConfigError

FIRST_YEAR = 1990
LAST_YEAR = 2100
"""Event times outside these years are rejected at the door, so a zone need be checked for no others."""

_HOUR = 3600
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_CACHED_BUCKETS = 65_536
_CACHED_DAYS = 4_096


@lru_cache(maxsize=64)
def finest_bucket_seconds(time_zone: str) -> int:
    """Return the greatest divisor of an hour that divides every midnight of the zone, in epoch seconds."""
    zone = ZoneInfo(time_zone)
    divisor = _HOUR
    day = datetime(FIRST_YEAR, 1, 1, tzinfo=zone)
    while day.year <= LAST_YEAR:
        divisor = gcd(divisor, (day - _EPOCH) // _SECOND)
        day += _DAY
    return divisor


class LocalCalendar:
    """Local days of an IANA time zone, made of base buckets.

    A local day begins at the first instant of its date and ends where the next begins. Every such
    beginning must be a multiple of the base bucket, so that no bucket lies in two days.

    Args:
        time_zone: IANA name, `Europe/Zurich`.
        base_bucket_seconds: Length of the finest bucket; it must divide an hour.

    Raises:
        ConfigError: The zone is unknown, the bucket does not divide an hour, or a midnight between
            1990 and 2100 is no multiple of it.
    """

    def __init__(self, time_zone: str, base_bucket_seconds: int = _HOUR) -> None:
        try:
            self._zone = ZoneInfo(time_zone)
        except (KeyError, ValueError, OSError) as error:
            raise ConfigError(
                f"time_zone {time_zone!r} is not in the IANA database; use a name such as Europe/Zurich"
            ) from error
        if base_bucket_seconds <= 0 or _HOUR % base_bucket_seconds:
            raise ConfigError(
                f"base_bucket_seconds = {base_bucket_seconds} does not divide an hour; use 3600, 1800, 900 ..."
            )
        finest = finest_bucket_seconds(time_zone)
        if finest % base_bucket_seconds:
            raise ConfigError(
                f"in time_zone {time_zone} some days do not begin on a bucket of base_bucket_seconds = "
                f"{base_bucket_seconds}; set base_bucket_seconds = {gcd(finest, base_bucket_seconds)}"
            )
        self.time_zone = time_zone
        self.base_bucket_seconds = base_bucket_seconds
        self._day_of_bucket: dict[int, date] = {}
        self._bounds: dict[date, tuple[int, int]] = {}

    def day_of(self, epoch_seconds: int) -> date:
        """Return the local date of an instant between 1990 and 2100."""
        bucket = epoch_seconds // self.base_bucket_seconds
        day = self._day_of_bucket.get(bucket)
        if day is None:
            if len(self._day_of_bucket) >= _CACHED_BUCKETS:
                self._day_of_bucket.clear()
            day = self._day_of_bucket[bucket] = self._local(bucket * self.base_bucket_seconds).date()
        return day

    def day_bounds(self, day: date) -> tuple[int, int]:
        """Return the first epoch second of a local day and that of the next (82,800 to 90,000 s apart).

        A date that a zone left out (Samoa's 30 December 2011) is empty: both are the same.
        """
        bounds = self._bounds.get(day)
        if bounds is None:
            if len(self._bounds) >= _CACHED_DAYS:
                self._bounds.clear()
            bounds = self._bounds[day] = (self._start(day), self._start(day + _DAY))
        return bounds

    def buckets(self, day: date) -> range:
        """Return the starts of a local day's base buckets in epoch seconds, ascending."""
        start, end = self.day_bounds(day)
        return range(start, end, self.base_bucket_seconds)

    def offset_iso(self, epoch_seconds: int) -> str:
        """Return an instant as an RFC 3339 date-time with the zone's offset at that instant.

        >>> LocalCalendar("Europe/Zurich").offset_iso(1_551_702_896)
        '2019-03-04T13:34:56+01:00'
        """
        return self._local(epoch_seconds).isoformat()

    def _local(self, epoch_seconds: int) -> datetime:
        return datetime.fromtimestamp(epoch_seconds, self._zone)

    def _start(self, day: date) -> int:
        # Of a midnight that comes twice this is the first; of one that is skipped, the instant of the skip.
        return (datetime(day.year, day.month, day.day, tzinfo=self._zone) - _EPOCH) // _SECOND


def western_easter(year: int) -> date:
    """Return Easter Sunday by the Gregorian computus (Meeus, Astronomical Algorithms, 1991, chapter 8).

    >>> western_easter(2019), western_easter(2024)
    (datetime.date(2019, 4, 21), datetime.date(2024, 3, 31))
    """
    century, of_century = divmod(year, 100)
    correction = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * (year % 19) + century - century // 4 - correction + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - epact - of_century % 4) % 7
    shift = (year % 19 + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)


def orthodox_easter(year: int) -> date:
    """Return Easter Sunday by the Julian computus, as a Gregorian date between 1900 and 2099 (Meeus, ibid.).

    >>> orthodox_easter(2019), orthodox_easter(2024)
    (datetime.date(2019, 4, 28), datetime.date(2024, 5, 5))
    """
    epact = (19 * (year % 19) + 15) % 30
    weekday = (2 * (year % 4) + 4 * (year % 7) - epact + 34) % 7
    month, day = divmod(epact + weekday + 114, 31)
    return date(year, month, day + 1) + 13 * _DAY
