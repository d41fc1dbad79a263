"""Column mappings: how a foreign file's columns become cells or transactions. Declarative, no expressions."""

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

Kind = Literal["cells", "transactions"]
Scale = Literal["major", "minor", "thousands", "millions"]
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
    scale: Scale = "major"
    rounding: Literal["none", "half_even"] = "none"


class TextForm(msgspec.Struct, frozen=True, kw_only=True):
    """How numbers and columns are written in a text file; `skip_lines` stand above its header."""

    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str = ""
    skip_lines: int = 0


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
