"""Reading inputs: cells and transactions from files, foreign files through a column mapping.

    open_inputs(patterns, mapping, defaults) -> list[InputFile]
    InputFile.batches() -> Iterator[JsonBatch | RowBatch | CellBatch]

`docs/inputs.md` says what is read and how a mapping is written.
"""

from earlywarn.adapters.files.batch import Batch, CellBatch, JsonBatch, Place, RowBatch
from earlywarn.adapters.files.inputs import InputFile, ReadLimits, open_inputs
from earlywarn.adapters.files.mapping import ColumnMapping
from earlywarn.adapters.files.mappings import (
    detect_mapping,
    load_mapping,
    shipped_mapping,
    shipped_mapping_names,
)
from earlywarn.adapters.files.ordering import merge_cells, sorted_transactions
from earlywarn.adapters.files.rejects import RejectsWriter, in_words
from earlywarn.adapters.files.rows import InputDefaults

__all__ = [
    "Batch",
    "CellBatch",
    "ColumnMapping",
    "InputDefaults",
    "InputFile",
    "JsonBatch",
    "Place",
    "ReadLimits",
    "RejectsWriter",
    "RowBatch",
    "detect_mapping",
    "in_words",
    "load_mapping",
    "merge_cells",
    "open_inputs",
    "shipped_mapping",
    "shipped_mapping_names",
    "sorted_transactions",
]
