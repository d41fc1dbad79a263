"""Whether a mapping is the way out: it is tried on the first records of the file before anybody is told of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from earlywarn.adapters.files.batch import CellBatch, RowBatch
from earlywarn.adapters.files.hints import NAME_MAPPING
from earlywarn.adapters.files.inputs import InputFile
from earlywarn.adapters.files.layout import look
from earlywarn.adapters.files.mappings import parse_mapping
from earlywarn.domain.reject import Reject

_ROWS_TRIED = 10_000
"""Of transactions; cells are read whole, since they are held to be sorted."""
_MAPPINGS_TRIED = 4
"""A row says what is wrong with its first field; what is with the next one is said by the mapping that reads it."""


class _Reading(NamedTuple):
    """How many first rows were looked at and could be read, what the rest says of mappings, and whether all were."""

    rows: int
    read: int
    said: list[str]
    whole: bool


def mapping_that_reads(file: InputFile, said: Sequence[str]) -> str:
    """Return a mapping (YAML on one line) that reads more of a file than its own columns do; empty if none is known.

    Args:
        file: One of earlywarn's own columns.
        said: Details of its rejects, which say what the mapping has to.
    """
    now = _reading(file)
    details = list(said)
    mapping = ""
    for _ in range(_MAPPINGS_TRIED):
        further = file.mapping_for(details)
        if further == mapping:
            return ""
        mapping = further
        tried = replace(file, layout=look(file.path, parse_mapping(mapping, file.name)))
        then = _reading(tried)
        if then.read > now.read or (then.read == now.read and not now.whole):
            return mapping if now.read <= now.rows / 2 or not _takes_others_otherwise(file, tried) else ""
        details += then.said
    return ""


def _takes_others_otherwise(file: InputFile, tried: InputFile) -> bool:
    """Return whether a mapping takes for major units what are minor ones now: then all is read, a hundredfold."""
    layouts = (file.layout.mapping, tried.layout.mapping)
    return [each is not None and "amount_minor" in each.fields for each in layouts] == [True, False]


def _reading(file: InputFile) -> _Reading:
    rows = read = 0
    said: dict[str, str] = {}
    for batch in file.batches():
        outcomes = batch.cells if isinstance(batch, CellBatch) else batch.records if isinstance(batch, RowBatch) else ()
        for outcome in outcomes:
            if not isinstance(outcome, Reject):
                read += 1
            elif NAME_MAPPING in outcome.detail:
                said.setdefault(outcome.field, outcome.detail)
        rows += len(outcomes)
        if rows >= _ROWS_TRIED and file.kind == "transactions":
            return _Reading(rows, read, list(said.values()), whole=False)
    return _Reading(rows, read, list(said.values()), whole=True)
