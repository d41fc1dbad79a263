"""A mapping compiled for one header: from a row to the text of each target field."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from hashlib import blake2b

from earlywarn.adapters.files.hints import CORRECT, count_hint, number_hint, point_hint, quoted
from earlywarn.adapters.files.mapping import ColumnMapping, Condition, FieldSource, TextForm
from earlywarn.adapters.files.values import RowError, as_text, number
from earlywarn.aggregation.excerpt import shown
from earlywarn.domain.reject import RejectReason

Row = Sequence[object]
Extract = Callable[[Row], str]

NUMBERS = frozenset({"amount", "amount_minor", "transactions", "count", "v"})
_NEEDED = frozenset({"ts", "date", "amount", "amount_minor", "transactions"})
"""Fields without which no row can be used; of others none is a value."""
_IN_NUMBERS = "+-.0123456789"
_SECRET = frozenset({"card"})
_UNKNOWN_VALUE = {
    "region": RejectReason.REGION_UNKNOWN,
    "sector": RejectReason.SECTOR_UNKNOWN,
    "merchant": RejectReason.SECTOR_UNKNOWN,
    "mcc": RejectReason.MCC_INVALID,
    "currency": RejectReason.CURRENCY_UNKNOWN,
    "country": RejectReason.COUNTRY_UNKNOWN,
    "kind": RejectReason.KIND_UNKNOWN,
    "channel": RejectReason.CHANNEL_UNKNOWN,
}


def extractors(mapping: ColumnMapping, header: Sequence[str], card_key: bytes) -> dict[str, Extract]:
    """Return a function for each target field but those made of the row number: row -> text, "" where it is empty.

    The functions raise RowError for a row that cannot be used.
    """
    index = _positions(header)
    return {
        field: _first_of(
            field,
            [_Step(field, source, index, mapping.form, card_key) for source in sources],
        )
        for field, sources in mapping.fields.items()
        if not any(source.row_id for source in sources)
    }


def plain_positions(mapping: ColumnMapping, header: Sequence[str]) -> dict[str, int]:
    """Return the positions of the columns that are taken as they stand, by target field: the fast way for most."""
    index = _positions(header)
    return {
        field: index[sources[0].column or ""]
        for field, sources in mapping.fields.items()
        if len(sources) == 1 and not sources[0].when and _is_plain(field, sources[0], mapping.form)
    }


def _positions(header: Sequence[str]) -> dict[str, int]:
    return {name: position for position, name in reversed(list(enumerate(header)))}


def _is_plain(field: str, source: FieldSource, form: TextForm) -> bool:
    steps = source.default or source.zero_pad or source.prefix or source.pseudonym or source.sign != "keep"
    foreign = field in NUMBERS and (form.decimal != "." or form.thousands)
    return source.column is not None and source.values is None and not steps and not foreign and field != "mcc"


def _first_of(field: str, steps: Sequence["_Step"]) -> Extract:
    if len(steps) == 1 and not steps[0].conditions:
        return steps[0].text

    columns = ", ".join(sorted({condition.column for step in steps for condition in step.source.when}))

    def extract(row: Row) -> str:
        for step in steps:
            if all(condition(row) for condition in step.conditions):
                return step.text(row)
        if field in _NEEDED:  # its columns need not be empty
            detail = f"none of the mapping's sources is for such a row (when: {columns})"
            raise RowError(RejectReason.MISSING_FIELD, field, detail)
        return ""

    return extract


class _Step:
    """One source of one field."""

    def __init__(
        self, field: str, source: FieldSource, index: Mapping[str, int], form: TextForm, card_key: bytes
    ) -> None:
        self._field = field
        self.source = source
        self._form = form
        self._position = -1 if source.column is None else index[source.column]
        self._pseudonym = source.pseudonym
        self._card_key = card_key
        self.conditions = [_condition(condition, index[condition.column], form) for condition in source.when]

    def text(self, row: Row) -> str:
        source = self.source
        raw = source.constant if source.column is None else row[self._position]
        text = as_text(raw)
        if source.values is not None and text:
            text = self._translated(text)
        elif self._field in NUMBERS and isinstance(raw, str) and source.column is not None:
            text = _plain_number(text, self._form, self._field)
        elif self._field == "mcc" and isinstance(raw, int):
            text = text.zfill(4)  # a number column has lost the leading zeros of the code
        if source.sign != "keep":
            text = _signed(text, source.sign)
        if not text:
            text = source.default
        if not text:
            return ""
        text = source.prefix + text.zfill(source.zero_pad)
        return self._hidden(text) if self._pseudonym else text

    def _translated(self, text: str) -> str:
        source = self.source
        known = (source.values or {}).get(text)
        if known is not None:
            return known
        if source.otherwise == "reject":
            reason = _UNKNOWN_VALUE.get(self._field, RejectReason.WRONG_TYPE)
            detail = "" if self._field in _SECRET else f"{shown(text)} is not in the mapping's values"
            raise RowError(reason, self._field, detail)
        return text if source.otherwise == "keep" else ""

    def _hidden(self, text: str) -> str:
        return blake2b(text.encode("utf-8", "replace"), digest_size=12, key=self._card_key[:64]).hexdigest()


def _plain_number(text: str, form: TextForm, field: str) -> str:
    whole = text
    if form.thousands and form.thousands in text:
        whole = text.replace(form.thousands, "")
        if not _grouped(form).fullmatch(text) and _is_of_digits(whole, form):
            # Without its signs it would be a number, and one that may be wrong by a factor of a thousand.
            says = f"format: {{ decimal: {quoted(form.decimal)}, thousands: {quoted(form.thousands)} }}"
            way_out = number_hint(text, field) or CORRECT
            detail = f"{shown(text)} has no groups of three digits as the mapping says, {says}{way_out}"
            raise RowError(RejectReason.WRONG_TYPE, field, detail)
    if form.decimal == ".":
        if not form.thousands and (hint := count_hint(text, field)):
            raise RowError(RejectReason.WRONG_TYPE, field, f"{shown(text)} may be {text.partition('.')[0]}{hint}")
        return whole
    if "." in whole:
        # A point would otherwise pass for the decimal sign that this file does not use.
        is_number = _is_of_digits(whole, form)
        says = f" as the mapping says, format: {{ decimal: {quoted(form.decimal)} }}" if is_number else ""
        way_out = number_hint(text, field) or (point_hint(text) if is_number else "")
        raise RowError(RejectReason.WRONG_TYPE, field, f"{shown(text)} is not a number{says}{way_out}")
    return whole.replace(form.decimal, ".")


def _is_of_digits(text: str, form: TextForm) -> bool:
    return set(text) <= {*_IN_NUMBERS, form.decimal}


@cache
def _grouped(form: TextForm) -> re.Pattern[str]:
    """Return the form of numbers with thousands signs: groups of three digits, and none behind the decimal sign."""
    thousands, decimal = re.escape(form.thousands), re.escape(form.decimal)
    return re.compile(rf"[+-]?\d{{1,3}}(?:{thousands}\d{{3}})+(?:{decimal}\d*)?")


def _signed(text: str, sign: str) -> str:
    if text.startswith("-"):
        return text[1:]
    return text if sign == "absolute" or not text else "-" + text.removeprefix("+")


def _condition(condition: Condition, position: int, form: TextForm) -> Callable[[Row], bool]:
    test = condition.test
    if test is None:
        values = condition.values
        return lambda row: as_text(row[position]) in values
    if test in ("empty", "filled"):
        empty = test == "empty"
        return lambda row: (not as_text(row[position])) is empty

    def holds(row: Row) -> bool:
        raw = row[position]
        text = as_text(raw)
        if isinstance(raw, str):
            text = _plain_number(text, form, condition.column)
        value = number(text or "0", condition.column, RejectReason.AMOUNT_OUT_OF_RANGE)
        return {"positive": value > 0, "negative": value < 0, "zero": value == 0, "not_zero": value != 0}[test]

    return holds
