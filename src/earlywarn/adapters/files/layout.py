"""What a file holds: its format by its name and first bytes, its kind by its header or the mapping given."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import msgspec

from earlywarn.adapters.files.binary import HEAD_BYTES, refuse_binary, refuse_packed
from earlywarn.adapters.files.columnar import parquet_header
from earlywarn.adapters.files.delimited import csv_header, head_lines, split
from earlywarn.adapters.files.hints import AS_UTF8, KEYS, looks_like_utf16
from earlywarn.adapters.files.mapping import (
    CELL_REQUIRED,
    ColumnMapping,
    Kind,
    TextForm,
    plain_mapping,
)
from earlywarn.adapters.files.mappings import detect_mapping, shipped_mapping_names
from earlywarn.adapters.files.preamble import header_below, line_of
from earlywarn.adapters.files.series_columns import is_series
from earlywarn.adapters.files.source import PARQUET_MAGIC, UTF8_BOM, UTF16_BOMS, ByteSource
from earlywarn.adapters.files.template import mapping_of_foreign
from earlywarn.errors import EmptyInputError, InputError

Format = Literal["json_lines", "csv", "parquet"]

_EXTENSIONS: dict[str, Format] = {
    ".jsonl": "json_lines",
    ".ndjson": "json_lines",
    ".json": "json_lines",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSED = (".gz", ".gzip", ".zst", ".zstd")
_TRANSACTION_REQUIRED = ("id", "ts", "amount_minor")
_KINDS: tuple[tuple[Kind, Sequence[str]], ...] = (("cells", CELL_REQUIRED), ("transactions", _TRANSACTION_REQUIRED))
_HEADER_SHOWN = 300
_MEANT_SHOWN = 3
_ROWS_LOOKED_AT = 1_000
_MCC_AS_SECTOR = (
    " (cells have their MCC there: write sector for mcc; where not all are known as MCC, --classification mcc says so)"
)
_ACCEPTED = (
    f"accepted are cells ({', '.join(CELL_REQUIRED)}), transactions ({', '.join(_TRANSACTION_REQUIRED)}, currency), "
    "JSON Lines of transactions, or a file with a column mapping"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a file: format, names of its columns in order, and the mapping (None: transactions as JSON).

    `guessed` marks a shipped mapping that nobody named, `own` one of earlywarn's own columns, which needs no file.
    """

    format: Format
    header: Sequence[str]
    mapping: ColumnMapping | None
    form: TextForm
    guessed: bool = False
    own: bool = False

    @property
    def kind(self) -> Kind:
        """What the rows are."""
        return "transactions" if self.mapping is None else self.mapping.kind


def look(path: Path, mapping: ColumnMapping | None) -> Layout:
    """Return the layout of a file, with the mapping given, its own columns, or the one shipped mapping that fits.

    Raises:
        InputError: the file is empty or of no known form; the message says what was found and what is accepted.
    """
    source = ByteSource(path)
    head = source.head(HEAD_BYTES)
    if not head.strip():
        raise EmptyInputError(f"{path}: the file is empty; {_ACCEPTED}")
    form = mapping.form if mapping is not None else None
    format_ = _format(path, head)
    if format_ == "json_lines" and (head.startswith(UTF16_BOMS) or looks_like_utf16(head)):
        raise InputError(f"{path}: text in UTF-16, and JSON is read as UTF-8 alone; save it as UTF-8")
    if format_ == "json_lines":
        return Layout(format_, () if mapping is None else mapping.columns(), mapping, TextForm())
    if format_ == "parquet":
        names, text_form = parquet_header(path), TextForm()
    else:
        names, text_form = csv_header(source, form)
    found = mapping or _own_columns(names) or detect_mapping(names)
    if found is None:
        raise InputError(_unknown_header(source, names, text_form, format_))
    if missing := found.missing(names):
        told = f"{path}: mapping {found.name} reads {_shown(missing)}; the file has {_shown(names)}"
        below = _below(head_lines(source, text_form.encoding), found, names) if format_ == "csv" else ""
        raise InputError(told + (below or _not_in(text_form.encoding, names) or _meant(missing, names)))
    columns = names if format_ == "csv" else found.columns()
    guessed = mapping is None and found.name in shipped_mapping_names()
    return Layout(format_, columns, found, text_form, guessed=guessed, own=mapping is None and not guessed)


def _format(path: Path, head: bytes) -> Format:
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    refuse_packed(path, head)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    named = _EXTENSIONS.get(suffixes[-1]) if suffixes else None
    if named == "parquet":
        raise InputError(f"{path}: named Parquet, but its content is not; {_ACCEPTED}")
    start = head.removeprefix(UTF8_BOM).lstrip()
    if named == "json_lines":
        if suffixes[-1] == ".json" and start.startswith(b"["):
            raise InputError(f"{path}: a JSON array; write one object per line (jq -c '.[]'), {_ACCEPTED}")
        return "json_lines"
    if start.startswith(b"{"):
        return "json_lines"
    refuse_binary(path, head, _ACCEPTED)
    return "csv"


def _own_columns(header: Sequence[str]) -> ColumnMapping | None:
    return next((plain_mapping(kind, header) for kind, required in _KINDS if set(required) <= set(header)), None)


def _unknown_header(source: ByteSource, header: Sequence[str], form: TextForm, format_: Format) -> str:
    """Return what was found, what is accepted, what lacks if it is little, and a mapping to begin with."""
    encoding = ""
    if any("\ufffd" in name for name in header):
        form = msgspec.structs.replace(form, encoding="latin-1")
        header, form = csv_header(source, form)
        encoding = " (no UTF-8; shown as latin-1)"
    needs_mapping = True
    above = ""
    lines = head_lines(source, form.encoding) if format_ == "csv" else []
    if (found := header_below(lines)) is not None:
        line, delimiter = found
        form = msgspec.structs.replace(form, delimiter=delimiter, skip_lines=line - 1)
        header = split(lines[line - 1], delimiter)
        above = f"the header seems to be line {line}: delete the lines above it, or skip them in a mapping; "
    lower = [name.lower() for name in header]
    hints = []
    for kind, required in _KINDS:
        lacking = [name for name in required if name not in header]
        if not lacking:
            hints.append(f"which are those of {kind}")
        elif set(required) <= set(lower):
            other = ", ".join(header[lower.index(name)] for name in lacking)
            hints.append(f"for {kind} only the case differs: write {', '.join(lacking)} for {other}")
            needs_mapping = False
        elif 2 * len(lacking) <= len(required):
            is_mcc = kind == "cells" and "sector" in lacking and "mcc" in lower
            hints.append(f"for {kind} it lacks {', '.join(lacking)}{_MCC_AS_SECTOR if is_mcc else ''}")
    if not hints and is_series(header):
        hints.append("one series, without region and sector, is for earlywarn score")
        needs_mapping = False
    hint = f"; {'; '.join(hints)}" if hints else ""
    mappings = f"(--mapping FILE, or one of {', '.join(shipped_mapping_names())})"
    begun = mapping_of_foreign(header, form, _first_rows(lines, header, form))
    template = f"; such a FILE is, with names of columns for COLUMN: {begun}; {KEYS}"
    told = f"{source.path}: {above}found the columns {_shown(header)}{encoding}{hint}; {_ACCEPTED} {mappings}"
    return f"{told}{template if needs_mapping else ''}"


def _below(lines: Sequence[str], mapping: ColumnMapping, header: Sequence[str]) -> str:
    """Return on which other line than that of `header` the mapping's seems to stand, after a semicolon; or nothing."""
    line = line_of(mapping, lines)
    if line is None or split(lines[line - 1], mapping.form.delimiter) == header:
        return ""
    return f"; the header seems to be line {line}: say format: {{ skip_lines: {line - 1} }} in the mapping"


def _first_rows(lines: Sequence[str], header: Sequence[str], form: TextForm) -> list[list[str]]:
    """Return the rows of the head of a file that have as many columns as its header, but the last, which may be cut."""
    rows = [split(line, form.delimiter) for line in lines[:-1][:_ROWS_LOOKED_AT] if line.strip()]
    return [row for row in rows[rows.index(list(header)) + 1 :] if len(row) == len(header)] if header in rows else []


def _meant(missing: Sequence[str], header: Sequence[str]) -> str:
    """Return which columns may be meant by those that are missing, after a semicolon; empty if none is like them."""
    pairs = [(name, match) for name in missing for match in get_close_matches(name, header, 1)]
    told = ", ".join(f"{_shown([match])} for {_shown([name])}" for name, match in pairs[:_MEANT_SHOWN])
    return f"; is it {told}?" if told else ""


def _not_in(encoding: str, header: Sequence[str]) -> str:
    """Return the way out where a header's bytes are no text in the encoding that it is read in."""
    return f"; {encoding.upper()} it is not: {AS_UTF8}" if any({"\ufffd", "\0"} & set(name) for name in header) else ""


def _shown(header: Sequence[str]) -> str:
    text = ", ".join(f"'{name}'" if "," in name or not name else name for name in header)
    return text if len(text) <= _HEADER_SHOWN else text[:_HEADER_SHOWN] + " …"
