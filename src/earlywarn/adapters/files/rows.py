"""From rows of columns to transactions and cells: each row becomes a value or the reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import msgspec

from earlywarn.adapters.files.fields import Extract, Row, extractors, plain_positions
from earlywarn.adapters.files.hints import mcc_hint
from earlywarn.adapters.files.mapping import CELL_REQUIRED, ColumnMapping, FieldSource
from earlywarn.adapters.files.values import (
    RowError,
    as_text,
    day_parser,
    minor_units,
    number,
    time_parser,
    whole,
)
from earlywarn.aggregation.excerpt import shown
from earlywarn.aggregation.intake import IMPLAUSIBLE, of_fields
from earlywarn.aggregation.whereabouts import PLACE_FIELDS, of_values
from earlywarn.domain.cell import Cell
from earlywarn.domain.country import COUNTRY_CODES
from earlywarn.domain.money import MINOR_UNITS
from earlywarn.domain.reject import Reject, RejectReason, Whereabouts
from earlywarn.domain.transaction import AMOUNT_LIMIT_MINOR, COUNT_LIMIT, TEXT_LENGTH, Transaction, is_plausible
from earlywarn.errors import InputError

_COUNTRIES = frozenset(COUNTRY_CODES)
_TAKEN_AWAY = ("refund", "reversal")
"""Kinds that say by themselves what their count does: its sign is not significant."""
_NAME_IN_ID = 100
_SHORT_NUMBER = 15
_MAJOR_DIGITS = {"thousands": 3, "millions": 6}
"""Powers of ten of the major unit in which amounts are written, by scale; 0 of others."""
_EMPTY = {
    "region": RejectReason.REGION_MISSING,
    "sector": RejectReason.SECTOR_MISSING,
}


@dataclass(frozen=True, slots=True)
class InputDefaults:
    """What the files do not say.

    `currency` ISO 4217, `country` ISO 3166-1 alpha-2, `time_zone` IANA name for times without offset (a mapping's
    own zone goes before it), `card_key` up to 64 bytes that key the pseudonyms of card numbers.
    """

    currency: str | None = None
    country: str | None = None
    time_zone: str = "UTC"
    card_key: bytes = b""


class _Columns:
    """What cells and transactions have in common: extractors by field, defaults, and how amounts are read."""

    def __init__(self, mapping: ColumnMapping, header: Sequence[str], defaults: InputDefaults, name: str) -> None:
        self.rounded = 0
        self._extract = extractors(mapping, header, defaults.card_key)
        self._currency = defaults.currency or ""
        self._country = defaults.country or ""
        if "currency" not in mapping.fields and not self._currency:
            raise InputError(
                f"{name}: neither the file nor the settings name a currency; "
                "add a column or a constant `currency`, or set the input's default currency (ISO 4217)"
            )
        if self._currency and self._currency not in MINOR_UNITS:
            raise InputError(f"{name}: the default currency {self._currency!r} is no ISO 4217 code such as CHF")

    def _text(self, field: str, row: Row, default: str = "") -> str:
        extract = self._extract.get(field)
        return (extract(row) if extract is not None else "") or default

    def _required(self, field: str, row: Row) -> str:
        text = self._extract[field](row)
        if not text:
            raise RowError(_EMPTY.get(field, RejectReason.MISSING_FIELD), field, "empty")
        return text

    def _amount_minor(self, source: FieldSource, field: str, row: Row, currency: str) -> int:
        text = self._required(field, row)
        if source.scale == "minor" and len(text) <= _SHORT_NUMBER and text.isascii() and text.isdecimal():
            return int(text)
        value = number(text, field, RejectReason.AMOUNT_OUT_OF_RANGE)
        rounding = source.rounding == "half_even"
        if source.scale == "minor" and not rounding:
            return whole(value, field)
        if source.scale == "minor":
            minor = round(value)  # half-even, as Python rounds
            self.rounded += minor != value
            return minor
        major = value.scaleb(_MAJOR_DIGITS.get(source.scale, 0))
        minor, rounded = minor_units(major, currency, field, rounding=rounding)
        self.rounded += rounded
        return minor


class CellRows(_Columns):
    """Rows to cells: amounts rounded half-even to minor units and counted in `rounded`.

    A row whose date cannot be read is one of the day that its place in the file suggests: of the day of the row before,
    or of the next one if its cell has a row of that day already. So it is missing there, and no fall of its cell.

    Raises:
        InputError: no currency is known.
    """

    def __init__(self, mapping: ColumnMapping, header: Sequence[str], defaults: InputDefaults, name: str) -> None:
        super().__init__(mapping, header, defaults, name)
        self._day = day_parser(mapping.fields["date"][0].date_format, "date")
        amount = mapping.fields["amount"][0]
        self._amount = msgspec.structs.replace(amount, rounding="half_even")
        self._before: date | None = None
        self._stand: set[tuple[str, str]] = set()  # cells with a row of that day, since the rows before were of another

    def convert(self, row: Row, line: int) -> Cell | Reject:  # noqa: ARG002  # the same form as for transactions
        """Return the row's cell, or why there is none."""
        try:
            cell = self._cell(row)
        except RowError as error:
            about = self._about(row)
            if about is not None:
                self._note(about)
            return msgspec.structs.replace(error.reject, about=about)
        self._note(cell)
        return cell

    def _note(self, cell: Cell) -> None:
        if cell.day != self._before:
            self._before = cell.day
            self._stand.clear()
        self._stand.add((cell.region, cell.sector))

    def _about(self, row: Row) -> Cell | None:
        """Return the cell of a row that cannot be used, without an amount; None if it does not tell which it is."""
        try:
            region, sector = self._required("region", row), self._required("sector", row)
        except RowError:
            return None
        day = self._day_of(row, region, sector)
        if day is None:
            return None
        if max(len(region), len(sector)) > TEXT_LENGTH:
            return None
        try:
            transactions = _transactions(self._required("transactions", row))
        except RowError:
            transactions = 1
        try:
            country = self._text("country", row, self._country)
        except RowError:
            country = ""
        return Cell(day, region, sector, transactions, 0, "", country if country in _COUNTRIES else None)

    def _day_of(self, row: Row, region: str, sector: str) -> date | None:
        """Return a row's day, or the likeliest one where it cannot be read; None where nothing stands before it."""
        try:
            return _within(self._day(self._required("date", row)), "date")
        except RowError:
            if self._before is None:
                return None
            return self._before + timedelta(days=(region, sector) in self._stand)

    def _cell(self, row: Row) -> Cell:
        day, region, sector, transactions_text, _ = (self._required(field, row) for field in CELL_REQUIRED)
        currency = self._text("currency", row, self._currency)
        country = self._text("country", row, self._country)
        if country and country not in _COUNTRIES:
            raise RowError(RejectReason.COUNTRY_UNKNOWN, "country", f"{shown(country)} is no ISO 3166-1 code")
        for field, text in (("region", region), ("sector", sector)):
            if len(text) > TEXT_LENGTH:
                raise RowError(RejectReason.TEXT_TOO_LONG, field, f"{len(text)} characters, at most {TEXT_LENGTH}")
        local_day = _within(self._day(day), "date")
        transactions = _transactions(transactions_text)
        rounded = self.rounded
        amount_minor = self._amount_minor(self._amount, "amount", row, currency)
        if not 0 <= amount_minor <= AMOUNT_LIMIT_MINOR:
            self.rounded = rounded
            detail = f"{amount_minor} minor units are not within 0 to 10^15"
            raise RowError(RejectReason.AMOUNT_OUT_OF_RANGE, "amount", detail)
        if not is_plausible(amount_minor, transactions):
            self.rounded = rounded
            raise RowError(IMPLAUSIBLE.reason, "amount", IMPLAUSIBLE.detail)
        return Cell(local_day, region, sector, transactions, amount_minor, currency, country or None)


class TransactionRows(_Columns):
    """Rows to transactions; `rounded` counts the amounts that a mapping allowed to be rounded.

    Raises:
        InputError: no currency is known.
    """

    def __init__(self, mapping: ColumnMapping, header: Sequence[str], defaults: InputDefaults, name: str) -> None:
        super().__init__(mapping, header, defaults, name)
        zone = ZoneInfo(mapping.time_zone or defaults.time_zone)
        self._time = time_parser(mapping.fields["ts"][0].date_format, zone, "ts")
        self._id_start = name[-_NAME_IN_ID:]
        self._amount = _amount_source(mapping)
        self._amount_field = "amount" if "amount" in mapping.fields else "amount_minor"
        special = {"ts", "amount", "amount_minor", "currency", "country", "count", "v"}
        plain = plain_positions(mapping, header)
        self._plain = [(field, position) for field, position in plain.items() if field not in special]
        self._texts: list[tuple[str, Extract]] = [
            (field, extract) for field, extract in self._extract.items() if field not in special | plain.keys()
        ]
        self._integers = [field for field in ("count", "v") if field in self._extract]

    def convert(self, row: Row, line: int) -> Transaction | Reject:
        """Return the row's transaction, or why there is none; `line` makes an id where the file has none."""
        try:
            values = self._values(row, line)
        except RowError as error:
            return msgspec.structs.replace(error.reject, about=self._about(row))
        outcome = of_fields(values)
        if not isinstance(outcome, Reject):
            return outcome
        hint = mcc_hint(str(values["mcc"])) if outcome.reason is RejectReason.MCC_INVALID else ""
        return msgspec.structs.replace(outcome, about=self._about(row), detail=outcome.detail + hint)

    def _about(self, row: Row) -> Whereabouts | None:
        """Return where a row that cannot be used would have counted, None if it does not tell."""
        values: dict[str, object] = {}
        unread = set()
        for field in PLACE_FIELDS:
            if field != "ts" and field not in self._extract and field != "country":
                continue
            try:
                text = self._text(field, row, self._country if field == "country" else "")
                if field == "ts":
                    values[field] = self._time(text)
                elif field == "count" and text:
                    values[field] = whole(number(text, field, RejectReason.COUNT_OUT_OF_RANGE), field)
                elif text:
                    values[field] = text
            except RowError:
                unread.add(field)
        return of_values(values, frozenset(unread))

    def _values(self, row: Row, line: int) -> dict[str, object]:
        values: dict[str, object] = {}
        for field, position in self._plain:
            raw = row[position]
            if text := raw.strip() if raw.__class__ is str else as_text(raw):
                values[field] = text
        for field, extract in self._texts:
            if text := extract(row):
                values[field] = text
        if "id" not in self._extract:
            values["id"] = f"{self._id_start}:{line}"
        values["ts"] = self._time(self._required("ts", row))
        for field in self._integers:
            if text := self._text(field, row):
                integer = whole(number(text, field, RejectReason.COUNT_OUT_OF_RANGE), field)
                values[field] = abs(integer) if field == "count" and values.get("kind") in _TAKEN_AWAY else integer
        if country := self._text("country", row, self._country):
            values["country"] = country
        currency = values["currency"] = self._text("currency", row, self._currency)
        if not currency:
            raise RowError(RejectReason.MISSING_FIELD, "currency", "empty")
        values["amount_minor"] = self._amount_minor(self._amount, self._amount_field, row, str(currency))
        return values


def _amount_source(mapping: ColumnMapping) -> FieldSource:
    if "amount" in mapping.fields:
        return mapping.fields["amount"][0]
    return msgspec.structs.replace(mapping.fields["amount_minor"][0], scale="minor")


def _transactions(text: str) -> int:
    transactions = whole(number(text, "transactions", RejectReason.COUNT_OUT_OF_RANGE), "transactions")
    if not 0 <= transactions <= COUNT_LIMIT:
        raise RowError(RejectReason.COUNT_OUT_OF_RANGE, "transactions", f"{transactions} is not within 0 to 10^9")
    return transactions


def _within(day: date, field: str) -> date:
    if not 1990 <= day.year <= 2100:
        raise RowError(RejectReason.TIME_INVALID, field, f"{day} lies outside 1990 to 2100")
    return day
