"""The packaged NUTS 2021 regions: tree, names, codes of other vintages, boundaries (see README.md here).

Source: Eurostat GISCO, NUTS 2021. Wherever boundaries are drawn, show `ATTRIBUTION`.
"""

import csv
import gzip
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from earlywarn.domain.region import DEEPEST_LEVEL, Region, RegionTree
from earlywarn.errors import ConfigError
from earlywarn.reference.nuts.postal import PostalCodes, postal_lookup
from earlywarn.reference.table import read_table

__all__ = ["ATTRIBUTION", "PostalCodes", "load_boundaries", "load_regions", "postal_lookup"]

ATTRIBUTION = "© EuroGeographics for the administrative boundaries"
RECODING_COLUMNS = ("vintage", "code", "nuts2021", "note")

_HERE = files(__name__)


@cache
def _regions() -> tuple[Region, ...]:
    with _HERE.joinpath("nuts2021.csv").open(encoding="utf-8") as lines:
        return tuple(
            Region(row["code"], row["name"], int(row["level"]), row["parent"] or None) for row in csv.DictReader(lines)
        )


@cache
def _packaged_recoding() -> tuple[tuple[str, str], ...]:
    with _HERE.joinpath("recoding.csv").open(encoding="utf-8") as lines:
        return tuple((row["code"], row["nuts2021"]) for row in csv.DictReader(lines))


def load_regions(recoding: Path | None = None) -> RegionTree:
    """Return the NUTS 2021 tree: 37 countries, 125, 334 and 1,514 regions of levels 1, 2 and 3.

    Args:
        recoding: A CSV `vintage,code,nuts2021,note` with codes of other vintages. Its rows go before the
            packaged ones (NUTS 2016 and 2024); `vintage` and `note` are for people.

    Raises:
        ConfigError: The table cannot be read, or lists codes that lead nowhere, twice, or hide a region;
            one error lists every problem with file and line.
    """
    recodings = dict(_packaged_recoding())
    if recoding is not None:
        recodings |= _read_recoding(recoding)
    return RegionTree(_regions(), recodings)


def _read_recoding(path: Path) -> dict[str, str]:
    known = {region.code for region in _regions()}
    found: dict[str, str] = {}
    problems: list[str] = []
    for line, row in read_table(path, RECODING_COLUMNS[:3]):
        code, target = row["code"], row["nuts2021"]
        if target not in known:
            problems.append(f"{path}:{line}: nuts2021 {target!r} is no NUTS 2021 code; use one of nuts2021.csv")
        if code in known:
            problems.append(f"{path}:{line}: code {code!r} is a NUTS 2021 region itself; remove the line")
        if found.setdefault(code, target) != target:
            problems.append(f"{path}:{line}: code {code!r} already leads to {found[code]!r}; keep one of the lines")
    if problems:
        raise ConfigError("\n".join(problems))
    return found


def load_boundaries(level: int) -> dict[str, Any]:
    """Return the boundaries of a level as a GeoJSON FeatureCollection, sorted by code.

    WGS 84, scale 1:60 million, 3 decimals of a degree; properties `id`, `name`, `country`, `level`. Show
    `ATTRIBUTION` where they are drawn.

    Raises:
        ConfigError: The level is not one of 0 to 3.
    """
    if not 0 <= level <= DEEPEST_LEVEL:
        raise ConfigError(f"boundaries of level {level} do not exist; choose 0 (countries) to {DEEPEST_LEVEL}")
    packed = _HERE.joinpath(f"nuts2021_level{level}.geojson.gz").read_bytes()
    collection: dict[str, Any] = json.loads(gzip.decompress(packed))
    return collection
