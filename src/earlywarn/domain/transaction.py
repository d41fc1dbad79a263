"""The card transaction as it travels: field for field the public JSON of docs/interfaces.md."""

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta

from earlywarn.domain.country import COUNTRY_CODES
from earlywarn.domain.money import CURRENCY_CODES

EARLIEST_MS = 631_152_000_000
"""1990-01-01, before any card stream."""
LATEST_MS = 4_102_444_800_000
"""2100-01-01; the time of receipt is the limit that matters."""
AMOUNT_LIMIT_MINOR = 10**15
"""Of a record, whatever it stands for."""
PAYMENT_LIMIT_MINOR = 10**13
"""Of a payment in the mean of its record. A card payment's amount has twelve digits (ISO 8583, field 4)."""
COUNT_LIMIT = 10**9
ID_LENGTH = 128
TEXT_LENGTH = 256

# Closed lists are Literals: the decoder checks them in C and hands out one shared string each,
# so that the key of a row hashes and compares by identity. That is worth 0.4 us a transaction.
if TYPE_CHECKING:
    Currency = str
    Country = str
    Mcc = str
else:
    Currency = Literal[CURRENCY_CODES]
    Country = Literal[COUNTRY_CODES]
    Mcc = Literal[tuple(f"{code:04d}" for code in range(10_000))]

Kind = Literal["purchase", "refund", "reversal"]
Channel = Literal["pos", "ecom"]
Text = Annotated[str, Meta(max_length=TEXT_LENGTH)]
"""Optional text; the empty string means absent."""


class Transaction(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """One card payment, or a record that stands for several (`count`), of one kind.

    Times: `ts` is epoch milliseconds (UTC); RFC 3339 on the wire becomes that when it is read.
    Amounts: `amount_minor` is the record's total in minor units of `currency` (ISO 4217).
    The kind gives the sign of what counts: a purchase adds both count and amount; a refund takes
    its amount away and counts nothing; a reversal takes both away. In refunds and reversals the
    sign of `amount_minor`, and on the wire of `count`, is not significant (providers differ); a
    negative purchase is rejected. What is decoded as it stands here is within the limit of one payment; more is for a
    second look (`aggregation.intake`), since a record of several may have up to `AMOUNT_LIMIT_MINOR`.
    The fields stand in the order in which most records have them: decoding is fastest so.
    """

    id: Annotated[str, Meta(min_length=1, max_length=ID_LENGTH)]
    ts: Annotated[int, Meta(ge=EARLIEST_MS, lt=LATEST_MS)]
    amount_minor: Annotated[int, Meta(ge=-PAYMENT_LIMIT_MINOR, le=PAYMENT_LIMIT_MINOR)]
    currency: Currency
    mcc: Mcc | None = None
    region: Text | None = None
    country: Country | None = None
    channel: Channel | None = None
    card: Text | None = None
    source: Text | None = None
    sector: Text | None = None
    merchant: Text | None = None
    merchant_id: Text | None = None
    kind: Kind = "purchase"
    count: Annotated[int, Meta(ge=0, le=COUNT_LIMIT)] = 1
    v: Literal[1] = 1


def is_plausible(amount_minor: int, count: int) -> bool:
    """Return whether the mean payment of a record is within its limit; of none there is no mean."""
    return not count or abs(amount_minor) <= PAYMENT_LIMIT_MINOR * abs(count)
