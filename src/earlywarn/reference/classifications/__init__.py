"""Classifications that come with earlywarn, and the loader of anybody's own.

A classification is a folder of text files that people can read and edit; docs/classifications.md says how.

    classification.toml   name, version, title, scheme, source, notes, unlisted_mcc
    classes.csv           class,title
    codes.csv             first,last,class[,title]            codes of the scheme
    mccs.csv              first,last,class[,title]            optional: MCC for a scheme other than `mcc`
    merchants.csv         merchant,class                      optional
    shares.csv            class,system,code,weight,judgement  optional: without it all is unallocated

`systems.csv` beside the folders lists the divisions of COICOP 2018 and the sections of NACE Rev. 2.1.
"""

import csv
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from earlywarn.domain.sector import Classification
from earlywarn.errors import ConfigError
from earlywarn.reference.classifications.folder import classification_of

__all__ = ["available", "load_classification", "system_titles"]


def available() -> tuple[str, ...]:
    """Return the names of the classifications that come with earlywarn, in alphabetical order."""
    return tuple(sorted(entry.name for entry in _packaged().iterdir() if (entry / "classification.toml").is_file()))


def system_titles() -> Mapping[str, Mapping[str, str]]:
    """Return, by statistical system, its codes in their order with their titles."""
    titles: dict[str, dict[str, str]] = {}
    for row in csv.DictReader((_packaged() / "systems.csv").read_text("utf-8").splitlines()):
        titles.setdefault(row["system"], {})[row["code"]] = row["title"]
    return titles


def load_classification(name_or_path: str | Path) -> Classification:
    """Load a classification by its packaged name, or from a folder of the user's.

    A text is taken for a packaged name first and for a folder second; `./mcc` or a `Path` is a folder always.

    Raises:
        ConfigError: There is no such classification, or its files have faults: one line for each, with
            file, line, column, value and what to do.
    """
    names = available()
    if isinstance(name_or_path, str) and name_or_path in names:
        folder: Traversable = _packaged() / name_or_path
    else:
        folder = Path(name_or_path)
        if not folder.is_dir():
            raise ConfigError(
                f"classification {str(name_or_path)!r} is neither one of {', '.join(names)} nor a folder;"
                " give one of these names or the path of a folder with a classification.toml"
            )
    return classification_of(folder, {system: frozenset(codes) for system, codes in system_titles().items()})


def _packaged() -> Traversable:
    return files("earlywarn.reference.classifications")
