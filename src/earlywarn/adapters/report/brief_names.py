"""What a panel of many places is called in sentences and headings: its first few, and how many more there are."""

from collections.abc import Iterable

from earlywarn.alerting.words import Names, joined

_NAMED = 3
_LEAST_MORE = 2
"""For one more it is named as well."""


def in_brief(name: str, *, is_joined: bool = False) -> str:
    """Return a name that lists places with the first of them alone; others as they are.

    Args:
        name: of a panel, its places apart by commas.
        is_joined: whether there is an "and" before the last of them, as there is where parts of countries are told.

    >>> in_brief("Austria, Belgium, Cyprus, Denmark, Estonia, Finland")
    'Austria, Belgium, Cyprus and 3 more'
    >>> in_brief("Austria, Belgium, Cyprus, Denmark"), in_brief("Bosnia and Herzegovina")
    ('Austria, Belgium, Cyprus, Denmark', 'Bosnia and Herzegovina')
    >>> in_brief("Austria, Belgium (2 regions), Cyprus, Denmark and Estonia", is_joined=True)
    'Austria, Belgium (2 regions), Cyprus and 2 more'
    """
    places = name.split(", ")
    more = len(places) + is_joined - _NAMED
    return name if more < _LEAST_MORE else joined([*places[:_NAMED], f"{more} more"])


class BriefNames:
    """Names (`alerting.words.Names`) that call a panel in brief.

    Args:
        names: the others.
    """

    def __init__(self, names: Names) -> None:
        self._names = names

    def panel(self, panel: str) -> str:
        """Return the name of a panel in brief."""
        return in_brief(self._names.panel(panel), is_joined=self._names.is_part(panel))

    def is_part(self, panel: str) -> bool:
        """Return whether that name is of a part of its countries."""
        return self._names.is_part(panel)

    def over(self, panel: str, regions: Iterable[str]) -> "BriefNames":
        """Return the same names where the panel is known to hold these regions."""
        return BriefNames(self._names.over(panel, regions))

    def currency(self, panel: str) -> str:
        """Return the currency of a panel."""
        return self._names.currency(panel)

    def region(self, code: str) -> str:
        """Return the name of a region."""
        return self._names.region(code)

    def sector(self, code: str) -> str:
        """Return the title of a sector."""
        return self._names.sector(code)
