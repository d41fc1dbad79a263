"""What a message quotes of a value that cannot be used: only what is no card token by its form.

Any field may hold what belongs into another, so no field's name makes its value harmless. Quoted is what is short, or
made of words; of everything else a message says how long it is and what it is made of. Messages stand in the headers
of dead letters, in files of rejects and in logs, which more people read than may see the records.
"""

import re

_LONGEST = 40
_LONGEST_WITH_DIGITS = 6
_LONGEST_WORD = 12
_LONGEST_NUMBER = 8
"""Digits; a card number has twice as many."""
_NUMBER = re.compile(r"[-+]?\d[\d.,;']*")
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?Z|[+-]\d{2}:?\d{2})?"
_MOMENT = re.compile(rf"\d{{1,4}}([-./])\d{{1,2}}\1\d{{1,4}}(?:[T ]{_CLOCK})?")
_PIECE = re.compile(r"[^\W_]+")
_DATE_OR_LONG_NUMBER = re.compile(r"(?<!\d)(\d{4}-\d{2}-\d{2})(?![ -]?\d{3})|\d(?:[ -]?\d){8,}")


def shown(text: str, *, longest: int = _LONGEST, with_digits: int = _LONGEST_WITH_DIGITS) -> str:
    """Return a value as a message quotes it, or a description of it.

    Args:
        text: the value.
        longest: length up to which the field's values are quoted.
        with_digits: the same of a value that has digits; numbers and dates go by themselves.

    >>> shown("XXQ"), shown("Food & drinks"), shown("2021-02-30")
    ("'XXQ'", "'Food & drinks'", "'2021-02-30'")
    >>> shown("tok_Zk8qPfR2LmXw")
    'a text of 16 characters (letters, digits, other signs)'
    """
    if len(text) <= longest and _is_harmless(text, with_digits):
        return repr(text)
    return f"a text of {len(text)} characters ({', '.join(_kinds(text))})"


def _is_harmless(text: str, with_digits: int) -> bool:
    if _NUMBER.fullmatch(text):
        return sum(map(str.isdigit, text)) <= _LONGEST_NUMBER
    if _MOMENT.fullmatch(text):
        return True
    if not text.isprintable() or (len(text) > with_digits and any(map(str.isdigit, text))):
        return False
    return all(_is_word_or_code(piece) for piece in _PIECE.findall(text))


def _is_word_or_code(piece: str) -> bool:
    """Return whether a piece is in one case, or a word with a capital: letters of random case are no word."""
    letters = "".join(filter(str.isalpha, piece))
    if len(piece) > _LONGEST_WORD:
        return False
    return letters in {letters.lower(), letters.upper(), letters.capitalize()}


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
