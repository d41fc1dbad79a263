"""Every key of a run in Redis, in one place. All stand under `earlywarn:<run>:`; docs/redis.md has the table.

The keys carry no hash tag: the prefix is a promise to users, and one run's state is megabytes with a few
calls a second, so it lives on one primary. A cluster would spread the keys of one atomic step over its nodes,
so it is refused at the start (`connection.check_server`); runs scale out by giving each its own server.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args
from urllib.parse import quote

from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.domain.alert import STATUSES_OPEN, Alert, Severity, Status
from earlywarn.domain.series import Resolution

TopicKind = Literal["aggregates", "alerts"]
"""The two topics of a run that are projected."""

TOPIC_KINDS: tuple[TopicKind, ...] = get_args(TopicKind)

VERSION = "1"
"""Of this layout. It stands in Redis beside the positions: state of another version is to be rebuilt."""


POSITION_VERSION = "layout"
POSITION_CLEARING = "clearing"
POSITION_DROPPED = "dropped"

_NUTS = re.compile(r"[A-Z]{2}[0-9A-Z]{1,3}")


def region_lineage(region: str) -> tuple[str, ...]:
    """Return the codes whose subtree holds a region, widest first and the region itself last.

    A NUTS code hangs under its own beginnings; any other code stands alone.

    >>> region_lineage("CH053")
    ('CH', 'CH0', 'CH05', 'CH053')
    >>> region_lineage("Zurich")
    ('Zurich',)
    """
    if _NUTS.fullmatch(region):
        return tuple(region[:length] for length in range(2, len(region) + 1))
    return (region,)


def day_score(day: date) -> int:
    """Return the score of a local date in the indexes: the digits of yyyymmdd, so that it can be read.

    >>> day_score(date(2019, 4, 6))
    20190406
    """
    return day.year * 10_000 + day.month * 100 + day.day


def _part(text: str) -> str:
    """Make a text one part of a key: without `:`, and without what SCAN takes for a pattern."""
    return quote(text, safe="")


@dataclass(frozen=True, slots=True)
class RunLayout:
    """The keys of a run.

    Raises:
        ConfigError: the run's id cannot be part of a key.
    """

    run: str

    def __post_init__(self) -> None:
        """Check the run's id by the rule of its topics, which leaves no room for `:` or a pattern."""
        RunTopics(self.run)

    @property
    def prefix(self) -> str:
        """Return what stands before every key of the run, and of no other."""
        return f"earlywarn:{self.run}:"

    @property
    def positions(self) -> str:
        """Return the hash of positions: where to read on, by topic and q; see `position_field`."""
        return f"{self.prefix}positions"

    @property
    def snapshots(self) -> str:
        """Return what stands before the keys of snapshots: state of the fold, and no part of the projection."""
        return f"{self.prefix}snapshots:"

    @staticmethod
    def position_field(kind: TopicKind, partition: int) -> str:
        """Return the field of `positions` that holds the next offset to read of a topic's partition."""
        return f"{kind}:{partition}"

    @staticmethod
    def log_field(kind: TopicKind) -> str:
        """Return the field of `positions` that holds which log of a topic's name was read."""
        return f"{kind}:log"

    @staticmethod
    def sequence_field(partition: int) -> str:
        """Return the field of `positions` that holds the last sequence in the stream of q."""
        return f"sequence:{partition}"

    def latest(self, panel: str, bucket: Resolution) -> str:
        """Return the hash of the latest rows of a panel: series_id to the row's JSON."""
        return f"{self.prefix}latest:{_part(panel)}:{bucket}"

    def ranks(self, panel: str, bucket: Resolution) -> str:
        """Return the hash of how new the latest rows are: series_id to `<start in UTC>/<vintage>`."""
        return f"{self.prefix}ranks:{_part(panel)}:{bucket}"

    def alert(self, alert_id: str) -> str:
        """Return the hash of an alert's newest revision."""
        return f"{self.prefix}alert:{_part(alert_id)}"

    def revisions(self, partition: int) -> str:
        """Return the stream of the revisions of q; an entry's id is `<sequence>-0`."""
        return f"{self.prefix}revisions:{partition}"

    # Indexes: sorted sets of alert ids, scored by `day_score(detected_on)`.

    @property
    def alerts(self) -> str:
        """Return the index of all alerts."""
        return f"{self.prefix}alerts"

    @property
    def open_alerts(self) -> str:
        """Return the index of alerts that are neither resolved nor superseded."""
        return f"{self.alerts}:open"

    def by_region(self, region: str) -> str:
        """Return the index of the alerts in the subtree of a region."""
        return f"{self.alerts}:region:{_part(region)}"

    def by_sector(self, sector: str) -> str:
        """Return the index of the alerts of a sector."""
        return f"{self.alerts}:sector:{_part(sector)}"

    def by_panel(self, panel: str) -> str:
        """Return the index of the alerts of a panel."""
        return f"{self.alerts}:panel:{_part(panel)}"

    def by_kind(self, kind: str) -> str:
        """Return the index of economic, coverage or model alerts."""
        return f"{self.alerts}:kind:{_part(kind)}"

    def by_severity(self, severity: Severity) -> str:
        """Return the index of the alerts that have a severity now."""
        return f"{self.alerts}:severity:{severity}"

    def by_status(self, status: Status) -> str:
        """Return the index of the alerts that have a status now."""
        return f"{self.alerts}:status:{status}"

    def entered(self, alert: Alert) -> Iterator[str]:
        """Yield the indexes that hold an alert as it is in this revision."""
        yield self.alerts
        yield self.by_panel(alert.panel)
        yield self.by_kind(alert.kind)
        yield self.by_severity(alert.severity)
        yield self.by_status(alert.status)
        if alert.status in STATUSES_OPEN:
            yield self.open_alerts
        if alert.region is not None:
            yield from map(self.by_region, region_lineage(alert.region))
        if alert.sector is not None:
            yield self.by_sector(alert.sector)

    def left(self, alert: Alert) -> Iterator[str]:
        """Yield the indexes that an earlier revision may have entered and this one is not in.

        Severity and status change; panel, kind, region and sector are the same in every revision.
        """
        yield from (self.by_severity(each) for each in get_args(Severity) if each != alert.severity)
        yield from (self.by_status(each) for each in get_args(Status) if each != alert.status)
        if alert.status not in STATUSES_OPEN:
            yield self.open_alerts
