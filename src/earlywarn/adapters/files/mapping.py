"""Column mappings: how a foreign file's columns become cells or transactions. Declarative, no expressions."""

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from earlywarn.errors import ConfigError

Kind = Literal["cells", "transactions"]
Test = Literal["positive", "negative", "zero", "not_zero", "empty", "filled"]

CELL_FIELDS = ("date", "region", "sector", "transactions", "amount", "country", "currency")
CELL_REQUIRED = CELL_FIELDS[:5]
TRANSACTION_FIELDS = (
    "id", "ts", "amount", "amount_minor", "currency", "mcc", "sector", "merchant", "region", "country",
    "channel", "card", "merchant_id", "source", "kind", "count", "v",
)  # fmt: skip
FIELDS: dict[str, tuple[str, ...]] = {"cells": CELL_FIELDS, "transactions": TRANSACTION_FIELDS}


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A column's text passes `test`, or is one of `values`."""

    column: str
    test: Test | None = None
    values: frozenset[str] = frozenset()


class FieldSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where one target field comes from (column, constant or row number) and the steps on its way, in this order."""

    column: str | None = None
    constant: str | None = None
    row_id: bool = False
    when: tuple[Condition, ...] = ()
    values: dict[str, str] | None = None
    otherwise: Literal["reject", "keep", "empty"] = "reject"
    default: str = ""
    zero_pad: int = 0
    prefix: str = ""
    pseudonym: bool = False
    date_format: str = "iso"
    sign: Literal["keep", "negate", "absolute"] = "keep"
    scale: Literal["major", "minor"] = "major"
    rounding: Literal["none", "half_even"] = "none"


class TextForm(msgspec.Struct, frozen=True, kw_only=True):
    """How numbers and columns are written in a text file."""

    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str = ""


class ColumnMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A validated mapping: for each target field the sources to try in turn; the first whose `when` holds is taken."""

    name: str
    kind: Kind
    fields: dict[str, tuple[FieldSource, ...]]
    form: TextForm = TextForm()
    time_zone: str | None = None

    def columns(self) -> tuple[str, ...]:
        """Return the names of all columns that it reads, sorted."""
        return tuple(sorted(set(self._columns())))

    def _columns(self) -> Iterator[str]:
        for sources in self.fields.values():
            for source in sources:
                if source.column is not None:
                    yield source.column
                yield from (condition.column for condition in source.when)

    def missing(self, header: Sequence[str]) -> tuple[str, ...]:
        """Return the columns it reads that are not in `header`."""
        return tuple(column for column in self.columns() if column not in header)


def plain_mapping(kind: Kind, header: Sequence[str]) -> ColumnMapping:
    """Return the mapping of earlywarn's own columns: each field of `kind` in the header is read from its namesake."""
    return ColumnMapping(
        name=kind,
        kind=kind,
        fields={field: (FieldSource(column=field),) for field in FIELDS[kind] if field in header},
    )


def load_mapping(path: Path) -> ColumnMapping:
    """Read a mapping file.

    Raises:
        ConfigError: not readable or not usable; the message lists every problem with its line.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the mapping cannot be read: {error}") from error
    return parse_mapping(text, str(path))


def parse_mapping(text: str, place: str) -> ColumnMapping:
    """Return the mapping written in `text` (YAML); `place` names it in messages. Raises ConfigError as load_mapping."""
    # Only here, to keep the model apart from its YAML form.
    from earlywarn.adapters.files.mapping_yaml import read_mapping  # noqa: PLC0415

    return read_mapping(text, place)


@cache
def _shipped() -> dict[str, ColumnMapping]:
    folder = resources.files("earlywarn.reference").joinpath("mappings")
    mappings = [
        parse_mapping(entry.read_text("utf-8"), entry.name)
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    ]
    return {mapping.name: mapping for mapping in sorted(mappings, key=lambda mapping: mapping.name)}


def shipped_mapping_names() -> tuple[str, ...]:
    """Return the names of the mappings in the package, sorted."""
    return tuple(_shipped())


def shipped_mapping(name: str) -> ColumnMapping:
    """Return a mapping of the package by its name; ConfigError lists the names there are."""
    try:
        return _shipped()[name]
    except KeyError:
        raise ConfigError(f"no mapping {name!r} is shipped; there are: {', '.join(_shipped())}") from None


def detect_mapping(header: Sequence[str]) -> ColumnMapping | None:
    """Return the one shipped mapping all of whose columns are in `header`; None if there is none or more than one."""
    fitting = [mapping for mapping in _shipped().values() if not mapping.missing(header)]
    return fitting[0] if len(fitting) == 1 else None
