"""From bytes to transactions: one record, one outcome, with a reason where it is a rejection.

A batch is decoded in one sweep. A record that cannot be used costs its neighbours nothing: the sweep
goes on behind it.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import EARLIEST_MS, LATEST_MS, Transaction

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class _Wire(Transaction, frozen=True, gc=False, kw_only=True):
    """A transaction whose time may be RFC 3339 text."""

    ts: int | datetime  # type: ignore[assignment]  # wider than what it becomes


_decode = msgspec.json.Decoder(Transaction).decode
_WIRE_DECODER = msgspec.json.Decoder(_Wire)
_PATH = re.compile(r"`?\$\.(\w+)")
_MISSING = re.compile(r"missing required field `(\w+)`")
_OUT_OF_RANGE = re.compile(r"^Expected `int` [<>]|out of range")
_DETAIL_LENGTH = 160
_RANGES = {"amount_minor": RejectReason.AMOUNT_OUT_OF_RANGE, "count": RejectReason.COUNT_OUT_OF_RANGE}

_CLOSED_LISTS = {
    "currency": RejectReason.CURRENCY_UNKNOWN,
    "country": RejectReason.COUNTRY_UNKNOWN,
    "mcc": RejectReason.MCC_INVALID,
    "kind": RejectReason.KIND_UNKNOWN,
    "channel": RejectReason.CHANNEL_UNKNOWN,
    "v": RejectReason.VERSION_UNKNOWN,
}

RECORD_BYTES_LIMIT = 64 * 1024
"""A transaction takes some 200 bytes; beyond this size a record is rejected undecoded."""

Outcome = Transaction | Reject


def decode(values: Sequence[bytes | None]) -> list[Outcome]:
    """Decode one JSON record per value; the result has one outcome per value, in order."""
    try:
        if max(map(len, values), default=0) > RECORD_BYTES_LIMIT:  # type: ignore[arg-type]  # None has no length
            return [decode_one(value) for value in values]
    except TypeError:
        return [decode_one(value) for value in values]
    outcomes: list[Outcome] = []
    rest = iter(values)
    while True:
        try:
            # `extend` keeps what came before an error, and the iterator stands behind the bad record then.
            outcomes.extend(map(_decode, rest))  # type: ignore[arg-type]  # no None among them
        except (ValueError, RecursionError):
            outcomes.append(decode_one(values[len(outcomes)]))
        else:
            return outcomes


def decode_one(value: bytes | None) -> Outcome:
    """Decode one JSON record, or say why it cannot be used."""
    if value is None:
        return Reject(reason=RejectReason.NULL_VALUE)
    if len(value) > RECORD_BYTES_LIMIT:
        return Reject(reason=RejectReason.TOO_LARGE, detail=f"{len(value)} bytes, at most {RECORD_BYTES_LIMIT}")
    try:
        record = _WIRE_DECODER.decode(value)
        if isinstance(record.ts, int):
            return _decode(value)
        return _with_epoch_time(record)
    except msgspec.ValidationError as error:
        return explain(str(error))
    except (ValueError, RecursionError) as error:
        return Reject(reason=RejectReason.NOT_JSON, detail=str(error)[:_DETAIL_LENGTH])


def _with_epoch_time(record: "_Wire") -> Outcome:
    """Return a record whose time came as RFC 3339 with its time in epoch milliseconds, rounded down."""
    moment = record.ts
    if isinstance(moment, int) or moment.tzinfo is None:
        return Reject(reason=RejectReason.TIME_INVALID, field="ts", detail="no offset from UTC")
    fields = {name: getattr(record, name) for name in Transaction.__struct_fields__}
    fields["ts"] = (moment - _EPOCH) // _MILLISECOND
    if not EARLIEST_MS <= fields["ts"] < LATEST_MS:
        return Reject(reason=RejectReason.TIME_INVALID, field="ts", detail=f"{moment} is not within 1990..2100")
    return Transaction(**fields)


def explain(message: str) -> Reject:
    """Turn the decoder's message on one record into a reason and a field."""
    detail = message[:_DETAIL_LENGTH]
    missing = _MISSING.search(message)
    if missing:
        return Reject(reason=RejectReason.MISSING_FIELD, field=missing[1], detail=detail)
    path = _PATH.search(message)
    if path is None:
        return Reject(reason=RejectReason.NOT_AN_OBJECT, detail=detail)
    field = path[1]
    if message.startswith("Invalid enum value") and field in _CLOSED_LISTS:
        reason = _CLOSED_LISTS[field]
    elif "of length" in message:
        reason = RejectReason.ID_INVALID if field == "id" else RejectReason.TEXT_TOO_LONG
    elif "RFC3339" in message or (field == "ts" and _OUT_OF_RANGE.search(message)):
        reason = RejectReason.TIME_INVALID
    elif field in _RANGES and _OUT_OF_RANGE.search(message):
        reason = _RANGES[field]
    elif "got `null`" in message:
        reason = RejectReason.MISSING_FIELD
    else:
        reason = RejectReason.WRONG_TYPE
    return Reject(reason=reason, field=field, detail=detail)
