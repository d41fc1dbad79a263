"""The usual time zone and currency of a country, so that a panel can be inferred from its data."""

import csv
from functools import cache
from importlib.resources import files

import msgspec

from earlywarn.domain.country import nuts_country


class CountryDefaults(msgspec.Struct, frozen=True):
    """`time_zone` is the IANA zone of the capital (of New York for US); `currency` is the one of 2026 (ISO 4217)."""

    time_zone: str
    currency: str


@cache
def _table() -> dict[str, CountryDefaults]:
    with files("earlywarn.reference").joinpath("zones.csv").open(encoding="utf-8") as lines:
        return {row["country"]: CountryDefaults(row["time_zone"], row["currency"]) for row in csv.DictReader(lines)}


def country_defaults(country: str) -> CountryDefaults | None:
    """Return the defaults of a country (ISO 3166-1 alpha-2, or EL, UK), None if it is not in the table.

    >>> country_defaults("CH")
    CountryDefaults(time_zone='Europe/Zurich', currency='CHF')
    """
    return _table().get(nuts_country(country))
