"""Why a decoded transaction is not accepted: said once, for records and for columns.

A detail that quotes the value begins with it and a colon, so that a reader of files can put there what stands in them.
"""

from datetime import UTC, datetime

import msgspec

from earlywarn.aggregation.excerpt import shown
from earlywarn.aggregation.parameters import FoldParameters
from earlywarn.aggregation.route import Route
from earlywarn.domain.reject import Reject, RejectReason


class Rejected(msgspec.Struct, frozen=True):
    """A transaction that was not accepted: offset of its record, place in it; the bytes are the caller's to keep."""

    offset: int
    reject: Reject
    index: int = 0


def in_future(event_ms: int, latest_ms: int) -> Reject:
    """Refuse a transaction that lies after its receipt and the tolerance."""
    detail = f"{event_ms} ({_utc(event_ms)}): after the time of receipt and its tolerance, {_utc(latest_ms)}"
    return Reject(reason=RejectReason.TIME_IN_FUTURE, field="ts", detail=detail)


def too_late(parameters: FoldParameters) -> Reject:
    """Refuse a transaction that is older than the revision horizon."""
    detail = f"more than {parameters.revision_horizon_days} days behind the partition's newest event"
    return Reject(reason=RejectReason.TOO_LATE, field="ts", detail=detail)


def duplicate(transaction_id: str) -> Reject:
    """Refuse a transaction of which one of the same id, kind and source stands shortly before."""
    detail = f"{shown(transaction_id)} stands in this block of the partition, or shortly before it"
    return Reject(reason=RejectReason.DUPLICATE, field="id", detail=detail)


def negative_purchase(amount_minor: int) -> Reject:
    """Refuse a purchase with a negative amount."""
    detail = f"{amount_minor}: a purchase is not negative; send a refund or a reversal"
    return Reject(reason=RejectReason.AMOUNT_OUT_OF_RANGE, field="amount_minor", detail=detail)


def without_rate(route: Route) -> Reject:
    """Refuse a currency that cannot be converted on the transaction's day."""
    detail = f"no rate from {route.currency} to {route.panel.currency} on that day"
    return Reject(reason=RejectReason.CURRENCY_NO_RATE, field="currency", detail=detail)


def too_much(amount_minor: int, route: Route) -> Reject:
    """Refuse an amount that is out of range in its panel's currency."""
    detail = f"{amount_minor} minor units of {route.panel.currency} once converted: beyond 10^15"
    return Reject(reason=RejectReason.AMOUNT_OUT_OF_RANGE, field="amount_minor", detail=detail)


def _utc(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
