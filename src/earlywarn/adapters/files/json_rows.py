"""JSON Lines of a foreign schema: objects to rows, for a column mapping."""

from collections.abc import Iterator, Sequence

import msgspec

from earlywarn.adapters.files.batch import RowBatch
from earlywarn.adapters.files.json_lines import json_batches
from earlywarn.adapters.files.source import ByteSource
from earlywarn.aggregation.intake import NESTED_TOO_DEEP
from earlywarn.aggregation.nesting import is_nested_too_deep
from earlywarn.domain.reject import Reject, RejectReason

_DECODER = msgspec.json.Decoder(dict[str, object], strict=False)


def json_rows(
    source: ByteSource, columns: Sequence[str], chunk_bytes: int, line_bytes: int
) -> Iterator[list[tuple[int, Sequence[object] | Reject]]]:
    """Yield rows of the top-level keys `columns` with their line numbers; an absent key is None."""
    for batch in json_batches(source, "", chunk_bytes, line_bytes):
        rows: list[tuple[int, Sequence[object] | Reject]] = []
        if isinstance(batch, RowBatch):
            rows = [
                (line, record)
                for line, record in zip(batch.lines, batch.records, strict=True)
                if isinstance(record, Reject)
            ]
        else:
            rows = [(line, _row(value, columns)) for line, value in zip(batch.lines, batch.values, strict=True)]
        yield rows


def _row(value: bytes, columns: Sequence[str]) -> Sequence[object] | Reject:
    if is_nested_too_deep(value):
        return NESTED_TOO_DEEP
    try:
        record = _DECODER.decode(value)
    except msgspec.ValidationError:
        return Reject(reason=RejectReason.NOT_AN_OBJECT, detail="a line holds one JSON object")
    except ValueError:
        return Reject(reason=RejectReason.NOT_JSON, detail="a line holds one JSON object in UTF-8")
    return [record.get(column) for column in columns]
