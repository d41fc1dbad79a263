"""One univariate series as CSV: `timestamp,value` in, `timestamp,value,score` out, row by row.

A header is optional. Of two columns the first is the time, whatever they are called; of more, `timestamp` and `value`
are taken, else the one column of a known name for each, without a header the first two: which these are is told. The
file may be compressed (gzip, zstd) and separated by comma, semicolon, tab or bar; with semicolons a decimal comma is
understood, but where it may as well stand between thousands (`1,234`), unless the decimal sign is named.
Timestamps: ISO 8601 (with or without time, `T` or a space, offset or `Z`), `2019-01`, `2019/01/31`, or epoch
seconds, milliseconds, microseconds or nanoseconds. Of a timestamp with an offset the local time counts.
Rows stand in the order of time, each time once; the one exception is the hour that local clocks show twice.
"""

import codecs
import csv
import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import msgspec

from earlywarn.adapters.files.binary import HEAD_BYTES, refuse_binary, refuse_packed
from earlywarn.adapters.files.series_columns import PLACE_NAMES, TIMESTAMP_NAMES, VALUE_NAMES, places
from earlywarn.adapters.files.source import PARQUET_MAGIC, UTF16_BOMS, ByteSource
from earlywarn.application.score import ProblemCounter, ScoreSummary, SeriesRow, score_rows
from earlywarn.detection.univariate import UnivariateAnomaly
from earlywarn.detection.univariate_parameters import UnivariateParameters
from earlywarn.errors import InputError

DELIMITERS = (",", ";", "\t", "|")
CHUNK_BYTES = 1 << 20
VALUE_MAX = 1e300
SHOWN = 40
PROGRESS_ROWS = 1000
HELD_ROWS = 1000
HOUR_SECONDS, DAY_SECONDS = 3600.0, 86_400.0
_ACCEPTED = "a series is read from CSV (timestamp,value); save it as such"
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_COMPACT_DAY = re.compile(r"(19|20)\d{6}")
_EITHER = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
_GROUPED = re.compile(r"[-+]?\d+(?:[.,' \u00a0\u2019\u202f]\d+)+")
_EPOCH_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""From which size on a number counts in smaller parts of a second, and how many of them make one."""


class Moment(msgspec.Struct, frozen=True):
    """What a timestamp says, in seconds: the local time it shows, as if that were UTC, and where it stands in order.

    `order` is the instant where an offset is given, else the local time; `on_clock` says that the text shows a time of
    day without an offset, which local clocks may show twice.
    """

    local: float
    order: float
    on_clock: bool = False


class Columns(msgspec.Struct, frozen=True):
    """Where a file holds its series: delimiter, places of the two columns, and whether the first row names them.

    `signs` may stand before decimals. `chosen` says in words which columns were taken, empty where nobody could wonder.
    """

    delimiter: str
    timestamp: int
    value: int
    header: bool
    signs: str
    chosen: str = ""


def read_series(path: Path, tell: Callable[[str], None] = lambda _: None, decimal: str = "") -> Iterator[SeriesRow]:
    """Yield the rows of a series in order; one that cannot be used says why in `problem`. Blank lines are none.

    `tell` is told which columns are taken where a file has others beside them. `decimal` is the sign before decimals,
    `.` or `,`, empty where nobody has said it.

    Raises:
        InputError: the file cannot be read, or its header has no one column for the time or the value.
    """
    columns: Columns | None = None
    order = _Order()
    for number, line in _lines(path):
        if not line.strip():
            continue
        if columns is None:
            columns = _columns(path, number, line, decimal)
            if columns.chosen:
                tell(f"{path}: {columns.chosen}")
            if columns.header:
                continue
        yield _row(number, _fields(line, columns.delimiter), columns, order)


def score_file(
    path: Path,
    out: TextIO,
    parameters: UnivariateParameters | None = None,
    progress: Callable[[int], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
    decimal: str = "",
) -> ScoreSummary:
    """Score the series in `path` and write `timestamp,value,score` to `out`, each row as soon as it is read.

    Timestamps and values are written as they were read; the score has six decimals and is empty for a row that
    cannot be used.

    Args:
        path: CSV, see above.
        out: text, opened with newline="" by the caller.
        parameters: of the score; None for the defaults.
        progress: told how many rows were scored since its last call.
        tell: told which columns are taken where the file has others beside them.
        decimal: the sign before decimals, `.` or `,`; empty where nobody has said it.

    Raises:
        InputError: not one row can be used, one line for each of the first problems.
    """
    counter, since = ProblemCounter(str(path)), 0
    writer = csv.writer(out, lineterminator="\n")
    held: list[tuple[str, str, str]] | None = [("timestamp", "value", "score")]
    for row, score in score_rows(read_series(path, tell, decimal), UnivariateAnomaly(parameters)):
        counter.add(row)
        fields = (row.timestamp, row.value, "" if score is None else f"{score:.6f}")
        if held is None:
            writer.writerow(fields)
        else:
            held.append(fields)
            if score is not None or len(held) > HELD_ROWS:  # until then the file may be no series at all
                writer.writerows(held)
                held = None
        since += 1
        if since == PROGRESS_ROWS:
            progress(since)
            since = 0
    progress(since)
    summary = counter.summary()
    if not summary.scored:
        problems = summary.problems or (f"{path}: no row is there; it needs rows of timestamp,value",)
        raise InputError("\n".join(problems))
    return summary


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield numbered lines without their ends; text is UTF-8, or UTF-16 with its mark."""
    source = ByteSource(path)
    head = source.head(HEAD_BYTES)
    refuse_packed(path, head)
    if head.startswith(PARQUET_MAGIC):
        raise InputError(f"{path}: a Parquet file; {_ACCEPTED}")
    refuse_binary(path, head, _ACCEPTED)
    encoding = "utf-16" if head.startswith(UTF16_BOMS) else "utf-8-sig"
    decode = codecs.getincrementaldecoder(encoding)("replace").decode
    number, rest = 0, ""
    for chunk in source.chunks(CHUNK_BYTES):
        *lines, rest = (rest + decode(chunk)).split("\n")
        for line in lines:
            number += 1
            yield number, line.rstrip("\r")
    rest += decode(b"", final=True)
    if rest:
        yield number + 1, rest.rstrip("\r")


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # a field longer than the reader takes
        return []


def _columns(path: Path, number: int, line: str, decimal: str) -> Columns:
    """Return what the first row says: names, if neither of its first two fields is of the series.

    Raises:
        InputError: it names more than two columns, and not one for the time and one for the value.
    """
    delimiter = max(DELIMITERS, key=lambda sign: len(_fields(line, sign)))
    fields = _fields(line, delimiter)
    signs = decimal or (".," if delimiter == ";" else ".")
    if len(fields) > 1 and (_moment(fields[0]) is not None or _number(fields[1], signs) is not None):
        chosen = f"the first two of {len(fields)} columns are taken" if len(fields) > 2 else ""
        return Columns(delimiter, 0, 1, header=False, signs=signs, chosen=chosen)
    names = [field.lower() for field in fields]
    found_at = [places(fields, known) for known in (TIMESTAMP_NAMES, VALUE_NAMES)]
    if [len(found) for found in found_at] == [1, 1]:
        (timestamp,), (value,) = found_at
        taken = f"the columns {_shown(fields[timestamp])} and {_shown(fields[value])} of {len(fields)} are taken"
        usual = (names[timestamp], names[value]) == (TIMESTAMP_NAMES[0], VALUE_NAMES[0])
        chosen = "" if usual or len(fields) == 2 else taken
        return Columns(delimiter, timestamp, value, header=True, signs=signs, chosen=chosen)
    if len(fields) == 2:
        return Columns(delimiter, 0, 1, header=True, signs=signs)
    wrong = "; ".join(
        f"{wanted}: " + ("no such column" if not found else f"{' and '.join(fields[at] for at in found)} could be it")
        for wanted, found in zip(("timestamp", "value"), found_at, strict=True)
        if len(found) != 1
    )
    way_out = "name the two columns timestamp and value"
    if not PLACE_NAMES.isdisjoint(names):
        way_out += "; a panel of regions or sectors is for earlywarn run"
    raise InputError(f"{path}:{number}: {wrong}; the header is {_shown(line.strip())}; {way_out}")


class _Order:
    """Sees to it that times ascend; local clocks that are set back an hour may show that hour twice."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._step = 0.0
        self._set_back = -math.inf

    def problem(self, moment: Moment) -> str:
        """Return what is wrong with a time after those before it, empty if nothing is; then it is the last one."""
        last = self._last
        if last is not None and moment.order <= last:
            hour_again = moment.on_clock and last - moment.order == HOUR_SECONDS - self._step
            if not hour_again or last - self._set_back < DAY_SECONDS:
                return "the same time as in the row above" if moment.order == last else "earlier than the row above"
            self._set_back = last
        self._step = 0.0 if last is None else moment.order - last
        self._last = moment.order
        return ""


def _row(number: int, fields: list[str], columns: Columns, order: _Order) -> SeriesRow:
    if len(fields) <= max(columns.timestamp, columns.value):
        first = fields[columns.timestamp] if len(fields) > columns.timestamp else ""
        found = f"{_shown(columns.delimiter.join(fields))} has {len(fields)} columns; expected timestamp and value"
        return SeriesRow(number, first, "", problem=f"row: {found}")
    timestamp, value = fields[columns.timestamp], fields[columns.value]
    moment, parsed = _moment(timestamp), _number(value, columns.signs)
    if moment is None:
        reason = "is no timestamp; expected ISO 8601 or epoch seconds" if timestamp else "is missing"
        return SeriesRow(number, timestamp, value, problem=_told("timestamp", timestamp, reason))
    if parsed is None or abs(parsed) > VALUE_MAX:
        return SeriesRow(
            number, timestamp, value, problem=_told("value", value, _no_value(value, parsed, columns.signs))
        )
    if disorder := order.problem(moment):
        reason = f"is {disorder}; sort the file by time, each time once"
        return SeriesRow(number, timestamp, value, problem=_told("timestamp", timestamp, reason))
    return SeriesRow(number, timestamp, value, moment.local, parsed)


def _told(field: str, text: str, reason: str) -> str:
    return f"{field}: {_shown(text)} {reason}" if text else f"{field}: {reason}"


def _shown(text: str) -> str:
    return repr(text[:SHOWN] + ("…" if len(text) > SHOWN else ""))


def _no_value(text: str, parsed: float | None, signs: str) -> str:
    """Return why a text is no value of the series, and the way out where it is a number of another notation."""
    if not text:
        return "is missing"
    if parsed is not None:
        return f"is too large; values lie within ±{VALUE_MAX:g}"
    if len(signs) > 1 and _EITHER.fullmatch(text):
        return f"may be {text.replace(',', '.')} or {text.replace(',', '')}; say the decimal sign (--decimal)"
    if _GROUPED.fullmatch(text):
        return "is no finite number; write it without signs between thousands, and name its decimal sign (--decimal)"
    return "is no finite number"


def _number(text: str, signs: str) -> float | None:
    """Return the number that a text is; infinite for one that is too large for a float, None for what is none.

    Args:
        text: of the value.
        signs: that may stand before decimals; where both may, a comma before three digits says nothing.
    """
    if any(sign in text and sign not in signs for sign in ".,") or (len(signs) > 1 and _EITHER.fullmatch(text)):
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) or (math.isinf(value) and any(map(str.isdigit, text))) else None


def _moment(text: str) -> Moment | None:
    """Return what a timestamp says, None if it is none."""
    if not _COMPACT_DAY.fullmatch(text):
        epoch = _number(text, ".")
        if epoch is not None:
            if math.isinf(epoch):
                return None
            seconds = epoch / next((parts for size, parts in _EPOCH_UNITS if abs(epoch) >= size), 1.0)
            return Moment(seconds, seconds)
    if month := _MONTH.fullmatch(text):
        text = f"{month[1]}-{month[2]}-01"
    try:
        read = datetime.fromisoformat(text.replace("/", "-"))
        local = read.replace(tzinfo=UTC).timestamp()
        return Moment(local, local, ":" in text) if read.tzinfo is None else Moment(local, read.timestamp())
    except (ValueError, OverflowError):
        return None
