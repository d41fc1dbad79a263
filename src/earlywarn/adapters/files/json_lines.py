"""JSON Lines: raw records, split fast and left undecoded for the intake."""

from collections.abc import Iterator, Sequence

from earlywarn.adapters.files.batch import JsonBatch, RowBatch
from earlywarn.adapters.files.lines import LineBlock, line_blocks
from earlywarn.adapters.files.source import ByteSource, as_utf8
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction

_BLANK_BYTES = 16
"""A line of white space alone is not longer than this; a record always is."""


def json_batches(source: ByteSource, name: str, chunk_bytes: int, line_bytes: int) -> Iterator[JsonBatch | RowBatch]:
    """Yield the lines that are not blank, one batch for each chunk read; over-long lines as rejects after it."""
    for block in line_blocks(as_utf8(source.chunks(chunk_bytes), "utf-8"), line_bytes):
        lines, values = _filled(block)
        if values:
            yield JsonBatch(name, lines, values)
        if block.too_long:
            yield too_long_batch(name, block.too_long, line_bytes)


def too_long_batch(name: str, too_long: Sequence[tuple[int, int]], line_bytes: int) -> RowBatch:
    """Return the rejects of over-long lines."""
    rejects: list[Transaction | Reject] = [
        Reject(reason=RejectReason.TOO_LARGE, detail=f"{size} bytes, at most {line_bytes}") for _, size in too_long
    ]
    return RowBatch(name, [line for line, _ in too_long], rejects)


def _filled(block: LineBlock) -> tuple[Sequence[int], list[bytes]]:
    values = block.lines
    # Blank lines are rare: one search for the shortest line spares looking at each.
    if len(min(values, key=len)) > _BLANK_BYTES:
        return range(block.first, block.first + len(values)), values
    kept = [(block.first + index, line) for index, line in enumerate(values) if line and not line.isspace()]
    return [line for line, _ in kept], [value for _, value in kept]
