"""Broken records, one of each kind in turn: what the intake must reject, and for which reason."""

from collections.abc import Callable, Iterator
from itertools import chain, cycle
from typing import NamedTuple

import msgspec

from earlywarn.domain.reject import RejectReason

_FUTURE_MS = 4_070_908_800_000  # 2099-01-01: later than any clock that reads it, earlier than the limit of times


class Breakage(NamedTuple):
    """A way to break a good record, and the reason it must be rejected for."""

    reason: RejectReason
    apply: Callable[[bytes], bytes]


def _with(**changes: object) -> Callable[[bytes], bytes]:
    def apply(record: bytes) -> bytes:
        return msgspec.json.encode({**msgspec.json.decode(record), **changes})

    return apply


def _without(*fields: str) -> Callable[[bytes], bytes]:
    def apply(record: bytes) -> bytes:
        kept = {key: value for key, value in msgspec.json.decode(record).items() if key not in fields}
        return msgspec.json.encode(kept)

    return apply


def _sectorless(**changes: object) -> Callable[[bytes], bytes]:
    """Change the sector: what a record has of `mcc` and `sector` goes, for one scheme per panel."""
    bare = _without("mcc", "sector")
    return lambda record: msgspec.json.encode({**msgspec.json.decode(bare(record)), **changes})


BREAKAGES: tuple[Breakage, ...] = (
    Breakage(RejectReason.NOT_JSON, lambda record: record[: len(record) // 2]),
    Breakage(RejectReason.NOT_JSON, lambda record: record.replace(b'"ts":', b'"ts":NaN,"was":', 1)),
    Breakage(RejectReason.NOT_JSON, lambda record: record.replace(b'"id":"', b'"id":"\xff', 1)),
    Breakage(RejectReason.NOT_AN_OBJECT, lambda record: b"[" + record + b"]"),
    Breakage(RejectReason.NOT_AN_OBJECT, lambda _: b"12345"),
    Breakage(RejectReason.MISSING_FIELD, _without("id")),
    Breakage(RejectReason.MISSING_FIELD, _without("ts")),
    Breakage(RejectReason.MISSING_FIELD, _without("amount_minor")),
    Breakage(RejectReason.MISSING_FIELD, _with(currency=None)),
    Breakage(RejectReason.WRONG_TYPE, _with(amount_minor="12.50")),
    Breakage(RejectReason.WRONG_TYPE, _with(amount_minor=12.5)),
    Breakage(RejectReason.WRONG_TYPE, _with(region=["CH01"])),
    Breakage(RejectReason.VERSION_UNKNOWN, _with(v=99)),
    Breakage(RejectReason.ID_INVALID, _with(id="")),
    Breakage(RejectReason.ID_INVALID, _with(id="x" * 129)),
    Breakage(RejectReason.TEXT_TOO_LONG, _with(merchant_id="x" * 257)),
    Breakage(RejectReason.TIME_INVALID, _with(ts="01/02/2019 12:00")),
    Breakage(RejectReason.TIME_INVALID, _with(ts=0)),
    Breakage(RejectReason.TIME_IN_FUTURE, _with(ts=_FUTURE_MS)),
    Breakage(RejectReason.AMOUNT_OUT_OF_RANGE, _with(amount_minor=10**15 + 1)),
    Breakage(RejectReason.AMOUNT_OUT_OF_RANGE, _with(amount_minor=-100)),
    Breakage(RejectReason.COUNT_OUT_OF_RANGE, _with(count=-1)),
    Breakage(RejectReason.CURRENCY_UNKNOWN, _with(currency="ZZZ")),
    Breakage(RejectReason.KIND_UNKNOWN, _with(kind="gift")),
    Breakage(RejectReason.CHANNEL_UNKNOWN, _with(channel="pigeon")),
    Breakage(RejectReason.MCC_INVALID, _sectorless(mcc="54")),
    Breakage(RejectReason.SECTOR_MISSING, _sectorless()),
    Breakage(RejectReason.REGION_MISSING, lambda record: _without("region")(_with(channel="pos")(record))),
    Breakage(RejectReason.COUNTRY_UNKNOWN, _with(country="XX")),
)
"""Every kind that any panel rejects; what a panel with declared regions or codes rejects besides is its own."""

OVERSIZED = Breakage(RejectReason.TOO_LARGE, _with(padding="x" * 100_000))


def breakages() -> Iterator[Breakage]:
    """Yield the kinds in turn for ever; the oversized one, which fills disks, comes once."""
    return chain(BREAKAGES, [OVERSIZED], cycle(BREAKAGES))
