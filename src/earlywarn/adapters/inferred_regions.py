"""Regions of inputs that come without a configuration: whether they are NUTS codes, and of which level."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from earlywarn.aggregation.unknown_region import LIKE_NUTS
from earlywarn.domain.country import nuts_country, with_nuts_letters
from earlywarn.domain.region import RegionTree

_MOST = 0.9
_HALF = 0.5
_NAMED = 3
_USUAL_LEVEL = 2
_COUNTRY_LETTERS = 2

Places = Sequence[tuple[str, str]]
"""Region codes with the countries that their records state, empty where they state none."""


class Regions(NamedTuple):
    """The NUTS level of the regions, None if every code is a region as it is written.

    `nuts`: the codes are of NUTS. `reason`: why this level was taken, where somebody could wonder; else empty.
    """

    nuts: bool
    level: int | None
    reason: str = ""


def infer_regions(places: Places, tree: RegionTree, *, country: str | None, level: int | None, cells: bool) -> Regions:
    """Return what the region codes of the first records are; a `level` that is given is not guessed.

    Nearly all must be NUTS codes, of the countries that the records state; with a `country` that is given half is
    enough: the rest are errors, and rejected as such. Cells are taken at the level of nearly all of them, and what
    happened at places at the deepest that all of them have, but no deeper than 2.
    """
    if not places:
        return Regions(nuts=False, level=None)
    strange = [code for code, stated in places if not _is_nuts(tree, code, stated, country)]
    if 1 - len(strange) / len(places) < (_HALF if country else _MOST):
        return Regions(nuts=False, level=None, reason=_why_none(places, tree, strange, country))
    if level is not None:
        return Regions(nuts=True, level=level)
    codes, levels = _levels(places, tree, country)
    if cells:
        most = max(sorted(set(levels)), key=levels.count)
        if levels.count(most) / len(levels) >= _MOST:
            return Regions(nuts=True, level=most)
        return Regions(nuts=True, level=None, reason=_why_as_written(codes, levels))
    taken = min([*levels, _USUAL_LEVEL])
    deepest = min(max(levels), _USUAL_LEVEL)
    higher = {code for code, of in zip(codes, levels, strict=True) if of < deepest}
    reason = f"of {_named(higher)} no deeper one is known (--region-level {deepest} rejects it)" if higher else ""
    return Regions(nuts=True, level=taken, reason=reason)


def countries_of(places: Places, tree: RegionTree, *, nuts: bool) -> set[str]:
    """Return the countries (NUTS codes) of the regions that are codes of NUTS; none if most of the codes are others.

    Codes that only begin with ISO's letters of a country (GR30) are no regions of NUTS, but leave no doubt of it.
    Nor do a few that are none, beside regions that are; two letters may be anything where not all are countries.
    """
    codes = [tree.recode(code if nuts else with_nuts_letters(code)) for code, _ in places]
    found = {tree.country(code) or "" for code in codes}
    if nuts or "" not in found:
        return found - {""}
    below = [tree.country(code) for code in codes if len(code) > _COUNTRY_LETTERS]
    known = [country for country in below if country is not None]
    return set(known) if len(known) > _HALF * len(places) else set()


def _is_nuts(tree: RegionTree, code: str, stated: str, given: str | None) -> bool:
    """Return whether a code is one of NUTS, for all that the record states and the caller gives of its country.

    Two letters may be a state or a canton of the country given (FR is Fribourg), and outside NUTS so may be anything.
    """
    country = tree.country(tree.recode(code))
    if country is None or stated:
        return country is not None and nuts_country(stated) == country
    home = nuts_country(given) if given else country
    return country == home or (home in tree and len(code) > len(country))


def _levels(places: Places, tree: RegionTree, country: str | None) -> tuple[list[str], list[int]]:
    """Return the NUTS codes as they are written, and their levels: of the country given, if there are any of it."""
    codes = [code for code, _ in places if tree.recode(code) in tree]
    home = nuts_country(country) if country else None
    codes = [code for code in codes if tree.country(tree.recode(code)) == home] or codes
    return codes, [len(tree.lineage(tree.recode(code))) - 1 for code in codes]


def _why_none(places: Places, tree: RegionTree, strange: Iterable[str], given: str | None) -> str:
    """Return why regions are taken as written where some look like NUTS codes; empty where none does."""
    if not any(_looks_like_nuts(tree, with_nuts_letters(code), stated or given or "") for code, stated in places):
        return ""
    way_out = "correct the codes" if given else "correct the codes, or --country rejects them where at least half are"
    return f"NUTS 2021 has no {_named(strange)} ({way_out})"


def _looks_like_nuts(tree: RegionTree, code: str, country: str) -> bool:
    letters = code[:_COUNTRY_LETTERS].upper()
    return bool(LIKE_NUTS.fullmatch(code)) and letters in tree and nuts_country(country or letters) == letters


def _why_as_written(codes: Sequence[str], levels: Sequence[int]) -> str:
    """Return why NUTS codes of cells are taken as written: some were split, or they are of several levels."""
    split = [code for code, level in zip(codes, levels, strict=True) if level < len(code) - _COUNTRY_LETTERS]
    if split:
        return (
            f"no one region of NUTS 2021 holds {_named(split)} (--region-level {min(levels)} adds all up to it; in "
            "settings, a CSV file as nuts_recoding can say where it belongs)"
        )
    return (
        f"they are of several NUTS levels, such as {_named(dict(sorted(zip(levels, codes, strict=True))).values())} "
        "(a total beside its parts counts twice: leave it out; --region-level adds up to one level)"
    )


def _named(codes: Iterable[str]) -> str:
    """Return the first few of some codes.

    >>> _named(["PT1D", "HR04", "HR04", "NO03", "NO04"])
    'HR04, NO03, NO04 and 1 more'
    """
    found = sorted(set(codes))
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{', '.join(found[:_NAMED])}{more}"
