"""What to write in a mapping for numbers, dates and text of another notation: the way out that a reject names."""

import re
from datetime import datetime

NAME_MAPPING = "name a mapping that says"
"""Stands in what is said of each value that another mapping may read."""
AS_UTF8 = "save it as UTF-8, or name a mapping that says which it is, such as format: { encoding: latin-1 }"

KEYS = "all keys stand in docs/inputs.md (foreign files)"
CORRECT = "; correct the value, or the mapping"
DECIMALS = "; correct it, or where most have so many say in the mapping rounding: half_even, or scale: thousands"
PADDED_MCC = "zero_pad: 4 for mcc"
MAJOR_UNITS = "name a mapping that says amount: amount_minor"

_COUNTS = frozenset({"transactions", "count", "v", "amount_minor"})
"""Fields without decimals: a comma in them stands between thousands."""
_PAYMENTS = frozenset({"transactions", "count"})
"""Fields of how many payments there were: `1.000` is one, or a thousand."""
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:([,' \u00a0\u2019\u202f])\d{3})(?:\1\d{3})*(\.\d+)?")
_POINTS = re.compile(r"[+-]?\d{1,3}(?:\.\d{3}){2,}")
_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_ROUND_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}\.000")
_COMMA = re.compile(r"[+-]?\d+(?:([.' \u00a0\u2019\u202f])\d{3})*,\d+")
_CURRENCY = r"(?:[A-Z]{3}|[A-Z][a-z]{1,3}\.?|[^\w\s.,+-])"
_WITH_CURRENCY = re.compile(rf"{_CURRENCY}\s?[+-]?\d[\d.,' \u00a0\u202f]*|[+-]?\d[\d.,' \u00a0\u202f]*{_CURRENCY}")
_DATE = re.compile(r"(\d{1,4})([-./])(\d{1,2})\2(\d{1,4})(?:([T ]+)\d{1,2}:\d{2}(:\d{2}(\.\d{1,6})?)?( ?[AaPp][Mm])?)?")
_OR_THOUSANDS = f"; correct it, or where most have such thousands {NAME_MAPPING}"
_POINTS_BETWEEN_THOUSANDS = f"{_OR_THOUSANDS} format: {{ decimal: ',', thousands: '.' }}"
_MONTHS, _MONTH_DAYS = 12, 31
_ESCAPED = {"'": '"\'"', "\t": r'"\t"'}
_YEAR, _SHORT = 4, 2
"""Digits of a year, and of what else stands in a date."""


def number_hint(text: str, field: str) -> str:
    """Return what a mapping must say for numbers like `text`, after a semicolon; empty if nobody can tell.

    >>> number_hint("1.234,50", "amount")
    "; correct it, or where most have decimal commas name a mapping that says format: { decimal: ',', thousands: '.' }"
    >>> number_hint("12,50", "transactions"), number_hint("n/a", "amount")
    ("; correct it, or where most have decimal commas name a mapping that says format: { decimal: ',' }", '')
    >>> number_hint("CHF 12", "amount")
    '; write the number alone: its currency stands in a column currency, or is that of the panel'
    """
    if found := _THOUSANDS.fullmatch(text):
        says = f"{_OR_THOUSANDS} format: {{ thousands: {quoted(found[1])} }}"
        # One comma before three digits may be either, but where no decimals can be.
        either = found[1] == "," and text.count(",") == 1 and not found[2] and field not in _COUNTS
        return f"{says}, for decimal commas {{ decimal: ',' }}" if either else says
    if _POINTS.fullmatch(text):
        return _POINTS_BETWEEN_THOUSANDS
    if found := _COMMA.fullmatch(text):
        thousands = f", thousands: {quoted(found[1])}" if found[1] else ""
        return f"; correct it, or where most have decimal commas {NAME_MAPPING} format: {{ decimal: ','{thousands} }}"
    if _WITH_CURRENCY.fullmatch(text):
        return "; write the number alone: its currency stands in a column currency, or is that of the panel"
    return ""


def count_hint(text: str, field: str) -> str:
    """Return what else a count such as `1.000` may be, and the way out; empty if it can be one number only.

    >>> count_hint("12.000", "transactions").partition(";")[0], count_hint("12.0", "count"), count_hint("1.000", "v")
    (' or 12000', '', '')
    """
    if field not in _PAYMENTS or not _ROUND_GROUP.fullmatch(text):
        return ""
    return (
        f" or {text.replace('.', '')}; write it without a point, or where most have such thousands {NAME_MAPPING} "
        "format: { decimal: ',', thousands: '.' }, for decimals { decimal: '.', thousands: ',' }"
    )


def point_hint(text: str) -> str:
    """Return what to do about a point in a number of a file whose mapping names another decimal sign.

    >>> point_hint("1.234")
    "; correct it, or where most have such thousands name a mapping that says format: { decimal: ',', thousands: '.' }"
    >>> point_hint("417.33")
    '; correct the value, or the mapping'
    """
    return _POINTS_BETWEEN_THOUSANDS if _GROUP.fullmatch(text) else CORRECT


def fraction_hint(text: str, field: str) -> str:
    """Return what to do about a fraction where whole numbers are expected, after a semicolon; empty if nobody can tell.

    >>> fraction_hint("7.842", "transactions")
    "; correct it, or where most have such thousands name a mapping that says format: { decimal: ',', thousands: '.' }"
    >>> fraction_hint("7.5", "transactions")
    ''
    """
    if field != "amount_minor":
        return _POINTS_BETWEEN_THOUSANDS if field in _COUNTS and _GROUP.fullmatch(text) else ""
    return (
        f" of minor units; if the column holds major units, {MAJOR_UNITS} (until then those that are whole count a "
        "hundredth, such as 12 or 12.0)"
    )


def date_hint(text: str) -> str:
    """Return which `date_format` reads dates or times like `text`, after a semicolon; empty if none is known.

    >>> date_hint("31.12.2023")
    "; correct it, or where most dates are such name a mapping that says date_format: '%d.%m.%Y'"
    >>> date_hint("02/01/2024 13:30").partition("format: ")[2]
    "'%m/%d/%Y %H:%M' (or '%d/%m/%Y %H:%M')"
    """
    formats = [f"'{each}'" for each in date_formats(text)]
    if not formats:
        return ""
    other = f" (or {formats[1]})" if formats[1:] else ""
    return f"; correct it, or where most dates are such name a mapping that says date_format: {formats[0]}{other}"


def date_formats(text: str) -> list[str]:
    """Return the patterns of `strptime` that read a date or time like `text` and are not ISO 8601, the likeliest first.

    >>> date_formats("02/01/2024"), date_formats("02/13/2024"), date_formats("2024-02-13")
    (['%m/%d/%Y', '%d/%m/%Y'], ['%m/%d/%Y'], [])
    """
    found = _DATE.fullmatch(text)
    return [] if found is None else [each + _clock(found) for each in _dates(found[1], found[2], found[3], found[4])]


def mcc_hint(text: str) -> str:
    """Return what to do about a category code that a spreadsheet has made a number, after a semicolon, or nothing.

    >>> mcc_hint("742")
    '; if its leading zero was lost, as in spreadsheets, name a mapping that says zero_pad: 4 for mcc'
    >>> mcc_hint("54112"), mcc_hint("x")
    ('', '')
    """
    lost = re.fullmatch("[0-9]{1,3}", text)
    return f"; if its leading zero was lost, as in spreadsheets, {NAME_MAPPING} {PADDED_MCC}" if lost else ""


def swapped_hint(text: str, pattern: str) -> str:
    """Return that a date or time is one with day and month the other way, after a semicolon; empty if it is none.

    >>> swapped_hint("10/25/2025", "%d/%m/%Y").partition(":")[0], swapped_hint("10/32/2025", "%d/%m/%Y")
    ('; with day and month swapped it is one', '')
    """
    swapped = pattern.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")
    try:
        datetime.strptime(text, swapped)  # noqa: DTZ007  # whether it is one is all that is asked
    except ValueError:
        return ""
    return (
        f"; with day and month swapped it is one: if all are written so, say date_format: '{swapped}' in the mapping, "
        "by which days up to the 12th are now read as of another month"
    )


def _dates(first: str, sign: str, second: str, last: str) -> list[str]:
    """Return the patterns of a date, the likeliest first; with points between them the day stands first."""
    if len(first) == _YEAR and len(last) <= _SHORT:
        iso = sign == "-" and len(second) == len(last) == _SHORT  # of the usual form, so what is wrong is the day
        return [f"%Y{sign}%m{sign}%d"] if not iso and _is_day(month=second, day=last) else []
    if len(first) > _SHORT or len(last) not in {_SHORT, _YEAR}:
        return []
    year = "%Y" if len(last) == _YEAR else "%y"
    month_first = [f"%m{sign}%d{sign}{year}"] if sign != "." and _is_day(month=first, day=second) else []
    return month_first + ([f"%d{sign}%m{sign}{year}"] if _is_day(month=second, day=first) else [])


def _is_day(*, month: str, day: str) -> bool:
    return 1 <= int(month) <= _MONTHS and 1 <= int(day) <= _MONTH_DAYS


def _clock(found: re.Match[str]) -> str:
    if not found[5]:
        return ""
    half = found[8] or ""
    seconds = f"{':%S' if found[6] else ''}{'.%f' if found[7] else ''}"
    return f"{found[5]}{'%I' if half else '%H'}:%M{seconds}{half[:-2]}{'%p' if half else ''}"


def looks_like_utf16(head: bytes) -> bool:
    """Return whether the first bytes of a file without a byte order mark are UTF-16: every other one is zero."""
    start = head[:64]
    return len(start) > 1 and (not any(start[1::2]) or not any(start[::2])) and any(start)


def quoted(sign: str) -> str:
    """Return a sign as YAML text that can be seen."""
    if sign in _ESCAPED:
        return _ESCAPED[sign]
    return f"'{sign}'" if sign.isascii() else f'"\\u{ord(sign):04X}"'
