"""Mending rejected records, and asking whether they would be accepted now."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from earlywarn.aggregation.identity import identity
from earlywarn.aggregation.intake import decode
from earlywarn.aggregation.nesting import is_nested_too_deep
from earlywarn.application.compose import Run
from earlywarn.application.control_marks import AFTER_END
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction
from earlywarn.errors import InputError

_NULL = msgspec.Raw(b"null")
_NUMBERS = frozenset({"ts", "amount_minor", "count", "v"})
_NUMBER = re.compile(r"-?[0-9]{1,18}")


def parse_mend(text: str) -> tuple[str, Any]:
    """Return field and value of FIELD=VALUE; numbers for fields of numbers, None (remove it) for an empty value.

    >>> parse_mend("mcc=5411"), parse_mend("amount_minor=-5"), parse_mend("ts=2020-03-01T12:00:00+01:00")
    (('mcc', '5411'), ('amount_minor', -5), ('ts', '2020-03-01T12:00:00+01:00'))

    Raises:
        InputError: another form, no field of a transaction, or no number where there must be one; a time may be text.
    """
    name, equals, value = text.partition("=")
    if not equals or name not in Transaction.__struct_fields__:
        fields = ", ".join(Transaction.__struct_fields__)
        raise InputError(f"{text!r}: the form is FIELD=VALUE, with a field of a transaction: {fields}")
    if not value:
        return name, None
    if name in _NUMBERS and _NUMBER.fullmatch(value):
        return name, int(value)
    if name in _NUMBERS - {"ts"}:
        raise InputError(f"{text!r}: {name} is a whole number of at most 18 digits")
    return name, value


def mended(value: bytes | None, mends: Mapping[str, Any]) -> bytes | None:
    """Return a record with fields set, or removed where None; as it is if it is no JSON object, or none are given.

    Fields that stay are passed on as they are written: a dead letter may have megabytes, and numbers of any length.
    """
    if value is None or not mends or is_nested_too_deep(value):
        return value
    try:
        record = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return value
    fields: dict[str, Any] = {**record, **mends}
    return msgspec.json.encode({name: each for name, each in fields.items() if not _is_absent(each)})


def _is_absent(field: object) -> bool:
    return field is None or field == _NULL


def refusal(run: Run, value: bytes | None, received_ms: int) -> Reject | None:
    """Return why a record would be rejected again, None if it would not.

    It is asked of a partition without a past: whether a record is too late shows only where it is appended.
    """
    _, rejected = run.block_fold(0, 1).add([0], decode([value]), received_ms)
    return rejected[0].reject if rejected else None


def standing_refusal(reason: str, before: bytes | None, after: bytes | None) -> Reject | None:
    """Return why a record is rejected again that was so for what stands before it, unless what decided has changed."""
    if reason == RejectReason.TOO_LATE and _time(before) == _time(after):
        detail = "older than the revision horizon of its partition; replay it into a run of its own"
        return Reject(reason=RejectReason.TOO_LATE, field="ts", detail=detail)
    if reason == RejectReason.DUPLICATE and _identity(before) == _identity(after):
        detail = "a copy of what counts already; give it an id of its own if it is another transaction"
        return Reject(reason=RejectReason.DUPLICATE, field="id", detail=detail)
    return AFTER_END if reason == RejectReason.AFTER_END else None


def _time(value: bytes | None) -> object:
    outcome = decode([value])[0]
    return outcome.ts


def _identity(value: bytes | None) -> object:
    outcome = decode([value])[0]
    return outcome if isinstance(outcome, Reject) else identity(outcome.kind, outcome.source, outcome.id)
