"""Arrow messages: what is written is read back, rows are judged as JSON records, and nothing damaged gets through."""

import struct
import tracemalloc
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from fold_oracle import small_panel
from pyarrow import ipc

from earlywarn.adapters.arrow_batch import ArrowBatch, decode, encode, encode_table
from earlywarn.aggregation.block import BlockFold, FoldParameters
from earlywarn.aggregation.columns import BATCH_LIMIT
from earlywarn.aggregation.intake import decode as decode_json
from earlywarn.aggregation.route import Router
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import InputError

R = RejectReason
GOOD: dict[str, Any] = {
    "id": "t1", "ts": 1_551_702_896_000, "amount_minor": 1234, "currency": "CHF", "mcc": "5411", "region": "CH04",
    "country": "CH", "channel": "pos", "card": "secret-token",
}  # fmt: skip
NUMBERS = {"ts", "amount_minor", "count", "v"}
RECEIVED_MS = 1_551_703_000_000


def arrays(*records: dict[str, Any]) -> dict[str, pa.Array]:
    """Return records as columns, in the order in which the fields first appear."""
    names = dict.fromkeys(name for record in records for name in record)
    return {
        name: pa.array([record.get(name) for record in records], pa.int64() if name in NUMBERS else pa.string())
        for name in names
    }


def message(columns: dict[str, pa.Array], options: ipc.IpcWriteOptions | None = None) -> bytes:
    """Return columns as a message, as any producer may write it."""
    batch = pa.record_batch(columns)
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def read(value: bytes | None) -> ArrowBatch:
    batch = decode(value)
    assert isinstance(batch, ArrowBatch), batch
    return batch


def refused(value: bytes | None) -> Reject:
    reject = decode(value)
    assert isinstance(reject, Reject)
    return reject


def folded(batch: ArrowBatch) -> tuple[int, int]:
    """Return how many transactions counted and how many were rejected."""
    fold = BlockFold(Router([small_panel()]), FoldParameters())
    _, rejected = fold.add_columns(0, batch.columns, RECEIVED_MS)
    partial = fold.flush()
    assert partial is not None
    return sum(row.transactions for row in partial.rows), len(rejected)


TRANSACTIONS = [
    Transaction(id="a", ts=1_551_702_896_000, amount_minor=1, currency="CHF", mcc="5411", region="CH04", country="CH"),
    Transaction(id="b", ts=1_551_702_896_001, amount_minor=-5, currency="EUR", sector="x:1", kind="refund", count=3),
    Transaction(id="é" * 128, ts=1_551_702_896_002, amount_minor=10**13, currency="JPY", merchant="Bäckerei 東京"),
    Transaction(
        id="d", ts=1_551_702_896_003, amount_minor=0, currency="CHF", channel="ecom", source="s", card="ü" * 256
    ),
]


def test_what_is_encoded_is_decoded() -> None:
    """Every field comes back, absent ones as absent, whatever their script."""
    batch = read(encode(TRANSACTIONS))
    assert not batch.columns.rejects
    assert decode_json(batch.records(range(len(TRANSACTIONS)))) == TRANSACTIONS
    assert batch.columns.ts.tolist() == [each.ts for each in TRANSACTIONS]
    assert batch.columns.amount_minor.tolist() == [each.amount_minor for each in TRANSACTIONS]
    assert batch.columns.count is not None
    assert batch.columns.count.tolist() == [1, 3, 1, 1]
    assert [batch.columns.mcc.at(row) for row in range(4)] == ["5411", None, None, None]
    assert [batch.columns.kind.at(row) for row in range(4)] == ["purchase", "refund", "purchase", "purchase"]
    assert [batch.columns.merchant().at(row) for row in range(4)] == [None, None, "Bäckerei 東京", None]


def test_no_transactions_are_a_message_too() -> None:
    assert folded(read(encode([]))) == (0, 0)


def test_defaults_are_not_sent() -> None:
    names = ipc.open_stream(encode(TRANSACTIONS[:1])).schema.names
    assert names == ["id", "ts", "amount_minor", "currency", "mcc", "region", "country"]


def test_equal_values_make_equal_dictionaries() -> None:
    """The order of rows does not show in the dictionaries, so that a reader meets the same ones again."""
    one, other = (ipc.open_stream(encode(each)).read_next_batch() for each in (TRANSACTIONS, TRANSACTIONS[::-1]))
    assert one.column("currency").dictionary.equals(other.column("currency").dictionary)
    assert one.column("currency").dictionary.to_pylist() == ["CHF", "EUR", "JPY"]


@pytest.mark.parametrize(
    "text",
    [
        pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.uint8(), pa.string()),
        pa.dictionary(pa.int32(), pa.large_string()), pa.dictionary(pa.uint64(), pa.string()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [pa.int64(), pa.uint32(), pa.int16()])
def test_texts_and_numbers_come_in_several_types(text: pa.DataType, number: pa.DataType) -> None:
    records = [{**GOOD, "count": 2}, {**GOOD, "region": None, "channel": "ecom", "id": "ß"}, {**GOOD, "count": 300}]
    columns = {name: array if name in NUMBERS else array.cast(text) for name, array in arrays(*records).items()}
    columns["count"] = columns["count"].cast(number)
    batch = read(message(columns))
    assert not batch.columns.rejects
    assert [batch.columns.region.at(row) for row in range(3)] == ["CH04", None, "CH04"]
    assert folded(batch) == (303, 0)


def test_a_dictionary_may_hold_null_and_the_same_value_twice() -> None:
    columns = arrays(*[GOOD] * 4)
    columns["mcc"] = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["5411", None, "5411"]))
    columns["kind"] = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, None]), pa.array([None, "refund"]))
    columns["currency"] = pa.DictionaryArray.from_arrays(pa.array([0, 0, 0, 1]), pa.array(["CHF", None]))
    batch = read(message(columns))
    assert [batch.columns.mcc.at(row) for row in range(4)] == ["5411", None, "5411", None]
    assert [batch.columns.kind.at(row) for row in range(4)] == ["purchase", "refund", "purchase", "purchase"]
    assert {row: reject.reason for row, reject in batch.columns.rejects.items()} == {3: R.MISSING_FIELD}


def test_a_column_may_be_of_type_null_and_others_unknown() -> None:
    columns = arrays(GOOD) | {
        "source": pa.nulls(1),
        "note": pa.array([[{"deep": ["x"]}]]),
        "ts_utc": pa.array([0], pa.timestamp("ms")),
    }
    batch = read(message(columns))
    assert folded(batch) == (1, 0)
    assert batch.records([0]) == [msgspec.json.encode(GOOD)]


FIELDS: list[tuple[RejectReason, str, Any]] = [
    (R.MISSING_FIELD, "id", None),
    (R.MISSING_FIELD, "ts", None),
    (R.MISSING_FIELD, "amount_minor", None),
    (R.MISSING_FIELD, "currency", None),
    (R.VERSION_UNKNOWN, "v", 2),
    (R.ID_INVALID, "id", ""),
    (R.ID_INVALID, "id", "x" * 129),
    (R.ID_INVALID, "id", "é" * 129),
    (R.TIME_INVALID, "ts", 0),
    (R.TIME_INVALID, "ts", 4_102_444_800_000),
    (R.TIME_INVALID, "ts", 2**63 - 1),
    (R.TIME_INVALID, "ts", -(2**63)),
    (R.AMOUNT_OUT_OF_RANGE, "amount_minor", 10**13 + 1),
    (R.AMOUNT_OUT_OF_RANGE, "amount_minor", 10**15 + 1),
    (R.AMOUNT_OUT_OF_RANGE, "amount_minor", -(10**15) - 1),
    (R.COUNT_OUT_OF_RANGE, "count", -1),
    (R.COUNT_OUT_OF_RANGE, "count", 10**9 + 1),
    (R.CURRENCY_UNKNOWN, "currency", "XXQ"),
    (R.CURRENCY_UNKNOWN, "currency", "chf"),
    (R.COUNTRY_UNKNOWN, "country", "Switzerland"),
    (R.KIND_UNKNOWN, "kind", "gift"),
    (R.CHANNEL_UNKNOWN, "channel", "fax"),
    (R.MCC_INVALID, "mcc", "54"),
    (R.MCC_INVALID, "mcc", "٥٤١١"),
    *((R.TEXT_TOO_LONG, name, "x" * 257) for name in ("card", "source", "sector", "merchant", "merchant_id", "region")),
    *((R.TEXT_TOO_LONG, name, "é" * 257) for name in ("card", "source", "sector", "merchant", "merchant_id", "region")),
]


def test_a_reversal_may_say_by_its_signs_as_well_that_it_takes_away() -> None:
    """Both negative, as some providers write it, or neither; a purchase with a negative count is rejected alone."""
    taken = [GOOD | {"kind": "reversal", "amount_minor": sign * 1000, "count": sign * 2} for sign in (1, -1)]
    batch = read(message(arrays(*(GOOD | {"count": 7} for _ in taken), *taken, GOOD | {"count": -1})))
    assert {row: reject.reason for row, reject in batch.columns.rejects.items()} == {4: R.COUNT_OUT_OF_RANGE}
    assert folded(batch) == (14 - 4, 1)


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize(("reason", "field", "value"), FIELDS)
def test_rows_are_judged_as_json_records_are(reason: RejectReason, field: str, value: object, *, coded: bool) -> None:
    """The row alone is rejected, with the reason, field and words that its JSON record would get."""
    columns = arrays(GOOD, GOOD | {field: value}, GOOD)
    if coded and field not in NUMBERS:
        columns[field] = columns[field].dictionary_encode()
    batch = read(message(columns))
    assert list(batch.columns.rejects) == [1]
    reject = batch.columns.rejects[1]
    assert (reject.reason, reject.field) == (reason, field)
    changed = {name: each for name, each in (GOOD | {field: value}).items() if each is not None}
    assert [reject] == decode_json([msgspec.json.encode(changed)])
    assert "secret-token" not in reject.detail
    assert folded(batch) == (2, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "é" * 128), ("card", "é" * 256), ("region", "é" * 256), ("merchant", "𝄞" * 256), ("kind", None),
        ("count", None), ("v", None), ("v", 1), ("count", 10**9), ("amount_minor", 10**13), ("ts", 631_152_000_000),
    ],
)  # fmt: skip
def test_what_only_looks_doubtful_is_accepted(field: str, value: object) -> None:
    """Characters are counted, not bytes, and a field that is not there has its default."""
    changed = {name: each for name, each in (GOOD | {field: value}).items() if each is not None}
    batch = read(message(arrays(GOOD, GOOD | {field: value})))
    assert not batch.columns.rejects
    assert batch.records([1]) == [msgspec.json.encode(changed)]


def test_of_several_faults_the_first_column_decides() -> None:
    """Like the first field of a JSON record; what is missing shows last."""
    faulty = {"id": "", "mcc": "54", "ts": GOOD["ts"], "amount_minor": None, "currency": "CHF"}
    reordered = {name: faulty[name] for name in ("amount_minor", "mcc", "ts", "currency", "id")}
    mended = reordered | {"mcc": "5411", "id": "t1"}
    for record, field in ((faulty, "id"), (reordered, "mcc"), (mended, "amount_minor")):
        assert read(message(arrays(record))).columns.rejects[0].field == field


# --- messages that are none

WRONG_SCHEMAS: list[tuple[str, Callable[[dict[str, pa.Array]], object]]] = [
    ("no column id", lambda columns: columns.pop("id")),
    ("no column ts", lambda columns: columns.pop("ts")),
    ("column ts is of type double", lambda columns: columns.update(ts=pa.array([1.5]))),
    ("column ts is of type timestamp", lambda columns: columns.update(ts=pa.array([0], pa.timestamp("ms", "UTC")))),
    ("column count is of type uint64", lambda columns: columns.update(count=pa.array([1], pa.uint64()))),
    ("column mcc is of type int64", lambda columns: columns.update(mcc=pa.array([5411]))),
    ("column mcc is of type dictionary", lambda columns: columns.update(mcc=pa.array([5411]).dictionary_encode())),
    ("column region is of type list", lambda columns: columns.update(region=pa.array([["CH04"]]))),
    ("column card is of type binary", lambda columns: columns.update(card=pa.array([b"x"]))),
    ("column id is of type null", lambda columns: columns.update(id=pa.nulls(1))),
    ("column region is of type string_view", lambda columns: columns.update(region=pa.array(["x"], pa.string_view()))),
]


@pytest.mark.parametrize(("problem", "change"), WRONG_SCHEMAS)
def test_another_schema_is_one_reject_and_no_table_to_encode(
    problem: str, change: Callable[[dict[str, pa.Array]], object]
) -> None:
    columns = arrays(GOOD)
    change(columns)
    reject = refused(message(columns))
    assert reject.reason is R.NOT_ARROW
    assert problem in reject.detail
    with pytest.raises(InputError, match=problem):
        encode_table(pa.table(columns))


def test_a_column_that_stands_twice_is_refused() -> None:
    columns = arrays(GOOD)
    batch = pa.RecordBatch.from_arrays([*columns.values(), pa.array(["t2"])], [*columns, "id"])
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    assert "column id stands twice" in refused(bytes(sink.getvalue())).detail


def stream(*batches: pa.RecordBatch, options: ipc.IpcWriteOptions | None = None) -> bytes:
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return bytes(sink.getvalue())


def whole() -> pa.RecordBatch:
    """Return a batch with a bit of everything: plain and coded texts, nulls, numbers."""
    columns = arrays(*(GOOD | {"id": f"t{at}", "count": at, "source": None if at % 3 else "s"} for at in range(9)))
    return pa.record_batch(
        {name: columns[name].dictionary_encode() if name == "mcc" else columns[name] for name in columns}
    )


def growing(*, delta: bool) -> bytes:
    """Return a stream whose dictionary comes in two pieces, or anew."""
    columns = arrays(GOOD, GOOD)
    parts = [
        pa.record_batch(columns | {"mcc": pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array(codes))})
        for codes in (["5411"], ["5411", "5812"])
    ]
    return stream(*parts, options=ipc.IpcWriteOptions(emit_dictionary_deltas=delta))


def parts(value: bytes) -> list[bytes]:
    """Return the Arrow messages of a stream: schema, dictionaries, record batches."""
    return [each.serialize().to_pybytes() for each in ipc.MessageReader.open_stream(pa.BufferReader(value))]


ZSTD = ipc.IpcWriteOptions(compression="zstd")
SCHEMA, DICTIONARY, BATCH = parts(stream(whole()))
_, PACKED_DICTIONARY, PACKED_BATCH = parts(stream(whole(), options=ZSTD))
GROWING_SCHEMA, GROWING_DICTIONARY, _, DELTA, GROWN_BATCH = parts(growing(delta=True))

NO_MESSAGES: list[tuple[str, bytes]] = [
    ("no record batch", b""),
    ("", b"\xff"),
    ("", b"\x00" * 64),
    ("", b"\xff" * 64),
    ("", b'{"id": "t1"}'),
    ("", b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"x" * 64),
    ("", b"ARROW1\x00\x00" + stream(whole())),
    ("no record batch", stream(whole())[: stream(whole()).index(b"\xff\xff\xff\xff", 8)]),
    ("behind the end", stream(whole()) + b"junk"),
    ("behind the end", stream(whole()) * 2),
    ("behind the record batch", stream(whole(), whole())),
    ("behind the record batch", growing(delta=False)),
    ("behind the record batch", growing(delta=True)),
    ("compressed", stream(whole(), options=ipc.IpcWriteOptions(compression="lz4"))),
    ("compressed", SCHEMA + PACKED_DICTIONARY + BATCH),
    ("compressed", SCHEMA + DICTIONARY + PACKED_BATCH),
    ("in pieces", GROWING_SCHEMA + GROWING_DICTIONARY + DELTA + GROWN_BATCH),
    ("a schema before the record batch", SCHEMA + DICTIONARY + SCHEMA + BATCH),
    ("no record batch", SCHEMA + DICTIONARY),
    ("no record batch", BATCH),
    ("", DICTIONARY + BATCH),
    ("", DICTIONARY + SCHEMA + BATCH),
    ("", SCHEMA + BATCH),
]


@pytest.mark.parametrize(("problem", "value"), NO_MESSAGES)
def test_what_is_no_message_is_one_reject(problem: str, value: bytes) -> None:
    reject = refused(value)
    assert reject.reason is R.NOT_ARROW
    assert problem in reject.detail
    assert len(reject.detail) <= 160


def test_null_has_its_own_reason() -> None:
    assert refused(None).reason is R.NULL_VALUE


def test_more_rows_than_the_limit_are_refused_before_they_are_read() -> None:
    columns = {name: pa.nulls(BATCH_LIMIT + 1, array.type) for name, array in arrays(GOOD).items()}
    assert f"{BATCH_LIMIT + 1} rows" in refused(message(columns)).detail
    with pytest.raises(InputError, match="write at most"):
        encode_table(pa.table(columns))
    assert len(read(encode_table(pa.table(columns).slice(1))).columns.rejects) == BATCH_LIMIT


def test_a_long_text_in_a_dictionary_does_not_multiply() -> None:
    """One text of 300 kB stands in 3,000 rows: as JSON that would be a gigabyte."""
    columns = {name: pa.concat_arrays([array] * 3_000) for name, array in arrays(GOOD).items()}
    columns["region"] = pa.DictionaryArray.from_arrays(pa.array([0] * 3_000), pa.array(["é" * 150_000]))
    value = message(columns)
    tracemalloc.start()
    batch = read(value)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 20_000_000
    assert [batch.columns.rejects[row].reason for row in range(3_000)] == [R.TEXT_TOO_LONG] * 3_000
    [record] = batch.records([7])
    assert msgspec.json.decode(record) == GOOD | {"region": "é" * 257}


def test_dictionaries_have_a_limit() -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array([""] * (BATCH_LIMIT + 1)))
    assert "at most 100000" in refused(message(arrays(GOOD) | {"merchant": texts})).detail


def test_descriptions_have_a_limit() -> None:
    batch = whole()
    assert "described in" in refused(stream(batch.replace_schema_metadata({"x": "y" * 300_000}))).detail
    many = {f"c{at}": pa.array(["x"]).dictionary_encode() for at in range(300)}
    assert "dictionaries" in refused(message(arrays(GOOD) | many)).detail


@pytest.mark.parametrize("depth", [10, 60])
def test_nesting_in_a_column_that_is_not_read_does_no_harm(depth: int) -> None:
    """Arrow itself reads descriptions to a depth of 64 alone."""
    kind = pa.int64()
    for _ in range(depth):
        kind = pa.list_(kind)
    assert folded(read(message(arrays(GOOD) | {"deep": pa.nulls(1, kind)}))) == (1, 0)


def test_a_message_in_parts_is_the_message() -> None:
    assert stream(whole())[:-8] == SCHEMA + DICTIONARY + BATCH
    assert folded(read(SCHEMA + DICTIONARY + BATCH)) == folded(read(stream(whole())))


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("name", ["id", "region", "card"])
@pytest.mark.parametrize(
    ("ends", "data"),
    [
        ((0, 3, 5, 8), b"abcdefg\xff"),
        ((0, 3, 5, 8), b"ab\xc3\xa9efgh"),
        ((0, 5, 3, 8), b"abcdefgh"),
        ((0, -3, 5, 8), b"abcdefgh"),
        ((0, -(1 << 31), -1, 8), b"abcdefgh"),  # the differences leave 32 bits, and none is negative
        ((-4, 3, 5, 8), b"abcdefgh"),
        ((0, 3, 5, 5_000), b"abcdefgh"),
        ((0, 4_000, 5, 8), b"abcdefgh"),
    ],
)
def test_texts_whose_parts_do_not_fit_are_refused(
    name: str, ends: tuple[int, ...], data: bytes, *, coded: bool
) -> None:
    """Not UTF-8, or ends that go back or beyond: Arrow reads such texts without a word."""
    texts = pa.array(["abc", "de", "fgh"])
    value = message(arrays(GOOD, GOOD, GOOD) | {name: texts.dictionary_encode() if coded else texts})
    read(value)
    sound = struct.pack("<4i", 0, 3, 5, 8)
    assert value.count(sound) == value.count(b"abcdefgh") == 1
    damaged = value.replace(sound, struct.pack("<4i", *ends)).replace(b"abcdefgh", data)
    assert refused(damaged).reason is R.NOT_ARROW


@pytest.mark.parametrize("code", [1, 127, -1, -128])
def test_codes_beyond_their_dictionary_are_refused(code: int) -> None:
    codes = pa.array([0, code], pa.int8())
    column = pa.DictionaryArray.from_arrays(codes, pa.array(["5411"]), safe=False)
    assert refused(message(arrays(GOOD, GOOD) | {"mcc": column})).reason is R.NOT_ARROW
    codes = pa.array([0, code, None], pa.int8())
    column = pa.DictionaryArray.from_arrays(codes, pa.array(["5411"]), safe=False)
    assert refused(message(arrays(GOOD, GOOD, GOOD) | {"mcc": column})).reason is R.NOT_ARROW
    empty = pa.DictionaryArray.from_arrays(codes.slice(0, 1), pa.array([], pa.string()), safe=False)
    assert refused(message(arrays(GOOD) | {"mcc": empty})).reason is R.NOT_ARROW


def test_no_beginning_of_a_message_passes_for_the_message() -> None:
    """Cut anywhere, it is refused; only the mark of the end may lack."""
    value = stream(whole())
    expected = read(value).records(range(9))
    for length in range(len(value)):
        outcome = decode(value[:length])
        if isinstance(outcome, ArrowBatch):
            assert length == len(value) - 8
            assert outcome.records(range(9)) == expected
        else:
            assert outcome.reason is R.NOT_ARROW


@pytest.mark.parametrize("claim", [-1, 8, 10, 1_000, BATCH_LIMIT, BATCH_LIMIT + 1, 1 << 40, (1 << 63) - 1])
def test_a_claimed_number_of_rows_is_checked_against_what_is_there(claim: int) -> None:
    """Wherever the number 9 stands in the description of nine rows, another one is found out."""
    value = stream(whole())
    start = value.rindex(b"\xff\xff\xff\xff", 0, len(value) - 8)
    nine = struct.pack("<q", 9)
    places = [at for at in range(start, len(value) - 8, 4) if value[at : at + 8] == nine]
    assert len(places) > 9
    everywhere = bytearray(value)
    for at in places:
        everywhere[at : at + 8] = struct.pack("<q", claim)
    outcome = decode(bytes(everywhere))
    if isinstance(outcome, ArrowBatch):
        assert claim == 8
        assert folded(outcome)[0] <= sum(range(8))
    for at in places:
        outcome = decode(value[:at] + struct.pack("<q", claim) + value[at + 8 :])
        if isinstance(outcome, ArrowBatch):
            folded(outcome)


@pytest.mark.parametrize("claim", [-1, 0, 2, BATCH_LIMIT, 1 << 40, -(1 << 63)])
def test_a_claimed_length_of_a_dictionary_is_checked_too(claim: int) -> None:
    """Its one text is described by ones; a negative length must not even be asked for."""
    one = struct.pack("<q", 1)
    places = [at for at in range(0, len(DICTIONARY) - 8, 4) if DICTIONARY[at : at + 8] == one]
    assert len(places) >= 2
    for chosen in ([at] for at in places), [places]:
        for group in chosen:
            damaged = bytearray(DICTIONARY)
            for at in group:
                damaged[at : at + 8] = struct.pack("<q", claim)
            outcome = decode(SCHEMA + bytes(damaged) + BATCH)
            if isinstance(outcome, ArrowBatch):
                folded(outcome)


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_message_is_refused_or_read_and_never_more(seed: int) -> None:
    """Bytes changed at random: no exception, and what is still read can be folded and shown."""
    rng = Random(seed)
    value = stream(whole())
    read_on = 0
    for _ in range(700):
        damaged = bytearray(value)
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            at = rng.randrange(len(value) - 8)
            damaged[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, damaged[at] ^ (1 << rng.randrange(8))])
            if rng.random() < 0.3:
                number = rng.choice([0, 1, 7, -1, BATCH_LIMIT, 2**31 - 1, -(2**31)])
                damaged[at : at + 4] = struct.pack("<i", number)
        if rng.random() < 0.1:
            damaged = damaged[: rng.randrange(len(damaged))]
        outcome = decode(bytes(damaged))
        if isinstance(outcome, Reject):
            assert outcome.reason is R.NOT_ARROW
            continue
        read_on += 1
        folded(outcome)
        assert len(outcome.records(range(len(outcome.columns.ts)))) == len(outcome.columns.ts)
    assert read_on > 40, "the damage never leaves a message readable: it tests nothing behind the first check"
