"""Second fold, first half: the partials of all source partitions into differences and one watermark.

Order within a partition is (block, last offset, open before sealed, active before idle before end). A partial that is
not newer than what is applied is ignored; one that leaves a gap is a defect of the log and stops
the fold. What is left is each accepted transaction exactly once.

A partition that is lost (retention has removed what would have to be read next) is left out of the watermark like an
idle one, and brings nothing any more.
"""

from collections.abc import Sequence
from typing import NamedTuple

from earlywarn.aggregation.partial import Partial, SourceRow
from earlywarn.aggregation.partition_volumes import PartitionVolumes, Standing, heard_share
from earlywarn.aggregation.parts import Parts
from earlywarn.aggregation.rows import Loss
from earlywarn.domain.panel import Panel
from earlywarn.domain.state import State
from earlywarn.errors import LogError

BEFORE_ALL = -(1 << 62)
AFTER_ALL = 1 << 62

_BySource = dict[tuple[str, str, str, str, int], int]
"""Cumulative transactions by panel, region, sector, source and bucket."""


class Difference(NamedTuple):
    """What one applied row adds to a bucket (epoch seconds); `late` keeps it apart from vintage 0."""

    panel: str
    region: str
    sector: str
    bucket: int
    late: bool
    transactions: int
    amount_minor: int


class Delivered(NamedTuple):
    """On-time transactions of a named source that a partition added to a cell and bucket.

    Of what was not accepted the source is empty where the record names none.
    """

    panel: str
    region: str
    sector: str
    feed: str
    bucket: int
    transactions: int


class Applied(NamedTuple):
    """The outcome of one partial: all empty if it was not newer."""

    differences: list[Difference]
    delivered: list[Delivered]
    rejected: dict[str, int]
    unread: list[Delivered] = []  # noqa: RUF012  # nobody adds to an outcome
    loss: Loss | None = None


class _Partition:
    """What is applied of one source partition."""

    __slots__ = (
        "end", "event_time_ms", "idle", "lost", "order", "parts", "rejected", "rows", "sources", "unread", "volumes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.order: tuple[int, int, bool, int] | None = None
        self.event_time_ms: int | None = None
        self.idle = False
        self.end = False
        self.lost = False
        self.parts = Parts()
        self.rows: dict[tuple[str, str, str, int, bool], tuple[int, int]] = {}
        self.sources: _BySource = {}
        self.unread: _BySource = {}
        self.rejected: dict[str, int] = {}
        self.volumes = PartitionVolumes()

    def silent_from(self, until_seconds: int) -> int | None:
        """Return up to where it has spoken, if not up to `until_seconds`, and it is idle or lost; else None.

        One that has never brought anything has nothing to speak of, unless what it had is lost.
        """
        if self.end or not (self.idle or self.lost):
            return None
        if self.event_time_ms is None:
            return 0 if self.lost else None
        return self.event_time_ms // 1000 if self.event_time_ms < until_seconds * 1000 else None


class PartialsFold:
    """Merges the partials of one partition of the partials log, from all source partitions."""

    def __init__(self, *, partitions: int, lateness_seconds: int) -> None:
        self.lateness_seconds = lateness_seconds
        self._partitions = [_Partition() for _ in range(partitions)]
        self._watermark_ms = BEFORE_ALL

    @property
    def partitions(self) -> int:
        """Return the number of source partitions, as far as the log has said."""
        return len(self._partitions)

    def apply(self, partial: Partial) -> Applied:
        """Apply one partial; a duplicate, stale or already covered one changes nothing, nor does a part of several."""
        self._grow(partial)
        state = self._partitions[partial.partition]
        if partial.lost is not None:
            return self._lose(partial, partial.lost, state)
        if state.order is not None and partial.order <= state.order:
            return Applied([], [], {})
        self._check_gap(partial, state)
        whole = state.parts.whole(partial)
        return Applied([], [], {}) if whole is None else self._apply(whole, state)

    def _apply(self, partial: Partial, state: _Partition) -> Applied:
        if state.order is None or partial.block != state.order[0]:
            state.rows, state.sources, state.unread, state.rejected = {}, {}, {}, {}
        outcome = Applied(
            self._differences(partial, state),
            self._news(partial.sources, state.sources),
            self._rejected(partial, state),
            self._news(partial.unread, state.unread),
        )
        rows = ((each.panel, each.bucket, each.transactions) for each in outcome.differences)
        state.volumes.add(rows, self._watermark_ms // 1000)
        state.order = partial.order
        state.parts.forget(partial.order)
        state.idle = partial.idle
        state.end = state.end or partial.end
        if partial.event_time_ms is not None:
            state.event_time_ms = partial.event_time_ms
        return outcome

    def watermark_seconds(self) -> int | None:
        """Return the time before which no on-time row can come any more; None until all partitions spoke.

        It never goes back: a partition that was idle and returns is late by its own log or fills open buckets.
        """
        if any(state.order is None and not state.lost for state in self._partitions):
            return None
        active = [state for state in self._partitions if not (state.idle or state.end or state.lost)]
        if active:
            if any(state.event_time_ms is None for state in active):
                return None
            lowest = min(state.event_time_ms for state in active if state.event_time_ms is not None)
            self._watermark_ms = max(self._watermark_ms, lowest - self.lateness_seconds * 1000)
        elif self.over:
            self._watermark_ms = AFTER_ALL
        return None if self._watermark_ms == BEFORE_ALL else self._watermark_ms // 1000

    def applied_offsets(self) -> dict[int, int]:
        """Return, by source partition that has spoken, the last offset that is applied; -1 before its first record."""
        return {at: state.order[1] for at, state in enumerate(self._partitions) if state.order is not None}

    def heard(self, panel: Panel, start: int, until: int) -> float:
        """Return the share, by what they usually bring, of partitions that have spoken for a bucket that closes."""
        states = [Standing(each.volumes, each.silent_from(until), each.lost) for each in self._partitions]
        return heard_share(states, panel, start, until)

    @property
    def newest_event_seconds(self) -> int | None:
        """Return the newest accepted event time of any partition."""
        times = [state.event_time_ms for state in self._partitions if state.event_time_ms is not None]
        return max(times) // 1000 if times else None

    @property
    def over(self) -> bool:
        """Return whether a finite log has ended: in all partitions but those that are lost."""
        return all(state.end or state.lost for state in self._partitions) and any(
            state.end for state in self._partitions
        )

    def ended(self, partition: int) -> bool:
        """Return whether a partition has said its end."""
        return self._partitions[partition].end

    def ended_before(self, until_seconds: int) -> frozenset[str]:
        """Return the partitions (by number, as text) that have ended without an event at or after `until_seconds`.

        For a bucket that closes this does not depend on when their ends were read: there is no other way past them.
        """
        return frozenset(
            str(partition)
            for partition, state in enumerate(self._partitions)
            if state.end and (state.event_time_ms is None or state.event_time_ms < until_seconds * 1000)
        )

    # --- applying

    def _grow(self, partial: Partial) -> None:
        if partial.partition >= partial.partitions:
            raise LogError(f"partial of partition {partial.partition} claims there are only {partial.partitions}")
        if len(self._partitions) < partial.partitions:
            for state in self._partitions:  # keys are dealt anew: what was usual is not any more
                state.volumes = state.volumes if state.lost else PartitionVolumes()
        while len(self._partitions) < partial.partitions:
            self._partitions.append(_Partition())

    @staticmethod
    def _lose(partial: Partial, begins: int, state: _Partition) -> Applied:
        """Count a partition as lost; every owner that comes to it says so anew."""
        if state.lost:
            return Applied([], [], {})
        state.lost = True
        if state.event_time_ms is None:
            state.event_time_ms = partial.event_time_ms
        return Applied([], [], {}, loss=Loss(partial.partition, partial.last + 1, begins, state.event_time_ms))

    @staticmethod
    def _check_gap(partial: Partial, state: _Partition) -> None:
        applied = -1 if state.order is None else state.order[1]
        if partial.since > applied:
            raise LogError(
                f"partition {partial.partition}: the partial of block {partial.block} starts after offset "
                f"{partial.since}, but only what came up to {applied} is applied; the partials log has a gap. "
                "docs/operations/topics.md, Go on in another run"
            )

    @staticmethod
    def _differences(partial: Partial, state: _Partition) -> list[Difference]:
        found = []
        for row in partial.rows:
            key = (row.panel, row.region, row.sector, row.bucket, row.late)
            transactions, amount = state.rows.get(key, (0, 0))
            state.rows[key] = (row.transactions, row.amount_minor)
            if row.transactions != transactions or row.amount_minor != amount or (transactions, amount) == (0, 0):
                found.append(Difference(*key, row.transactions - transactions, row.amount_minor - amount))
        return found

    @staticmethod
    def _news(rows: Sequence[SourceRow], known: _BySource) -> list[Delivered]:
        found = []
        for row in rows:
            key = (row.panel, row.region, row.sector, row.source, row.bucket)
            before = known.get(key, 0)
            known[key] = row.transactions
            found.append(Delivered(*key, row.transactions - before))
        return found

    @staticmethod
    def _rejected(partial: Partial, state: _Partition) -> dict[str, int]:
        news = {
            reason: count - state.rejected.get(reason, 0)
            for reason, count in partial.rejected.items()
            if count != state.rejected.get(reason, 0)
        }
        state.rejected = partial.rejected
        return news

    # --- snapshot

    def state(self) -> State:
        """Return the state as plain values."""
        return {
            "watermark_ms": self._watermark_ms,
            "partitions": [
                {
                    "order": None if state.order is None else list(state.order),
                    "event_time_ms": state.event_time_ms,
                    "idle": state.idle,
                    "end": state.end,
                    "lost": state.lost,
                    "parts": state.parts.state(),
                    "rows": [[*key, *value] for key, value in state.rows.items()],
                    "sources": [[*key, value] for key, value in state.sources.items()],
                    "unread": [[*key, value] for key, value in state.unread.items()],
                    "rejected": dict(state.rejected),
                    "volumes": state.volumes.state(),
                }
                for state in self._partitions
            ],
        }

    def restore(self, saved: State) -> None:
        """Take over a state that `state` returned."""
        self._watermark_ms = saved["watermark_ms"]
        self._partitions = []
        for each in saved["partitions"]:
            state = _Partition()
            state.order = None if each["order"] is None else tuple(each["order"])
            state.idle, state.end, state.lost = each["idle"], each["end"], each["lost"]
            state.parts = Parts.restored(each["parts"])
            state.event_time_ms = each["event_time_ms"]
            state.rows = {tuple(row[:5]): (row[5], row[6]) for row in each["rows"]}
            state.sources = {tuple(row[:5]): row[5] for row in each["sources"]}
            state.unread = {tuple(row[:5]): row[5] for row in each["unread"]}
            state.rejected = dict(each["rejected"])
            state.volumes = PartitionVolumes.restored(each["volumes"])
            self._partitions.append(state)
