"""A mapping to begin with: of a file whose rejects say what a mapping must say, or whose columns are foreign."""

import re
from collections.abc import Iterable, Mapping, Sequence

from earlywarn.adapters.files.hints import MAJOR_UNITS, PADDED_MCC, date_formats, quoted
from earlywarn.adapters.files.mapping import CELL_REQUIRED, FIELDS, Kind, TextForm

_PLACE = "COLUMN"
"""Stands for the name of a column that only people know."""
_FORMAT = re.compile(r"name a mapping that says (?:which it is, such as )?format: \{ (.+?) \}")
_DATE_FORMAT = re.compile(r"name a mapping that says date_format: ('.+?')")
_PART = re.compile(r"(\w+): ('[^']*'|\"[^\"]*\"|[\w-]+)")
_PLAIN = re.compile(r"[^\W\d]\w*(?: \w+)*")
_USUAL = {"cells": CELL_REQUIRED, "transactions": ("id", "ts", "amount", "currency", "mcc", "region")}


def mapping_for(kind: Kind, fields: Iterable[str], form: TextForm, said: Iterable[str]) -> str:
    """Return the whole mapping of a file with earlywarn's own columns, with what the details of its rejects say of it.

    Args:
        kind: What its rows are.
        fields: Its columns.
        form: How it is read now.
        said: The details.

    Returns:
        YAML on one line, empty if no detail names a mapping.

    >>> said = "'12,50' is not a number; name a mapping that says format: { decimal: ',' }"
    >>> mapping_for("cells", ["date", "amount"], TextForm(delimiter=";"), [said])
    "{ name: ours, kind: cells, format: { delimiter: ';', decimal: ',' }, columns: { date: date, amount: amount } }"
    """
    formats = _form_of(form)
    columns = {field: field for field in fields}
    found = False
    for detail in said:
        for parts in _FORMAT.findall(detail):
            formats |= dict(_PART.findall(parts))
            found = True
        for date_format in _DATE_FORMAT.findall(detail):
            day = "date" if kind == "cells" else "ts"
            columns[day] = f"{{ column: {day}, date_format: {date_format} }}"
            found = True
        if PADDED_MCC in detail:
            columns["mcc"] = _padded("mcc")
            found = True
        if MAJOR_UNITS in detail:
            columns = {("amount" if field == "amount_minor" else field): name for field, name in columns.items()}
            found = True
    return _written(kind, formats, columns) if found else ""


def mapping_of_foreign(header: Sequence[str], form: TextForm, rows: Sequence[Sequence[str]] = ()) -> str:
    """Return a mapping of a file with foreign columns, as YAML on one line with COLUMN where a column is to be named.

    Its `date_format` reads all of the first `rows`; another one that does as well stands in brackets behind.

    >>> mapping_of_foreign(["Id", "TS", "amt"], TextForm()).partition("columns: ")[2]
    '{ id: Id, ts: TS, amount: COLUMN, currency: COLUMN, mcc: COLUMN, region: COLUMN } }'
    """
    own = {name.lower(): name for name in reversed(header)}
    kinds: tuple[Kind, Kind] = ("cells", "transactions")
    kind = max(kinds, key=lambda each: sum(field in own for field in FIELDS[each]))
    columns = {field: _name(own[field]) if field in own else _PLACE for field in _USUAL[kind]}
    if "mcc" in own and columns.get("sector") == _PLACE:
        columns["sector"] = _padded(_name(own["mcc"]))
    day = "date" if kind == "cells" else "ts"
    dated = _dated([own[day]] if day in own else header, header, rows)
    other = ""
    if len(dated) == 1:
        [(name, formats)] = dated.items()
        columns[day] = f"{{ column: {_name(name)}, date_format: '{formats[0]}' }}"
        other = f" (or, where days stand first, date_format: '{formats[1]}')" if formats[1:] else ""
    return _written(kind, _form_of(form), columns) + other


def _dated(names: Sequence[str], header: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Return the columns of dates that are not ISO 8601, with the formats that read all rows, the likeliest first."""
    found = {}
    for name in names if rows else ():
        each = [date_formats(row[header.index(name)]) for row in rows]
        if formats := [one for one in each[0] if all(one in others for others in each)]:
            found[name] = formats
    return found


def _form_of(form: TextForm) -> dict[str, str]:
    usual = TextForm()
    delimiter = {"delimiter": quoted(form.delimiter)} if form.delimiter != usual.delimiter else {}
    encoding = {"encoding": form.encoding} if form.encoding != usual.encoding else {}
    return delimiter | encoding | ({"skip_lines": str(form.skip_lines)} if form.skip_lines else {})


def _written(kind: Kind, formats: Mapping[str, str], columns: Mapping[str, str]) -> str:
    form = f"format: {_flow(formats)}, " if formats else ""
    return f"{{ name: ours, kind: {kind}, {form}columns: {_flow(columns)} }}"


def _flow(values: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{key}: {value}' for key, value in values.items())} }}"


def _padded(column: str) -> str:
    return f"{{ column: {column}, zero_pad: 4 }}"


def _name(column: str) -> str:
    if _PLAIN.fullmatch(column):
        return column
    doubled = column.replace("'", "''")
    return f"'{doubled}'"
