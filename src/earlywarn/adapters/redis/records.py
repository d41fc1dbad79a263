"""From records of the topics to what the scripts are given."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated

import msgspec

from earlywarn.adapters.redis.layout import VERSION, RunLayout
from earlywarn.adapters.redis.scripts import ScriptCall, Value
from earlywarn.domain.alert import Alert
from earlywarn.domain.series import Resolution
from earlywarn.errors import LogError

Record = tuple[int, bytes | None]
"""Offset and value of a record of a topic's partition."""

_STARTS_CACHED = 4096
_VINTAGE_DIGITS = 10


class _Row(msgspec.Struct, frozen=True, gc=False):
    """What has to be known of a row of `aggregates`; the rest goes through as it is."""

    series_id: str
    panel: str
    bucket: Resolution
    start: str
    vintage: Annotated[int, msgspec.Meta(ge=0, lt=10**_VINTAGE_DIGITS)]


_row_decoder = msgspec.json.Decoder(_Row)
_alert_decoder = msgspec.json.Decoder(Alert)


class RowBatch:
    """Rows of consecutive records, the newest of every series and bucket kind: what one call carries.

    Args:
        layout: Of the run.
        place: Topic and partition, for errors.
    """

    def __init__(self, layout: RunLayout, place: str) -> None:
        self._layout = layout
        self._place = place
        self._groups: dict[tuple[str, Resolution], dict[str, tuple[str, bytes]]] = {}
        self.rows = 0
        self.value_bytes = 0

    def add(self, offset: int, value: bytes | None) -> None:
        """Take in a record.

        Raises:
            LogError: it is no row.
        """
        try:
            row = _row_decoder.decode(value or b"")
            rank = f"{_start_utc(row.start)}/{row.vintage:0{_VINTAGE_DIGITS}}"
        except (msgspec.MsgspecError, ValueError, OverflowError) as error:
            raise _foreign(self._place, offset, "row of aggregates", error) from error
        group = self._groups.setdefault((row.panel, row.bucket), {})
        before = group.get(row.series_id)
        if before is None:
            self.rows += 1
        elif before[0] >= rank:
            return
        else:
            self.value_bytes -= len(before[1])
        # `value` is not empty, or it would not have been decoded.
        group[row.series_id] = (rank, value or b"")
        self.value_bytes += len(value or b"")

    def call(self, partition: int, since: int, after: int, *, log: str) -> ScriptCall:
        """Return the call of `rows.lua` that moves the position of q in a log from `since` or later to `after`."""
        keys = [self._layout.positions]
        field, log_field = self._layout.position_field("aggregates", partition), self._layout.log_field("aggregates")
        values: list[Value] = [VERSION, field, log_field, log, since, after]
        for (panel, bucket), rows in self._groups.items():
            keys += (self._layout.latest(panel, bucket), self._layout.ranks(panel, bucket))
            values.append(len(rows))
            for series_id, (rank, value) in rows.items():
                values += (series_id, rank, value)
        return ScriptCall(tuple(keys), tuple(values))


def row_batches(
    layout: RunLayout, place: str, records: Sequence[Record], *, rows: int, value_bytes: int
) -> Iterator[tuple[RowBatch, int]]:
    """Chop records into batches of at most so many rows and (but for the last row) bytes after collapsing.

    Yields each batch with the offset after its last record.

    Raises:
        LogError: a record is no row.
    """
    batch = RowBatch(layout, place)
    for offset, value in records:
        batch.add(offset, value)
        if batch.rows >= rows or batch.value_bytes >= value_bytes:
            yield batch, offset + 1
            batch = RowBatch(layout, place)
    if batch.rows:
        yield batch, records[-1][0] + 1


def revision_call(
    layout: RunLayout, place: str, partition: int, record: Record, *, log: str, since: int, stream_length: int
) -> ScriptCall:
    """Return the call of `revision.lua` for a record of the log of `alerts`.

    Raises:
        LogError: the record is no alert.
    """
    offset, value = record
    try:
        alert = _alert_decoder.decode(value or b"")
        score = int(date.fromisoformat(alert.detected_on).strftime("%Y%m%d"))
    except (msgspec.MsgspecError, ValueError) as error:
        raise _foreign(place, offset, "alert", error) from error
    if alert.revision < 1 or alert.sequence < 1:
        raise _foreign(
            place, offset, "alert", f"revision {alert.revision}, sequence {alert.sequence}: both count from 1"
        )
    entered, left = tuple(layout.entered(alert)), tuple(layout.left(alert))
    fields: dict[str, Value] = {
        "revision": alert.revision,
        "sequence": alert.sequence,
        "partition": partition,
        "kind": alert.kind,
        "status": alert.status,
        "severity": alert.severity,
        "panel": alert.panel,
        "region": alert.region or "",
        "sector": alert.sector or "",
        "series_id": alert.series_id,
        "detected_on": alert.detected_on,
        "as_of": alert.as_of,
    }
    return ScriptCall(
        (layout.positions, layout.alert(alert.id), layout.revisions(partition), *entered, *left),
        (
            VERSION,
            layout.position_field("alerts", partition),
            layout.log_field("alerts"),
            log,
            layout.sequence_field(partition),
            since,
            offset + 1,
            alert.revision,
            alert.sequence,
            score,
            alert.id,
            stream_length,
            len(entered),
            value or b"",
            *(part for field in fields.items() for part in field),
        ),
    )


@lru_cache(maxsize=_STARTS_CACHED)
def _start_utc(start: str) -> str:
    """Return a bucket's start in UTC, in a form whose order as text is that of time.

    Raises:
        ValueError: no RFC 3339 time with an offset.
    """
    at = datetime.fromisoformat(start)
    if at.tzinfo is None:
        raise ValueError(f"start = {start!r} has no offset")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _foreign(place: str, offset: int, wanted: str, problem: object) -> LogError:
    return LogError(
        f"{place}-{offset}: no {wanted}: {problem}; nothing but detectors may write to this topic, "
        "and Redis is not moved past this record"
    )
