"""Words and figures that every text about an alert is made of."""

from datetime import date
from typing import Protocol
from urllib.parse import unquote

from earlywarn.domain.alert import Alert
from earlywarn.domain.money import MINOR_UNITS
from earlywarn.domain.series import ALL

MEASURE_WORDS = {"transactions": "card payments", "amount": "card spending", "mean_ticket": "the mean card payment"}
THIN = "\u202f"


class Names(Protocol):
    """What codes are called."""

    def region(self, code: str) -> str:
        """Return the name of a region."""

    def sector(self, code: str) -> str:
        """Return the title of a sector."""

    def panel(self, panel: str) -> str:
        """Return the name of a panel."""

    def currency(self, panel: str) -> str:
        """Return the currency of a panel."""


def subject(alert: Alert, names: Names) -> str:
    """Return what the alert is about, in words."""
    region = None if alert.region is None else names.region(alert.region)
    sector = None if alert.sector is None else names.sector(alert.sector)
    if region is None and sector is None:
        return f"{names.panel(alert.panel)}, all regions and sectors"
    if region is None:
        return f"{sector}, all regions of {names.panel(alert.panel)}"
    return f"{region}, all sectors" if sector is None else f"{sector} in {region}"


def place(series_id: str, names: Names) -> str:
    """Return what a series of the panel at hand is about, in words."""
    _, region, sector = (unquote(part) for part in series_id.split("/"))
    if sector == ALL:
        return names.region(region)
    return names.sector(sector) if region == ALL else f"{names.sector(sector)} in {names.region(region)}"


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
        return _grouped(f"{value:,.0f}")
    major = value / 10 ** MINOR_UNITS[currency]
    digits = 2 if measure == "mean_ticket" else 0
    return f"{currency} {_grouped(f'{major:,.{digits}f}')}"


def days_of(number: float) -> str:
    """Return a number of days in words."""
    return f"{number:.0f} {'day' if number == 1 else 'days'}"


def _grouped(text: str) -> str:
    return text.replace(",", THIN)


def size_pct(value: float) -> str:
    """Return the size of a change in per cent; one that is not nothing is not written as nothing.

    >>> size_pct(-12.4).split(THIN), size_pct(0.3).split(THIN)
    (['12', '%'], ['0.3', '%'])
    """
    digits = 0 if round(abs(value)) or not value else 1
    return f"{_grouped(f'{abs(value):,.{digits}f}')}{THIN}%"


def percent(value: float) -> str:
    """Return a change in per cent with its sign; nothing has none.

    >>> percent(-12.4).split(THIN), percent(-0.04).split(THIN)
    (['\u221212', '%'], ['0', '%'])
    """
    value = round(value, 1)
    sign = "\u2212" if value < 0 else "+" if value > 0 else ""
    return f"{sign}{size_pct(value)}" if value else f"0{THIN}%"


def figure(alert: Alert, name: str) -> float | None:
    """Return the figure of that name behind an alert."""
    return next((item.value for item in alert.evidence if item.name == name), None)
