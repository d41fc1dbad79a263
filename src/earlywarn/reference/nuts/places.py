"""Finding the NUTS region that a code or name of a data provider means (`Lake Geneva`, `ZH`, `CH-ZH`)."""

import unicodedata
from collections.abc import Iterable
from importlib.resources import files

from earlywarn.domain.country import nuts_country
from earlywarn.domain.region import RegionTree
from earlywarn.reference.crosswalk import ISO_OF_NUTS, Crosswalk
from earlywarn.reference.table import read_table


def folded(name: str) -> str:
    """Return a name as it is compared: without accents, case and runs of spaces.

    >>> folded("  Zürich ") == folded("ZURICH")
    True
    """
    parts = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(part for part in parts if not unicodedata.combining(part)).split())


class Places:
    """Regions by what providers call them, within the countries of a panel.

    Known are, in this order: codes of the tree (any vintage it recodes), codes of ISO 3166-2 with or
    without their country, names in the region's own language, and the names of `aliases.csv`. Of regions
    with one name (Zürich is CH04 and CH040) the largest is meant.

    Args:
        tree: The regions.
        crosswalk: Tells the codes of ISO 3166-2.
        countries: The panel's countries. Without one only NUTS codes below the country level are found: BE
            may be Belgium or the canton of Bern.
    """

    def __init__(self, tree: RegionTree, crosswalk: Crosswalk, countries: Iterable[str]) -> None:
        self._tree = tree
        self._crosswalk = crosswalk
        self._countries = tuple(dict.fromkeys(nuts_country(country) for country in countries))
        self._names: dict[str, str] = {}
        for level in (0, 1, 2, 3):
            for country in self._countries:
                for code in tree.codes(level, country):
                    self._names.setdefault(folded(tree.name(code)), code)
        for _, row in read_table(files("earlywarn.reference.nuts").joinpath("aliases.csv"), ("code", "name")):
            if tree.country(row["code"]) in self._countries:
                self._names.setdefault(folded(row["name"]), row["code"])

    def find(self, region: str) -> str | None:
        """Return the NUTS 2021 code that `region` means, None if it is not known."""
        code = self._tree.recode(region)
        country = self._tree.country(code)
        if country is not None and (country in self._countries or (not self._countries and code != country)):
            return code
        for known in self._countries:
            iso = ISO_OF_NUTS.get(known, known)
            found = self._crosswalk.region_of(region if region.startswith(f"{iso}-") else f"{iso}-{region}")
            if found is not None:
                return found
        return self._names.get(folded(region))
