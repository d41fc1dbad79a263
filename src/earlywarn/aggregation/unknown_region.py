"""What a message says of a region that a panel does not have, beside the code: which there are, and the way out."""

import re
from operator import ne

from earlywarn.domain.country import with_nuts_letters
from earlywarn.domain.region import RegionResolver

LIKE_NUTS = re.compile(r"(?=.*\d)[A-Za-z]{2}[0-9A-Za-z]{1,3}")
"""A code below the country level, of any edition."""
_COUNTRY_LETTERS = 2
_NAMED = 4
_RECODED = "a CSV file as nuts_recoding in the settings says where codes of other editions belong: docs/calendars.md"


def region_hint(region: str, regions: RegionResolver) -> str:
    """Return what helps against a region that is none of the panel's, after a semicolon; empty if nobody can tell."""
    if meant := regions.meant(region):
        return f"; did you mean {meant}?"
    code = regions.tree.recode(region)
    level = regions.tree.level_of(code)
    if level is not None and regions.level is not None and level < regions.level:
        levels = f"of level {level}, and the panel's regions are of level {regions.level}"
        split = f"; it was split, and what holds it is {code}, {levels} ({_RECODED})"
        return f"; it is {levels}" if code == region else split
    code = with_nuts_letters(region)
    there = regions.at_home(code[:_COUNTRY_LETTERS])
    if not there or not LIKE_NUTS.fullmatch(region):
        return (
            "; if it is one, add it to regions of the panel in the settings ([panels.regions])"
            if regions.declared
            else ""
        )
    near = [each for each in there if len(each) == len(code) and sum(map(ne, each, code)) == 1]
    named = near or there
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    what = "codes like it" if near else f"of level {regions.level}"
    return f"; NUTS 2021 has, {what}, {', '.join(named[:_NAMED])}{more} ({_RECODED})"
