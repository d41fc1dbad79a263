"""When the page says that the models know less of the days around its last one: over the turn of the year alone."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from report_page import FIRST, SWISS, collect, page_of

from earlywarn.adapters.report.special_days import special_days
from earlywarn.domain.day_features import DayFeatures

FEATURES = DayFeatures(lambda _region, _day: 0.0)
LEAST = 1.9


def told(last_day: date, *, least: float = LEAST, features: DayFeatures = FEATURES) -> str:
    return special_days(features, SWISS, last_day, least)


@pytest.mark.parametrize(
    ("last_day", "is_told"),
    [
        (date(2019, 12, 19), False),
        (date(2019, 12, 20), True),
        (date(2020, 1, 3), True),
        (date(2020, 1, 17), True),
        (date(2020, 1, 18), False),
    ],
)
def test_days_around_the_turn_of_the_year_are_told_until_two_weeks_after(last_day: date, *, is_told: bool) -> None:
    words = "Days around the turn of the year (20 Dec 2019 to 3 Jan 2020) are judged with less certainty: "
    assert told(last_day).startswith(words) == bool(told(last_day)) == is_told


def test_single_holidays_are_none_and_what_the_models_do_not_hold_special_neither() -> None:
    """Easter and its neighbours are over within days; a setting may let every day say as much as another."""
    easter = {date(2020, 4, 10), date(2020, 4, 13)}
    features = DayFeatures(lambda _region, day: float(day in easter))
    assert not any(told(date(2020, 2, 1) + timedelta(at), features=features) for at in range(300))
    assert told(date(2019, 12, 25), least=9.5) == ""


def test_a_week_and_more_of_holidays_is_told_as_such_and_regions_count_by_their_cells() -> None:
    golden = {date(2019, 4, 29) + timedelta(at) for at in range(8)}
    features = DayFeatures(lambda region, day: float(day in golden and region == "CH04"))
    assert "Holidays and the days around them (29 Apr 2019 to 7 May 2019)" in told(date(2019, 5, 12), features=features)
    few = [*SWISS, *(("CH07", f"s{at}") for at in range(40))]
    assert special_days(features, few, date(2019, 5, 12), LEAST) == ""


def test_the_first_lines_say_it(tmp_path: Path) -> None:
    """Of the panel's own last day; once, and not of a day in summer."""
    new_year = (date(2020, 1, 2) - FIRST).days
    for days, count in ((new_year, 1), (200, 0)):
        page = page_of(collect(SWISS, days), tmp_path)
        assert page.words.count("are judged with less certainty: a fall or rise in them may be told up to") == count
