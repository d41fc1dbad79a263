"""Reading a column mapping from YAML: every scalar is text (so `NO` stays Norway), every problem is listed."""

import codecs
import re
from collections.abc import Mapping
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from earlywarn.adapters.files.hints import KEYS
from earlywarn.adapters.files.mapping import (
    CELL_REQUIRED,
    FIELDS,
    ColumnMapping,
    Condition,
    FieldSource,
    Kind,
    Scale,
    Test,
    TextForm,
)
from earlywarn.errors import ConfigError

_TEXT_LIMIT = 1 << 20
_TOP = ("name", "kind", "title", "source", "time_zone", "format", "columns", "constants")
_SIGNS = ("delimiter", "encoding", "decimal", "thousands")
_FORMAT = (*_SIGNS, "skip_lines")
_SKIPPED_LIMIT = 1_000
_SOURCE = (
    "column", "constant", "row_id", "when", "values", "otherwise", "default", "zero_pad", "prefix",
    "pseudonym", "date_format", "sign", "scale", "rounding",
)  # fmt: skip
_CHOICES = {
    "otherwise": ("reject", "keep", "empty"),
    "sign": ("keep", "negate", "absolute"),
    "scale": get_args(Scale),
    "rounding": ("none", "half_even"),
    "row_id": ("true", "false"),
    "pseudonym": ("true", "false"),
}
_ONLY_FOR = {
    "scale": ("amount",),
    "rounding": ("amount", "amount_minor"),
    "sign": ("amount", "amount_minor", "transactions", "count"),
    "date_format": ("date", "ts"),
}
_ONE_FOR_ALL = ("date_format", "scale", "rounding")


def read_mapping(text: str, place: str) -> ColumnMapping:
    """Return the mapping in `text`; ConfigError lists every problem, each with `place` and line."""
    reader = _Reader()
    mapping = reader.mapping(text)
    if reader.problems or mapping is None:
        raise ConfigError("\n".join(f"{place}: {problem}" for problem in reader.problems))
    return mapping


class _Reader:
    """Walks the YAML tree once, gathering problems instead of stopping at the first."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._lines: dict[int, int] = {}
        self._key_lines: dict[tuple[int, str], int] = {}
        self._seen: set[int] = set()
        self._readers = {"when": self._conditions, "values": self._table, "zero_pad": self._digits}

    def mapping(self, text: str) -> ColumnMapping | None:
        if len(text) > _TEXT_LIMIT:
            self.problems.append(f"{len(text)} characters, a mapping has at most {_TEXT_LIMIT}")
            return None
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            self.problems.append(f"not YAML: {' '.join(str(error).split())}")
            return None
        top = self._tree(node) if node is not None else None
        if self.problems:
            return None
        if not isinstance(top, dict):
            self.problems.append("a mapping file holds keys: name, kind, columns ...")
            return None
        self._known_keys(top, _TOP, "")
        name = self._text(top, "name", "")
        kind = self._choice(top, "kind", get_args(Kind), "")
        columns = top.get("columns")
        probable = kind or ("cells" if isinstance(columns, dict) and "date" in columns else "transactions")
        fields = self._fields(top, probable)
        if isinstance(columns, dict):
            self._complete(fields, probable, top)
        zone, form = self._zone(top), self._form(top)
        if kind is None or name is None:
            return None
        return ColumnMapping(name=name, kind=kind, fields=fields, form=form, time_zone=zone)

    def _tree(self, node: yaml.Node) -> Any:  # noqa: ANN401  # text, lists and dicts, told apart where they are read
        line = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        if id(node) in self._seen:
            self.problems.append(f"line {line}: anchors and aliases are not read, write the values out")
            return {}
        self._seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self._tree(item) for item in node.value]
        result: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._tree(key_node)
            if not isinstance(key, str):
                self.problems.append(f"line {key_node.start_mark.line + 1}: a key is text")
                continue
            if key in result:
                self.problems.append(f"line {key_node.start_mark.line + 1}: {key!r} stands twice")
            result[key] = self._tree(value_node)
            lines[key] = key_node.start_mark.line + 1
        self._key_lines |= {(id(result), key): at for key, at in lines.items()}
        self._lines[id(result)] = line
        return result

    def _problem(self, holder: object, text: str, key: str = "") -> None:
        """List a problem with the line of the holder's key, else of the holder."""
        line = self._key_lines.get((id(holder), key)) or self._lines.get(id(holder))
        self.problems.append(f"line {line}: {text}" if line else text)

    def _known_keys(self, holder: dict[str, Any], known: tuple[str, ...], where: str) -> None:
        for key in holder:
            if key not in known:
                self._problem(holder, f"{where}unknown key {key!r}; known: {', '.join(known)}", key)

    def _text(self, holder: dict[str, Any], key: str, where: str) -> str | None:
        value = holder.get(key)
        if isinstance(value, str) and value:
            return value
        self._problem(holder, f"{where}{key} is missing or not text", key)
        return None

    def _choice(self, holder: dict[str, Any], key: str, choices: tuple[str, ...], where: str) -> Any:  # noqa: ANN401
        value = holder.get(key)
        if value in choices:
            return value
        found = "missing" if value is None else repr(value)
        self._problem(holder, f"{where}{key} is {found}, it must be one of {', '.join(choices)}", key)
        return None

    def _zone(self, top: dict[str, Any]) -> str | None:
        zone = top.get("time_zone")
        if zone is None:
            return None
        try:
            return ZoneInfo(zone).key
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            self._problem(top, f"time_zone {zone!r} is no IANA time zone such as Europe/Zurich", "time_zone")
            return None

    def _form(self, top: dict[str, Any]) -> TextForm:
        form = top.get("format", {})
        if not isinstance(form, dict):
            self._problem(top, "format holds keys: " + ", ".join(_FORMAT), "format")
            return TextForm()
        self._known_keys(form, _FORMAT, "format: ")
        given = {key: value for key, value in form.items() if key in _SIGNS}
        for key, value in given.items():
            longest = 40 if key == "encoding" else 1
            if not isinstance(value, str) or len(value) > longest or (not value and key != "thousands"):
                self._problem(form, f"format: {key} is {value!r}, it must be one character (encoding: its name)", key)
                return TextForm()
        result = TextForm(**given, skip_lines=self._skipped(form))
        try:
            codecs.lookup(result.encoding)
        except LookupError:
            self._problem(form, f"format: encoding {result.encoding!r} is not known", "encoding")
        if result.decimal == result.thousands:
            self._problem(form, "format: decimal and thousands are the same character")
        return result

    def _skipped(self, form: dict[str, Any]) -> int:
        value = form.get("skip_lines", "0")
        if isinstance(value, str) and re.fullmatch("[0-9]{1,4}", value) and int(value) <= _SKIPPED_LIMIT:
            return int(value)
        wanted = f"it must be a number of lines from 0 to {_SKIPPED_LIMIT:,}"
        self._problem(form, f"format: skip_lines is {value!r}, {wanted}", "skip_lines")
        return 0

    def _fields(self, top: dict[str, Any], kind: str) -> dict[str, tuple[FieldSource, ...]]:
        columns = top.get("columns")
        constants = top.get("constants", {})
        if not isinstance(columns, dict) or not isinstance(constants, dict):
            told = "columns (and constants, if any) hold one key per target field"
            whole = f"; name, kind and columns are required: {KEYS}, with an example" if columns is None else ""
            self._problem(top, f"{told}{whole}", "columns")
            return {}
        fields: dict[str, tuple[FieldSource, ...]] = {}
        for field, given in [*columns.items(), *((key, {"constant": value}) for key, value in constants.items())]:
            holder = columns if field in columns else constants
            if field not in FIELDS[kind]:
                self._problem(holder, f"{field!r} is no field of {kind}; there are: {', '.join(FIELDS[kind])}", field)
            elif field in fields:
                self._problem(constants, f"{field!r} stands in columns and in constants", field)
            else:
                sources = given if isinstance(given, list) else [given]
                fields[field] = tuple(
                    source for one in sources if (source := self._source(one, field, holder)) is not None
                )
                if not sources:
                    self._problem(holder, f"{field}: the list of sources is empty", field)
                for key in _ONE_FOR_ALL:
                    if len({getattr(source, key) for source in fields[field]}) > 1:
                        self._problem(holder, f"{field}: {key} must be the same in all sources", field)
                if len(sources) > 1 and any(source.row_id for source in fields[field]):
                    self._problem(holder, f"{field}: row_id stands alone", field)
        return fields

    def _source(self, given: object, field: str, holder: dict[str, Any]) -> FieldSource | None:
        if isinstance(given, str):
            given = {"column": given}
        if not isinstance(given, dict):
            self._problem(holder, f"{field}: a source is a column's name or keys: {', '.join(_SOURCE)}", field)
            return None
        before = len(self.problems)
        where = f"{field}: "
        self._known_keys(given, _SOURCE, where)
        if sum(key in given for key in ("column", "constant", "row_id")) != 1:
            self._problem(given, f"{where}exactly one of column, constant and row_id says where the value comes from")
        if "row_id" in given and field != "id":
            self._problem(given, f"{where}row_id is only for id", "row_id")
        options = {key: self._option(key, value, field, given) for key, value in given.items() if key in _SOURCE}
        if "otherwise" in given and "values" not in given:
            self._problem(given, f"{where}otherwise goes with values", "otherwise")
        return FieldSource(**options) if len(self.problems) == before else None

    def _option(self, key: str, value: object, field: str, holder: dict[str, Any]) -> Any:  # noqa: ANN401
        where = f"{field}: "
        if key in _ONLY_FOR and field not in _ONLY_FOR[key]:
            self._problem(holder, f"{where}{key} is only for {', '.join(_ONLY_FOR[key])}", key)
        if key in _CHOICES:
            choice = self._choice(holder, key, _CHOICES[key], where)
            return choice == "true" if _CHOICES[key] == ("true", "false") else choice
        if key in self._readers:
            return self._readers[key](value, where, holder)
        if not isinstance(value, str):
            self._problem(holder, f"{where}{key} must be text", key)
        return value

    def _digits(self, value: object, where: str, holder: dict[str, Any]) -> int:
        if isinstance(value, str) and value.isdecimal() and 0 < int(value) <= 18:
            return int(value)
        self._problem(holder, f"{where}zero_pad is {value!r}, it must be a number of digits from 1 to 18", "zero_pad")
        return 0

    def _table(self, value: object, where: str, holder: dict[str, Any]) -> dict[str, str]:
        if isinstance(value, dict) and value and all(isinstance(text, str) for text in value.values()):
            return value
        self._problem(holder, f"{where}values is a table: text in the file, text to take for it", "values")
        return {}

    def _conditions(self, value: object, where: str, holder: dict[str, Any]) -> tuple[Condition, ...]:
        conditions = []
        for one in value if isinstance(value, list) else [value]:
            if not isinstance(one, dict) or not isinstance(one.get("column"), str):
                self._problem(holder, f"{where}when names a column and either is or in", "when")
                continue
            self._known_keys(one, ("column", "is", "in"), f"{where}when: ")
            if ("is" in one) == ("in" in one):
                self._problem(one, f"{where}when: exactly one of is and in")
            elif "is" in one:
                test = self._choice(one, "is", get_args(Test), f"{where}when: ")
                conditions.append(Condition(column=one["column"], test=test))
            elif isinstance(one["in"], list) and all(isinstance(text, str) for text in one["in"]):
                conditions.append(Condition(column=one["column"], values=frozenset(one["in"])))
            else:
                self._problem(one, f"{where}when: in is a list of texts")
        return tuple(conditions)

    def _complete(self, fields: Mapping[str, object], kind: str, top: dict[str, Any]) -> None:
        if kind == "cells":
            lacking = [field for field in CELL_REQUIRED if field not in fields]
        else:
            lacking = [] if "ts" in fields else ["ts"]
            if ("amount" in fields) == ("amount_minor" in fields):
                one = "columns: exactly one of amount (major or minor units) and amount_minor is needed"
                self._problem(top, one, "columns")
        if lacking:
            self._problem(top, f"columns: {', '.join(lacking)} must be mapped for {kind}", "columns")
