"""What a message quotes of a value that cannot be used: only what is no card token by its form.

Any field may hold what belongs into another, so no field's name makes its value harmless. Quoted is of at most 40
characters: a number of at most 8 digits, also with its currency; a date or time; what has digits, if it is short, or
words and at most two digits apart from them; and words. Words are of letters in one case or with a capital, and beyond
12 letters in all they are such as can be spoken. Of everything else a message says how long it is and what it is made
of. Messages stand in the headers of dead letters, in files of rejects and in logs, which more people read than may see
the records.
"""

import re
import unicodedata
from collections.abc import Sequence

from earlywarn.domain.money import MINOR_UNITS

_LONGEST = 40
_LONGEST_WITH_DIGITS = 6
_LONGEST_CODE = 12
"""Letters."""
_LONGEST_NUMBER = 8
"""Digits; a card number has twice as many."""
_DIGITS_BESIDE_WORDS = 2
_LEAST_VOWELS = 0.25
_MOST_RARE = 0.3
_UNIT = rf"(?:{'|'.join(MINOR_UNITS)}|[^\w\s])"
_SPACE = "[ \u00a0\u202f]"
_NUMBER = re.compile(rf"(?:{_UNIT}{_SPACE}?)?[-+]?\d(?:{_SPACE}?[\d.,;'])*(?:{_SPACE}?{_UNIT})?")
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?Z|[+-]\d{2}:?\d{2})?"
_MOMENT = re.compile(rf"\d{{1,4}}([-./])\d{{1,2}}\1\d{{1,4}}(?:[T ]{_CLOCK})?")
_PIECE = re.compile(r"[^\W_]+")
_RARE = frozenset("bfghjkpqvwxyz")
"""Letters that are a tenth of a text's, and half of those drawn at random."""
_UNSPEAKABLE = re.compile(r"[^aeiouy]{5}|[aeiouy]{4}|q(?!u)")
_DATE_OR_LONG_NUMBER = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?![ -]?\d{3})|\d(?:[ -]?\d){8,}")


def shown(text: str, *, longest: int = _LONGEST, with_digits: int = _LONGEST_WITH_DIGITS) -> str:
    """Return a value as a message quotes it, or a description of it.

    Args:
        text: the value.
        longest: length up to which the field's values are quoted.
        with_digits: the same of a value that has digits; numbers and dates go by themselves.

    >>> shown("XXQ"), shown("Food & drinks"), shown("2021-02-30")
    ("'XXQ'", "'Food & drinks'", "'2021-02-30'")
    >>> shown("accommodation"), shown("grocery-10"), shown("276417.33 \u20ac")
    ("'accommodation'", "'grocery-10'", "'276417.33 \u20ac'")
    >>> shown("tok_Zk8qPfR2LmXw")
    'a text of 16 characters (letters, digits, other signs)'
    """
    if len(text) <= longest and _is_harmless(text, with_digits):
        return repr(text)
    return f"a text of {len(text)} characters ({', '.join(_kinds(text))})"


def _is_harmless(text: str, with_digits: int) -> bool:
    digits = sum(map(str.isdigit, text))
    if _NUMBER.fullmatch(text):
        return digits <= _LONGEST_NUMBER
    if _MOMENT.fullmatch(text):
        return True
    pieces = _PIECE.findall(text)
    apart = digits <= _DIGITS_BESIDE_WORDS and all(piece.isalpha() or piece.isdigit() for piece in pieces)
    if not text.isprintable() or (digits and len(text) > with_digits and not apart):
        return False
    letters = "".join(filter(str.isalpha, text))
    return all(map(_is_of_one_case, pieces)) and (len(letters) <= _LONGEST_CODE or _can_be_spoken(pieces))


def _is_of_one_case(piece: str) -> bool:
    """Return whether a piece is in one case, or a word with a capital: letters of random case are no word."""
    letters = "".join(filter(str.isalpha, piece))
    return letters in {letters.lower(), letters.upper(), letters.capitalize()}


def _can_be_spoken(pieces: Sequence[str]) -> bool:
    """Return whether pieces are of letters as words have them; of 13 letters drawn at random one text in fifty is."""
    words = ["".join(filter(str.isalpha, unicodedata.normalize("NFD", piece.lower()))) for piece in pieces]
    letters = "".join(words)
    vowels, rare = sum(map("aeiouy".count, letters)), sum(map(_RARE.__contains__, letters))
    if vowels < _LEAST_VOWELS * len(letters) or rare > _MOST_RARE * len(letters):
        return False
    return not any(len(word) > _LONGEST_CODE and _UNSPEAKABLE.search(word) for word in words)


def _kinds(text: str) -> list[str]:
    """Return what a text is made of, without saying more of it."""
    kinds = {
        "letters": any(map(str.isalpha, text)),
        "digits": any(map(str.isdigit, text)),
        "spaces": any(map(str.isspace, text)),
    }
    found = [name for name, there in kinds.items() if there]
    others = any(not (sign.isalpha() or sign.isdigit() or sign.isspace()) for sign in text)
    return [*found, "other signs"] if others else found


def without_long_numbers(text: str) -> str:
    """Return `text` with every number of nine or more digits (single spaces and dashes among them) as #, dates kept.

    >>> without_long_numbers("4929 1234 1234 1234 on 2020-13-01 12:00")
    '# on 2020-13-01 12:00'
    """
    return _DATE_OR_LONG_NUMBER.sub(lambda found: found[1] or "#", text)
