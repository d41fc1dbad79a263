"""The names of a run's topics, and of what else on the brokers is the run's."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from earlywarn.application.settings import RUN_ID
from earlywarn.errors import ConfigError

LogKind = Literal["transactions", "partials", "aggregates", "alerts"]
"""The topics whose offsets are kept elsewhere, so that one made anew under its name is another log."""

WatchedKind = LogKind | Literal["meta"]
"""What a run cannot be without: its logs, and what says by which settings they are made."""

PUBLISHED: tuple[LogKind, ...] = ("aggregates", "alerts")
"""Those of them that nobody folds: a run can go on without what stood there."""


@dataclass(frozen=True, slots=True)
class RunTopics:
    """The seven topics of a run; `<prefix><run>.` stands before each.

    Raises:
        ConfigError: the run's id cannot be part of a topic's name.
    """

    log_kinds: ClassVar[tuple[LogKind, ...]] = ("transactions", "partials", "aggregates", "alerts")

    run: str
    prefix: str = "earlywarn."

    def __post_init__(self) -> None:
        """Check the run's id."""
        if not RUN_ID.fullmatch(self.run):
            raise ConfigError(f"run = {self.run!r}: letters, digits, - and _ only, at most 100; it names topics")

    def of(self, kind: WatchedKind) -> str:
        """Return the topic that is one of the logs, or that of the manifest."""
        return f"{self.prefix}{self.run}.{kind}"

    @property
    def transactions(self) -> str:
        """Return the topic of what comes in, P partitions."""
        return f"{self.prefix}{self.run}.transactions"

    @property
    def dead_letters(self) -> str:
        """Return the topic of what cannot be used."""
        return f"{self.prefix}{self.run}.transactions.dlq"

    @property
    def partials(self) -> str:
        """Return the topic of block partials, Q partitions: the source of all state."""
        return f"{self.prefix}{self.run}.partials"

    @property
    def aggregates(self) -> str:
        """Return the topic of closed buckets, Q partitions."""
        return f"{self.prefix}{self.run}.aggregates"

    @property
    def alerts(self) -> str:
        """Return the topic of alert revisions, Q partitions."""
        return f"{self.prefix}{self.run}.alerts"

    @property
    def actions(self) -> str:
        """Return the compacted topic of what analysts did."""
        return f"{self.prefix}{self.run}.actions"

    @property
    def meta(self) -> str:
        """Return the compacted topic of the run's manifest."""
        return f"{self.prefix}{self.run}.meta"

    @property
    def published_group(self) -> str:
        """Return the group that has committed up to where the partials are published; it has no members."""
        return f"{self.prefix}{self.run}.detector.published"

    @property
    def manifest_id(self) -> str:
        """Return the transactional id under which the manifest is written."""
        return f"{self.meta}.manifest"

    @property
    def all(self) -> tuple[str, ...]:
        """Return every topic's name."""
        return (
            self.transactions, self.dead_letters, self.partials, self.aggregates, self.alerts, self.actions, self.meta,
        )  # fmt: skip


WAY_ON = "docs/operations/topics.md, Go on in another run"


def way_on(run: str) -> str:
    """Return the command that copies what a run has been sent into one that goes on in its place.

    >>> way_on("live")
    'earlywarn replay --from-run live --run live-2 --open'
    """
    return f"earlywarn replay --from-run {run} --run {run}-2 --open"
