"""Generated data with a known truth: cells into single transactions, and cells from nothing.

    generate(cells, options, truth) -> Iterator[list[bytes]]      JSON transactions in order of arrival
    write_generated(cells, options, out) -> Truth                 file, truth.json, truth.parquet
    synthetic_cells(options) -> Iterator[Cell]                    a panel from nothing
"""
