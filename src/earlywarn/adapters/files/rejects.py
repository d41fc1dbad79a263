"""rejects.jsonl: what was not accepted, line by line, bounded."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from earlywarn.adapters.files.batch import Place
from earlywarn.adapters.files.cells import OTHER_FIGURES
from earlywarn.adapters.files.hints import NAME_MAPPING
from earlywarn.domain.reject import Reject, RejectReason

LINES_KEPT = 100_000
_ROWS_NAMED = 3
_QUOTED = re.compile(r"'[^']*'")
"""How a detail quotes the value that it begins with."""


class _Line(msgspec.Struct, frozen=True):
    file: str
    line: int
    field: str
    reason: str
    detail: str


@dataclass(slots=True)
class Foreign:
    """Rows of a file that a mapping may read: how many, the first of them, and the first detail of each field."""

    count: int = 0
    first: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    def add(self, place: Place, reject: Reject) -> None:
        """Count one."""
        self.count += 1
        self.said.setdefault(reject.field, reject.detail)
        if len(self.first) < _ROWS_NAMED:
            value = _QUOTED.match(reject.detail)
            self.first.append(f"{place.line}{f' ({reject.field} {value[0]})' if value else ''}")

    def in_words(self) -> str:
        """Return where they stand.

        >>> Foreign(4, ["7 (date '1.2.2024')", "9 (date '3.2.2024')", "12"]).in_words()
        "lines 7 (date '1.2.2024'), 9 (date '3.2.2024'), 12 and 1 more"
        """
        more = f" and {self.count - len(self.first):,} more" if self.count > len(self.first) else ""
        return f"{'line' if self.count == 1 else 'lines'} {', '.join(self.first)}{more}"


class RejectsWriter:
    """Writes one JSON line `{"file","line","field","reason","detail"}` for each rejected record.

    The file keeps the first `lines_kept` rejects; the rest are counted (`total`, `by_reason`) and
    not written, so that a file of rubbish cannot fill the disk. Use it as a context manager.
    """

    def __init__(self, path: Path, lines_kept: int = LINES_KEPT) -> None:
        self._lines_kept = lines_kept
        self._by_reason: Counter[str] = Counter()
        self._by_file: dict[str, Counter[str]] = {}
        self._examples: dict[str, str] = {}
        self._foreign: dict[str, Foreign] = {}
        self._total = 0
        self._contradictions = 0
        self._first_contradiction: Place | None = None
        self._encoder = msgspec.json.Encoder()
        self._stream = path.open("wb")

    @property
    def total(self) -> int:
        """Number of rejects so far, written or not."""
        return self._total

    @property
    def left_out(self) -> int:
        """Number of rejects that were counted and not written."""
        return max(0, self._total - self._lines_kept)

    @property
    def by_reason(self) -> Mapping[str, int]:
        """Rejects by reason, in the order of the reasons' names."""
        return dict(sorted(self._by_reason.items()))

    @property
    def by_file(self) -> Mapping[str, Mapping[str, int]]:
        """Rejects by file and reason, of the files that have any."""
        return self._by_file

    @property
    def foreign(self) -> Mapping[str, Foreign]:
        """Rejects that a mapping may read, by file."""
        return self._foreign

    @property
    def contradictions(self) -> int:
        """Number of cells that stand twice with other figures: the earlier row counts."""
        return self._contradictions

    @property
    def first_contradiction(self) -> Place | None:
        """Where the first of these stands."""
        return self._first_contradiction

    @property
    def examples(self) -> Mapping[str, str]:
        """The first reject of each reason as a line for people, the most frequent reason first.

        Of cells that stand twice it is the first with other figures, if there is any: copies do no harm.
        """
        order = sorted(self._examples, key=lambda reason: (-self._by_reason[reason], reason))
        return {reason: self._examples[reason] for reason in order}

    def add(self, place: Place, reject: Reject) -> None:
        """Count one reject, and write it while there is room."""
        self._total += 1
        self._by_reason[reject.reason.value] += 1
        self._by_file.setdefault(place.file, Counter())[reject.reason.value] += 1
        if NAME_MAPPING in reject.detail:
            self._foreign.setdefault(place.file, Foreign()).add(place, reject)
        contradicts = reject.reason is RejectReason.DUPLICATE_CELL and OTHER_FIGURES in reject.detail
        if contradicts:
            self._contradictions += 1
            self._first_contradiction = self._first_contradiction or place
        if reject.reason.value not in self._examples or (contradicts and self._contradictions == 1):
            self._examples[reject.reason.value] = in_words(place, reject)
        if self._total <= self._lines_kept:
            line = _Line(place.file, place.line, reject.field, reject.reason.value, reject.detail)
            self._stream.write(self._encoder.encode(line) + b"\n")

    def close(self) -> None:
        """Flush and close the file."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def in_words(place: Place, reject: Reject) -> str:
    """Return a reject as one line: file, line, field, what is wrong, and the reason's name.

    >>> from earlywarn.domain.reject import RejectReason
    >>> in_words(Place("a.csv", 7), Reject(reason=RejectReason.REGION_MISSING, field="region", detail="empty"))
    'a.csv:7: region: empty (region_missing)'
    """
    told = [f"{place.file}:{place.line}", reject.field, reject.detail or reject.reason.value.replace("_", " ")]
    return f"{': '.join(part for part in told if part)} ({reject.reason.value})"
