"""What countries are called in English texts: the names of Unicode's CLDR."""

from functools import cache

from babel import Locale

from earlywarn.domain.country import NUTS_OF_ISO

_ISO_OF_NUTS = {nuts: iso for iso, nuts in NUTS_OF_ISO.items()}


@cache
def country_name(code: str) -> str:
    """Return the English name of a country (ISO 3166-1 alpha-2, or EL, UK); an unknown code names itself.

    >>> country_name("CH"), country_name("EL"), country_name("XX")
    ('Switzerland', 'Greece', 'XX')
    """
    names: dict[str, str] = dict(Locale("en").territories)
    return names.get(_ISO_OF_NUTS.get(code, code), code)
