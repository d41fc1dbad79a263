"""From a field's text to a value: numbers, dates, times."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation

from earlywarn.adapters.files.hints import DECIMALS, date_hint, fraction_hint, number_hint, swapped_hint
from earlywarn.aggregation.excerpt import shown
from earlywarn.domain.money import MINOR_UNITS, to_minor
from earlywarn.domain.reject import Reject, RejectReason

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MIDNIGHT = ("", "T00:00:00", " 00:00:00")
_DIGITS_LIMIT = 18
_FLOAT_NOISE = Decimal("0.001")
"""Minor units."""


class RowError(Exception):
    """A row that cannot be used; carries the reject."""

    def __init__(self, reason: RejectReason, field: str, detail: str = "") -> None:
        super().__init__(detail)
        self.reject = Reject(reason=reason, field=field, detail=detail)


def as_text(value: object) -> str:
    """Return a column's value (text, or a Parquet type) as text; null and NaN as nothing."""
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float):
        return "" if value != value else repr(value)  # noqa: PLR0124  # the definition of NaN
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value)


def number(text: str, field: str, reason: RejectReason) -> Decimal:
    """Return a decimal number of reasonable size; RowError with `reason` when it is too large."""
    try:
        # Digits of other scripts, and what only Python writes, are none: Decimal takes them.
        value = Decimal(text if text.isascii() and "_" not in text else "no number")
    except InvalidOperation:
        detail = f"{shown(text)} is not a number{number_hint(text, field)}"
        raise RowError(RejectReason.WRONG_TYPE, field, detail) from None
    if not value.is_finite():
        raise RowError(RejectReason.WRONG_TYPE, field, f"{shown(text)} is not a number")
    if value and value.adjusted() > _DIGITS_LIMIT:
        raise RowError(reason, field, f"{shown(text)} is too large")
    return value


def whole(value: Decimal, field: str) -> int:
    """Return an integer; RowError when there is a fraction."""
    integer = int(value)
    if integer != value:
        text = str(value)
        detail = f"{shown(text)} is not a whole number{fraction_hint(text, field)}"
        raise RowError(RejectReason.WRONG_TYPE, field, detail)
    return integer


def minor_units(value: Decimal, currency: str, field: str, *, rounding: bool) -> tuple[int, bool]:
    """Return an amount in major units as minor units, and whether it was rounded; RowError where it may not be.

    What a sum of floating-point numbers leaves behind its last decimal is no amount that was rounded.
    """
    if currency not in MINOR_UNITS:
        raise RowError(RejectReason.CURRENCY_UNKNOWN, "currency", f"{shown(currency)} is no ISO 4217 code")
    minor, rounded = to_minor(value, currency)
    if rounded and not rounding:
        digits = MINOR_UNITS[currency]
        told = f"{shown(str(value))} has more than {digits} decimals of {currency}"
        raise RowError(RejectReason.WRONG_TYPE, field, f"{told}{DECIMALS}")
    return minor, rounded and abs(value.scaleb(MINOR_UNITS[currency]) - minor) > _FLOAT_NOISE


def day_parser(date_format: str, field: str) -> Callable[[str], date]:
    """Return a parser of local days: `iso` (a midnight after it is allowed) or a strptime pattern."""
    known: dict[str, date] = {}  # a history has few days and many rows

    def parse(text: str) -> date:
        day = known.get(text)
        if day is None:
            day = known[text] = _parse_day(text, date_format, field)
        return day

    return parse


def _parse_day(text: str, date_format: str, field: str) -> date:
    try:
        if date_format != "iso":
            return datetime.strptime(text, date_format).date()  # noqa: DTZ007  # a local day has no zone
        if text[10:] in _MIDNIGHT:
            return date.fromisoformat(text[:10])
    except ValueError:
        pass
    iso = date_format == "iso"
    expected = f"YYYY-MM-DD{date_hint(text)}" if iso else f"{date_format}{swapped_hint(text, date_format)}"
    raise RowError(RejectReason.TIME_INVALID, field, f"{shown(text)} is no date of the form {expected}")


def time_parser(date_format: str, zone: tzinfo, field: str) -> Callable[[str], int]:
    """Return a parser of instants to epoch milliseconds.

    `iso`: epoch milliseconds or ISO 8601; `epoch_seconds`, `epoch_milliseconds`; or a strptime pattern.
    A time without offset is local in `zone`: the first of two in autumn, moved on by the gap in spring.
    """
    wanted = "of ISO 8601 and no epoch milliseconds" if date_format == "iso" else f"of the form {date_format}"

    def parse(text: str) -> int:
        try:
            if date_format in ("iso", "epoch_milliseconds") and text.lstrip("-").isdecimal():
                return int(text[:20])
            if date_format.startswith("epoch_"):
                return round(number(text, field, RejectReason.TIME_INVALID) * (1000 if date_format[6] == "s" else 1))
            moment = (
                datetime.fromisoformat(text) if date_format == "iso" else datetime.strptime(text, date_format)  # noqa: DTZ007  # the zone follows
            )
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            return (moment - _EPOCH) // _MILLISECOND
        except (ValueError, OverflowError):
            hint = date_hint(text) if date_format == "iso" else swapped_hint(text, date_format)
            raise RowError(RejectReason.TIME_INVALID, field, f"{shown(text)} is no time {wanted}{hint}") from None

    return parse
