"""Opening inputs: patterns to files, files to their kind, format and reader."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from earlywarn.adapters.files.batch import Batch
from earlywarn.adapters.files.mapping import ColumnMapping


@dataclass(frozen=True, slots=True)
class InputDefaults:
    """What the files do not say: currency (ISO 4217), country (ISO 3166-1), zone of naive times, key for card tokens."""

    currency: str | None = None
    country: str | None = None
    time_zone: str = "UTC"
    card_key: bytes = b""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds of memory: bytes read at a time, bytes of one record, rows of one typed batch."""

    chunk_bytes: int = 4 << 20
    record_bytes: int = 1 << 20
    batch_rows: int = 4_096


class InputFile:
    """One file to read. `batches()` may be called several times; each call reads from the start."""

    name: str
    kind: Literal["cells", "transactions"]
    size_bytes: int
    position_bytes: int

    def batches(self) -> Iterator[Batch]:
        """Yield the file's records in order.

        Raises:
            InputError: the file is damaged (a cut-off gzip, say) or has gone.
        """
        raise NotImplementedError


def open_inputs(
    patterns: Sequence[str],
    mapping: ColumnMapping | None = None,
    defaults: InputDefaults | None = None,
    limits: ReadLimits | None = None,
) -> list[InputFile]:
    """Find the files of `patterns` (paths and globs, sorted, each once) and see what each holds.

    Raises:
        InputError: no match, not readable, or of a form that is not known; it lists every such file.
    """
    raise NotImplementedError
