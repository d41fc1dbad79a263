"""A cell of already aggregated history: one local day, one region, one sector."""

from datetime import date

import msgspec


class Cell(msgspec.Struct, frozen=True, gc=False):
    """`transactions` card payments that sum to `amount_minor` (minor units of `currency`)."""

    day: date
    region: str
    sector: str
    transactions: int
    amount_minor: int
    currency: str
    country: str | None = None
