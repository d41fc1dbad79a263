"""From bytes to transactions: one record, one outcome, with a reason where it is a rejection.

A batch is decoded in one sweep. A record that cannot be used costs its neighbours nothing: the sweep
goes on behind it.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from earlywarn.aggregation.excerpt import shown, without_long_numbers
from earlywarn.aggregation.nesting import NESTING_BYTES, NESTING_LIMIT, is_nested_too_deep
from earlywarn.aggregation.whereabouts import PATH, epoch_ms, exact_time, of_json
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import (
    AMOUNT_LIMIT_MINOR,
    COUNT_LIMIT,
    ID_LENGTH,
    TEXT_LENGTH,
    Kind,
    Transaction,
    is_plausible,
)


class _OfSeveral(Transaction, frozen=True, gc=False, kw_only=True):
    """A transaction with the amount that a record of several payments may have."""

    amount_minor: Annotated[int, Meta(ge=-AMOUNT_LIMIT_MINOR, le=AMOUNT_LIMIT_MINOR)]


class _Wire(_OfSeveral, frozen=True, gc=False, kw_only=True):
    """A transaction whose time may be RFC 3339 text, what has a default null, and its count negative."""

    ts: int | datetime  # type: ignore[assignment]  # wider than what it becomes, as all of these
    kind: Kind | None = None  # type: ignore[assignment]
    count: Annotated[int, Meta(ge=-COUNT_LIMIT, le=COUNT_LIMIT)] | None = None  # type: ignore[assignment]
    v: Literal[1] | None = None  # type: ignore[assignment]


_decode = msgspec.json.Decoder(Transaction).decode
_WIRE_DECODER = msgspec.json.Decoder(_Wire)
_MISSING = re.compile(r"missing required field `(\w+)`")
_OUT_OF_RANGE = re.compile(r"^Expected `int` [<>]|out of range")
_TYPES = re.compile(r"^Expected `([^`]+)`, got `(\w+)`")
_LISTED = re.compile(r"""^Invalid enum value ['"]?(.*?)['"]? - at""", re.DOTALL)
_DETAIL_LENGTH = 160

_CLOSED_LISTS = {
    "currency": (RejectReason.CURRENCY_UNKNOWN, "no currency of ISO 4217, such as CHF"),
    "country": (RejectReason.COUNTRY_UNKNOWN, "no country of ISO 3166-1, such as CH"),
    "mcc": (RejectReason.MCC_INVALID, "no merchant category code of four digits, as text"),
    "kind": (RejectReason.KIND_UNKNOWN, "none of purchase, refund, reversal"),
    "channel": (RejectReason.CHANNEL_UNKNOWN, "none of pos, ecom"),
    "v": (RejectReason.VERSION_UNKNOWN, "no version that is read; there is 1"),
}
_RANGES = {
    "ts": (RejectReason.TIME_INVALID, "lies outside 1990 to 2100 (epoch milliseconds are read, not seconds)"),
    "amount_minor": (RejectReason.AMOUNT_OUT_OF_RANGE, "beyond 10^15 minor units"),
    "count": (RejectReason.COUNT_OUT_OF_RANGE, "lies outside 0 to 10^9"),
}
_LONGEST_SHOWN = {"currency": 4, "country": 4, "mcc": 4, "kind": 10, "channel": 10, "v": 4}
"""Characters of a wrong value that are quoted: hardly more than the right ones have."""
_TYPE_NAMES = {
    "str": "text", "int": "a whole number", "float": "a number with a fraction", "bool": "true or false",
    "array": "a list", "object": "an object", "null": "null", "datetime": "RFC 3339 text",
}  # fmt: skip

RECORD_BYTES_LIMIT = 64 * 1024
"""A transaction takes some 200 bytes; beyond this size a record is rejected undecoded."""
IMPLAUSIBLE = Reject(
    reason=RejectReason.AMOUNT_OUT_OF_RANGE,
    field="amount_minor",
    detail="more than 10^13 minor units a payment; leave out amounts that stand for something else",
)
NESTED_TOO_DEEP = Reject(reason=RejectReason.NOT_JSON, detail=f"nested more than {NESTING_LIMIT} deep")

Outcome = Transaction | Reject


def decode(values: Sequence[bytes | None]) -> list[Outcome]:
    """Decode one JSON record per value; the result has one outcome per value, in order."""
    if _is_one_by_one(values):
        return [decode_one(value) for value in values]
    outcomes: list[Outcome] = []
    rest = iter(values)
    while True:
        try:
            # `extend` keeps what came before an error, and the iterator stands behind the bad record then.
            outcomes.extend(map(_decode, rest))  # type: ignore[arg-type]  # no None among them
        except ValueError:
            outcomes.append(decode_one(values[len(outcomes)]))
        else:
            return outcomes


def _is_one_by_one(values: Sequence[bytes | None]) -> bool:
    """Return whether one of the records must not be decoded at all."""
    try:
        longest = max(map(len, values), default=0)  # type: ignore[arg-type]  # None has no length
    except TypeError:
        return True
    if longest <= NESTING_BYTES:
        return False
    long_ones = (value for value in values if value is not None and len(value) > NESTING_BYTES)
    return longest > RECORD_BYTES_LIMIT or any(map(is_nested_too_deep, long_ones))


def decode_one(value: bytes | None) -> Outcome:
    """Decode one JSON record, or say why it cannot be used."""
    if value is None:
        return Reject(reason=RejectReason.NULL_VALUE)
    if len(value) > RECORD_BYTES_LIMIT:
        return Reject(reason=RejectReason.TOO_LARGE, detail=f"{len(value)} bytes, at most {RECORD_BYTES_LIMIT}")
    if is_nested_too_deep(value):
        return NESTED_TOO_DEEP
    try:
        return _narrowed(_WIRE_DECODER.decode(value), value)
    except msgspec.ValidationError as error:
        reject = explain(str(error))
        about = of_json(value, reject.field) if reject.field else None
        return reject if about is None else msgspec.structs.replace(reject, about=about)
    except ValueError as error:
        return Reject(reason=RejectReason.NOT_JSON, detail=_not_json(error))


def _narrowed(record: "_Wire", value: bytes) -> Outcome:
    """Return a record with its time in epoch milliseconds, rounded down, its count unsigned, and defaults for nulls."""
    moment = exact_time(value, record.ts)
    ts = epoch_ms(moment)
    if ts is None and isinstance(moment, datetime):
        detail = f"{moment} lies outside 1990 to 2100"
        if moment.tzinfo is None:
            detail = "no offset from UTC; write Z or +01:00 behind the time"
        return Reject(reason=RejectReason.TIME_INVALID, field="ts", detail=detail)
    if ts is None:
        reason, detail = _RANGES["ts"]
        return Reject(reason=reason, field="ts", detail=detail)
    kind, count = record.kind or "purchase", 1 if record.count is None else record.count
    if count < 0 and kind == "purchase":
        reason, detail = _RANGES["count"]
        return Reject(reason=reason, field="count", detail=detail, about=of_json(value, "count"))
    if not is_plausible(record.amount_minor, count):
        return msgspec.structs.replace(IMPLAUSIBLE, about=of_json(value, "amount_minor"))
    return _transaction(record, ts, kind, abs(count))


def of_fields(values: Mapping[str, object]) -> Outcome:
    """Return the transaction of a record's fields, or why it cannot be used; its time is in epoch milliseconds."""
    try:
        return msgspec.convert(values, Transaction)
    except msgspec.ValidationError:
        pass
    try:
        record = msgspec.convert(values, _OfSeveral)
    except msgspec.ValidationError as error:
        return explain(str(error))
    if not is_plausible(record.amount_minor, record.count):
        return IMPLAUSIBLE
    return _transaction(record, record.ts, record.kind, record.count)


def _transaction(record: Transaction, ts: int, kind: Kind, count: int) -> Transaction:
    # Field by field: where times are texts every record comes here, and a dictionary of them costs a third more.
    return Transaction(
        id=record.id, ts=ts, amount_minor=record.amount_minor, currency=record.currency, mcc=record.mcc,
        region=record.region, country=record.country, channel=record.channel, card=record.card, source=record.source,
        sector=record.sector, merchant=record.merchant, merchant_id=record.merchant_id, kind=kind, count=count,
    )  # fmt: skip


def explain(message: str) -> Reject:
    """Turn the decoder's message on one record into a reason, a field, and what is wrong in plain words."""
    missing = _MISSING.search(message)
    if missing:
        return Reject(reason=RejectReason.MISSING_FIELD, field=missing[1], detail="the field is missing")
    path = PATH.search(message)
    if path is None:
        return Reject(reason=RejectReason.NOT_AN_OBJECT, detail=_wrong_type(message))
    reason, detail = _reason(path[1], message)
    return Reject(reason=reason, field=path[1], detail=detail)


def _reason(field: str, message: str) -> tuple[RejectReason, str]:
    """Return why the value of a field cannot be used, and what is wrong with it."""
    listed = _LISTED.search(message)
    if listed and field in _CLOSED_LISTS:
        reason, wanted = _CLOSED_LISTS[field]
        return reason, f"{shown(listed[1], longest=_LONGEST_SHOWN[field])} is {wanted}"
    if "of length" in message:
        if field == "id":
            return RejectReason.ID_INVALID, "empty" if ">=" in message else f"more than {ID_LENGTH} characters"
        return RejectReason.TEXT_TOO_LONG, f"more than {TEXT_LENGTH} characters"
    if "RFC3339" in message:
        return (
            RejectReason.TIME_INVALID,
            "neither epoch milliseconds nor RFC 3339 text, such as 2019-03-04T13:34:56+01:00",
        )
    if field in _RANGES and _OUT_OF_RANGE.search(message):
        return _RANGES[field]
    is_null = "got `null`" in message
    return (RejectReason.MISSING_FIELD, "null") if is_null else (RejectReason.WRONG_TYPE, _wrong_type(message))


def _wrong_type(message: str) -> str:
    """Return what was found and what is wanted, in words."""
    types = _TYPES.search(message)
    if types is None:
        return without_long_numbers(message)[:_DETAIL_LENGTH]
    wanted = [_TYPE_NAMES.get(name, name) for name in types[1].split(" | ") if name != "null"]
    return f"{_TYPE_NAMES.get(types[2], types[2])} where {' or '.join(wanted)} is expected"


def _not_json(error: ValueError) -> str:
    """Return what is wrong with a value that is no JSON, without the names of our libraries."""
    if isinstance(error, UnicodeDecodeError):
        return "bytes that are not UTF-8"
    return without_long_numbers(str(error).replace("Input data was truncated", "ends in the middle"))[:_DETAIL_LENGTH]
