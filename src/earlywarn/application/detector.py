"""The second fold over a live log: one partition of the partials, from a snapshot or the start, without a broker.

What it gives back is numbered by the log: the outputs of a partial belong to that partial's offset. Those below
`published` were published before; the fold goes through them again, and they are not given out a second time.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.rows import AggregateRows
from earlywarn.application.fold import RunFold
from earlywarn.application.succession import Change
from earlywarn.domain.alert import Alert
from earlywarn.errors import SnapshotError

Published = AggregateRows | Alert


@dataclass(frozen=True, slots=True)
class Outputs:
    """What one partial made publishable."""

    offset: int
    outputs: tuple[Published, ...]


class SnapshotStore(Protocol):
    """Keeps snapshots of each partition, named by the log offset at which reading resumes; write-once."""

    def offsets(self, partition: int) -> Sequence[int]:
        """Return the offsets of what is kept, highest first.

        Raises:
            SnapshotError: it cannot be said what there is: not to be taken for none.
        """

    def load(self, partition: int, offset: int) -> bytes:
        """Return a snapshot.

        Raises:
            SnapshotError: it cannot be read.
        """

    def save(self, partition: int, offset: int, snapshot: bytes) -> None:
        """Keep a snapshot, whole or not at all.

        Raises:
            SnapshotError: it cannot be written.
        """


class LogFold:
    """One partition of the partials, folded up to `position` (the next offset to read)."""

    def __init__(self, fold: RunFold, *, position: int, published: int) -> None:
        self.fold = fold
        self.position = position
        self.published = published
        self.closed_buckets = 0
        self._held_back: list[tuple[int, Published]] = []

    def take(self, offset: int, partial: Partial) -> Outputs | None:
        """Fold the partial at `offset`; return what it made publishable and is not published yet."""
        outputs = tuple(each for each in self.fold.apply(partial) if isinstance(each, AggregateRows | Alert))
        self.position = offset + 1
        self.closed_buckets += sum(isinstance(each, AggregateRows) for each in outputs)
        if offset < self.published:
            return None
        if not self.fold.succession.in_force:
            self._held_back += [(offset, each) for each in outputs]
            return None
        return Outputs(offset, outputs) if outputs else None

    def change(self, offset: int, change: Change) -> Outputs | None:
        """Take the control record at `offset`; return what was closed and not published before it, and what it makes.

        Raises:
            LogError: the run has gone on to another configuration.
        """
        alerts = tuple(self.fold.change(change))
        self.position = offset + 1
        if change.number != self.fold.succession.number:
            return None
        left = [each for at, each in self._held_back if at >= change.published]
        self._held_back.clear()
        return Outputs(offset, (*left, *alerts)) if offset >= self.published else None


@dataclass(frozen=True, slots=True)
class Recovered:
    """A fold as the newest usable snapshot left it, and what was wrong with newer ones."""

    fold: RunFold
    position: int
    problems: tuple[str, ...]


def recover(partition: int, store: SnapshotStore, new_fold: Callable[[], RunFold]) -> Recovered:
    """Restore the highest valid snapshot of a partition; from the start of the log without any.

    Raises:
        SnapshotError: the store cannot say what it has.
    """
    problems = []
    for offset in store.offsets(partition):
        fold = new_fold()
        try:
            fold.restore(store.load(partition, offset))
        except SnapshotError as error:
            problems.append(f"snapshot {offset} of partition {partition} is passed over: {error}")
            continue
        return Recovered(fold, offset, tuple(problems))
    return Recovered(new_fold(), 0, tuple(problems))


class SnapshotRhythm:
    """Says when a snapshot is due: at closes of buckets and after so many bytes of log, but not too often."""

    def __init__(self, *, every_bytes: int, least_seconds: float, now_seconds: float) -> None:
        self._every_bytes = every_bytes
        self._least_seconds = least_seconds
        self._last_seconds = now_seconds
        self._bytes = 0
        self._buckets = 0

    def note(self, sizes: Iterable[int], closed_buckets: int) -> None:
        """Count what was folded since the last call."""
        self._bytes += sum(sizes)
        self._buckets += closed_buckets

    def is_due(self, now_seconds: float) -> bool:
        """Return whether there is reason for a snapshot, and the last one is old enough."""
        reason = self._buckets > 0 or self._bytes >= self._every_bytes
        return reason and now_seconds - self._last_seconds >= self._least_seconds

    @property
    def is_news(self) -> bool:
        """Return whether anything was folded since the last one."""
        return self._bytes > 0

    def done(self, now_seconds: float) -> None:
        """Note that a snapshot was tried."""
        self._last_seconds, self._bytes, self._buckets = now_seconds, 0, 0
