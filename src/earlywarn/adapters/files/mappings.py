"""Where column mappings come from: a file, the package, or a guess by the header."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path

from earlywarn.adapters.files.mapping import ColumnMapping
from earlywarn.adapters.files.mapping_yaml import read_mapping
from earlywarn.errors import ConfigError


def load_mapping(path: Path) -> ColumnMapping:
    """Read a mapping file.

    Raises:
        ConfigError: not readable or not usable; the message lists every problem with its line.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no UTF-8 text: {error}") from error
    return parse_mapping(text, str(path))


def parse_mapping(text: str, place: str) -> ColumnMapping:
    """Return the mapping written in `text` (YAML); `place` names it in messages. Raises ConfigError as load_mapping."""
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
