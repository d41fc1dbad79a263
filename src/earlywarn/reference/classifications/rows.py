"""Rows of a hand-edited table, and the faults found in it: all are collected, so that one run shows them all."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable

ROW_LIMIT = 100_000
"""Rows of one file; the largest list of codes in use has about a thousand."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a CSV file: the cells by column, stripped, '' where absent."""

    file: str
    line: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(slots=True)
class Faults:
    """What is wrong with a folder, one line each: file, line, column, value, what to do."""

    lines: list[str] = field(default_factory=list)

    def of_file(self, file: str, advice: str) -> None:
        """Note a fault of a file as a whole."""
        self.lines.append(f"{file}: {advice}")

    def of_key(self, file: str, key: str, value: object, advice: str) -> None:
        """Note a fault of a key of a TOML file."""
        self.lines.append(f"{file}: key {key!r}: {value!r}: {advice}")

    def of_cell(self, row: Row, column: str, advice: str) -> None:
        """Note a fault of one cell."""
        self.lines.append(f"{row.file}:{row.line}: column {column!r}: {row[column]!r}: {advice}")


def read_text(folder: Traversable, file: str, faults: Faults) -> str | None:
    """Return the text of a file of the folder (UTF-8, with or without a mark), None where it cannot be read."""
    try:
        return (folder / file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        faults.of_file(file, f"byte {fault.start} is not UTF-8; save the file as UTF-8")
    except OSError as fault:
        faults.of_file(file, f"cannot be read ({fault.strerror}); add the file or give its reader the right")
    return None


def read_rows(
    folder: Traversable, file: str, columns: Sequence[str], faults: Faults, *, optional: bool = False
) -> list[Row]:
    """Return the rows of a CSV file that must have `columns` (others are for people and left alone)."""
    if optional and not (folder / file).is_file():
        return []
    text = read_text(folder, file, faults)
    if text is None:
        return []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        if missing := [name for name in columns if name not in header]:
            faults.of_file(
                f"{file}:1",
                f"no column {', '.join(missing)}; the first line must be {','.join(columns)}, separated by commas",
            )
            return []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) == ROW_LIMIT:
                faults.of_file(f"{file}:{reader.line_num}", f"more than {ROW_LIMIT} rows; use ranges of codes")
                break
            if len(cells) != len(header):
                faults.of_file(
                    f"{file}:{reader.line_num}",
                    f"{len(cells)} cells under {len(header)} columns; put a text with a comma between double quotes",
                )
                continue
            rows.append(Row(file, reader.line_num, dict(zip(header, map(str.strip, cells), strict=True))))
    except csv.Error as fault:
        faults.of_file(f"{file}:{reader.line_num}", f"{fault}; close every double quote")
    return rows
