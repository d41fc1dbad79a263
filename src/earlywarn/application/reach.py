"""How much of its countries a panel covers: the name of one that holds a few regions of a country says how many."""

from collections.abc import Iterable
from dataclasses import dataclass

from earlywarn.alerting.words import joined
from earlywarn.domain.region import RegionTree
from earlywarn.reference.country_names import country_name


@dataclass(frozen=True, slots=True)
class Reach:
    """What a panel covers: `whole` is what it is called; `note` what of its countries, where that is not all.

    The name must not read as if something were said of these regions and not of the others of the panel.

    >>> from earlywarn.reference.nuts import load_regions
    >>> reach("Italy", ["ITC1", "ITC4"], load_regions())
    Reach(whole='Italy (2 regions)', note='2 of the 21 regions of Italy')
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
    note = joined([part.note for part in parts.values() if part])
    if not note or name != ", ".join(map(country_name, parts)):
        return Reach(name, note)
    return Reach(joined([part.whole if part else country_name(country) for country, part in parts.items()]), note)


def _part(country: str, codes: set[str], tree: RegionTree) -> Reach | None:
    """Return how much of a country some regions are; None if they are all of it."""
    missing = {leaf for leaf in _leaves(country, tree) if codes.isdisjoint(tree.lineage(leaf))}
    if not missing:
        return None
    name, levels = country_name(country), {tree.level_of(code) for code in codes}
    if len(levels) > 1:
        return Reach(f"{name} (in part)", f"a part of {name}")
    level = levels.pop()
    there = {tree.at_level(leaf, level) for leaf in _leaves(country, tree)} if level is not None else set()
    known = f"{len(codes)} {'region' if len(codes) == 1 else 'regions'}"
    return Reach(f"{name} ({known})", f"{len(codes)} of the {len(there)} regions of {name}")


def _leaves(code: str, tree: RegionTree) -> list[str]:
    below = tree.children(code)
    return [leaf for each in below for leaf in _leaves(each, tree)] if below else [code]
