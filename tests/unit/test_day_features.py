"""The features of a day in a region."""

from datetime import date, timedelta

import pytest

from earlywarn.domain.day_features import NAMES, DayFeatures, FeatureRow, black_friday
from earlywarn.errors import ConfigError
from earlywarn.reference.holiday import HolidayShares
from earlywarn.reference.nuts import load_regions


@pytest.fixture(scope="module")
def swiss() -> DayFeatures:
    return DayFeatures(HolidayShares(load_regions(), ["CH"]))


def named(features: DayFeatures, region: str, day: date) -> dict[str, float]:
    return dict(zip(features.names, features.row(region, day).values, strict=True))


def on(*holidays: date) -> DayFeatures:
    return DayFeatures(lambda _, day: float(day in holidays))


def test_an_ordinary_day_is_its_weekday_and_season(swiss: DayFeatures) -> None:
    row = swiss.row("CH04", date(2019, 9, 11))
    features = named(swiss, "CH04", date(2019, 9, 11))
    set_to_one = {name for name, value in features.items() if value == 1.0}
    assert set_to_one == {"const", "d2"}
    assert {name for name, value in features.items() if 0 < abs(value) < 1} == {
        "paysince",
        "c1",
        "s1",
        "c2",
        "s2",
    }
    assert row == FeatureRow(values=row.values, inflation=1.0, holiday=False, label="")


def test_weekdays_stand_against_sunday(swiss: DayFeatures) -> None:
    weekdays = swiss.names[1:7]
    assert weekdays == ("d0", "d1", "d2", "d3", "d4", "d5")
    monday = date(2019, 9, 9)
    for place in range(7):
        features = named(swiss, "CH04", monday + timedelta(days=place))
        assert [features[name] for name in weekdays] == [float(place == other) for other in range(6)]


def test_a_holiday_counts_by_share_and_by_what_the_day_would_have_been() -> None:
    thursday = date(2019, 6, 20)
    shares = {"all": 1.0, "some": 0.25}
    features = DayFeatures(lambda region, day: shares[region] * (day == thursday))
    assert named(features, "some", thursday)["hol_wd"] == 0.25
    assert named(features, "some", thursday - timedelta(days=1))["pre"] == 0.25
    assert named(features, "some", thursday + timedelta(days=1))["post"] == 0.25
    assert named(features, "some", thursday + timedelta(days=2))["post2"] == 0.25
    assert named(features, "all", thursday + timedelta(days=1))["bridge"] == 1.0
    for day, name in ((date(2020, 8, 1), "hol_sat"), (date(2021, 8, 1), "hol_sun")):
        assert named(on(day), "all", day)[name] == 1.0
        assert named(on(day), "all", day)["hol_wd"] == 0.0


def test_sundays_and_holidays_are_not_the_days_around_a_holiday() -> None:
    easter_monday = date(2019, 4, 22)
    features = on(easter_monday, date(2019, 4, 23))
    assert named(features, "x", date(2019, 4, 21))["pre"] == 0.0
    assert named(features, "x", date(2019, 4, 23))["post"] == 0.0
    assert named(features, "x", date(2019, 4, 24))["post"] == 1.0
    assert named(features, "x", date(2019, 4, 24))["post2"] == 0.0


def test_monday_before_a_holiday_is_a_bridge() -> None:
    features = on(date(2019, 10, 1))
    assert named(features, "x", date(2019, 9, 30))["bridge"] == 1.0
    assert named(on(date(2019, 10, 2)), "x", date(2019, 10, 1))["bridge"] == 0.0


@pytest.mark.parametrize(
    ("day", "inflation", "label"),
    [
        (date(2019, 8, 1), 9.0, "public holiday"),
        (date(2019, 7, 31), 4.0, "day before a public holiday"),
        (date(2019, 8, 2), 4.0, "day after a public holiday"),
        (date(2019, 4, 21), 6.0, "Easter or Pentecost Sunday"),
        (date(2019, 6, 9), 6.0, "Easter or Pentecost Sunday"),
        (date(2019, 11, 29), 4.0, "Black Friday and the days around it"),
        (date(2019, 12, 15), 4.0, "Sunday in Advent"),
        (date(2019, 12, 21), 4.0, "days before Christmas"),
        (date(2019, 12, 24), 4.0, "Christmas Eve"),
        (date(2019, 12, 28), 4.0, "between Christmas and New Year"),
        (date(2019, 12, 31), 4.0, "New Year's Eve"),
        (date(2020, 1, 3), 4.0, "first days of the year"),
        (date(2019, 11, 19), 1.0, ""),
    ],
)
def test_uncertain_days_widen_the_variance_and_say_why(
    swiss: DayFeatures, day: date, inflation: float, label: str
) -> None:
    row = swiss.row("CH04", day)
    assert (row.inflation, row.label) == (inflation, label)
    assert row.holiday == (label == "public holiday")


def test_a_holiday_of_a_small_part_is_none_of_the_region(swiss: DayFeatures) -> None:
    row = swiss.row("CH05", date(2019, 6, 20))
    assert 1.0 < row.inflation < 1.9
    assert (row.holiday, row.label) == (False, "public holiday in part of the region")


def test_every_day_of_years_has_a_label_exactly_where_it_is_inflated(swiss: DayFeatures) -> None:
    day = date(2019, 1, 1)
    while day < date(2022, 1, 1):
        for region in ("CH04", "CH06", "online"):
            row = swiss.row(region, day)
            assert (row.label != "") == (row.inflation > 1.0)
            assert len(row.values) == len(swiss.names)
        day += timedelta(days=1)


def test_days_since_pay_day_run_from_pay_day_to_the_next() -> None:
    features = DayFeatures(lambda _region, _day: 0.0, pay_day=28)
    days = [date(2020, 2, 27), date(2020, 2, 28), date(2020, 2, 29), date(2020, 3, 1), date(2020, 3, 27)]
    assert [round(named(features, "x", day)["paysince"] * 31) for day in days] == [30, 0, 1, 2, 28]
    assert [named(features, "x", day)["payday"] for day in days] == [0, 1, 1, 0, 0]
    with pytest.raises(ConfigError, match="pay_day = 31"):
        DayFeatures(lambda _region, _day: 0.0, pay_day=31)


def test_feasts_follow_the_computus_given() -> None:
    features = DayFeatures(lambda _region, _day: 0.0, orthodox={"east": 1.0, "west": 0.0, "both": 0.25}.__getitem__)
    for day, shares in {
        date(2019, 4, 28): [1.0, 0.0, 0.25],
        date(2019, 6, 16): [1.0, 0.0, 0.25],
        date(2019, 4, 21): [0.0, 1.0, 0.75],
        date(2019, 5, 5): [0.0, 0.0, 0.0],
    }.items():
        assert [named(features, region, day)["eastsun"] for region in ("east", "west", "both")] == shares
    assert [features.row(region, date(2019, 4, 28)).inflation for region in ("east", "west", "both")] == [6.0, 1.0, 1.5]


def test_school_holidays_are_a_feature_only_with_a_table() -> None:
    without = on()
    given = DayFeatures(lambda _region, _day: 0.0, lambda region, _: 0.5 if region == "a" else 0.0)
    assert given.names == (*without.names, "school") == NAMES
    assert [named(given, region, date(2019, 2, 11))["school"] for region in "ab"] == [0.5, 0.0]


def test_black_friday_is_the_day_after_the_fourth_thursday() -> None:
    assert [black_friday(year).isoformat() for year in (2018, 2019, 2020, 2024)] == [
        "2018-11-23",
        "2019-11-29",
        "2020-11-27",
        "2024-11-29",
    ]
