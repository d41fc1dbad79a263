"""Holidays of regions: the share that keeps the day."""

from datetime import date
from pathlib import Path

import pytest

from earlywarn.domain.region import RegionTree
from earlywarn.errors import ConfigError
from earlywarn.reference.crosswalk import load_crosswalk
from earlywarn.reference.holiday import HolidayShares, SchoolHolidays
from earlywarn.reference.nuts import load_regions

NATIONAL_DAY = date(2019, 8, 1)
GOOD_FRIDAY = date(2019, 4, 19)
CORPUS_CHRISTI = date(2019, 6, 20)
BERCHTOLD = date(2019, 1, 2)


@pytest.fixture(scope="module")
def tree() -> RegionTree:
    return load_regions()


@pytest.fixture(scope="module")
def swiss(tree: RegionTree) -> HolidayShares:
    return HolidayShares(tree, ["CH"])


def test_the_first_of_august_is_kept_everywhere_and_the_second_nowhere(tree: RegionTree, swiss: HolidayShares) -> None:
    for region in (*tree.codes(2, "CH"), *tree.codes(3, "CH"), "online", "9999"):
        assert swiss(region, NATIONAL_DAY) == 1.0
        assert swiss(region, date(2019, 8, 2)) == 0.0


def test_good_friday_is_kept_but_in_ticino_and_the_valais(swiss: HolidayShares) -> None:
    assert (swiss("CH070", GOOD_FRIDAY), swiss("CH012", GOOD_FRIDAY), swiss("CH011", GOOD_FRIDAY)) == (0.0, 0.0, 1.0)
    assert swiss("CH01", GOOD_FRIDAY) == pytest.approx((823 + 508) / (823 + 353 + 508))


def test_a_region_keeps_a_holiday_by_the_share_of_its_residents_that_do(swiss: HolidayShares) -> None:
    assert swiss("CH06", CORPUS_CHRISTI) == 1.0
    assert 0.1 < swiss("CH02", CORPUS_CHRISTI) < 0.2
    assert swiss("CH04", CORPUS_CHRISTI) == 0.0
    lucerne, central = 420, 420 + 37 + 164 + 38 + 44 + 130
    assert swiss("CH06", BERCHTOLD) == pytest.approx(lucerne / central)
    assert (swiss("CH021", BERCHTOLD), swiss("CH040", BERCHTOLD)) == (1.0, 0.0)


def test_the_country_is_the_weighted_mean_of_its_regions(tree: RegionTree, swiss: HolidayShares) -> None:
    weights = {"CH01": 1684, "CH02": 1908, "CH03": 1188, "CH04": 1564, "CH05": 1205, "CH06": 833, "CH07": 352}
    assert tuple(weights) == tree.codes(2, "CH")
    mean = sum(swiss(region, CORPUS_CHRISTI) * weight for region, weight in weights.items()) / sum(weights.values())
    for region in ("CH", "online", "9999"):
        assert swiss(region, CORPUS_CHRISTI) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("region", "nuts"),
    [("Lake Geneva", "CH01"), ("zurich", "CH04"), ("Central", "CH06"), ("BE", "CH021"), ("CH-FR", "CH022")],
)
def test_a_region_of_the_panel_is_found_by_its_name_or_iso_code(swiss: HolidayShares, region: str, nuts: str) -> None:
    assert swiss.profile(region) == swiss.profile(nuts)
    assert swiss.profile(region) != swiss.profile("online")


@pytest.mark.parametrize(
    ("country", "region", "day", "share"),
    [
        ("DE", "DE212", date(2019, 1, 6), 1.0),
        ("DE", "DE3", date(2019, 1, 6), 0.0),
        ("AT", "AT130", date(2019, 5, 1), 1.0),
        ("ES", "ES51", date(2019, 9, 11), 1.0),
        ("ES", "ES30", date(2019, 9, 11), 0.0),
        ("FR", "FRF33", date(2019, 12, 26), 1.0),
        ("FR", "FRF31", date(2019, 12, 26), 0.0),
        ("FR", "FRF11", GOOD_FRIDAY, 1.0),
        ("FR", "FRY4", date(2019, 12, 20), 1.0),
        ("GB", "UKM", date(2019, 12, 2), 1.0),
        ("GB", "UKI", date(2019, 12, 2), 0.0),
        ("GB", "UKN06", date(2019, 7, 12), 1.0),
        ("PT", "PT30", date(2019, 12, 26), 1.0),
        ("PT", "PT17", date(2019, 12, 26), 0.0),
        ("IT", "ITH10", date(2019, 6, 10), 1.0),
        ("IT", "ITC4", date(2019, 6, 10), 0.0),
        ("GR", "EL30", date(2019, 4, 29), 1.0),
        ("PL", "PL911", CORPUS_CHRISTI, 1.0),
    ],
)
def test_subdivisions_keep_days_of_their_own(
    tree: RegionTree, country: str, region: str, day: date, share: float
) -> None:
    assert HolidayShares(tree, [country])(region, day) == share


def test_without_a_country_only_codes_that_name_one_have_holidays(tree: RegionTree) -> None:
    shares = HolidayShares(tree)
    assert shares("CH04", NATIONAL_DAY) == 1.0
    for region in ("online", "9999", "BE", "CH"):
        assert shares(region, NATIONAL_DAY) == 0.0
        assert shares(region, date(2019, 1, 1)) == 0.0


def test_several_countries_share_what_happens_nowhere(tree: RegionTree) -> None:
    shares = HolidayShares(tree, ["CH", "LI"])
    assert shares("online", NATIONAL_DAY) == 0.5
    assert shares("CH04", NATIONAL_DAY) == 1.0
    with pytest.raises(
        ConfigError, match="countries: 'ZZ': no country of ISO 3166-1; give two capital letters such as CH"
    ):
        HolidayShares(tree, ["CH", "ZZ"])


def test_the_packaged_crosswalk_covers_each_region_of_its_countries_once(tree: RegionTree) -> None:
    crosswalk = load_crosswalk(tree)
    for country in ("AT", "CH", "DE", "ES", "FI", "FR", "IT", "PT", "UK"):
        for region in tree.codes(3, country):
            ((subdivision, share),) = crosswalk.subdivisions(region)
            assert share == 1.0
            assert subdivision[:2] == {"UK": "GB"}.get(country, country)
    assert len(crosswalk.subdivisions("CH")) == 26
    assert len(crosswalk.subdivisions("DE")) == 16
    assert crosswalk.subdivisions("EL30") == (("GR", 1.0),)


def test_a_crosswalk_of_the_user_replaces_the_countries_it_names(tree: RegionTree, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("nuts,subdivision,weight\nCH01,CH-VD,3\nCH02,CH-TI,1\n")
    shares = HolidayShares(tree, ["CH", "DE"], crosswalk=load_crosswalk(tree, table))
    assert shares("CH", GOOD_FRIDAY) == 0.75
    assert shares("CH070", GOOD_FRIDAY) == 0.0
    assert shares("DE2", date(2019, 1, 6)) == 1.0
    assert shares.describe() != HolidayShares(tree, ["CH", "DE"]).describe()


def test_a_bad_crosswalk_names_every_line(tree: RegionTree, tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    rows = "XX1,CH-VD,1\nCH01,DE-BY,1\nCH02,CH-XX,1\nCH03,CH-AG,-1\nCH04,CH-ZH,1\nCH040,CH-ZH,1\nCH05,CH-SG,nan\n"
    table.write_text("nuts,subdivision,weight\n" + rows)
    with pytest.raises(ConfigError) as error:
        load_crosswalk(tree, table)
    assert [f"own.csv:{line}:" in str(error.value) for line in range(2, 9)] == [
        True,
        True,
        True,
        True,
        False,
        True,
        True,
    ]


def test_feasts_follow_the_computus_of_the_regions_country(tree: RegionTree) -> None:
    several = HolidayShares(tree, ["AT", "GR", "RO", "FI"])
    assert [several.orthodox_share(region) for region in ("AT13", "EL3", "EL30", "RO1", "FI", "online")] == [
        *(0.0, 1.0, 1.0, 1.0, 0.0),
        0.5,
    ]
    assert HolidayShares(tree, ["MD"]).orthodox_share("anywhere") == 1.0
    assert [HolidayShares(tree).orthodox_share(region) for region in ("EL30", "CY0", "CH01", "mine")] == [1, 1, 0, 0]


def test_school_holidays_go_down_to_regions_within_and_up_as_their_mean(tree: RegionTree, tmp_path: Path) -> None:
    table = tmp_path / "schools.csv"
    table.write_text(
        "region,first_day,last_day,name\nCH01,2019-02-11,2019-02-15,sport\nCH021,2019-02-11,2019-02-12,sport\n"
        "valley,2019-02-11,2019-02-11,own\n"
    )
    schools = SchoolHolidays(table, tree, own_regions={"valley"})
    monday, wednesday = date(2019, 2, 11), date(2019, 2, 13)
    assert (schools.share("CH012", monday), schools.share("CH01", date(2019, 2, 16))) == (1.0, 0.0)
    assert schools.share("CH02", monday) == pytest.approx(1 / 5)
    assert schools.share("CH0", wednesday) == pytest.approx(1 / 7)
    assert schools.share("CH0", monday) == pytest.approx((1 + 1 / 5) / 7)
    assert (schools.share("CH04", monday), schools.share("valley", monday), schools.share("hill", monday)) == (0, 1, 0)


def test_school_holidays_of_a_name_are_those_of_the_region_that_it_means(
    tree: RegionTree, swiss: HolidayShares, tmp_path: Path
) -> None:
    table = tmp_path / "schools.csv"
    table.write_text(
        "region,first_day,last_day,name\nCH01,2019-02-11,2019-02-15,sport\nZurich,2019-02-11,2019-02-12,sport\n"
    )
    schools, monday = SchoolHolidays(table, tree, find=swiss.places.find), date(2019, 2, 11)
    named = ("Lake Geneva", "CH01", "Zurich", "CH04", "Ticino", "nowhere")
    assert [schools.share(each, monday) for each in named] == [1, 1, 1, 1, 0, 0]


def test_a_bad_school_table_names_every_line(tree: RegionTree, tmp_path: Path) -> None:
    table = tmp_path / "schools.csv"
    table.write_text(
        "region,first_day,last_day,name\nhill,2019-02-11,2019-02-15,x\nCH01,2019-02-30,2019-03-01,x\n"
        "CH01,2019-03-02,2019-03-01,x\nCH01,2019-03-01,2019-03-02,x\n"
    )
    with pytest.raises(ConfigError) as error:
        SchoolHolidays(table, tree)
    assert [f"schools.csv:{line}:" in str(error.value) for line in (2, 3, 4, 5)] == [True, True, True, False]
