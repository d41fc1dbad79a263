"""Lines of a byte stream, a block at a time, in bounded memory whatever the length of a line."""

from collections.abc import Iterator
from typing import NamedTuple


class LineBlock(NamedTuple):
    """Consecutive lines without their ends; `first` is the 1-based number of `lines[0]`.

    An over-long line stands as b"" in `lines` and as (number, bytes) in `too_long`.
    """

    first: int
    lines: list[bytes]
    too_long: list[tuple[int, int]]


def line_blocks(chunks: Iterator[bytes], line_bytes: int) -> Iterator[LineBlock]:
    """Split `chunks` at LF or CRLF; lines of more than `line_bytes` bytes are measured, not kept."""
    number = 1
    rest = b""  # the beginning of a line whose end is still to come
    dropped = 0  # bytes of that line already given up, once it is known to be too long
    for chunk in chunks:
        end = chunk.rfind(b"\n")
        if end < 0:
            rest += chunk
            if dropped or len(rest) > line_bytes:
                dropped, rest = dropped + len(rest), b""
            continue
        whole = rest + chunk[:end]
        rest = chunk[end + 1 :]
        block = _block(number, whole, line_bytes, dropped)
        number += len(block.lines)
        dropped = 0
        if len(rest) > line_bytes:
            dropped, rest = len(rest), b""
        yield block
    if rest or dropped:
        yield _block(number, rest, line_bytes, dropped)


def _block(first: int, whole: bytes, line_bytes: int, dropped: int) -> LineBlock:
    if b"\r" in whole:
        whole = whole.replace(b"\r\n", b"\n").removesuffix(b"\r")
    lines = whole.split(b"\n")
    too_long = []
    if dropped:
        too_long.append((first, dropped + len(lines[0])))
        lines[0] = b""
    if max(map(len, lines)) > line_bytes:
        for index, line in enumerate(lines):
            if len(line) > line_bytes:
                too_long.append((first + index, len(line)))
                lines[index] = b""
    return LineBlock(first, lines, too_long)
