"""Currencies (ISO 4217) and the conversion of foreign amounts by a table of rates."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import iso4217

_WITHDRAWN = {
    "ANG": 2, "BGN": 2, "BYR": 0, "CUC": 2, "CYP": 2, "EEK": 2, "HRK": 2, "LTL": 2, "LVL": 2, "MRO": 2, "MTL": 2,
    "SIT": 2, "SKK": 2, "SLL": 2, "STD": 2, "VEF": 2, "ZMK": 2, "ZWL": 2,
}  # fmt: skip
"""Of ISO 4217's list of withdrawn codes those in which cards were paid since 2000: histories hold them."""

MINOR_UNITS: Mapping[str, int] = _WITHDRAWN | {
    currency.code: currency.exponent for currency in iso4217.Currency if currency.exponent is not None
}
"""Digits after the point by currency code; metals, funds' test codes and XXX have none and are left out."""

CURRENCY_CODES: tuple[str, ...] = tuple(sorted(MINOR_UNITS))


def to_minor(amount: Decimal, currency: str) -> tuple[int, bool]:
    """Return `amount` (major units) in minor units, and whether it had to be rounded (half-even).

    >>> to_minor(Decimal("12.345"), "CHF")
    (1234, True)
    >>> to_minor(Decimal("1200"), "JPY")
    (1200, False)
    """
    scaled = amount.scaleb(MINOR_UNITS[currency])
    minor = int(scaled.to_integral_value(rounding=ROUND_HALF_EVEN))
    return minor, minor != scaled


class RateTable:
    """Exchange rates into one currency: units of `base` for one unit of the foreign currency.

    A rate holds from its day (the panel's local one) until the next; before the first there is none. Conversion of a
    transaction rounds half-even to minor units of `base`, once, so a total is the sum of its parts.
    """

    def __init__(self, base: str, rates: Mapping[str, Sequence[tuple[date, Decimal]]]) -> None:
        self.base = base
        self._days: dict[str, list[int]] = {}
        self._rates: dict[str, list[Fraction]] = {}
        for currency, dated in rates.items():
            rows = sorted((day.toordinal(), Fraction(rate)) for day, rate in dated)
            self._days[currency] = [day for day, _ in rows]
            self._rates[currency] = [rate for _, rate in rows]

    def convert(self, amount_minor: int, currency: str, day_ordinal: int) -> int | None:
        """Return `amount_minor` of `currency` in minor units of the base, None if no rate holds that day."""
        if currency == self.base:
            return amount_minor
        place = bisect_right(self._days.get(currency, ()), day_ordinal)
        if not place:
            return None
        shift = Fraction(10) ** (MINOR_UNITS[self.base] - MINOR_UNITS[currency])
        return round(amount_minor * self._rates[currency][place - 1] * shift)

    def describe(self) -> list[tuple[str, list[tuple[int, str]]]]:
        """Return the table as plain values, in a fixed order, for the fingerprint of a run."""
        return [
            (code, [(day, str(rate)) for day, rate in zip(days, self._rates[code], strict=True)])
            for code, days in sorted(self._days.items())
        ]
