"""Words and figures that every text about an alert is made of."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Protocol, Self

from earlywarn.domain.alert import Alert
from earlywarn.domain.money import MINOR_UNITS
from earlywarn.domain.series import ALL, Series

MEASURE_WORDS = {"transactions": "card payments", "amount": "card spending", "mean_ticket": "the mean card payment"}
THIN = "\u202f"
LEAST_PAYMENTS = 5.0
"""With fewer payments a day expected a percentage says nothing: one payment more is a fifth of it or more."""
TOO_LITTLE = "too little expected for a percentage"
MOST_PCT = 999
"""Beyond so much a rise is told as a multiple."""
MOST_TIMES = 100
"""A multiple beyond so much is told as no more than that: what was expected is then next to nothing."""


class Names(Protocol):
    """What codes are called."""

    def region(self, code: str) -> str:
        """Return the name of a region."""

    def sector(self, code: str) -> str:
        """Return the title of a sector."""

    def panel(self, panel: str) -> str:
        """Return the name of a panel; of one that goes by countries of which it holds a part, what part that is."""

    def is_part(self, panel: str) -> bool:
        """Return whether that name is of a part of its countries."""

    def over(self, panel: str, regions: Iterable[str]) -> Self:
        """Return the same names where the panel is known to hold these regions; unknown, it holds its countries."""

    def currency(self, panel: str) -> str:
        """Return the currency of a panel."""


def subject(alert: Alert, names: Names) -> str:
    """Return what the alert is about, in words."""
    region = None if alert.region is None else names.region(alert.region)
    sector = None if alert.sector is None else names.sector(alert.sector)
    if region is None and names.is_part(alert.panel):
        region = names.panel(alert.panel)
    if region is None and sector is None:
        return f"{names.panel(alert.panel)}, all regions and sectors"
    if region is None:
        return f"{sector}, all regions of {names.panel(alert.panel)}"
    return f"{region}, all sectors" if sector is None else f"{sector} in {region}"


def place(series_id: str, names: Names) -> str:
    """Return what a series of the panel at hand is about, in words."""
    _, region, sector = Series.of(series_id)
    if sector is None:
        return names.region(region or ALL)
    return names.sector(sector) if region is None else f"{names.sector(sector)} in {names.region(region)}"


def day(iso: str | None) -> str:
    """Return a date as people write it.

    >>> day("2020-02-03")
    '3 Feb 2020'
    """
    if iso is None:
        return "an unknown day"
    when = date.fromisoformat(iso)
    return f"{when.day} {when:%b %Y}"


def quantity(value: float, measure: str, currency: str) -> str:
    """Return a value of a measure with its unit, to a sensible number of digits."""
    if measure == "transactions":
        # Of an expectation of 0.4 payments "0" would say that none were expected.
        digits = 1 if 0 < value < LEAST_PAYMENTS and not float(value).is_integer() else 0
        return _grouped(f"{value:,.{digits}f}")
    major = value / 10 ** MINOR_UNITS[currency]
    digits = 2 if measure == "mean_ticket" else 0
    return f"{currency} {_grouped(f'{major:,.{digits}f}')}"


def days_of(number: float) -> str:
    """Return a number of days in words."""
    return f"{number:.0f} {'day' if number == 1 else 'days'}"


def _grouped(text: str) -> str:
    return text.replace(",", THIN)


def joined(parts: Sequence[str]) -> str:
    """Return parts as they stand in a sentence.

    >>> joined(["Wien"]), joined(["Wien", "Tirol", "2 more"]), joined([])
    ('Wien', 'Wien, Tirol and 2 more', '')
    """
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def size_pct(value: float) -> str:
    """Return the size of a change in per cent; one that is not nothing is not written as nothing.

    >>> size_pct(-12.4).split(THIN), size_pct(0.3).split(THIN)
    (['12', '%'], ['0.3', '%'])

    One that is not all is not written as all.
    >>> size_pct(-99.98).split(THIN), size_pct(-99.4).split(THIN), size_pct(100.3).split(THIN)
    (['99.9', '%'], ['99', '%'], ['100', '%'])
    """
    size = abs(value)
    if round(size) == 100 and size < 100:
        return f"{min(round(size, 1), 99.9)}{THIN}%"
    digits = 0 if round(size) or not value else 1
    return f"{_grouped(f'{size:,.{digits}f}')}{THIN}%"


def percent(value: float) -> str:
    """Return a change in per cent with its sign; nothing has none, and what is beyond tenfold is a multiple.

    >>> percent(-12.4).split(THIN), percent(-0.04).split(THIN), percent(2400.0)
    (['\u221212', '%'], ['0', '%'], '25 times as much')
    """
    if times(value):
        return f"{times(value)} as much"
    sign = "\u2212" if value < 0 else "+"
    return f"{sign}{size_pct(value)}" if round(value, 1) else f"0{THIN}%"


def times(change_pct: float) -> str:
    """Return a rise beyond tenfold as a multiple, empty of any other change: long percentages are read by nobody.

    >>> times(999.4), times(1000.0), times(2400.0), times(1_643_424.0)
    ('', '11 times', '25 times', 'more than 100 times')
    """
    if round(change_pct) <= MOST_PCT:
        return ""
    factor = 1 + change_pct / 100
    return f"{factor:.0f} times" if factor <= MOST_TIMES else f"more than {MOST_TIMES} times"


def between(low_pct: float, high_pct: float) -> str:
    """Return an interval of changes.

    >>> between(-4.0, 10.0).replace(THIN, " "), between(1400.0, 3800.0)
    ('between \u22124 % and +10 %', 'between 15 and 39 times as much')
    """
    if times(low_pct) and 1 + high_pct / 100 <= MOST_TIMES:
        return f"between {1 + low_pct / 100:.0f} and {percent(high_pct)}"
    return f"between {percent(low_pct)} and {percent(high_pct)}"


def deviation(change_pct: float, what: str) -> str:
    """Return a deviation from something in words: in per cent, beyond tenfold as a multiple.

    >>> deviation(-12.4, "expected").replace(THIN, " "), deviation(2400.0, "what was expected")
    ('12 % below expected', '25 times what was expected')
    """
    if times(change_pct):
        return f"{times(change_pct)} {what}"
    return f"{size_pct(change_pct)} {'below' if change_pct < 0 else 'above'} {what}"


def is_too_little(alert: Alert) -> bool:
    """Return whether too few payments are expected of an alert's day for a percentage."""
    return alert.measure == "transactions" and alert.expected is not None and alert.expected < LEAST_PAYMENTS


def day_of(alert: Alert, name: str) -> date | None:
    """Return the day that lies as many days before an alert's own as its figure of that name says."""
    days = figure(alert, name)
    return None if days is None else date.fromisoformat(alert.as_of) - timedelta(days=round(days))


def figure(alert: Alert, name: str) -> float | None:
    """Return the figure of that name behind an alert."""
    return next((item.value for item in alert.evidence if item.name == name), None)
