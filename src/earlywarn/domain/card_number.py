"""What looks like the number of a card, or a token that keeps its form: it must not become a name that is published."""

import re

_CARD_NUMBER = re.compile(r"(?<!\d)\d(?:[ -]?\d){14,18}(?!\d)")


def has_card_number(text: str) -> bool:
    """Return whether a text holds a number of 15 to 19 digits, single spaces and dashes among them.

    Its check digit is not asked for: tokens that keep the form of a number are made so that it is wrong. Shorter
    numbers are left alone, since they stand for places, goods (GLN, GTIN) and times.

    >>> has_card_number("card 4929 1234 1234 1234"), has_card_number("feed-20240101120000")
    (True, False)
    """
    return _CARD_NUMBER.search(text) is not None
