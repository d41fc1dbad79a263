"""How a record finds its class, and what a class is made of."""

import json

import pytest

from earlywarn.domain.reject import RejectReason
from earlywarn.domain.sector import COICOP, NACE, SYSTEMS, WHOLE, Classification, SectorClass
from earlywarn.errors import ConfigError


def classification(**changes: object) -> Classification:
    """Return a provider's table with codes, MCC, merchants and shares."""
    settings: dict[str, object] = {
        "name": "bank",
        "version": "1",
        "scheme": "bank",
        "classes": {"food": SectorClass("food", "Food"), "fuel": SectorClass("fuel", "Motor fuel")},
        "codes": {"R10": "food", "Retail: Food, drink": "food", "T20": "fuel"},
        "mccs": {"5411": "food", "5541": "fuel"},
        "merchants": {"Café  Müller": "food"},
        "weights": {"food": {COICOP: (("02", 1500), ("01", 7500)), NACE: (("G", 10000),)}},
    }
    return Classification(**(settings | changes))  # type: ignore[arg-type]


def mcc_table(**changes: object) -> Classification:
    return classification(scheme="mcc", codes={}, **changes)


@pytest.mark.parametrize("sector", ["T20", "bank:T20", "t20", "BANK: t20", "  T20 "])
def test_a_sector_is_a_code_with_or_without_its_scheme(sector: str) -> None:
    assert classification().class_of(None, sector, None) == "fuel"


def test_a_code_may_hold_a_colon() -> None:
    table = classification()
    assert table.class_of(None, "retail: food,  DRINK", None) == "food"
    assert table.class_of(None, "bank:Retail: Food, drink", None) == "food"


def test_a_sector_wins_over_mcc_and_merchant() -> None:
    assert classification().class_of("5411", "T20", "Café Müller") == "fuel"


@pytest.mark.parametrize("sector", ["other:T20", "mcc:5411", "X99", "bank:X99", ":", "bank:"])
def test_an_unknown_sector_is_rejected_although_the_mcc_is_known(sector: str) -> None:
    """One scheme per panel: a record in another scheme is counted as rejected, not guessed from its MCC."""
    assert classification().class_of("5411", sector, None) is RejectReason.SECTOR_UNKNOWN


def test_an_mcc_wins_over_a_merchant() -> None:
    assert classification().class_of("5541", None, "Café Müller") == "fuel"


@pytest.mark.parametrize("mcc", ["541", "54111", "5A11", "-411", "٥٤١١", "²²²²"])
def test_an_mcc_of_another_form_is_invalid(mcc: str) -> None:
    assert mcc_table(unlisted_mcc="food").class_of(mcc, None, None) is RejectReason.MCC_INVALID


def test_an_unlisted_mcc_goes_to_the_class_that_takes_the_rest() -> None:
    table = mcc_table(unlisted_mcc="fuel")
    assert table.class_of("1234", None, None) == "fuel"
    assert table.class_of(None, "mcc:1234", None) == "fuel"
    assert table.class_of(None, "1234", None) == "fuel"
    assert table.class_of(None, "mcc:123", None) is RejectReason.SECTOR_UNKNOWN


def test_an_unlisted_mcc_is_unknown_where_no_class_takes_the_rest() -> None:
    assert classification().class_of("1234", None, None) is RejectReason.SECTOR_UNKNOWN


def test_a_provider_code_of_four_digits_is_no_unlisted_mcc() -> None:
    assert classification(unlisted_mcc="fuel").class_of(None, "1234", None) is RejectReason.SECTOR_UNKNOWN


@pytest.mark.parametrize("merchant", ["Café Müller", "CAFÉ MÜLLER", " cafe\u0301  mu\u0308ller"])
def test_a_merchant_is_matched_without_regard_to_case_spaces_and_encoding_of_accents(merchant: str) -> None:
    assert classification().class_of(None, None, merchant) == "food"


def test_an_unknown_merchant_is_an_unknown_sector() -> None:
    assert classification().class_of(None, None, "Cafe Muller") is RejectReason.SECTOR_UNKNOWN


@pytest.mark.parametrize("absent", [None, "", "  "])
def test_nothing_to_go_by_is_a_missing_sector(absent: str | None) -> None:
    assert classification().class_of(absent, absent, absent) is RejectReason.SECTOR_MISSING


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_text_gives_way_to_the_next(blank: str) -> None:
    assert classification().class_of("5411", blank, None) == "food"
    assert classification().class_of(blank, blank, "café müller") == "food"


def test_an_open_classification_takes_every_code_as_a_class() -> None:
    table = Classification.open()
    assert table.class_of("5411", "Retail: Food, drink", None) == "Retail: Food, drink"
    assert table.class_of("5411", None, None) == "5411"
    assert table.title("5411") == "5411"
    assert table.shares("5411", COICOP) == (("unallocated", WHOLE),)


def test_an_open_classification_makes_no_class_of_a_merchant_or_of_a_broken_mcc() -> None:
    table = Classification.open()
    assert table.class_of(None, None, "Café Müller") is RejectReason.SECTOR_UNKNOWN
    assert table.class_of("541", None, None) is RejectReason.MCC_INVALID
    assert table.class_of(None, None, None) is RejectReason.SECTOR_MISSING


@pytest.mark.parametrize("sector", ["4929123456789012", "x:4929 1234 1234 1234", "371449635398431"])
def test_an_open_classification_makes_no_class_of_a_card(sector: str) -> None:
    """Classes are published. A time or the number of an article is shorter."""
    table = Classification.open()
    assert table.class_of("5411", sector, None) is RejectReason.SECTOR_UNKNOWN
    for code in ("20190304123456", "x:7612345678900", "12345678901234567890"):
        assert table.class_of(None, code, None) == code


def test_shares_go_by_code_and_end_with_the_unallocated_rest() -> None:
    table = classification()
    assert table.shares("food", COICOP) == (("01", 7500), ("02", 1500), ("unallocated", 1000))
    assert table.shares("food", NACE) == (("G", 10000), ("unallocated", 0))
    assert table.shares("fuel", COICOP) == (("unallocated", WHOLE),)


def test_parts_are_the_codes_in_use() -> None:
    assert classification().parts(COICOP) == ("01", "02", "unallocated")


@pytest.mark.parametrize(("class_id", "system"), [("foo", COICOP), ("food", "cpa-2.2")])
def test_shares_of_what_is_unknown_are_an_error_that_names_it(class_id: str, system: str) -> None:
    with pytest.raises(ConfigError, match="'foo'" if class_id == "foo" else r"'cpa-2\.2'.*coicop-2018"):
        classification().shares(class_id, system)


@pytest.mark.parametrize(
    "changes",
    [
        {"codes": {"A": "nowhere"}},
        {"mccs": {"5411": "nowhere"}},
        {"merchants": {"a": "nowhere"}},
        {"unlisted_mcc": "nowhere"},
        {"weights": {"nowhere": {}}},
    ],
)
def test_a_way_into_no_class_is_an_error(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="no class nowhere"):
        classification(**changes)


@pytest.mark.parametrize("shares", [(("01", 9000), ("02", 1001)), (("01", -1), ("02", 1))])
def test_weights_beyond_the_whole_or_below_nothing_are_an_error(shares: tuple[tuple[str, int], ...]) -> None:
    with pytest.raises(ConfigError, match="'food' in coicop-2018"):
        classification(weights={"food": {COICOP: shares}})


def test_a_classification_does_not_change_with_the_tables_it_was_made_of() -> None:
    codes = {"R10": "food"}
    table = classification(codes=codes)
    codes["R11"] = "food"
    assert table.class_of(None, "R11", None) is RejectReason.SECTOR_UNKNOWN
    with pytest.raises(TypeError):
        table.classes["new"] = SectorClass("new", "New")  # type: ignore[index]
    with pytest.raises(AttributeError):
        table.version = "2"  # type: ignore[misc]


def test_the_description_does_not_depend_on_the_order_of_the_tables() -> None:
    table = classification()
    turned = classification(
        classes=dict(reversed(list(table.classes.items()))), codes=dict(reversed(list(table.codes.items())))
    )
    assert json.dumps(turned.describe()) == json.dumps(table.describe())


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "2"},
        {"codes": {"R10": "fuel", "Retail: Food, drink": "food", "T20": "fuel"}},
        {"mccs": {"5411": "food"}},
        {"merchants": {}},
        {"unlisted_mcc": "food"},
        {"weights": {}},
    ],
)
def test_the_description_tells_tables_apart(changes: dict[str, object]) -> None:
    assert classification(**changes).describe() != classification().describe()


def test_every_class_has_shares_in_every_system() -> None:
    table = classification()
    assert table.systems == SYSTEMS
    for system in table.systems:
        for class_id in table.classes:
            assert sum(weight for _, weight in table.shares(class_id, system)) == WHOLE
