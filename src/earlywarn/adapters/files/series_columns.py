"""The columns of one series without region and sector, by the names that they usually have."""

from collections.abc import Sequence

TIMESTAMP_NAMES = ("timestamp", "time", "datetime", "date", "ds", "ts", "day", "period", "month")
VALUE_NAMES = ("value", "values", "y", "amount", "count", "close", "transactions")
PLACE_NAMES = frozenset({"region", "sector"})
"""What the columns of a panel are called beside those of a series."""


def places(header: Sequence[str], known: Sequence[str]) -> list[int]:
    """Return where columns of known names stand, whatever their case: that of the first, usual name alone, else all.

    >>> places(["Date", "Value", "amount"], TIMESTAMP_NAMES), places(["Date", "y", "amount"], VALUE_NAMES)
    ([0], [1, 2])
    """
    names = [name.lower() for name in header]
    found = [at for at, name in enumerate(names) if name in known]
    usual = [at for at in found if names[at] == known[0]]
    return usual or found


def is_series(header: Sequence[str]) -> bool:
    """Return whether a header may be that of one series: two columns, or one each for time and value and no place.

    >>> is_series(["when", "what"]), is_series(["date", "amount", "note"]), is_series(["date", "region", "amount"])
    (True, True, False)
    """
    if not PLACE_NAMES.isdisjoint(name.lower() for name in header):
        return False
    return len(header) == 2 or all(len(places(header, known)) == 1 for known in (TIMESTAMP_NAMES, VALUE_NAMES))
