"""The usual time zone and currency of a country, so that a panel can be inferred from its data.

Of any country the currency is CLDR's (Babel) and the zone the first of the tz database (`zone.tab`). `zones.csv` holds
what goes before these: the countries of NUTS, and those of which the first zone or currency is not the usual one.
"""

import csv
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import msgspec
from babel.numbers import get_territory_currencies

from earlywarn.domain.country import NUTS_OF_ISO, nuts_country
from earlywarn.domain.money import MINOR_UNITS

_AS_OF = date(2026, 1, 1)
_CLOCKS_READ = (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))
_ISO_OF_NUTS = {nuts: iso for iso, nuts in NUTS_OF_ISO.items()}


class CountryDefaults(msgspec.Struct, frozen=True):
    """`time_zone` is the IANA zone of the capital (of New York for US); `currency` is the one of 2026 (ISO 4217).

    `has_several_zones` says whether clocks elsewhere in the country show another time.
    """

    time_zone: str
    currency: str
    has_several_zones: bool = False


@cache
def _table() -> dict[str, tuple[str, str]]:
    with files("earlywarn.reference").joinpath("zones.csv").open(encoding="utf-8") as lines:
        return {row["country"]: (row["time_zone"], row["currency"]) for row in csv.DictReader(lines)}


@cache
def _zones() -> dict[str, list[str]]:
    """Return the zones of each country (ISO 3166-1) in the order of the tz database."""
    found: dict[str, list[str]] = {}
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            country, _, zone, *_ = line.split("\t")
            found.setdefault(country, []).append(zone)
    return found


@cache
def country_defaults(country: str) -> CountryDefaults | None:
    """Return the defaults of a country (ISO 3166-1 alpha-2, or EL, UK), None if zone or currency are not known.

    >>> country_defaults("CH")
    CountryDefaults(time_zone='Europe/Zurich', currency='CHF', has_several_zones=False)
    >>> country_defaults("JP"), country_defaults("AU")
    (CountryDefaults(time_zone='Asia/Tokyo', currency='JPY', has_several_zones=False), \
CountryDefaults(time_zone='Australia/Sydney', currency='AUD', has_several_zones=True))
    """
    known = nuts_country(country)
    iso = _ISO_OF_NUTS.get(known, known)
    zones = _zones().get(iso, [])
    if known in _table():
        zone, currency = _table()[known]
    else:
        zone = zones[0] if zones else ""
        currencies = [code for code in get_territory_currencies(iso, _AS_OF) if code in MINOR_UNITS]
        currency = currencies[0] if currencies else ""
    if not zone or not currency:
        return None
    clocks = {tuple(when.astimezone(ZoneInfo(each)).utcoffset() for when in _CLOCKS_READ) for each in zones}
    return CountryDefaults(zone, currency, has_several_zones=len(clocks) > 1)
