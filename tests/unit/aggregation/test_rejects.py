"""Every reason for which a record can be rejected, each caused by a record."""

import json
from typing import Any

import pytest
from fold_oracle import small_panel

from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.excerpt import without_long_numbers
from earlywarn.aggregation.intake import IMPLAUSIBLE, RECORD_BYTES_LIMIT, decode, decode_one
from earlywarn.aggregation.route import Router
from earlywarn.aggregation.unknown_region import region_hint
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.money import RateTable
from earlywarn.domain.panel import Panel
from earlywarn.domain.region import RegionResolver
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.reference.classifications import load_classification
from earlywarn.reference.crosswalk import load_crosswalk
from earlywarn.reference.nuts import load_regions
from earlywarn.reference.nuts.places import Places

GOOD: dict[str, Any] = {
    "id": "t1", "ts": 1_551_702_896_000, "amount_minor": 1234, "currency": "CHF", "mcc": "5411", "region": "CH04",
    "country": "CH", "channel": "pos", "card": "secret-token",
}  # fmt: skip
RECEIVED_MS = 1_551_703_000_000
R = RejectReason

FROM_BYTES: list[tuple[RejectReason, bytes | None]] = [
    (R.NULL_VALUE, None),
    (R.TOO_LARGE, json.dumps({**GOOD, "note": "x" * RECORD_BYTES_LIMIT}).encode()),
    (R.TOO_LARGE, b"x" * 900_000),
    (R.NOT_JSON, b""),
    (R.NOT_JSON, b"no json"),
    (R.NOT_JSON, json.dumps(GOOD).encode() + json.dumps(GOOD).encode()),
    (R.NOT_JSON, json.dumps(GOOD).encode()[:40]),
    (R.NOT_JSON, b'{"id": "1", "amount_minor": NaN}'),
    (R.NOT_JSON, b'{"id": "\xff"}'),
    (R.NOT_JSON, b"\xef\xbb\xbf{}"),
    (R.NOT_JSON, b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"),
    (R.NOT_AN_OBJECT, b"[1, 2]"),
    (R.NOT_AN_OBJECT, b"null"),
]

FROM_FIELDS: list[tuple[RejectReason, dict[str, Any]]] = [
    (R.MISSING_FIELD, {"ts": ...}),
    (R.MISSING_FIELD, {"id": None}),
    (R.WRONG_TYPE, {"amount_minor": "12"}),
    (R.WRONG_TYPE, {"amount_minor": 12.5}),
    (R.WRONG_TYPE, {"mcc": 5411}),
    (R.VERSION_UNKNOWN, {"v": 2}),
    (R.ID_INVALID, {"id": ""}),
    (R.ID_INVALID, {"id": "x" * 129}),
    (R.TEXT_TOO_LONG, {"card": "x" * 257}),
    (R.TIME_INVALID, {"ts": "yesterday"}),
    (R.TIME_INVALID, {"ts": "2019-03-04T13:00:00"}),
    (R.TIME_INVALID, {"ts": 0}),
    (R.TIME_INVALID, {"ts": "1970-01-01T00:00:00Z"}),
    (R.TIME_INVALID, {"ts": 10**18}),
    (R.TIME_IN_FUTURE, {"ts": RECEIVED_MS + 301_000}),
    (R.AMOUNT_OUT_OF_RANGE, {"amount_minor": -1}),
    (R.AMOUNT_OUT_OF_RANGE, {"amount_minor": 10**13 + 1}),
    (R.AMOUNT_OUT_OF_RANGE, {"amount_minor": 999_999_999_999_999}),
    (R.AMOUNT_OUT_OF_RANGE, {"amount_minor": 10**15 + 1}),
    (R.AMOUNT_OUT_OF_RANGE, {"amount_minor": 10**30}),
    (R.COUNT_OUT_OF_RANGE, {"count": -1}),
    (R.COUNT_OUT_OF_RANGE, {"count": 10**9 + 1}),
    (R.CURRENCY_UNKNOWN, {"currency": "XXQ"}),
    (R.CURRENCY_NO_RATE, {"currency": "USD"}),
    (R.KIND_UNKNOWN, {"kind": "gift"}),
    (R.CHANNEL_UNKNOWN, {"channel": "fax"}),
    (R.MCC_INVALID, {"mcc": "54"}),
    (R.SECTOR_MISSING, {"mcc": None}),
    (R.SECTOR_UNKNOWN, {"sector": "other-scheme:17"}),
    (R.REGION_MISSING, {"region": None}),
    (R.REGION_UNKNOWN, {"region": "CH99"}),
    (R.COUNTRY_UNKNOWN, {"country": "Switzerland"}),
    (R.PANEL_UNKNOWN, {"country": "DE", "region": "DE1"}),
]

ELSEWHERE = {R.ROW_UNREADABLE, R.DUPLICATE_CELL, R.NOT_ARROW, R.DUPLICATE, R.CONTROL_MARK, R.AFTER_END}
"""Given only by readers of files (tests/unit/files), of batched records (test_arrow_batch.py) and of a log's headers
(tests/unit/stream/test_aggregator.py), and by request (tests/property/test_copies.py)."""


def swiss_fold(declared: tuple[str, ...] = ()) -> BlockFold:
    """Return a fold for Switzerland by NUTS 2 and MCC."""
    tree = load_regions()
    places = Places(tree, load_crosswalk(tree), ["CH"])
    panel = Panel(
        id="CH",
        currency="CHF",
        countries=("CH",),
        calendar=LocalCalendar("Europe/Zurich"),
        regions=RegionResolver(tree, level=2, countries=("CH",), declared=declared, named=places.find),
        classification=load_classification("mcc"),
        rates=RateTable("CHF", {}),
    )
    return BlockFold(Router([panel]), FoldParameters())


def fold(value: bytes | None) -> tuple[list[Reject], int]:
    """Fold one record; return its rejects and how many transactions counted."""
    block = swiss_fold()
    _, rejected = block.add([0], decode([value]), RECEIVED_MS)
    partial = block.flush()
    assert partial is not None
    assert sum(partial.rejected.values()) == len(rejected)
    return [each.reject for each in rejected], sum(row.transactions for row in partial.rows)


def changed(changes: dict[str, Any]) -> bytes:
    """Return the good record with some fields changed, or left out (...)."""
    return json.dumps({name: value for name, value in (GOOD | changes).items() if value is not ...}).encode()


def test_the_good_record_counts() -> None:
    assert fold(changed({})) == ([], 1)


@pytest.mark.parametrize(("reason", "value"), FROM_BYTES)
def test_bytes_that_are_no_record(reason: RejectReason, value: bytes | None) -> None:
    rejects, counted = fold(value)
    assert [reject.reason for reject in rejects] == [reason]
    assert counted == 0


@pytest.mark.parametrize(("reason", "changes"), FROM_FIELDS)
def test_fields_that_cannot_be_used(reason: RejectReason, changes: dict[str, Any]) -> None:
    """The reason is given with the field's name, and never with the card token."""
    rejects, counted = fold(changed(changes))
    assert [reject.reason for reject in rejects] == [reason]
    assert rejects[0].field in {*changes, "sector", "country", "region"}
    assert "secret-token" not in rejects[0].detail
    assert counted == 0


CARD = "4929123412341234"

RECODED = "(a CSV file as nuts_recoding in the settings says where codes of other editions belong: docs/calendars.md)"
CODES = f"CH01, CH02, CH03, CH04 and 3 more {RECODED}"
ABOVE = "'CH0' is no region of the panel; it is of level 1, and the panel's regions are of level 2"

IN_WORDS: list[tuple[dict[str, Any], str, str]] = [
    ({"mcc": 5411}, "mcc", "a whole number where text is expected"),
    ({"amount_minor": 12.5}, "amount_minor", "a number with a fraction where a whole number is expected"),
    ({"amount_minor": 10**15 + 1}, "amount_minor", "beyond 10^15 minor units"),
    ({"amount_minor": 10**13 + 1}, "amount_minor", IMPLAUSIBLE.detail),
    ({"ts": 1_551_702_896}, "ts", "lies outside 1990 to 2100 (epoch milliseconds are read, not seconds)"),
    ({"id": "x" * 129}, "id", "more than 128 characters"),
    ({"currency": "XXQ"}, "currency", "'XXQ' is no currency of ISO 4217, such as CHF"),
    ({"mcc": "54"}, "mcc", "'54' is no merchant category code of four digits, as text"),
    ({"kind": "gift"}, "kind", "'gift' is none of purchase, refund, reversal"),
    ({"mcc": CARD}, "mcc", "a text of 16 characters (digits) is no merchant category code of four digits, as text"),
    ({"region": None}, "region", "the field is missing, and the channel is not ecom"),
    ({"region": f"CH {CARD}"}, "region", "a text of 19 characters (letters, digits, spaces) is no region of the panel"),
    ({"region": "SW1A 1AA"}, "region", "'SW1A 1AA' is no region of the panel"),
    ({"region": "CH02X"}, "region", f"'CH02X' is no region of the panel; NUTS 2021 has, of level 2, {CODES}"),
    ({"region": "CH91"}, "region", f"'CH91' is no region of the panel; NUTS 2021 has, codes like it, CH01 {RECODED}"),
    ({"region": "CH0"}, "region", ABOVE),
    ({"mcc": None}, "sector", "none of sector, mcc and merchant is there"),
    ({"sector": CARD}, "sector", "a text of 16 characters (digits) is not in the classification mcc"),
    ({"sector": "accommodation"}, "sector", "'accommodation' is not in the classification mcc"),
    ({"sector": "Lebensmittelhandel 2"}, "sector", "'Lebensmittelhandel 2' is not in the classification mcc"),
    ({"mcc": None, "merchant": "Bakery"}, "merchant", "'Bakery' is not in the classification mcc"),
    ({"region": "Z\u00fcrich"}, "region", "'Z\u00fcrich' is no region of the panel; did you mean CH04?"),
    ({"region": "ticino"}, "region", "'ticino' is no region of the panel; did you mean CH07?"),
    ({"country": "DE", "region": "DE1"}, "country", "DE is stated, and the panel is of CH"),
    ({"country": "CH", "region": "DE1"}, "region", "'DE1' is of DE, and the panel is of CH"),
    ({"country": None, "region": "UKI3"}, "region", "'UKI3' is of UK, and the panel is of CH"),
    ({"ts": "4 March 2019"}, "ts", "neither epoch milliseconds nor RFC 3339 text, such as 2019-03-04T13:34:56+01:00"),
]


@pytest.mark.parametrize(("changes", "field", "detail"), IN_WORDS)
def test_what_is_wrong_is_said_in_plain_words(changes: dict[str, Any], field: str, detail: str) -> None:
    """The detail names the value and what is wanted, in no library's jargon, and never a card number."""
    [reject], _ = fold(changed(changes))
    assert (reject.field, reject.detail) == (field, detail)


TOKENS = [
    "tok_Zk8qPfR2LmXw",
    "tok_ZkqPfRwLmXw",
    "zkqpfrwlmxwsnqpt",
    "MFRGGZDFMZTWQ2LK",
    "ONSWG4TFORZWKZLE",
    "mfrgg-zdfmz-twqlk-nzswe",
    "tok-retail-00417",
    "4929 1234 1",
    "CHF 4929123412",
    "492912 ****** 1234",
    "tok_ab12_cd34_ef56",
    "00a1b2c3d4e5f607",
    "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
    "4929 1234 1234 1234",
    "4929-1234-1234-1234",
    CARD,
]
FIELDS_SHOWN = ["mcc", "channel", "currency", "kind", "country", "region", "sector", "merchant"]


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("field", FIELDS_SHOWN)
def test_a_card_token_in_any_field_stands_in_no_reason(field: str, token: str) -> None:
    """The detail says what it is made of; no four characters in a row are quoted. By itself, and in another panel."""
    record = {field: token} if field != "merchant" else {field: token, "mcc": None}
    for changes in (record, record | {"country": None}):
        for reject in fold(changed(changes))[0]:
            quoted = [token[at : at + 4] for at in range(len(token) - 3) if token[at : at + 4] in reject.detail]
            assert quoted == [], reject.detail


def test_a_token_as_id_of_a_copy_stands_in_no_reason() -> None:
    panel = BlockFold(Router([small_panel()]), FoldParameters(deduplicate_blocks=1))
    record = changed({"id": TOKENS[0]})
    _, [rejected] = panel.add(range(2), decode([record, record]), RECEIVED_MS)
    assert rejected.reject.reason is R.DUPLICATE
    assert "Zk8q" not in rejected.reject.detail


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("2020-13-01", "2020-13-01"),
        ("2020-13-01 12:00:00", "2020-13-01 12:00:00"),
        ("4929 1234 1234 1234", "#"),
        ("4929-1234-1234-1234", "#"),
        (f"2020-13-01 {CARD}", "#"),
        (f"a{CARD}b", "a#b"),
        ("12345678", "12345678"),
        ("123456789", "#"),
    ],
)
def test_dates_are_shown_and_long_numbers_are_not(text: str, seen: str) -> None:
    assert without_long_numbers(text) == seen


@pytest.mark.parametrize("mcc", ["0000", "9998"])
def test_an_unlisted_code_counts_in_the_class_for_such_codes(mcc: str) -> None:
    """docs/inputs.md: no payment is lost because its code is not in ISO 18245."""
    block = swiss_fold()
    _, rejected = block.add([0], decode([changed({"mcc": mcc})]), RECEIVED_MS)
    partial = block.flush()
    assert partial is not None
    assert ([row.sector for row in partial.rows], rejected) == (["other"], [])


def test_too_late_is_judged_by_the_partitions_own_newest_event() -> None:
    block = swiss_fold()
    day_ms = 86_400_000
    values = [changed({}), changed({"ts": GOOD["ts"] - 44 * day_ms}), changed({"ts": GOOD["ts"] - 46 * day_ms})]
    _, rejected = block.add(range(3), decode(values), RECEIVED_MS)
    assert [(each.offset, each.reject.reason) for each in rejected] == [(2, R.TOO_LATE)]


@pytest.mark.parametrize(
    ("changes", "region"),
    [
        ({"country": ..., "region": "9999"}, "9999"),
        ({"country": ..., "region": ..., "channel": "ecom"}, "online"),
        ({"country": ..., "region": "DE1"}, None),
    ],
)
def test_a_record_that_states_no_country_is_judged_by_the_one_panels_regions(
    changes: dict[str, Any], region: str | None
) -> None:
    """docs/calendars.md: a declared code, and what was bought online, need no country; a foreign NUTS code has one."""
    block = swiss_fold(declared=("9999",))
    _, rejected = block.add([0], decode([changed(changes)]), RECEIVED_MS)
    partial = block.flush()
    assert partial is not None
    assert [row.region for row in partial.rows] == ([region] if region else [])
    assert [each.reject.reason for each in rejected] == ([] if region else [R.PANEL_UNKNOWN])


def test_every_reason_has_an_example() -> None:
    """The enumeration is closed: a reason without an example fails here."""
    shown = {reason for reason, _ in (*FROM_BYTES, *FROM_FIELDS)} | {R.TOO_LATE} | ELSEWHERE
    assert shown == set(RejectReason)


def test_a_bad_record_costs_its_neighbours_nothing() -> None:
    """In a batch with one broken record of each kind, every good one is decoded, in its place."""
    bad = [value for _, value in FROM_BYTES] + [changed(each) for reason, each in FROM_FIELDS if reason is R.WRONG_TYPE]
    values = [value for each in bad for value in (changed({}), each, changed({"id": "after"}))]
    outcomes = decode(values)
    assert len(outcomes) == len(values)
    assert [isinstance(each, Transaction) for each in outcomes] == [True, False, True] * len(bad)


def test_rfc3339_and_epoch_milliseconds_are_the_same_time() -> None:
    """A time with an offset is read to the millisecond, rounded down."""
    one = decode_one(changed({"ts": "2019-03-04T13:34:56.0009+01:00"}))
    assert isinstance(one, Transaction)
    assert one.ts == 1_551_702_896_000


def test_merchant_texts_do_not_mix_routes() -> None:
    """Records that differ only in a merchant text which is not needed share a row."""
    block = BlockFold(Router([small_panel()]), FoldParameters())
    outcomes = decode([changed({"merchant": f"shop {at}"}) for at in range(50)])
    block.add(range(50), outcomes, RECEIVED_MS)
    partial = block.flush()
    assert partial is not None
    assert [(row.sector, row.transactions) for row in partial.rows] == [("5411", 50)]


def test_a_code_of_a_region_that_was_split_is_told_with_what_holds_it() -> None:
    tree = load_regions()
    regions = RegionResolver(tree, level=3, countries=("LV",))
    assert region_hint("LV00A", regions) == (
        "; it was split, and what holds it is LV00, of level 2, and the panel's regions are of level 3 "
        "(a CSV file as nuts_recoding in the settings says where codes of other editions belong: docs/calendars.md)"
    )
    greek = RegionResolver(tree, level=2, countries=("EL",))
    assert "codes like it, EL30, EL41," in region_hint("GR31", greek), "with the letters of ISO too"
    assert region_hint("Riga", regions) == region_hint("4929123412341234", regions) == ""
