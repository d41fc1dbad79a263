"""Regions: a tree of codes (NUTS, levels 0 to 3) and the rule that gives every record its region.

NUTS is the EU's nomenclature of territorial units for statistics (Regulation (EC) 1059/2003): a code of
two letters is a country, each further character one level down. The tables are in `reference.nuts`.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import msgspec

from earlywarn.domain.card_number import has_card_number
from earlywarn.domain.country import COUNTRY_CODES, nuts_country
from earlywarn.domain.reject import RejectReason
from earlywarn.errors import ConfigError

ONLINE = "online"
"""The region of card-not-present spending: it happens nowhere, so it is a region of its own."""

DEEPEST_LEVEL = 3
_HINTS_KEPT = 1 << 12
_COUNTRIES = frozenset(COUNTRY_CODES)


class Region(msgspec.Struct, frozen=True):
    """A node of the tree: level 0 is a country and has no parent, level 3 is the deepest."""

    code: str
    name: str
    level: int
    parent: str | None = None


class PostalLookup(Protocol):
    """Where a postal code lies; given by `reference.nuts.postal_lookup` or by the user."""

    def __call__(self, country: str, postal_code: str) -> str | None:
        """Return the NUTS code (any vintage the tree recodes) of a postal code of a NUTS country, or None."""

    def describe(self) -> str:
        """Return what the answers depend on (a table's name and digest), for the fingerprint of a run."""


class RegionTree:
    """Regions by code, with their parents, children and names, and the codes of other vintages.

    Args:
        regions: Every region, in any order.
        recoding: Code of another vintage to the code of the tree that holds it. Where a region was split
            the target is the deepest region that holds all of it, so it still rolls up to that level.

    Raises:
        ConfigError: Listing every duplicate, missing parent, level that does not follow its parent's, and
            recoding that leads nowhere or would hide a region of the tree.
    """

    def __init__(self, regions: Iterable[Region], recoding: Mapping[str, str] | None = None) -> None:
        ordered = sorted(regions, key=lambda region: region.code)
        self._regions = {region.code: region for region in ordered}
        self._recoding = dict(sorted((recoding or {}).items()))
        problems = [
            f"region {before.code!r} stands twice; remove one"
            for before, after in pairwise(ordered)
            if before.code == after.code
        ]
        children: dict[str, list[str]] = {code: [] for code in self._regions}
        for region in self._regions.values():
            problems += self._problems_of(region)
            if region.parent in children:
                children[region.parent].append(region.code)
        for old, new in self._recoding.items():
            if new not in self._regions:
                problems.append(f"recoding of {old!r} leads to {new!r}, which is no region; use a code of the tree")
            if old in self._regions:
                problems.append(f"recoding of {old!r} hides the region of that code; remove the recoding")
        if problems:
            raise ConfigError("regions cannot be used:\n" + "\n".join(f"  {problem}" for problem in problems))
        self._children = {code: tuple(codes) for code, codes in children.items()}

    def _problems_of(self, region: Region) -> list[str]:
        if region.parent is None:
            return [] if region.level == 0 else [f"region {region.code!r} of level {region.level} needs a parent"]
        parent = self._regions.get(region.parent)
        if parent is None:
            return [f"region {region.code!r} has the parent {region.parent!r}, which is no region; add it"]
        if region.level != parent.level + 1:
            return [f"region {region.code!r} of level {region.level} hangs under level {parent.level}; set parent + 1"]
        return []

    def __contains__(self, code: object) -> bool:
        return code in self._regions

    def recode(self, code: str) -> str:
        """Return the tree's code for a code of another vintage; a code of the tree, or an unknown one, as it is."""
        return self._recoding.get(code, code)

    def level_of(self, code: str) -> int | None:
        """Return the level (0 country .. 3) of a code of the tree, None if it has none."""
        region = self._regions.get(code)
        return None if region is None else region.level

    def parent(self, code: str) -> str | None:
        """Return the code one level up; None for a country or a code that is not in the tree."""
        region = self._regions.get(code)
        return None if region is None else region.parent

    def children(self, code: str) -> tuple[str, ...]:
        """Return the codes one level down, ascending; empty at the deepest level."""
        return self._children.get(code, ())

    def lineage(self, code: str) -> tuple[str, ...]:
        """Return the code and all above it, deepest first; empty for a code that is not in the tree."""
        found: list[str] = []
        step: str | None = code if code in self._regions else None
        while step is not None:
            found.append(step)
            step = self._regions[step].parent
        return tuple(found)

    def at_level(self, code: str, level: int) -> str | None:
        """Return the region of `level` that holds `code` (of any vintage known).

        None where there is none: an unknown code, or one above `level`, which could lie in several.
        """
        lineage = self.lineage(self.recode(code))
        return lineage[-1 - level] if level < len(lineage) else None

    def country(self, code: str) -> str | None:
        """Return the country (level 0) of a code of the tree."""
        lineage = self.lineage(code)
        return lineage[-1] if lineage else None

    def name(self, code: str) -> str:
        """Return the region's name in its own language; a code that is not in the tree names itself."""
        region = self._regions.get(code)
        return code if region is None else region.name

    def codes(self, level: int, country: str | None = None) -> tuple[str, ...]:
        """Return the codes of a level, ascending; of one country (NUTS code) if given."""
        return tuple(
            region.code
            for region in self._regions.values()
            if region.level == level and (country is None or self.country(region.code) == country)
        )

    def describe(self) -> str:
        """Return a digest (SHA-256, hex) of codes, parents and recodings; names do not matter to a run."""
        digest = hashlib.sha256()
        for region in self._regions.values():
            digest.update(f"{region.code}<{region.parent}\n".encode())
        for old, new in self._recoding.items():
            digest.update(f"{old}>{new}\n".encode())
        return digest.hexdigest()


class RegionResolver:
    """Gives a record the region it counts in, for one panel. Pure: the same record, the same region.

    Args:
        tree: The regions known by code.
        level: The NUTS level of the panel's regions, deeper codes roll up to it; None takes no NUTS
            level, only `declared` codes and what lies under them.
        countries: NUTS country codes of the panel; empty for any country.
        declared: Codes the panel declares besides (`Zurich`, `9999`, or a NUTS code of another level).
        online: Card-not-present spending counts in `ONLINE`.
        postal: Where a postal code lies; None knows no postal codes.
        accepts_any: Without a declaration every code is a region as it is written (aggregated history).
        named: Returns the NUTS code of a region's name, None of what is none; for `meant` alone, it decides nothing.

    Attributes:
        meant: The NUTS code of the panel that a region stands for which is none: its name; None if none is known.
        at_home: The codes of the panel's level in one of its countries (a NUTS code), ascending.

    Raises:
        ConfigError: A level outside 0..3, or a resolver that could never find a region.
    """

    def __init__(
        self,
        tree: RegionTree,
        *,
        level: int | None,
        countries: Iterable[str] = (),
        declared: Collection[str] = (),
        online: bool = True,
        postal: PostalLookup | None = None,
        accepts_any: bool = False,
        named: Callable[[str], str | None] | None = None,
    ) -> None:
        if level is not None and not 0 <= level <= DEEPEST_LEVEL:
            raise ConfigError(f"region level {level} is not one of 0 (country) to {DEEPEST_LEVEL}; choose one of these")
        if level is None and not declared and not accepts_any:
            raise ConfigError("no region can be found: set a region level, declare region codes, or accept any code")
        self.tree = tree
        self.level = level
        self.countries = tuple(dict.fromkeys(nuts_country(country) for country in countries))
        self.declared = frozenset(declared)
        self.online = online
        self.postal = postal
        self.accepts_any = accepts_any
        self._named = named
        self.meant = lru_cache(_HINTS_KEPT)(self._meant)
        self.at_home = lru_cache(_HINTS_KEPT)(self._at_home)

    def resolve(self, region: str | None, country: str | None, channel: str | None) -> str | RejectReason:
        """Return the region of a record, or why it has none (tell the two apart by `isinstance(_, RejectReason)`).

        Args:
            region: A declared code, a NUTS code of any level and known vintage, or a postal code.
            country: ISO 3166-1 alpha-2 (or EL, UK); None if the record does not say.
            channel: `ecom` is card-not-present; everything else happens at a place.

        Returns:
            A region code; or COUNTRY_UNKNOWN (no country code), PANEL_UNKNOWN (a country, stated or of the
            NUTS code, that is not the panel's), REGION_MISSING (at a place, but none given), REGION_UNKNOWN.
        """
        if country:
            if country not in _COUNTRIES:
                return RejectReason.COUNTRY_UNKNOWN
            country = nuts_country(country)
            if self.countries and country not in self.countries:
                return RejectReason.PANEL_UNKNOWN
        elif len(self.countries) == 1:
            country = self.countries[0]
        if self.online and (region == ONLINE or channel == "ecom"):
            return self._online(region, country or None)
        return self._place(region, country or None) if region else RejectReason.REGION_MISSING

    def _meant(self, region: str) -> str | None:
        """Return what `meant` does."""
        code = None if self._named is None else self._named(region)
        while code is not None and isinstance(self.resolve(code, None, None), RejectReason):
            below = self.tree.children(code)
            code = below[0] if len(below) == 1 else None  # Berlin is DE3, and all of it DE30
        return code

    def _at_home(self, country: str) -> tuple[str, ...]:
        """Return what `at_home` does."""
        if self.level is None or (self.countries and country not in self.countries):
            return ()
        return self.tree.codes(self.level, country)

    def country_of(self, region: str | None, country: str | None) -> str | None:
        """Return the country that makes a record one of another panel: the one it states, or that of its NUTS code."""
        stated = nuts_country(country) if country else None
        if stated and stated not in self.countries:
            return stated
        return self.tree.country(self.tree.recode(region or ""))

    def _online(self, region: str | None, country: str | None) -> str | RejectReason:
        """Of what was bought online only the shop has a place: it may lack, or be known less deeply."""
        if not region or region == ONLINE:
            return ONLINE
        place = self._place(region, country)
        if place is RejectReason.REGION_UNKNOWN and self._nuts(region, country) is None:
            return place
        return place if place is RejectReason.PANEL_UNKNOWN else ONLINE

    def _place(self, region: str, country: str | None) -> str | RejectReason:
        if region in self.declared or (self.accepts_any and not has_card_number(region)):
            return region
        code = self._nuts(region, country)
        if code is None:
            return RejectReason.REGION_UNKNOWN
        if self.countries and self.tree.country(code) not in self.countries:
            return RejectReason.PANEL_UNKNOWN
        for above in self.tree.lineage(code):
            if above in self.declared:
                return above
        at_level = None if self.level is None else self.tree.at_level(code, self.level)
        return RejectReason.REGION_UNKNOWN if at_level is None else at_level

    def _nuts(self, region: str, country: str | None) -> str | None:
        """Return the tree's code of a NUTS or postal code.

        Some postal codes look like NUTS codes (SE11 is in London and is Stockholm, DE21 is Derby): the code
        of the stated country goes first, then the postal code, then a NUTS code of another country.
        """
        code = self.tree.recode(region)
        if code in self.tree and country in (None, self.tree.country(code)):
            return code
        if country is not None and self.postal is not None:
            found = self.postal(country, region)
            if found is not None and self.tree.country(self.tree.recode(found)) == country:
                return self.tree.recode(found)
        # A code of a country that is not the panel's is returned, so that the caller can say whose it is;
        # a code of one of the panel's countries contradicts the country of the record, and is none.
        foreign = bool(self.countries) and self.tree.country(code) not in self.countries
        return code if code in self.tree and foreign else None

    def describe(self) -> list[tuple[str, object]]:
        """Return what decides a record's region as plain values in a fixed order, for the fingerprint of a run."""
        return [
            ("level", self.level),
            ("countries", list(self.countries)),
            ("declared", sorted(self.declared)),
            ("online", self.online),
            ("accepts_any", self.accepts_any),
            ("postal", None if self.postal is None else self.postal.describe()),
            ("tree", self.tree.describe()),
        ]
