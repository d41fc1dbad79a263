"""CSV: rows of text with their line numbers; a row that does not fit the header costs no other row anything."""

import csv
from collections import deque
from collections.abc import Iterator

from earlywarn.adapters.files.hints import AS_UTF8
from earlywarn.adapters.files.lines import LineBlock, line_blocks
from earlywarn.adapters.files.mapping import TextForm
from earlywarn.adapters.files.source import UTF16_BOMS, ByteSource, as_utf8
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.errors import InputError

DELIMITERS = (",", ";", "\t", "|")
_HEAD_BYTES = 64 * 1024

Numbered = tuple[int, list[str] | Reject]


def csv_header(source: ByteSource, form: TextForm | None) -> tuple[list[str], TextForm]:
    """Return the names in the first line that is not blank nor skipped, stripped, and the form they were read with.

    Without a form, the delimiter that gives the most columns is taken.

    Raises:
        InputError: there is no such line, or it is not text.
    """
    encoding = "utf-16" if source.head(_HEAD_BYTES).startswith(UTF16_BOMS) else "utf-8"
    if form is not None:
        encoding = form.encoding
    skipped = form.skip_lines if form is not None else 0
    line = next((line for line in head_lines(source, encoding)[skipped:] if line.strip()), "")
    if not line and skipped:
        below = f"below the {skipped} lines that the mapping skips, and within the first 64 KiB"
        raise InputError(f"{source.path}: no header stands {below}; correct skip_lines in the mapping")
    if not line:
        raise InputError(f"{source.path}: the file is empty; it needs a header and rows")
    if form is not None:
        return split(line, form.delimiter), form
    delimiter = max(DELIMITERS, key=lambda sign: len(split(line, sign)))
    return split(line, delimiter), TextForm(delimiter=delimiter, encoding=encoding)


def head_lines(source: ByteSource, encoding: str) -> list[str]:
    """Return the lines in the first 64 KiB of a file, the last of which may be cut off."""
    text = b"".join(as_utf8(iter([source.head(_HEAD_BYTES)]), encoding)).decode("utf-8", "replace")
    return text.split("\n")


def split(line: str, delimiter: str) -> list[str]:
    """Return the columns of a line, stripped; of one that is no CSV (a carriage return in it) what is between signs."""
    try:
        columns = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        columns = line.split(delimiter)
    return [name.strip() for name in columns]


def csv_rows(
    source: ByteSource, form: TextForm, columns: int, chunk_bytes: int, row_bytes: int
) -> Iterator[list[Numbered]]:
    """Yield, chunk by chunk, the rows after the header: (line of its beginning, its `columns` texts or a reject).

    Blank lines are skipped. A quoted text may hold line breaks; one that is never closed, or that swallows
    the rows after it, is given up at its first line and the next line begins a new row.
    """
    blocks = line_blocks(as_utf8(source.chunks(chunk_bytes), form.encoding), row_bytes)
    parser = _Parser(form, columns, row_bytes)
    header_seen = False
    for block in blocks:
        lines = deque(_texts(block))
        while lines and not header_seen:
            number, text = lines.popleft()
            header_seen = number > form.skip_lines and bool(text.strip())
        rows: list[Numbered] = [
            (line, Reject(reason=RejectReason.TOO_LARGE, detail=f"{size} bytes, at most {row_bytes}"))
            for line, size in block.too_long
            if line > form.skip_lines
        ]
        rows += parser.rows(lines, final=False)
        yield rows
    yield parser.rows(deque(), final=True)


def _texts(block: LineBlock) -> Iterator[tuple[int, str]]:
    joined = b"\n".join(block.lines)
    # Bytes that are not UTF-8 become lone surrogates, which the parser finds and rejects row by row.
    texts = joined.decode("utf-8", "surrogateescape").split("\n")
    return enumerate(texts, block.first)


def _with_ends(text: str) -> Iterator[str]:
    return (line + "\n" for line in text.split("\n"))


class _Parser:
    """Turns lines into rows; keeps the lines of a row whose closing quote is still to come."""

    def __init__(self, form: TextForm, columns: int, row_bytes: int) -> None:
        self._delimiter = form.delimiter
        self._not_text = f"bytes that are not text in {form.encoding.upper()}, as which the file is read; {AS_UTF8}"
        self._columns = columns
        self._row_bytes = row_bytes
        self._held: deque[tuple[int, str]] = deque()

    def rows(self, lines: deque[tuple[int, str]], *, final: bool) -> list[Numbered]:
        lines.extendleft(reversed(self._held))
        self._held.clear()
        delimiter, columns = self._delimiter, self._columns
        result: list[Numbered] = []
        while lines:
            number, text = lines.popleft()
            if '"' in text:
                row = self._quoted(number, text, lines, final=final)
                if row is None:
                    return result
                result.append((number, row))
            elif text and not text.isspace():
                fields = text.split(delimiter)
                if len(fields) == columns and text.isascii():
                    result.append((number, fields))
                else:
                    result.append((number, self._checked(fields)))
        return result

    def _quoted(
        self, number: int, text: str, lines: deque[tuple[int, str]], *, final: bool
    ) -> list[str] | Reject | None:
        """Return the row that begins with `text`, taking further lines as needed; None: more lines are needed."""
        taken: list[tuple[int, str]] = []
        whole = text
        while True:
            try:
                fields = next(csv.reader(_with_ends(whole), delimiter=self._delimiter, strict=True))
            except csv.Error as error:
                if "unexpected end of data" not in str(error):
                    row: list[str] | Reject = Reject(reason=RejectReason.ROW_UNREADABLE, detail=f"{error}")
                    break
            else:
                row = self._checked(fields)
                break
            joined = self._take_to_quote(lines, taken)
            if len(whole) + len(joined) > self._row_bytes or (not lines and final and not joined):
                row = Reject(reason=RejectReason.ROW_UNREADABLE, detail="a quoted text is not closed")
                break
            if not joined:
                self._held.extend([(number, text), *taken])
                return None
            whole += joined
        if isinstance(row, Reject):
            lines.extendleft(reversed(taken))
        return row

    def _take_to_quote(self, lines: deque[tuple[int, str]], taken: list[tuple[int, str]]) -> str:
        """Move lines to `taken` up to the next one with a quote, and return them as text; "" if there is none."""
        parts = []
        size = 0
        while lines and size <= self._row_bytes:
            taken.append(lines.popleft())
            parts.append("\n" + taken[-1][1])
            size += len(parts[-1])
            if '"' in taken[-1][1]:
                return "".join(parts)
        return "".join(parts) if size > self._row_bytes else ""

    def _checked(self, fields: list[str]) -> list[str] | Reject:
        if len(fields) != self._columns:
            detail = f"{len(fields)} columns, the header has {self._columns}"
            return Reject(reason=RejectReason.ROW_UNREADABLE, detail=detail)
        try:
            "".join(fields).encode()
        except UnicodeEncodeError:
            return Reject(reason=RejectReason.ROW_UNREADABLE, detail=self._not_text)
        return fields
