"""How deep a record may be nested: decided by its bytes, before anything decodes it.

A decoder gives up where the stack ends, and how much of that is left depends on who calls it. The same record would be
accepted by one reader of a log and rejected by the next.
"""

import re

NESTING_LIMIT = 200
"""Lists and objects within each other, the record itself among them. Far below any stack, far above any record."""
NESTING_BYTES = 2 * NESTING_LIMIT
"""A JSON document of no more bytes is not nested deeper; most records have fewer and are not looked at."""

_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)  # without its end it reaches to that of the record
_OPENED_OR_CLOSED = re.compile(rb"[\[{]+|[\]}]+")


def is_nested_too_deep(value: bytes) -> bool:
    """Return whether a record that may be JSON is nested deeper than `NESTING_LIMIT`.

    >>> is_nested_too_deep(b"[" * 200 + b"]" * 200), is_nested_too_deep(b"[" * 201 + b"]" * 201)
    (False, True)
    """
    if len(value) <= NESTING_BYTES or value.count(b"[") + value.count(b"{") <= NESTING_LIMIT:
        return False
    depth = deepest = 0
    for found in _OPENED_OR_CLOSED.findall(_TEXT.sub(b"", value)):
        depth += len(found) if found[0] in b"[{" else -len(found)
        deepest = max(deepest, depth)
    return deepest > NESTING_LIMIT
