"""Public and school holidays of a region: the share of it that keeps the day.

Public holidays come from the package `holidays` (its category *public*), by subdivision where the crosswalk
knows them. Half holidays, holidays of single towns and those of a custom that no law names are not in it.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import date
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

from holidays import country_holidays, list_supported_countries

from earlywarn.domain.country import nuts_country
from earlywarn.domain.region import RegionTree
from earlywarn.errors import ConfigError
from earlywarn.reference.crosswalk import ISO_OF_NUTS, Crosswalk, Share, load_crosswalk
from earlywarn.reference.nuts.places import Places
from earlywarn.reference.table import read_table

SCHOOL_COLUMNS = ("region", "first_day", "last_day", "name")
ORTHODOX = ("BG", "CY", "EG", "EL", "ER", "ET", "GE", "MD", "ME", "MK", "RO", "RS", "UA")
"""Countries whose public holidays follow the Easter of the Julian computus."""

_CACHED_YEARS = 8_192
_CACHED_SHARES = 65_536


@lru_cache(maxsize=_CACHED_YEARS)
def _holidays(subdivision: str, year: int) -> frozenset[date]:
    country, _, part = subdivision.partition("-")
    return frozenset(country_holidays(country, subdiv=part or None, years=year))


class HolidayShares:
    """The share of a region that keeps a public holiday on a day, in [0, 1].

    Args:
        tree: The regions known by code.
        countries: The panel's countries; without one only NUTS codes below the country level have holidays.
        crosswalk: The subdivisions of regions; the packaged one if None.

    A region is found by code or by name (see `Places`). One that is not (`online`, a code of the panel's own)
    keeps the share of the panel's countries, their plain mean if there are several.

    Attributes:
        places: what finds it.

    Raises:
        ConfigError: What is no country; the package `holidays` knows all.
    """

    def __init__(self, tree: RegionTree, countries: Iterable[str] = (), *, crosswalk: Crosswalk | None = None) -> None:
        self._crosswalk = load_crosswalk(tree) if crosswalk is None else crosswalk
        self.countries = tuple(dict.fromkeys(nuts_country(country) for country in countries))
        supported = list_supported_countries()
        if unknown := [country for country in self.countries if ISO_OF_NUTS.get(country, country) not in supported]:
            told = ", ".join(map(repr, unknown))
            raise ConfigError(f"countries: {told}: no country of ISO 3166-1; give two capital letters such as CH")
        self.places = Places(tree, self._crosswalk, self.countries)
        self._profiles: dict[str, tuple[Share, ...]] = {}
        self._shares: dict[tuple[tuple[Share, ...], date], float] = {}

    def __call__(self, region: str, day: date) -> float:
        """Return the share of `region` that keeps a public holiday on `day`."""
        profile = self.profile(region)
        share = self._shares.get((profile, day))
        if share is None:
            if len(self._shares) >= _CACHED_SHARES:
                self._shares.clear()
            kept = sum((weight for part, weight in profile if day in _holidays(part, day.year)), 0.0)
            share = self._shares[profile, day] = min(1.0, round(kept, 9))
        return share

    def orthodox_share(self, region: str) -> float:
        """Return the share of `region` whose public holidays follow the Easter of the Julian computus."""
        kept = (weight for part, weight in self.profile(region) if nuts_country(part.partition("-")[0]) in ORTHODOX)
        return min(1.0, round(sum(kept, 0.0), 9))

    def profile(self, region: str) -> tuple[Share, ...]:
        """Return the subdivisions whose holidays a region keeps, with shares that sum to 1; none without country."""
        profile = self._profiles.get(region)
        if profile is None:
            if len(self._profiles) >= _CACHED_SHARES:
                self._profiles.clear()
            place = self.places.find(region)
            profile = self._whole() if place is None else self._crosswalk.subdivisions(place)
            self._profiles[region] = profile
        return profile

    def _whole(self) -> tuple[Share, ...]:
        return tuple(
            (subdivision, share / len(self.countries))
            for country in self.countries
            for subdivision, share in self._crosswalk.subdivisions(country) or ((country, 1.0),)
        )

    def describe(self) -> list[tuple[str, object]]:
        """Return what the shares depend on as plain values in a fixed order, for the fingerprint of a run."""
        return [
            ("holidays", version("holidays")),
            ("countries", list(self.countries)),
            ("crosswalk", self._crosswalk.describe()),
        ]


class SchoolHolidays:
    """School holidays of regions, from a table `region,first_day,last_day,name` (both days included).

    Args:
        table: The CSV; days as ISO 8601 dates, `name` is for people.
        tree: The regions known by code (of any vintage it recodes).
        own_regions: Further region codes of the panel that rows may name.
        find: The NUTS code that a region's name means (`Places.find`); None of what is no known name.

    Raises:
        ConfigError: Listing every row with an unknown region, a day that is no date, or a last day
            before the first.
    """

    def __init__(
        self,
        table: Path,
        tree: RegionTree,
        own_regions: Collection[str] = (),
        find: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        self._tree, self._find = tree, find
        self._periods: dict[str, list[tuple[date, date]]] = {}
        problems: list[str] = []
        for line, row in read_table(table, SCHOOL_COLUMNS):
            place = f"{table}:{line}"
            region = row["region"] if row["region"] in own_regions else self._code(row["region"])
            if region not in tree and region not in own_regions:
                problems.append(f"{place}: region {region!r} is neither NUTS nor of the panel; correct or declare it")
            days = [_date(row[column]) for column in ("first_day", "last_day")]
            problems += [
                f"{place}: {column} {row[column]!r} is no date; write it as 2019-12-31"
                for column, day in zip(("first_day", "last_day"), days, strict=True)
                if day is None
            ]
            first, last = days
            if first is None or last is None:
                continue
            if last < first:
                problems.append(f"{place}: last_day {last} is before first_day {first}; swap them")
            self._periods.setdefault(region, []).append((first, last))
        if problems:
            raise ConfigError("\n".join(problems))
        self._known = {above for region in self._periods for above in tree.lineage(region)}

    def _code(self, region: str) -> str:
        code = self._tree.recode(region)
        return code if code in self._tree else self._find(region) or code

    def share(self, region: str, day: date) -> float:
        """Return the share of a region that has school holidays on `day`, in [0, 1].

        A region is as the rows of its own or of the nearest region above it; a region without, as the plain
        mean of the regions one level down; a name as the region that it means; what is in no row and means none has
        no school holidays.
        """
        if region not in self._periods:
            region = self._code(region)
        for above in self._tree.lineage(region) or (region,):
            if above in self._periods:
                return float(any(first <= day <= last for first, last in self._periods[above]))
        if region not in self._known:
            return 0.0
        children = self._tree.children(region)
        return sum(self.share(child, day) for child in children) / len(children)

    def describe(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the table as plain values in a fixed order, for the fingerprint of a run."""
        return [
            (region, sorted((str(first), str(last)) for first, last in periods))
            for region, periods in sorted(self._periods.items())
        ]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
