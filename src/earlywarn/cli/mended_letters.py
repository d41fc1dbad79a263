"""Dead letters as `dlq replay` re-enters them: mended, and asked whether they would be accepted."""

from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from earlywarn.adapters.kafka.dead_letters import Letter
from earlywarn.aggregation.nesting import NESTING_LIMIT, is_nested_too_deep
from earlywarn.application.compose import Run
from earlywarn.application.mending import mended, refusal, standing_refusal
from earlywarn.errors import InputError

_REFUSED_KEPT = 100
_UNKNOWN = (
    "retention has taken its record, and would have taken a mark that it was re-entered "
    "(topics.dead_letter_retention_hours); if it was not, send it anew"
)
UNTOLD = (
    "only its worker tells whether a record comes too late: if it is more than fold.revision_horizon_days behind the "
    "newest of its partition, it is a dead letter again (too_late)"
)
"""What a dry run cannot know."""
_LOST = (
    "its partition of transactions is lost, and nothing that is sent there is counted any more; send it into another "
    "run (docs/delivery.md, A lost partition)"
)


class Unmendable(msgspec.Struct, frozen=True):
    """A letter that would be rejected again."""

    key: str
    reason: str
    field: str
    detail: str

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.key}: still {self.reason}{where}: {self.detail}"


class MendedLetters:
    """Iterate for the letters that would be accepted, with their new bytes.

    Args:
        run: as its workers have it.
        letters: those that are chosen.
        mends: fields to set in each, None to remove.
        edits: new bytes by key; without one a letter has its own.
        reentered: asked of each that would be accepted: whether it was re-entered before, None if nobody can say.
        lost: asked of the partition of each that would be re-entered: whether nobody would count it there.
        copied: asked of each likewise: whether what it became may stand in the run already, copied with it.

    Attributes:
        seen: keys of the letters that came by.
        unmendable: the first that would be rejected again, or not be counted, or of which nobody can say; `refused` is
            their number.
        passed_over: how many were re-entered before.
        before_copy: keys of the first of those that may have been, in the run of which theirs is a copy; `held` is
            their number.
    """

    def __init__(
        self,
        run: Run,
        letters: Iterable[Letter],
        mends: Mapping[str, Any],
        edits: Mapping[str, bytes | None] | None,
        reentered: Callable[[Letter], bool | None] = lambda _: False,
        lost: Callable[[int], bool] = lambda _: False,
        copied: Callable[[Letter], bool] = lambda _: False,
    ) -> None:
        self.seen: set[str] = set()
        self.unmendable: list[Unmendable] = []
        self.refused = 0
        self.passed_over = 0
        self._reentered = reentered
        self._lost = lost
        self._copied = copied
        self.before_copy: list[str] = []
        self.held = 0
        self._run = run
        self._letters = letters
        self._mends = mends
        self._edits = edits or {}

    def __iter__(self) -> Iterator[tuple[Letter, bytes]]:
        """Yield letters and bytes."""
        for letter in self._letters:
            self.seen.add(letter.key)
            value = mended(self._edits.get(letter.key, letter.value), self._mends)
            reject = refusal(self._run, value, letter.received_ms)
            reject = reject or standing_refusal(letter.reason, letter.value, value)
            if reject is not None:
                self._refuse(letter, reject.reason.value, reject.field, reject.detail)
                continue
            before = self._reentered(letter)
            if before is None:
                self._refuse(letter, letter.reason, letter.field, _UNKNOWN)
            elif before:
                self.passed_over += 1
            elif self._lost(letter.partition):
                self._refuse(letter, letter.reason, letter.field, _LOST)
            elif self._copied(letter):
                self.held += 1
                if len(self.before_copy) < _REFUSED_KEPT:
                    self.before_copy.append(letter.key)
            elif value is not None:
                yield letter, value

    def _refuse(self, letter: Letter, reason: str, field: str, detail: str) -> None:
        self.refused += 1
        if len(self.unmendable) < _REFUSED_KEPT:
            self.unmendable.append(Unmendable(letter.key, reason, field, detail))


def read_edits(path: Path) -> dict[str, bytes | None]:
    """Return the mended records of a file, by the key of their letter.

    A line is a JSON object with `key`, and `value`: the record as a text, or as an object itself.

    Raises:
        InputError: the file cannot be read; or one line for each of its lines that has not this form, or a key that
            stands there before.
    """
    edits: dict[str, bytes | None] = {}
    problems: list[str] = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            key, value = _edit(line)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
            continue
        if key in edits:
            problems.append(f"{path}:{number}: key {key} stands there twice; keep one")
        edits[key] = value
    if problems:
        raise InputError("\n".join(problems))
    return edits


def _edit(line: bytes) -> tuple[str, bytes | None]:
    if is_nested_too_deep(line):
        raise ValueError(f"is nested more than {NESTING_LIMIT} deep")
    try:
        edit = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise ValueError(f"is no JSON object: {error}") from error
    key, value = edit.get("key"), edit.get("value")
    if not isinstance(key, str) or not ("value" in edit or "value_base64" in edit):
        raise ValueError("has no key and value; take lines of: earlywarn dlq list --show-values --json")
    if "value" not in edit:
        return key, b64decode(str(edit["value_base64"]), validate=True)
    if isinstance(value, dict):
        return key, msgspec.json.encode(value)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"value of {key} is neither a text nor an object")
    return key, None if value is None else value.encode()
