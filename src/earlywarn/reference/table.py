"""Reading the small CSV tables that users plug in: one error with every problem."""

import csv
from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable

from earlywarn.errors import ConfigError


def read_table(path: Traversable, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a UTF-8 CSV with a header; values are stripped, none of `columns` is empty.

    `path` is a pathlib.Path or a packaged resource.
    Columns besides `columns` are allowed and passed on; blank lines and lines that start with `#` are not rows.

    Raises:
        ConfigError: The file cannot be read, lacks a column, or has rows without a value; every such
            row is listed.
    """
    try:
        with path.open(encoding="utf-8-sig") as lines:
            reader = csv.reader(lines, strict=True)
            rows = [(reader.line_num, row) for row in reader if any(row) and not row[0].startswith("#")]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read as a CSV table in UTF-8: {error}") from error
    if not rows:
        raise ConfigError(f"{path}: is empty; its first line must be {','.join(columns)}")
    header = [name.strip() for name in rows[0][1]]
    if missing := [name for name in columns if name not in header]:
        raise ConfigError(
            f"{path}:{rows[0][0]}: no column {', '.join(missing)} in {','.join(header)}; add {','.join(columns)}"
        )
    table: list[tuple[int, dict[str, str]]] = []
    problems: list[str] = []
    for line, values in rows[1:]:
        row = dict(zip(header, (value.strip() for value in values), strict=False))
        table.append((line, row))
        problems += [f"{path}:{line}: {name} is empty; fill it in" for name in columns if not row.get(name)]
    if problems:
        raise ConfigError("\n".join(problems))
    return iter(table)
