"""From bytes to transactions: one record, one outcome, with a reason where it is a rejection.

The common case is a batch of well-formed records, decoded in one call. A record that cannot be used
never costs its neighbours anything: the batch is then decoded record by record.
"""

import re
from collections.abc import Sequence

import msgspec

from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction

_DECODER = msgspec.json.Decoder(Transaction)
_PATH = re.compile(r"`?\$\.(\w+)")
_MISSING = re.compile(r"missing required field `(\w+)`")
_DETAIL_LENGTH = 160

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


def decode(values: Sequence[bytes | None]) -> list[Transaction] | list[Outcome]:
    """Decode one JSON record per value; the result has one outcome per value, in order."""
    try:
        joined = b"\n".join(values)  # type: ignore[arg-type]  # None raises, and is then seen one by one
        # One document per line and one line per value, provably: every joint is `}\n{`, which cannot
        # stand inside a JSON document (a string holds no raw newline), and there are no other newlines.
        joints = len(values) - 1
        proper = joined.count(b"\n") == joints == joined.count(b"}\n{")
        if proper and max(map(len, values)) <= RECORD_BYTES_LIMIT:  # type: ignore[arg-type]  # likewise
            transactions = _DECODER.decode_lines(joined)
            if len(transactions) == len(values):
                return transactions
    except (ValueError, TypeError, RecursionError):
        pass
    return [decode_one(value) for value in values]


def decode_one(value: bytes | None) -> Outcome:
    """Decode one JSON record, or say why it cannot be used."""
    if value is None:
        return Reject(reason=RejectReason.NULL_VALUE)
    if len(value) > RECORD_BYTES_LIMIT:
        return Reject(reason=RejectReason.TOO_LARGE, detail=f"{len(value)} bytes, at most {RECORD_BYTES_LIMIT}")
    try:
        return _DECODER.decode(value)
    except msgspec.ValidationError as error:
        return explain(str(error))
    except (ValueError, RecursionError) as error:
        return Reject(reason=RejectReason.NOT_JSON, detail=str(error)[:_DETAIL_LENGTH])


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
    elif "RFC3339" in message:
        reason = RejectReason.TIME_INVALID
    elif "got `null`" in message:
        reason = RejectReason.MISSING_FIELD
    else:
        reason = RejectReason.WRONG_TYPE
    return Reject(reason=reason, field=field, detail=detail)
