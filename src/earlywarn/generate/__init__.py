"""Generated data with a known truth: cells into single transactions, and cells from nothing.

generate(cells, options, truth) -> Iterator[list[bytes]]     JSON transactions in order of arrival
write_generated(cells, options, out) -> Truth                a file, its truth as JSON and Parquet beside it
synthetic_cells(seed=..., days=...) -> Iterator[Cell]        a panel from nothing
"""

from earlywarn.generate.expand import RECORD_BYTES, expected_transactions, generate
from earlywarn.generate.options import GenerateOptions, Shock
from earlywarn.generate.synthetic import SyntheticSector, synthetic_cells
from earlywarn.generate.truth import Truth
from earlywarn.generate.write import write_generated

__all__ = [
    "RECORD_BYTES",
    "GenerateOptions",
    "Shock",
    "SyntheticSector",
    "Truth",
    "expected_transactions",
    "generate",
    "synthetic_cells",
    "write_generated",
]
