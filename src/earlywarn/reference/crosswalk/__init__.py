"""From NUTS regions to the subdivisions that keep holidays of their own (ISO 3166-2), with weights.

The packaged table is `nuts_iso3166_2.csv`; README.md here says where its weights come from.
"""

import hashlib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec
from holidays import list_supported_countries

from earlywarn.domain.region import RegionTree
from earlywarn.errors import ConfigError
from earlywarn.reference.table import read_table

COLUMNS = ("nuts", "subdivision", "weight")
ISO_OF_NUTS = {"EL": "GR", "UK": "GB"}

Share = tuple[str, float]
"""An ISO 3166-2 subdivision (`CH-ZH`) or a country (`FR`: its national holidays), and its share in (0, 1]."""


class Row(msgspec.Struct, frozen=True):
    """The part `subdivision` has in `nuts`; `weight` is any measure of size, such as thousands of residents."""

    nuts: str
    subdivision: str
    weight: float


class Crosswalk:
    """The subdivisions of a region, each with its share of the region."""

    def __init__(self, tree: RegionTree, rows: Iterable[Row]) -> None:
        self._tree = tree
        self._rows: dict[str, tuple[Row, ...]] = {}
        for row in sorted(rows, key=lambda row: (row.nuts, row.subdivision)):
            self._rows[row.nuts] = (*self._rows.get(row.nuts, ()), row)

    def subdivisions(self, code: str) -> tuple[Share, ...]:
        """Return the subdivisions of a region, by code, with shares that sum to 1.

        A region above the rows is the weighted mean of those below it, one below a row is as that row. A
        country without rows, and any region of it, is the country.
        """
        below = self._below(code)
        if not below:
            below = next((self._rows[above] for above in self._tree.lineage(code) if above in self._rows), ())
        if not below:
            country = self._tree.country(code)
            return () if country is None else ((ISO_OF_NUTS.get(country, country), 1.0),)
        weights: dict[str, float] = {}
        for row in below:
            weights[row.subdivision] = weights.get(row.subdivision, 0.0) + row.weight
        whole = sum(weights.values())
        return tuple((subdivision, weight / whole) for subdivision, weight in sorted(weights.items()))

    def _below(self, code: str) -> tuple[Row, ...]:
        if code in self._rows:
            return self._rows[code]
        return tuple(row for child in self._tree.children(code) for row in self._below(child))

    def region_of(self, subdivision: str) -> str | None:
        """Return the region that is a subdivision (`CH-ZH` is CH040); None if it is none or several."""
        codes = [nuts for nuts, rows in self._rows.items() if any(row.subdivision == subdivision for row in rows)]
        return codes[0] if len(codes) == 1 else None

    def describe(self) -> str:
        """Return a digest (SHA-256, hex) of the rows, for the fingerprint of a run."""
        return hashlib.sha256(repr(sorted(self._rows.items())).encode()).hexdigest()


def load_crosswalk(tree: RegionTree, table: Path | None = None) -> Crosswalk:
    """Return the packaged crosswalk: CH, DE, AT, ES, FI, FR, IT, PT and UK; all other countries are one.

    Args:
        tree: The regions that rows refer to.
        table: A CSV `nuts,subdivision,weight` of the user; its rows take the place of all packaged rows
            of the countries it names.

    Raises:
        ConfigError: Listing every row with an unknown region or subdivision, a weight that is not above
            zero, or a region within another that has rows itself.
    """
    rows = _read(tree, files(__name__).joinpath("nuts_iso3166_2.csv"))
    if table is not None:
        own = _read(tree, table)
        named = {tree.country(row.nuts) for row in own}
        rows = [row for row in rows if tree.country(row.nuts) not in named] + own
    return Crosswalk(tree, rows)


def _read(tree: RegionTree, table: Traversable) -> list[Row]:
    supported = list_supported_countries()
    rows: list[Row] = []
    problems: list[str] = []
    lines = {row["nuts"]: line for line, row in read_table(table, COLUMNS)}
    for line, values in read_table(table, COLUMNS):
        place, nuts, subdivision = f"{table}:{line}", values["nuts"], values["subdivision"]
        weight = _weight(values["weight"])
        country = tree.country(nuts)
        iso, _, part = subdivision.partition("-")
        if country is None:
            problems.append(f"{place}: nuts {nuts!r} is no NUTS 2021 code; use one of nuts2021.csv")
        elif iso != ISO_OF_NUTS.get(country, country):
            problems.append(f"{place}: subdivision {subdivision!r} is not in the country of {nuts}; use ISO 3166-2")
        elif part and part not in supported.get(iso, ()):
            problems.append(f"{place}: the package holidays has no {subdivision!r}; update it, or use {iso}")
        problems += [
            f"{place}: nuts {nuts!r} lies within {above} of line {lines[above]}; keep one of them"
            for above in tree.lineage(nuts)[1:]
            if above in lines
        ]
        if weight is None:
            problems.append(f"{place}: weight {values['weight']!r} is no number above 0; use thousands of residents")
        else:
            rows.append(Row(nuts, subdivision, weight))
    if problems:
        raise ConfigError("\n".join(problems))
    return rows


def _weight(text: str) -> float | None:
    try:
        weight = float(text)
    except ValueError:
        return None
    return weight if 0.0 < weight < float("inf") else None
