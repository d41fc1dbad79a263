"""How much of its countries a panel covers: a few regions of a country are not called by the country's name."""

from collections.abc import Iterable
from dataclasses import dataclass

from earlywarn.alerting.words import joined
from earlywarn.domain.region import RegionTree
from earlywarn.reference.country_names import country_name


@dataclass(frozen=True, slots=True)
class Reach:
    """What a panel covers: `whole` is what it is called; `note`, where that does not say it, what of its countries.

    >>> from earlywarn.reference.nuts import load_regions
    >>> reach("Italy", ["ITC1", "ITC4"], load_regions())
    Reach(whole='2 of the 21 regions of Italy', note='')
    >>> reach("Cards of the north", ["ITC1", "CH0"], load_regions())
    Reach(whole='Cards of the north', note='1 of the 21 regions of Italy')
    >>> reach("Switzerland", ["CH01", "CH02", "CH03", "CH04", "CH05", "CH06", "CH07", "9999"], load_regions())
    Reach(whole='Switzerland', note='')
    """

    whole: str
    note: str


def reach(name: str, regions: Iterable[str], tree: RegionTree) -> Reach:
    """Return what a panel of that name covers with its regions; codes that are none of NUTS are of no country."""
    by_country: dict[str, set[str]] = {}
    for code in map(tree.recode, regions):
        country = tree.country(code)
        if country is not None:
            by_country.setdefault(country, set()).add(code)
    parts = {country: _part(country, codes, tree) for country, codes in sorted(by_country.items())}
    told = [part or country_name(country) for country, part in parts.items()]
    is_named_after_them = name == ", ".join(map(country_name, parts))
    note = joined([part for part in parts.values() if part])
    return Reach(joined(told), "") if note and is_named_after_them else Reach(name, note)


def _part(country: str, codes: set[str], tree: RegionTree) -> str:
    """Return how much of a country some regions are; empty if they are all of it."""
    missing = {leaf for leaf in _leaves(country, tree) if codes.isdisjoint(tree.lineage(leaf))}
    if not missing:
        return ""
    levels = {tree.level_of(code) for code in codes}
    if len(levels) > 1:
        return f"a part of {country_name(country)}"
    level = levels.pop()
    there = {tree.at_level(leaf, level) for leaf in _leaves(country, tree)} if level is not None else set()
    return f"{len(codes)} of the {len(there)} regions of {country_name(country)}"


def _leaves(code: str, tree: RegionTree) -> list[str]:
    below = tree.children(code)
    return [leaf for each in below for leaf in _leaves(each, tree)] if below else [code]
