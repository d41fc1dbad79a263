"""Country codes: ISO 3166-1 alpha-2, and EL and UK as Eurostat writes Greece and the United Kingdom."""

from holidays.registry import COUNTRIES

NUTS_OF_ISO = {"GR": "EL", "GB": "UK"}
"""Countries whose NUTS prefix differs from ISO 3166-1."""

COUNTRY_CODES: tuple[str, ...] = tuple(
    sorted({codes[1] for codes in COUNTRIES.values() if len(codes[1]) == 2} | set(NUTS_OF_ISO.values()))
)
_LETTERS = 2


def nuts_country(code: str) -> str:
    """Return the NUTS prefix of a country.

    >>> nuts_country("GR"), nuts_country("CH")
    ('EL', 'CH')
    """
    return NUTS_OF_ISO.get(code, code)


def with_nuts_letters(region: str) -> str:
    """Return a region's code with the letters that NUTS has for its country.

    >>> with_nuts_letters("GR30"), with_nuts_letters("CH01")
    ('EL30', 'CH01')
    """
    return nuts_country(region[:_LETTERS]) + region[_LETTERS:]
