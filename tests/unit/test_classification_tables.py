"""The classifications that come with earlywarn."""

import csv
from pathlib import Path

import pytest

import earlywarn.reference.classifications as package
from earlywarn.domain.reject import RejectReason
from earlywarn.domain.sector import COICOP, NACE, SYSTEMS, UNALLOCATED, WHOLE
from earlywarn.reference.classifications import available, load_classification, system_titles
from earlywarn.reference.classifications.table import weights_table

ROOT = Path(package.__file__).parent
DOCS = Path(__file__).parents[2] / "docs" / "classifications.md"

SWISS_CATEGORIES = (
    "Accommodation",
    "Food and beverage services",
    "Other",
    "Retail: Food, beverage, tobacco",
    "Retail: Fuel stations",
    "Retail: Other goods",
    "Transport services",
)
SPARKOV_CATEGORIES = [
    "entertainment",
    "food_dining",
    "gas_transport",
    "grocery_net",
    "grocery_pos",
    "health_fitness",
    "home",
    "kids_pets",
    "misc_net",
    "misc_pos",
    "personal_care",
    "shopping_net",
    "shopping_pos",
    "travel",
]


def rows_of(name: str, file: str) -> list[dict[str, str]]:
    with (ROOT / name / file).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_the_shipped_classifications_are_listed() -> None:
    assert available() == ("coicop-2018", "fable", "mcc", "sparkov", "swiss-mcs")


@pytest.mark.parametrize("name", available())
def test_a_shipped_table_is_named_as_its_folder_and_reaches_each_class(name: str) -> None:
    table = load_classification(name)
    assert table.name == name
    assert {*table.codes.values(), table.unlisted_mcc} - {None} == set(table.classes)


@pytest.mark.parametrize("name", available())
def test_shipped_weights_claim_no_more_than_steps_of_five_per_cent(name: str) -> None:
    assert {int(row["weight"]) % 500 for row in rows_of(name, "shares.csv")} <= {0}


@pytest.mark.parametrize("name", available())
def test_every_shipped_judgement_is_said_in_words(name: str) -> None:
    assert [row for row in rows_of(name, "shares.csv") if len(row["judgement"]) < 5] == []


def test_systems_are_the_thirteen_divisions_and_the_twenty_two_sections() -> None:
    titles = system_titles()
    assert tuple(titles) == SYSTEMS
    assert list(titles[COICOP]) == [f"{division:02d}" for division in range(1, 14)]
    assert "".join(titles[NACE]) == "ABCDEFGHIJKLMNOPQRSTUV"


def test_the_divisions_of_coicop_are_classes_of_their_own_and_whole() -> None:
    table = load_classification(COICOP)
    assert [one.title for one in table.classes.values()] == list(system_titles()[COICOP].values())
    for code in system_titles()[COICOP]:
        for written in (code, f"CP{code}", f"cp{code}", f"{COICOP}:{code}"):
            class_id = table.class_of(None, written, None)
            assert class_id == f"cp{code}"
            assert table.shares(class_id, COICOP) == ((code, WHOLE), (UNALLOCATED, 0))
            assert table.shares(class_id, NACE) == ((UNALLOCATED, WHOLE),)


@pytest.mark.parametrize(
    ("mcc", "class_id"),
    [
        ("5411", "grocery"),
        ("5812", "restaurants"),
        ("5541", "fuel"),
        ("5912", "pharmacies"),
        ("3000", "airlines"),
        ("3350", "airlines"),
        ("3351", "car-rental"),
        ("3500", "car-rental"),
        ("3501", "accommodation"),
        ("3999", "accommodation"),
        ("0742", "recreation-culture"),
        ("7995", "gambling"),
        ("9311", "government-taxes"),
    ],
)
def test_an_mcc_has_its_class(mcc: str, class_id: str) -> None:
    assert load_classification("mcc").class_of(mcc, None, None) == class_id


@pytest.mark.parametrize("mcc", ["4829", "6010", "6011", "6012", "6050", "6051", "6211", "6540"])
def test_cash_and_quasi_cash_are_allocated_to_nothing(mcc: str) -> None:
    table = load_classification("mcc")
    class_id = table.class_of(mcc, None, None)
    assert class_id == "cash-quasi-cash"
    for system in SYSTEMS:
        assert table.shares(class_id, system) == ((UNALLOCATED, WHOLE),)


def test_no_well_formed_mcc_is_lost() -> None:
    table = load_classification("mcc")
    classes = {f"{code:04d}": table.class_of(f"{code:04d}", None, None) for code in range(10_000)}
    assert set(classes.values()) == set(table.classes)
    assert classes["0000"] == classes["9999"] == "other"
    assert table.shares("other", COICOP) == ((UNALLOCATED, WHOLE),)


def test_the_mcc_table_lists_every_range_of_iso_18245_that_is_in_use() -> None:
    """The private range 3000-3999 is whole; of the rest the table holds the 319 codes that the schemes use."""
    listed = load_classification("mcc").codes
    assert sum("3000" <= code <= "3999" for code in listed) == 1000
    assert sum(not "3000" <= code <= "3999" for code in listed) == 319


def test_the_swiss_categories_each_have_a_class() -> None:
    table = load_classification("swiss-mcs")
    assert {table.class_of(None, text, None) for text in SWISS_CATEGORIES} == set(table.classes)
    assert table.class_of(None, "swiss-mcs:Retail: Fuel stations", None) == "retail-fuel"
    assert table.class_of(None, "Retail: Books", None) is RejectReason.SECTOR_UNKNOWN
    assert table.class_of("5411", None, None) is RejectReason.SECTOR_UNKNOWN


def test_the_sparkov_categories_each_have_a_class() -> None:
    table = load_classification("sparkov")
    assert [table.class_of(None, text, None) for text in SPARKOV_CATEGORIES] == [
        text.replace("_", "-") for text in SPARKOV_CATEGORIES
    ]


def test_fable_tags_are_free_in_case_and_spaces_but_not_guessed() -> None:
    table = load_classification("fable")
    assert table.class_of(None, "GROCERIES", None) == "grocery"
    assert table.class_of(None, "eating  out", None) == "restaurants"
    assert table.class_of(None, "Artisanal Falconry", None) is RejectReason.SECTOR_UNKNOWN


def test_the_page_shows_the_mcc_table_as_it_is() -> None:
    assert DOCS.read_text(encoding="utf-8").endswith(f"<!-- mcc table -->\n{weights_table(load_classification('mcc'))}")
