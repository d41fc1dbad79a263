"""Generated transactions into a file, with the truth beside it."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from earlywarn.domain.cell import Cell
from earlywarn.errors import InputError
from earlywarn.generate.expand import generate
from earlywarn.generate.options import GenerateOptions
from earlywarn.generate.truth import Truth

_CODECS = {".gz": "gzip", ".zst": "zstd"}


def write_generated(
    cells: Iterable[Cell],
    options: GenerateOptions,
    out: Path,
    progress: Callable[[int], None] | None = None,
) -> Truth:
    """Write JSON Lines to `out` (compressed if it ends in .gz or .zst), `truth.json` and `truth.parquet` beside it.

    `progress` is told the number of records of each batch written.

    Raises:
        ConfigError: an option that cannot be used.
        InputError: `out` cannot be written.
    """
    truth = Truth()
    batches = generate(cells, options, truth)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with _open(out) as stream:
            for batch in batches:
                stream.write(b"\n".join(batch) + b"\n")
                if progress is not None:
                    progress(len(batch))
        truth.write(out.parent, options, out.name)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error}; choose another place for the output") from error
    return truth


def _open(out: Path) -> BinaryIO:
    codec = _CODECS.get(out.suffix)
    if codec is None:
        return out.open("wb", buffering=1 << 20)
    stream: BinaryIO = pa.CompressedOutputStream(pa.OSFile(str(out), "wb"), codec)
    return stream
