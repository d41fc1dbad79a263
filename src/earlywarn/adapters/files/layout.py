"""What a file holds: its format by its name and first bytes, its kind by its header or the mapping given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from earlywarn.adapters.files.columnar import parquet_header
from earlywarn.adapters.files.delimited import csv_header
from earlywarn.adapters.files.mapping import (
    CELL_REQUIRED,
    ColumnMapping,
    Kind,
    TextForm,
    plain_mapping,
)
from earlywarn.adapters.files.mappings import detect_mapping, shipped_mapping_names
from earlywarn.adapters.files.source import PARQUET_MAGIC, UTF8_BOM, UTF16_BOMS, ByteSource
from earlywarn.errors import InputError

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
_HEAD_BYTES = 4_096
_HEADER_SHOWN = 300
_ACCEPTED = (
    f"accepted are cells ({', '.join(CELL_REQUIRED)}), transactions ({', '.join(_TRANSACTION_REQUIRED)}, currency), "
    "JSON Lines of transactions, or a file with a column mapping"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a file: format, names of its columns in order, and the mapping (None: transactions as JSON)."""

    format: Format
    header: Sequence[str]
    mapping: ColumnMapping | None
    form: TextForm

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
    head = source.head(_HEAD_BYTES)
    if not head.strip():
        raise InputError(f"{path}: the file is empty; {_ACCEPTED}")
    form = mapping.form if mapping is not None else None
    format_ = _format(path, head)
    if format_ == "json_lines":
        return Layout(format_, () if mapping is None else mapping.columns(), mapping, TextForm())
    if format_ == "parquet":
        names, text_form = parquet_header(path), TextForm()
    else:
        names, text_form = csv_header(source, form)
    found = _mapping_for(path, names, mapping)
    columns = names if format_ == "csv" else found.columns()
    return Layout(format_, columns, found, text_form)


def _format(path: Path, head: bytes) -> Format:
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
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
    if b"\0" in head and not head.startswith(UTF16_BOMS):
        raise InputError(f"{path}: neither text nor Parquet (first bytes {head[:4].hex(' ')}); {_ACCEPTED}")
    return "csv"


def _mapping_for(path: Path, header: Sequence[str], mapping: ColumnMapping | None) -> ColumnMapping:
    shown = ", ".join(header)
    if len(shown) > _HEADER_SHOWN:
        shown = shown[:_HEADER_SHOWN] + " …"
    if mapping is not None:
        if missing := mapping.missing(header):
            raise InputError(f"{path}: mapping {mapping.name} reads {', '.join(missing)}; the file has {shown}")
        return mapping
    kinds: list[tuple[Kind, Sequence[str]]] = [("cells", CELL_REQUIRED), ("transactions", _TRANSACTION_REQUIRED)]
    for kind, required in kinds:
        if set(required) <= set(header):
            return plain_mapping(kind, header)
    detected = detect_mapping(header)
    if detected is not None:
        return detected
    lacking = [
        f"for {kind} it lacks {', '.join(name for name in required if name not in header)}"
        for kind, required in kinds
        if 2 * len(set(required) & set(header)) >= len(required)
    ]
    hint = f"; {'; '.join(lacking)}" if lacking else ""
    raise InputError(
        f"{path}: found the columns {shown}{hint}; {_ACCEPTED} "
        f"(--mapping FILE, or one of {', '.join(shipped_mapping_names())})"
    )
