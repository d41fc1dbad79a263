"""Local days of a time zone, and the moving feasts."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earlywarn.domain.calendar import LocalCalendar, finest_bucket_seconds, orthodox_easter, western_easter
from earlywarn.domain.country import COUNTRY_CODES
from earlywarn.domain.money import MINOR_UNITS
from earlywarn.errors import ConfigError
from earlywarn.reference.zones import country_defaults

ZURICH = LocalCalendar("Europe/Zurich")
HOUR = 3600


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("day", "hours", "start"),
    [
        (date(2019, 3, 31), 23, "2019-03-30T23:00"),
        (date(2019, 10, 27), 25, "2019-10-26T22:00"),
        (date(2019, 10, 28), 24, "2019-10-27T23:00"),
        (date(2020, 2, 29), 24, "2020-02-28T23:00"),
    ],
)
def test_a_day_has_23_24_or_25_hours(day: date, hours: int, start: str) -> None:
    buckets = ZURICH.buckets(day)
    assert len(buckets) == hours
    assert ZURICH.day_bounds(day) == (utc(start), utc(start) + hours * HOUR)
    assert {ZURICH.day_of(bucket) for bucket in buckets} == {day}
    assert ZURICH.day_of(buckets[0] - 1) == day - timedelta(days=1)
    assert ZURICH.day_of(buckets[-1] + HOUR) == day + timedelta(days=1)


def test_an_hour_that_comes_twice_is_told_apart_by_its_offset() -> None:
    first = utc("2019-10-27T00:30")
    assert ZURICH.offset_iso(first) == "2019-10-27T02:30:00+02:00"
    assert ZURICH.offset_iso(first + HOUR) == "2019-10-27T02:30:00+01:00"
    assert LocalCalendar("UTC").offset_iso(0) == "1970-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("zone", "refused", "accepted"),
    [("Asia/Kolkata", 3600, 1800), ("Asia/Kathmandu", 1800, 900), ("Australia/Lord_Howe", 3600, 1800)],
)
def test_a_zone_with_a_fraction_of_an_hour_needs_a_base_bucket_that_divides_it(
    zone: str, refused: int, accepted: int
) -> None:
    with pytest.raises(ConfigError) as error:
        LocalCalendar(zone, refused)
    for part in (zone, f"base_bucket_seconds = {refused}", f"set base_bucket_seconds = {accepted}"):
        assert part in str(error.value)
    calendar = LocalCalendar(zone, accepted)
    assert calendar.day_bounds(date(2019, 6, 1))[0] % accepted == 0


def test_lord_howe_changes_its_clocks_by_half_an_hour() -> None:
    calendar = LocalCalendar("Australia/Lord_Howe", 1800)
    assert [len(calendar.buckets(date(2019, *day))) for day in ((4, 7), (10, 6), (6, 1))] == [49, 47, 48]


def test_a_day_that_begins_without_a_midnight_begins_at_its_first_instant() -> None:
    """In Sao Paulo clocks went from 00:00 to 01:00, and back from 00:00 to 23:00 of the day before."""
    calendar = LocalCalendar("America/Sao_Paulo")
    spring, autumn = date(2018, 11, 4), date(2019, 2, 16)
    assert calendar.offset_iso(calendar.day_bounds(spring)[0]) == "2018-11-04T01:00:00-02:00"
    assert (len(calendar.buckets(spring)), len(calendar.buckets(autumn))) == (23, 25)
    assert {calendar.day_of(bucket) for bucket in calendar.buckets(autumn)} == {autumn}


def test_a_date_that_a_zone_left_out_is_empty() -> None:
    calendar = LocalCalendar("Pacific/Apia")
    assert len(calendar.buckets(date(2011, 12, 30))) == 0
    assert len(calendar.buckets(date(2011, 12, 29))) == 24


@pytest.mark.parametrize(
    ("zone", "bucket", "said"),
    [("Europe/Zuerich", 3600, "IANA"), ("/etc/passwd", 3600, "IANA"), ("UTC", 7200, "divide"), ("UTC", 0, "divide")],
)
def test_what_cannot_be_a_calendar_is_refused(zone: str, bucket: int, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        LocalCalendar(zone, bucket)


@given(
    zone=st.sampled_from(
        ["Europe/Zurich", "America/New_York", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Tehran"]
    ),
    second=st.integers(utc("1990-01-03T00:00"), utc("2100-12-29T00:00")),
)
def test_every_instant_lies_in_the_day_it_is_said_to_be_of(zone: str, second: int) -> None:
    calendar = LocalCalendar(zone, 1800)
    day = calendar.day_of(second)
    start, end = calendar.day_bounds(day)
    assert start <= second < end
    assert calendar.offset_iso(second).startswith(day.isoformat())
    assert calendar.day_bounds(day + timedelta(days=1))[0] == end


def test_easter_follows_either_computus() -> None:
    assert [western_easter(year) for year in (1818, 2000, 2019, 2038)] == [
        date(1818, 3, 22),
        date(2000, 4, 23),
        date(2019, 4, 21),
        date(2038, 4, 25),
    ]
    assert [orthodox_easter(year) for year in (2000, 2010, 2019, 2024)] == [
        date(2000, 4, 30),
        date(2010, 4, 4),
        date(2019, 4, 28),
        date(2024, 5, 5),
    ]


def test_every_default_zone_makes_a_calendar_and_every_nuts_country_has_one() -> None:
    from earlywarn.reference.nuts import load_regions  # noqa: PLC0415 - reads the NUTS tables

    for country in (*load_regions().codes(0), "US", "GB", "GR"):
        defaults = country_defaults(country)
        assert defaults is not None, country
        assert LocalCalendar(defaults.time_zone).time_zone == defaults.time_zone
        assert defaults.currency in MINOR_UNITS
    assert country_defaults("ZZ") is None


def test_nearly_every_country_has_a_zone_and_a_currency() -> None:
    """All but three that nobody pays in; and no zone needs a bucket below a quarter of an hour."""
    found = {country: country_defaults(country) for country in COUNTRY_CODES}
    assert {country for country, defaults in found.items() if defaults is None} == {"AQ", "BV", "HM"}
    for country, defaults in found.items():
        if defaults is not None:
            assert finest_bucket_seconds(defaults.time_zone) in {900, 1800, 3600}, country
            assert defaults.currency in MINOR_UNITS, country
    assert {"AU", "BR", "CA", "CL", "CN", "ES", "ID", "MX", "NZ", "PT", "RU", "US"} <= {
        country for country, defaults in found.items() if defaults is not None and defaults.has_several_zones
    }
    for country, zone, currency in (
        ("BR", "America/Sao_Paulo", "BRL"), ("CA", "America/Toronto", "CAD"), ("IN", "Asia/Kolkata", "INR"),
        ("KR", "Asia/Seoul", "KRW"), ("MX", "America/Mexico_City", "MXN"), ("NG", "Africa/Lagos", "NGN"),
        ("UA", "Europe/Kyiv", "UAH"), ("ZA", "Africa/Johannesburg", "ZAR"),
    ):  # fmt: skip
        defaults = found[country]
        assert defaults is not None
        assert (defaults.time_zone, defaults.currency) == (zone, currency)
