"""Reading a run's Redis: latest rows, alerts by filter, revisions after a sequence. It writes nothing."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from earlywarn.adapters.redis.layout import RunLayout, day_score, region_lineage
from earlywarn.domain.alert import STATUSES_OPEN, Alert, Kind, Severity, Status
from earlywarn.domain.series import Resolution

_INDEX_PAGE = 250
"""Entries of an index read at once, at most; the first page is as long as what is asked for."""

_EXAMINED_MOST = 5_000
"""Alerts looked at for one page; where few match, the page ends early and its cursor goes on."""

_decode_alert = msgspec.json.Decoder(Alert).decode


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts: all that is given must hold; what is left out admits everything.

    first_day, last_day: of `detected_on`, both included.
    region: a region and all below it (NUTS); alerts above the level of regions have none.
    severities, statuses: any of them; empty for any.
    """

    first_day: date | None = None
    last_day: date | None = None
    panel: str | None = None
    kind: Kind | None = None
    region: str | None = None
    sector: str | None = None
    severities: frozenset[Severity] = frozenset()
    statuses: frozenset[Status] = frozenset()

    def admits(self, alert: Alert) -> bool:
        """Return whether an alert passes."""
        day = date.fromisoformat(alert.detected_on)
        return (
            (self.first_day is None or day >= self.first_day)
            and (self.last_day is None or day <= self.last_day)
            and self.panel in {None, alert.panel}
            and self.kind in {None, alert.kind}
            and self.sector in {None, alert.sector}
            and (self.region is None or (alert.region is not None and self.region in region_lineage(alert.region)))
            and (not self.severities or alert.severity in self.severities)
            and (not self.statuses or alert.status in self.statuses)
        )

    def indexes(self, layout: RunLayout) -> Iterator[str]:
        """Yield indexes each of which holds every alert that passes."""
        yield layout.alerts
        if self.panel is not None:
            yield layout.by_panel(self.panel)
        if self.kind is not None:
            yield layout.by_kind(self.kind)
        if self.region is not None:
            yield layout.by_region(self.region)
        if self.sector is not None:
            yield layout.by_sector(self.sector)
        if len(self.severities) == 1:
            yield from map(layout.by_severity, self.severities)
        if len(self.statuses) == 1:
            yield from map(layout.by_status, self.statuses)
        if self.statuses and self.statuses <= STATUSES_OPEN:
            yield layout.open_alerts


class AlertCursor(NamedTuple):
    """The last alert a page looked at; the next page goes on after it. Later alerts do not shift pages."""

    day_score: int
    alert_id: str


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts, newest first by (detected_on, id); `following` is None when there are no more."""

    alerts: tuple[Alert, ...]
    following: AlertCursor | None


class Revision(NamedTuple):
    """An entry of the stream of q: the revision's sequence and its JSON, as in the topic."""

    sequence: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Revisions:
    """Revisions after a sequence, in order.

    `complete` is False when some between the sequence asked for and the first here have left the stream;
    the alerts topic has them.
    """

    entries: tuple[Revision, ...]
    complete: bool


class RedisReader:
    """Reads one run.

    Every method raises `redis.exceptions.RedisError` when Redis is away or refuses the user.
    """

    def __init__(self, client: Redis, run: str) -> None:
        self.layout = RunLayout(run)
        self._client = client

    async def latest(self, panel: str, bucket: Resolution) -> Mapping[str, bytes]:
        """Return the latest row of every series of a panel: series_id to JSON, as in the topic."""
        rows: Any = await self._client.hgetall(self.layout.latest(panel, bucket))
        return {series_id.decode(): row for series_id, row in rows.items()}

    async def alert(self, alert_id: str) -> Alert | None:
        """Return the newest revision of an alert, None if the run has no such alert."""
        value: Any = await self._client.hget(self.layout.alert(alert_id), "json")
        return None if value is None else _decode_alert(value)

    async def alerts(self, chosen: AlertFilter, *, limit: int, after: AlertCursor | None = None) -> AlertPage:
        """Return a page of alerts that pass a filter, each in its newest revision.

        Args:
            chosen: Which alerts.
            limit: At most so many. Fewer, with a cursor, where few of many pass.
            after: The cursor of the page before.
        """
        found: list[Alert] = []
        examined = 0
        last = after
        async for page in self._walk(chosen, after, limit + 1):
            values = await self._alert_values([cursor.alert_id for cursor in page])
            for cursor, value in zip(page, values, strict=True):
                if len(found) == limit or examined == _EXAMINED_MOST:
                    return AlertPage(tuple(found), last)
                examined += 1
                last = cursor
                alert = None if value is None else _decode_alert(value)
                if alert is not None and chosen.admits(alert):
                    found.append(alert)
        return AlertPage(tuple(found), None)

    async def _walk(
        self, chosen: AlertFilter, after: AlertCursor | None, size: int
    ) -> AsyncIterator[list[AlertCursor]]:
        """Yield pages of the smallest index that holds all that passes, newest first, after a cursor."""
        indexes = list(chosen.indexes(self.layout))
        pipeline = self._client.pipeline(transaction=False)
        for index in indexes:
            pipeline.zcard(index)
        sizes = await pipeline.execute()
        index = indexes[min(range(len(indexes)), key=sizes.__getitem__)]
        newest = "+inf" if chosen.last_day is None else day_score(chosen.last_day)
        if after is not None:
            newest = after.day_score if newest == "+inf" else min(int(newest), after.day_score)
        oldest = "-inf" if chosen.first_day is None else day_score(chosen.first_day)
        offset = 0
        while True:
            size = min(size, _INDEX_PAGE)
            entries: Any = await self._client.zrange(
                index, newest, oldest, desc=True, byscore=True, offset=offset, num=size, withscores=True
            )
            page = [AlertCursor(int(score), member.decode()) for member, score in entries]
            yield [cursor for cursor in page if after is None or cursor < after]
            if len(page) < size:
                return
            offset += size
            size *= 2

    async def _alert_values(self, alert_ids: list[str]) -> list[bytes | None]:
        pipeline = self._client.pipeline(transaction=False)
        for alert_id in alert_ids:
            pipeline.hget(self.layout.alert(alert_id), "json")
        return list(await pipeline.execute())

    async def last_sequence(self, partition: int) -> int:
        """Return the sequence of the newest revision of q, 0 if there is none."""
        found = await self._client.hget(self.layout.positions, self.layout.sequence_field(partition))
        return int(found or 0)

    async def revisions(
        self, partition: int, after: int, *, limit: int, wait_milliseconds: int | None = None
    ) -> Revisions:
        """Return the revisions of q with a sequence above `after`, oldest first.

        Args:
            partition: q.
            after: The sequence last seen, 0 for none.
            limit: At most so many.
            wait_milliseconds: Waits for the next one so long where there is none yet; less than the client's time
                limit for an answer (5 s).
        """
        stream = self.layout.revisions(partition)
        answer: Any = await self._client.xread({stream: f"{after}-0"}, count=limit, block=wait_milliseconds)
        entries = tuple(
            Revision(int(entry_id.partition(b"-")[0]), fields[b"json"])
            for _, read in answer or ()
            for entry_id, fields in read
        )
        # The fold numbers revisions without a gap, so a step of more than one has left the stream.
        return Revisions(entries, complete=not entries or entries[0].sequence == after + 1)
