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
    """Write JSON Lines to `out` (compressed if it ends in .gz or .zst), and the truth beside it (`Truth.write`).

    `progress` is told the number of records of each batch written. What breaks off leaves no file: the records are
    written under another name until they are complete.

    Raises:
        ConfigError: an option that cannot be used.
        InputError: `out` cannot be written.
    """
    truth = Truth()
    batches = generate(cells, options, truth)
    draft = out.with_name(f".{out.name}.draft")
    try:
        if out.is_dir():
            raise InputError(f"{out}: is a folder; name a file in it")
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _open(draft, _CODECS.get(out.suffix)) as stream:
                for batch in batches:
                    stream.write(b"\n".join(batch) + b"\n")
                    if progress is not None:
                        progress(len(batch))
            draft.replace(out)
        finally:
            draft.unlink(missing_ok=True)
        truth.write(out.parent, options, out.name)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{out}: cannot be written: {reason}; choose another place for the output") from error
    return truth


def _open(path: Path, codec: str | None) -> BinaryIO:
    if codec is None:
        return path.open("wb", buffering=1 << 20)
    stream: BinaryIO = pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), codec)
    return stream
