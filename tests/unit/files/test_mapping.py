"""Column mappings: the shipped ones on rows of their files, the language, and its messages."""

from datetime import date
from pathlib import Path

import pytest

from earlywarn.adapters.files import (
    CellBatch,
    ColumnMapping,
    InputDefaults,
    RowBatch,
    detect_mapping,
    load_mapping,
    open_inputs,
    shipped_mapping,
    shipped_mapping_names,
)
from earlywarn.adapters.files.mappings import parse_mapping
from earlywarn.domain.cell import Cell
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import ConfigError, InputError

SPARKOV = (
    ",trans_date_trans_time,cc_num,merchant,category,amt,first,last,gender,street,city,state,zip,lat,long,city_pop,job,"
    "dob,trans_num,unix_time,merch_lat,merch_long,is_fraud\n"
    '0,2019-01-01 00:00:18,2703186189652095,"fraud_Rippin, Kub and Mann",misc_net,4.97,Jennifer,Banks,F,561 Perry Cove,'
    "Moravian Falls,NC,28654,36.0788,-81.1781,3495,Psychologist,1988-03-09,0b242abb623afc578575680df30655b9,1325376018,"
    "36.011293,-82.048315,0\n"
    '1,2019-01-01 00:00:44,630423337322,"fraud_Heller",grocery_pos,107.234,S,G,F,43039 Riley,Orient,WA,99160,48.8878,'
    "-118.2105,149,Teacher,1978-06-21,1f76529f8574734946361c461b024d99,1325376044,49.159047,-118.186462,0\n"
)
FABLE = (
    "TxnDate,PostedDate,SpendIn,SpendOut,txnCurrency,Tag,fdUserKey,UserLAName\n"
    "2020-03-01,2020-03-03,0,-12.50,GBP,Groceries,u1,Leeds\n"
    "2020-03-01,2020-03-03,,12.50,GBP,Groceries,u1,Leeds\n"
    "2020-03-01,2020-03-03,3.10,0.00,GBP,Groceries,u2,Leeds\n"
    "2020-03-01,2020-03-03,3.10,1.00,GBP,Groceries,u2,Leeds\n"
    "2020-03-01,2020-03-03,,,GBP,Groceries,u2,Leeds\n"
)


def transactions(
    path: Path, text: str, mapping: ColumnMapping | None = None, defaults: InputDefaults | None = None
) -> list[Transaction | Reject]:
    path.write_text(text)
    [file] = open_inputs([str(path)], mapping, defaults)
    return [record for batch in file.batches() if isinstance(batch, RowBatch) for record in batch.records]


def test_every_shipped_mapping_is_valid_and_detected_by_its_own_columns_alone() -> None:
    assert shipped_mapping_names() == ("fable", "sparkov", "swiss-cantons", "swiss-cards")
    for name in shipped_mapping_names():
        mapping = shipped_mapping(name)
        assert detect_mapping([*mapping.columns(), "more"]) is mapping
    assert detect_mapping(["Date", "Region"]) is None
    with pytest.raises(ConfigError, match="fable, sparkov"):
        shipped_mapping("nothing")


def test_swiss_card_files_are_cells_of_nuts_regions(tmp_path: Path) -> None:
    """The provider's category is the sector code, exactly as in the file."""
    regions = tmp_path / "region.csv"
    regions.write_text(
        "Date,Region,Merchant category,Amount CHF,Number of transactions\n"
        '2019-01-01,9999,"Retail: Food, beverage, tobacco",2610.45,59\n'
        "2019-01-01,Lake Geneva,Accommodation,1745541.9300000002,6929\n"
        "2019-01-01,Atlantis,Accommodation,1,1\n"
    )
    cantons = tmp_path / "canton.csv"
    cantons.write_text("Date,Region,Canton,Amount CHF,Number of transactions\n2019-01-01,Central,NW,442674.34,2536\n")
    found = [
        cell
        for file in open_inputs([str(regions), str(cantons)])
        for batch in file.batches()
        if isinstance(batch, CellBatch)
        for cell in batch.cells
    ]
    day = date(2019, 1, 1)
    assert isinstance(found[0], Reject)
    assert (found[0].reason, found[0].detail) == (
        RejectReason.REGION_UNKNOWN,
        "'Atlantis' is not in the mapping's values",
    )
    assert found[1:] == [
        Cell(day, "9999", "Retail: Food, beverage, tobacco", 59, 261045, "CHF", "CH"),
        Cell(day, "CH01", "Accommodation", 6929, 174554193, "CHF", "CH"),
        Cell(day, "CH065", "all", 2536, 44267434, "CHF", "CH"),
    ]


def test_sparkov_rows_carry_a_pseudonym_for_the_card_and_never_round(tmp_path: Path) -> None:
    good, bad = transactions(tmp_path / "a.csv", SPARKOV, defaults=InputDefaults(time_zone="America/New_York"))
    assert isinstance(good, Transaction)
    assert isinstance(bad, Reject)
    assert (good.amount_minor, good.currency, good.country, good.region) == (497, "USD", "US", "NC")
    assert (good.sector, good.channel, good.source) == ("misc_net", "ecom", "sparkov")
    assert good.ts == 1546318818000
    assert good.card
    assert "2703186189652095" not in good.card
    assert (bad.reason, bad.field) == (RejectReason.WRONG_TYPE, "amount")
    [keyed, _] = transactions(tmp_path / "a.csv", SPARKOV, defaults=InputDefaults(card_key=b"secret"))
    assert isinstance(keyed, Transaction)
    assert keyed.card != good.card


def test_fable_rows_are_purchases_or_refunds_and_never_both(tmp_path: Path) -> None:
    found = transactions(tmp_path / "a.csv", FABLE, defaults=InputDefaults(country="GB", time_zone="Europe/London"))
    kept = [(record.kind, record.amount_minor, record.card) for record in found if isinstance(record, Transaction)]
    assert kept == [("purchase", 1250, "u1"), ("purchase", 1250, "u1"), ("refund", 310, "u2")]
    assert isinstance(found[0], Transaction)
    assert found[0].id.endswith("a.csv:2")
    rejects = [(reject.field, reject.detail) for reject in found if isinstance(reject, Reject)]
    assert rejects == [("amount", "none of the mapping's sources is for such a row (when: SpendIn, SpendOut)")] * 2


OWN = r"""
name: bank
kind: transactions
time_zone: Europe/Zurich
format: { delimiter: ";", encoding: latin-1, decimal: ",", thousands: "'" }
columns:
  id: { column: Nr, prefix: "bank-" }
  ts: { column: Datum, date_format: "%d.%m.%Y %H:%M" }
  amount: { column: Betrag, sign: negate, rounding: half_even }
  mcc: { column: MCC, zero_pad: 4 }
  region: { column: Ort, values: { NO: CH04, Zürich: CH04 }, otherwise: keep }
  kind:
    - { constant: refund, when: { column: Art, in: [Gutschrift] } }
    - { constant: purchase }
  channel: { column: Kanal, values: { Netz: ecom }, otherwise: empty, default: pos }
constants: { currency: CHF }
"""


def test_a_mapping_of_ones_own_reads_decimal_commas_encodings_and_translations(tmp_path: Path) -> None:
    """YAML's NO stays the text NO; numbers may have thousands; the amount is rounded where the mapping says so."""
    path = tmp_path / "bank.csv"
    text = (
        "Nr;Datum;Betrag;MCC;Ort;Art;Kanal\n"
        "1;04.03.2019 13:34;-1'234,565;742;Zürich;Kauf;Netz\n"
        "2;04.03.2019 13:34;-7,50;5411;NO;Gutschrift;Kasse\n"
        "3;04.03.2019 13:34;-7.50;5411;Genf;Kauf;\n"
    )
    path.write_bytes(text.encode("latin-1"))
    (tmp_path / "bank.yaml").write_text(OWN, "utf-8")
    [file] = open_inputs([str(path)], load_mapping(tmp_path / "bank.yaml"))
    [batch] = [batch for batch in file.batches() if batch.lines]
    assert isinstance(batch, RowBatch)
    first, second, third = batch.records
    assert first == Transaction(
        id="bank-1", ts=1551702840000, amount_minor=123456, currency="CHF", mcc="0742", region="CH04", channel="ecom"
    )
    assert isinstance(second, Transaction)
    assert (second.kind, second.region, second.channel) == ("refund", "CH04", "pos")
    assert isinstance(third, Reject), "a point is no decimal sign here"
    assert third.reason is RejectReason.WRONG_TYPE
    assert batch.rounded == 1


def test_a_mapping_reads_json_lines_of_a_foreign_schema(tmp_path: Path) -> None:
    mapping = parse_mapping(
        "{name: m, kind: transactions, constants: {currency: EUR},"
        " columns: {id: {row_id: true}, ts: when, amount: much}}",
        "m.yaml",
    )
    text = '{"when":"2019-03-04T12:34:56Z","much":12.34}\n[1]\nnonsense\n{"when":"2019-03-04T12:34:56Z"}\n'
    found = transactions(tmp_path / "a.jsonl", text, mapping)
    assert isinstance(found[0], Transaction)
    assert (found[0].ts, found[0].amount_minor) == (1551702896000, 1234)
    reasons = [reject.reason for reject in found if isinstance(reject, Reject)]
    assert reasons == [RejectReason.NOT_AN_OBJECT, RejectReason.NOT_JSON, RejectReason.MISSING_FIELD]


def test_a_mapping_whose_columns_are_not_in_the_file_says_which(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Date,Amount CHF\n1,2\n")
    with pytest.raises(InputError, match="swiss-cards reads Merchant category, Number of transactions, Region"):
        open_inputs([str(path)], shipped_mapping("swiss-cards"))


def test_every_problem_of_a_mapping_is_listed_with_its_line() -> None:
    text = (
        "name: m\nkind: cells\ntime_zone: Mars/Olympus\nformat: {delimiter: ';;'}\nextra: 1\ncolumns:\n"
        "  date: {column: Date, date_formt: iso}\n  region: {constant: x, column: y}\n  sektor: S\n"
        "  amount: {column: A, sign: minus, when: {column: A, is: big}}\n  transactions: {column: n, scale: minor}\n"
    )
    with pytest.raises(ConfigError) as caught:
        parse_mapping(text, "m.yaml")
    message = str(caught.value)
    for part in (
        "unknown key 'extra'",
        "Mars/Olympus",
        "delimiter is ';;'",
        "m.yaml: line 7: date: unknown key 'date_formt'",
        "line 8: region: exactly one of column, constant and row_id",
        "'sektor' is no field of cells",
        "sign is 'minus'",
        "is is 'big'",
        "transactions: scale is only for amount",
        "sector must be mapped",
    ):
        assert part in message


def test_a_wrong_kind_hides_no_other_problem_and_each_has_its_own_line() -> None:
    text = (
        "name: mine\nkind: cell\ncolumns:\n  date: Datum\n  region: { column: Gebiet, zeropad: 3 }\n  sector: Branche\n"
        "  amount:\n    column: Umsatz\n    scale: cents\nconstant: { currency: EUR }\n"
    )
    with pytest.raises(ConfigError) as caught:
        parse_mapping(text, "m.yaml")
    found = sorted(line.removeprefix("m.yaml: line ").split(";")[0] for line in str(caught.value).splitlines())
    assert found == [
        "10: unknown key 'constant'",
        "2: kind is 'cell', it must be one of cells, transactions",
        "3: columns: transactions must be mapped for cells",
        "5: region: unknown key 'zeropad'",
        "9: amount: scale is 'cents', it must be one of major, minor, thousands, millions",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds keys"),
        ("[1, 2]", "holds keys"),
        ("a: [", "not YAML"),
        ("name: m\nname: n\n", "line 2: 'name' stands twice"),
        ("a: &x [1]\nb: *x\n", "anchors and aliases"),
        ("a: &x [*x]\n", "anchors and aliases"),
        ("name: m\nkind: cats\n", "kind is 'cats'"),
        ("name: m\nkind: transactions\ncolumns: {ts: a}\n", "exactly one of amount"),
        ("!!python/object/apply:os.system ['true']", "holds keys"),
    ],
)
def test_what_is_no_mapping_is_a_config_error(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_mapping(text, "m.yaml")


def test_a_mapping_of_its_format_alone_is_told_what_a_whole_one_is() -> None:
    """Who copies no more than a reject quotes."""
    with pytest.raises(ConfigError) as refused:
        parse_mapping("format: { decimal: ',' }\n", "m.yaml")
    assert str(refused.value) == (
        "m.yaml: line 1: name is missing or not text\n"
        "m.yaml: line 1: kind is missing, it must be one of cells, transactions\n"
        "m.yaml: line 1: columns (and constants, if any) hold one key per target field; name, kind and columns are "
        "required: all keys stand in docs/inputs.md (foreign files), with an example"
    )
