"""From the files of a folder to a `Classification`, or to one error that lists every fault in them."""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable

from earlywarn.domain.sector import (
    MCC_SCHEME,
    UNALLOCATED,
    WHOLE,
    Classification,
    SectorClass,
    Shares,
    is_mcc,
    normalised,
)
from earlywarn.errors import ConfigError
from earlywarn.reference.classifications.rows import Faults, Row, read_rows, read_text

CODE_LIMIT = 100_000
"""Codes of one table once its ranges are written out; the longest scheme in use, MCC, has 10,000."""

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SLUG_ADVICE = "use lower-case letters, digits and single hyphens, such as food-retail"
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]*")

HEAD = "classification.toml"
_TEXTS = ("name", "version", "title", "scheme", "source")


def classification_of(folder: Traversable, systems: Mapping[str, frozenset[str]]) -> Classification:
    """Read a folder; `systems` gives the codes of each statistical system.

    Raises:
        ConfigError: The files have faults, each on a line of its own.
    """
    faults = Faults()
    head = _head(folder, faults)
    classes = _classes(folder, faults)
    codes = _codes(folder, "codes.csv", head["scheme"], classes, faults)
    mccs = codes
    if head["scheme"] != MCC_SCHEME:
        mccs = _codes(folder, "mccs.csv", MCC_SCHEME, classes, faults)
    elif (folder / "mccs.csv").is_file():
        faults.of_file("mccs.csv", "the scheme is mcc already; move its rows to codes.csv")
    merchants = _merchants(folder, classes, faults)
    weights = _weights(folder, classes, systems, faults)
    unlisted = head.get("unlisted_mcc")
    if unlisted is not None and unlisted not in classes:
        faults.of_key(HEAD, "unlisted_mcc", unlisted, "add this class to classes.csv or name one that is there")
    if not (codes or mccs or merchants) and not faults.lines:
        faults.of_file("codes.csv", "no code leads to a class; add rows to codes.csv, mccs.csv or merchants.csv")
    reached = {*codes.values(), *mccs.values(), *merchants.values(), unlisted}
    if not faults.lines:  # a faulty row would make its class look unused as well
        for class_id, row in classes.items():
            if class_id not in reached:
                faults.of_cell(row, "class", "no code leads to this class; add a code or take the class out")
    if faults.lines:
        count = len(faults.lines)
        listed = "".join(f"\n  {line}" for line in faults.lines)
        raise ConfigError(f"classification {str(folder)!r} has {count} fault{'s' if count > 1 else ''}:{listed}")
    return Classification(
        name=head["name"],
        version=head["version"],
        scheme=head["scheme"],
        classes={class_id: SectorClass(class_id, row["title"]) for class_id, row in classes.items()},
        codes=codes,
        mccs=mccs,
        unlisted_mcc=unlisted,
        merchants=merchants,
        weights=weights,
    )


def _head(folder: Traversable, faults: Faults) -> dict[str, str]:
    """Return the texts of classification.toml; those with a fault are ''."""
    head = dict.fromkeys(_TEXTS, "")
    text = read_text(folder, HEAD, faults)
    if text is None:
        return head
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        faults.of_file(HEAD, f'not TOML: {fault}; write each line as key = "text"')
        return head
    for key in _TEXTS:
        value = found.get(key)
        if isinstance(value, str) and value.strip():
            head[key] = value
        else:
            faults.of_key(HEAD, key, value, f'write {key} = "a text"')
    for key in ("name", "scheme"):
        if head[key] and not SLUG.fullmatch(head[key]):
            faults.of_key(HEAD, key, head[key], SLUG_ADVICE)
    if head["version"] and not VERSION.fullmatch(head["version"]):
        faults.of_key(HEAD, "version", head["version"], "use digits, letters, points and hyphens, such as 1.0.0")
    if "unlisted_mcc" in found:
        head["unlisted_mcc"] = str(found["unlisted_mcc"])
    for key in found.keys() - {*_TEXTS, "notes", "unlisted_mcc"}:
        faults.of_key(HEAD, key, found[key], f"unknown key; the keys are {', '.join(_TEXTS)}, notes, unlisted_mcc")
    return head


def _classes(folder: Traversable, faults: Faults) -> dict[str, Row]:
    classes: dict[str, Row] = {}
    for row in read_rows(folder, "classes.csv", ("class", "title"), faults):
        class_id = row["class"]
        if not SLUG.fullmatch(class_id):
            faults.of_cell(row, "class", SLUG_ADVICE)
        elif class_id == UNALLOCATED:
            faults.of_cell(row, "class", "this name stands for the rest of a class; choose another")
        elif class_id in classes:
            faults.of_cell(row, "class", f"already on line {classes[class_id].line}; take one of the two out")
        if not row["title"]:
            faults.of_cell(row, "title", "give the class a title for people")
        classes.setdefault(class_id, row)
    return classes


def _codes(folder: Traversable, file: str, scheme: str, classes: Mapping[str, Row], faults: Faults) -> dict[str, str]:
    """Return code to class of a table of ranges, the ranges written out."""
    rows = read_rows(folder, file, ("first", "last", "class"), faults, optional=True)
    codes: dict[str, str] = {}
    taken: dict[str, tuple[str, Row]] = {}
    for row in rows:
        _require_class(row, classes, faults)
        for code in _range(row, scheme, faults):
            if len(codes) == CODE_LIMIT:
                faults.of_cell(row, "first", f"more than {CODE_LIMIT} codes in all; narrow the ranges")
                return codes
            written, earlier = taken.setdefault(normalised(code), (code, row))
            if earlier is not row:
                same = "" if written == code else f" as {written!r} (case and spaces do not tell codes apart)"
                faults.of_cell(
                    row, "first", f"code {code!r} is on line {earlier.line} already{same}; keep it in one row"
                )
                break
            codes[code] = row["class"]
    return codes


def _range(row: Row, scheme: str, faults: Faults) -> list[str]:
    """Return the codes of one row: a single one, or a range of numbers written with as many digits."""
    first, last = row["first"], row["last"]
    if not first:
        faults.of_cell(row, "first", "give a code")
    elif scheme == MCC_SCHEME and not is_mcc(first):
        faults.of_cell(row, "first", "an MCC has four digits; write leading zeros")
    elif normalised(first).startswith(f"{scheme}:"):
        faults.of_cell(row, "first", f"write the code without its scheme, {first[len(scheme) + 1 :].strip()!r}")
    elif not last or last == first:
        return [first]
    elif not (_is_number(first) and _is_number(last) and len(first) == len(last)):
        faults.of_cell(
            row, "last", f"a range from {first!r} ends in a number of as many digits; leave empty for one code"
        )
    elif last < first:
        faults.of_cell(row, "last", f"the range ends before its start {first!r}; exchange the two")
    elif int(last) - int(first) >= CODE_LIMIT:
        faults.of_cell(row, "last", f"more than {CODE_LIMIT} codes; narrow the range")
    else:
        return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
    return []


def _merchants(folder: Traversable, classes: Mapping[str, Row], faults: Faults) -> dict[str, str]:
    merchants: dict[str, str] = {}
    taken: dict[str, Row] = {}
    for row in read_rows(folder, "merchants.csv", ("merchant", "class"), faults, optional=True):
        _require_class(row, classes, faults)
        text = normalised(row["merchant"])
        if not text:
            faults.of_cell(row, "merchant", "give the text of a merchant")
        elif text in taken:
            advice = f"already on line {taken[text].line} (case and spaces do not tell texts apart); keep one row"
            faults.of_cell(row, "merchant", advice)
        else:
            taken[text] = row
            merchants[row["merchant"]] = row["class"]
    return merchants


def _weights(
    folder: Traversable, classes: Mapping[str, Row], systems: Mapping[str, frozenset[str]], faults: Faults
) -> dict[str, dict[str, Shares]]:
    weights: dict[str, dict[str, Shares]] = {}
    taken: dict[tuple[str, str, str], Row] = {}
    for row in read_rows(
        folder, "shares.csv", ("class", "system", "code", "weight", "judgement"), faults, optional=True
    ):
        _require_class(row, classes, faults)
        class_id, system, code = row["class"], row["system"], row["code"]
        if system not in systems:
            faults.of_cell(row, "system", f"use one of {', '.join(systems)}")
        elif code not in systems[system]:
            allowed = sorted(systems[system])
            faults.of_cell(row, "code", f"{system} has {allowed[0]} to {allowed[-1]}; leave out what is unallocated")
        if not row["judgement"]:
            faults.of_cell(row, "judgement", "say in words why the weight is what it is")
        if (class_id, system, code) in taken:
            faults.of_cell(row, "code", f"already on line {taken[class_id, system, code].line}; keep one row")
            continue
        taken[class_id, system, code] = row
        if not (_is_number(row["weight"]) and 0 < int(row["weight"]) <= WHOLE):
            faults.of_cell(row, "weight", f"use a whole number from 1 to {WHOLE}: {WHOLE // 20} is five per cent")
            continue
        before = weights.setdefault(class_id, {}).get(system, ())
        weights[class_id][system] = (*before, (code, int(row["weight"])))
        total = sum(weight for _, weight in weights[class_id][system])
        if total > WHOLE:
            advice = f"the weights of {class_id} in {system} come to {total} here; {WHOLE} is all there is"
            faults.of_cell(row, "weight", advice)
    return weights


def _require_class(row: Row, classes: Mapping[str, Row], faults: Faults) -> None:
    if row["class"] not in classes:
        faults.of_cell(row, "class", "no such class; add it to classes.csv or name one that is there")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18
