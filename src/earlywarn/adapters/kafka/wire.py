r"""What stands in the topics: JSON, with the names of docs/delivery.md and docs/interfaces.md.

| topic | key | value |
|---|---|---|
| partials | source partition | a partial, or a part of a large one; header `fold`: by which rules it was made |
| partials | `change` | with a header `earlywarn-control`: a change of configuration |
| aggregates | `series_id|bucket|start|vintage` | one row: columns of aggregates.parquet but `latest` |
| alerts | id/revision | the alert as in alerts.jsonl |
| transactions.dlq | partition/offset/index | the record's own bytes (or their beginning); headers say why |
| transactions.dlq | partition/offset/index | none, but a header `replayed_at`: its letter is re-entered |
"""

from collections.abc import Iterator

import msgspec
import numpy as np

from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.parts import cut
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.aggregator import DeadLetter, Headers
from earlywarn.application.control_marks import CONTROL_HEADER
from earlywarn.application.succession import Change
from earlywarn.domain.alert import Alert
from earlywarn.errors import LogError

PART_BYTES = 4 << 20
"""A partial that takes more is cut into parts. A row and a source of the longest names take 5 kB, see delivery.md."""
_MEANS = {"24h": (24, "hour"), "7d": (7, "day"), "28d": (28, "day")}
_MEASURES = ("transactions", "amount_minor")
_encode = msgspec.json.Encoder().encode
_partial_decoder = msgspec.json.Decoder(Partial)
_change_decoder = msgspec.json.Decoder(Change)
CHANGE_HEADERS = [(CONTROL_HEADER, b"change")]
"""Of a control record among the partials."""

FOLD_HEADER = "fold"
"""On a partial: the fold's fingerprint (`application.panels.fold_fingerprint`). No fold looks at it; where the manifest
is lost it tells by which settings the run was counted."""

CUT_HEADER = "cut_from"
"""On a dead letter that holds but the beginning of its record: how many bytes that had."""
_ENVELOPE_BYTES = 4 << 10  # what a dead letter takes besides its value, at most

Message = tuple[bytes, bytes]
"""Key and value."""


def encode_partial(partial: Partial, *, part_bytes: int = PART_BYTES) -> list[Message]:
    """Return key and value of a partial: of one record, or of each of its parts if it takes more than `part_bytes`."""
    key, value = str(partial.partition).encode(), _encode(partial)
    if len(value) <= part_bytes:
        return [(key, value)]
    return [(key, _encode(part)) for part in cut(partial, lambda piece: len(_encode(piece)) <= part_bytes)]


def fold_headers(fingerprint: str) -> list[tuple[str, bytes]]:
    """Return the headers of partials that are made under a fold's fingerprint."""
    return [(FOLD_HEADER, fingerprint.encode())]


def decode_partial(value: bytes | None, place: str) -> Partial:
    """Return the partial of a record; `place` (topic-partition-offset) is for the error.

    Raises:
        LogError: it is none.
    """
    try:
        return _partial_decoder.decode(value or b"")
    except msgspec.MsgspecError as error:
        raise LogError(f"{place}: no partial: {error}; nothing but aggregators may write to this topic") from error


def is_change(headers: Headers | None) -> bool:
    """Return whether a record of the partials is a control record."""
    return bool(headers) and dict(headers or ()).get(CONTROL_HEADER) == CHANGE_HEADERS[0][1]


def encode_change(change: Change) -> Message:
    """Return key and value of a control record; its headers are `CHANGE_HEADERS`."""
    return b"change", _encode(change)


def decode_change(value: bytes | None, place: str) -> Change:
    """Return the control record at a place.

    Raises:
        LogError: this version cannot read it.
    """
    try:
        return _change_decoder.decode(value or b"")
    except msgspec.MsgspecError as error:
        raise LogError(f"{place}: no control record that this version can read: {error}") from error


def encode_alert(alert: Alert) -> Message:
    """Return key and value of an alert's revision."""
    return f"{alert.id}/{alert.revision}".encode(), _encode(alert)


def encode_rows(rows: AggregateRows) -> Iterator[Message]:
    """Yield key and value of every row; what is not known is left out."""
    columns: dict[str, list[object]] = {
        "vintage": rows.vintage.tolist(),
        "transactions": rows.transactions.tolist(),
        "amount_minor": rows.amount_minor.tolist(),
        "coverage": rows.heard.tolist(),
        "coverage_volume": rows.volume_heard.tolist(),
    }
    for window, sums in rows.windows.items():
        for at, measure in enumerate(_MEASURES):
            columns[f"{measure}_{window}"] = sums[:, at].tolist()
            if window in _MEANS:
                length, unit = _MEANS[window]
                columns[f"{measure}_{window}_mean_{unit}"] = np.round(sums[:, at] / length, 4).tolist()
    for at, name in enumerate(("transactions_yoy", "amount_yoy")):
        change = rows.year_on_year[:, at]
        if np.isfinite(change).any():
            columns[name] = [value if np.isfinite(value) else None for value in change.tolist()]
    constant = {
        "bucket": rows.bucket,
        "start": rows.start,
        "coverage_partitions": rows.coverage.partitions,
    }
    names = tuple(columns)
    suffix = f"|{rows.bucket}|{rows.start}|"
    for series, values in zip(rows.series, zip(*columns.values(), strict=True), strict=True):
        row = {
            "series_id": series.series_id,
            "panel": series.panel,
            "level": series.level,
            "region": series.region,
            "sector": series.sector,
            **constant,
            **dict(zip(names, values, strict=True)),
        }
        yield f"{series.series_id}{suffix}{row['vintage']}".encode(), _encode(row)


def encode_dead_letter(
    letter: DeadLetter, topic: str, most_bytes: int
) -> tuple[bytes, bytes | None, list[tuple[str, bytes]]]:
    """Return key, value and headers of a record that was not accepted, in a message of `most_bytes` at most.

    A sender's compression may have brought a record into the log that is larger than any message: of such a one the
    beginning is kept, and a header says how many bytes it had.
    """
    reject, value = letter.reject, letter.value
    headers = [
        ("reason", reject.reason.value.encode()),
        ("field", reject.field.encode()),
        ("detail", reject.detail.encode()),
        ("topic", topic.encode()),
        ("partition", str(letter.partition).encode()),
        ("offset", str(letter.offset).encode()),
        ("index", str(letter.index).encode()),
        ("received_at", str(letter.received_ms).encode()),
    ]
    if value is not None and len(value) > most_bytes - _ENVELOPE_BYTES:
        headers.append((CUT_HEADER, str(len(value)).encode()))
        value = value[: most_bytes - _ENVELOPE_BYTES]
    return f"{letter.partition}/{letter.offset}/{letter.index}".encode(), value, headers
