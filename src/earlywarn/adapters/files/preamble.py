"""Lines above a header, as exports have them: where the header seems to stand below them."""

import re
from collections.abc import Sequence

from earlywarn.adapters.files.delimited import DELIMITERS, split
from earlywarn.adapters.files.mapping import ColumnMapping

_LINES_LOOKED_AT = 100
_LEAST_COLUMNS = 3
_VALUE = re.compile(r"[-+]?\d")
"""How what is no name of a column begins."""


def header_below(lines: Sequence[str]) -> tuple[int, str] | None:
    """Return the 1-based line on which a header seems to stand below others, and its delimiter; None if none does.

    It is the first line of the most columns, three at least; each has a name, and the next line has as many.

    >>> header_below(["Daily export", "made: 2026-11-29", "", "Date;Area;Value, EUR", "2025-10-25;North;1,5", "x"])
    (4, ';')
    >>> header_below(["Date,Area,Value", "2025-10-25,North,1.5"])
    """
    shown = [(number, line) for number, line in enumerate(lines[:_LINES_LOOKED_AT], 1) if line.strip()]
    found = [(columns, at, sign) for sign in DELIMITERS for columns, at in [_widest(shown, sign)] if at]
    columns, at, sign = max(found, default=(0, 0, ""), key=lambda each: each[0])
    return (shown[at][0], sign) if columns >= _LEAST_COLUMNS else None


def _widest(shown: Sequence[tuple[int, str]], sign: str) -> tuple[int, int]:
    """Return how many columns the header has, and at which place of those shown it stands: 0 if it is none below."""
    rows = [split(line, sign) for _, line in shown]
    named = [sum(map(bool, row)) for row in rows]
    at = named.index(max(named)) if named else 0
    is_header = all(rows[at]) and not any(map(_VALUE.match, rows[at])) if rows else False
    return (named[at], at) if is_header and at + 1 < len(rows) and len(rows[at + 1]) == named[at] else (0, 0)


def line_of(mapping: ColumnMapping, lines: Sequence[str]) -> int | None:
    """Return the 1-based line that holds all columns of a mapping, else the one on which a header seems to stand."""
    sure = (
        at
        for at, line in enumerate(lines, 1)
        if line.strip() and not mapping.missing(split(line, mapping.form.delimiter))
    )
    found = header_below(lines)
    return next(sure, found[0] if found is not None and found[1] == mapping.form.delimiter else None)
