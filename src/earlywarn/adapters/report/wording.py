"""How the report writes numbers, shares and dates: as people say them, in one place."""

import re
from collections.abc import Sequence
from datetime import date

from earlywarn.alerting.words import joined, times
from earlywarn.domain.money import MINOR_UNITS

_NARROW = "\u202f"
_SCALES = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"))

_NO_BREAK = "\u00a0"
_MONTHS = "|".join(name for at in range(1, 13) for name in (f"{date(2020, at, 1):%B}", f"{date(2020, at, 1):%b}"))
_TOGETHER = re.compile(rf"\b[A-Z]{{3}} (?=\d)|\b\d{{1,2}} (?:{_MONTHS})(?: \d{{4}})?\b")
"""A currency before its amount, and a date."""

CLASS_EDGES = (0.02, 0.05, 0.10, 0.20)
"""Ends of the colour classes of a deviation, as shares; four classes on either side of the middle."""


def grouped(value: float) -> str:
    """Return a whole number with its thousands apart.

    >>> grouped(12345.4).split("\u202f")
    ['12', '345']
    """
    return f"{value:,.0f}".replace(",", _NARROW).replace("-", "\u2212")


def compact(value: float) -> str:
    """Return a large number to three digits, as it is said.

    >>> compact(74_321_000_000), compact(1_234_567).split()
    ('74.3 billion', ['1.23', 'million'])
    """
    for scale, word in _SCALES:
        if abs(value) >= scale:
            scaled = value / scale
            digits = 2 if abs(scaled) < 10 else 1 if abs(scaled) < 100 else 0  # three digits
            return f"{scaled:.{digits}f} {word}".replace("-", "\u2212")
    return grouped(value)


def money(minor: float, currency: str) -> str:
    """Return an amount of minor units with its currency.

    >>> money(123_400_000_00, "CHF")
    'CHF 123 million'
    """
    return f"{currency} {compact(minor / 10 ** MINOR_UNITS[currency])}"


def signed(share: float) -> str:
    """Return a share as a signed percentage, beyond tenfold as a multiple; what rounds to nothing has no sign.

    >>> signed(-0.034).split("\u202f"), signed(0.001).split("\u202f"), signed(24.0)
    (['\u22123', '%'], ['0', '%'], '25 times')
    """
    if times(100 * share):
        return times(100 * share)
    whole = round(100 * share)
    sign = "+" if whole > 0 else "\u2212" if whole < 0 else ""
    return f"{sign}{grouped(abs(whole))}{_NARROW}%"


def against_expected(share: float) -> str:
    """Return a deviation in words.

    >>> against_expected(-0.034).replace("\u202f", " "), against_expected(0.002)
    ('3 % below what was expected', 'as expected')
    """
    return against(share, "what was expected") if round(100 * share) else "as expected"


def against(share: float, what: str) -> str:
    """Return a deviation from something in words.

    >>> against(-0.32, "the level").replace("\u202f", " "), against(0.002, "the level"), against(24.0, "the level")
    ('32 % below the level', 'at the level', '25 times the level')
    """
    if times(100 * share):
        return f"{times(100 * share)} {what}"
    whole = round(100 * share)
    if whole == 0:
        return f"at {what}"
    return f"{grouped(abs(whole))}{_NARROW}% {'above' if whole > 0 else 'below'} {what}"


def change_against(share: float, than: str) -> str:
    """Return a change with what it is against, in short.

    >>> change_against(-0.32, "expected").replace("\u202f", " "), change_against(24.0, "before 3 May")
    ('\u221232 % against expected', '25 times as much as before 3 May')
    """
    if times(100 * share):
        return f"{times(100 * share)} as much as {than}"
    return f"{signed(share)} against {than}"


def percent(share: float) -> str:
    """Return a share as a percentage; one decimal where it would otherwise say all or nothing.

    >>> percent(0.9996).split("\u202f")[0], percent(1.0).split("\u202f")[0]
    ('99.9', '100')
    """
    value = 100 * share
    if 0 < value < 1 or 99 < value < 100:  # per cent
        value = min(max(round(value, 1), 0.1), 99.9)
        return f"{value:.1f}{_NARROW}%"
    return f"{value:.0f}{_NARROW}%"


def long_day(when: date) -> str:
    """Return a date in full.

    >>> long_day(date(2020, 2, 29))
    '29 February 2020'
    """
    return f"{when.day} {when:%B %Y}"


def short_day(when: date) -> str:
    """Return a date in short.

    >>> short_day(date(2020, 2, 29))
    '29 Feb 2020'
    """
    return f"{when.day} {when:%b %Y}"


def unbroken(text: str) -> str:
    r"""Return a text whose lines end neither between a currency and its amount nor within a date.

    >>> unbroken("CHF 1430 since 3 May 2020, all 7 days").split(" ")
    ['CHF\xa01430', 'since', '3\xa0May\xa02020,', 'all', '7', 'days']
    """
    return _TOGETHER.sub(lambda found: found[0].replace(" ", _NO_BREAK), text)


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun.

    >>> counted(1, "alert"), counted(2, "alert")
    ('1 alert', '2 alerts')
    """
    return f"{grouped(number)} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str], one: str, named: int = 3) -> str:
    """Return some names, and how many more there are.

    >>> listed(["Wien"], "region"), listed(["Wien", "Tirol", "Salzburg", "Burgenland"], "region")
    ('Wien', 'Wien, Tirol, Salzburg and 1 more region')
    """
    shown = list(names[:named])
    if len(names) > named:
        shown.append(f"{len(names) - named} more {one if len(names) == named + 1 else one + 's'}")
    return joined(shown)


def colour_class(share: float) -> str:
    """Return the class of a deviation: `n4` (far below) .. `z0` (as expected) .. `p4` (far above).

    >>> colour_class(-0.5), colour_class(0.01), colour_class(0.06)
    ('n4', 'z0', 'p2')
    """
    step = sum(abs(share) >= edge for edge in CLASS_EDGES)
    return f"{'n' if share < 0 else 'p'}{step}" if step else "z0"
