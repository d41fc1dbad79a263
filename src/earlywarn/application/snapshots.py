"""Snapshots of the second fold: what each says of itself, which of those kept is taken, when one is written.

A snapshot is valid for the log that it was folded from, and for no other: a topic that is deleted and made anew under
the same name is another log. It names its log, its partition and its offset in a line before the state.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from earlywarn.application.fold import RunFold
from earlywarn.domain.state import decode_state
from earlywarn.errors import LogError, SnapshotError


class SnapshotStore(Protocol):
    """Keeps snapshots of one log, of each partition by the offset at which reading resumes; write-once."""

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
        """Keep a snapshot, whole or not at all. One that is kept under the offset already stays as it is.

        Raises:
            SnapshotError: it cannot be written.
        """

    def probe(self) -> None:
        """Write something and remove it.

        Raises:
            SnapshotError: nothing could be kept.
        """

    def strangers(self) -> Sequence[str]:
        """Return the places at which snapshots of the run are kept that are of other logs.

        Raises:
            SnapshotError: it cannot be said what there is.
        """


class LogPlace(msgspec.Struct, frozen=True):
    """A place in a log: what is below `offset` is folded.

    log: identity of the topic: one that is made anew has another (`adapters.kafka.topic_identity`).
    partition: q.
    offset: at which reading resumes.
    """

    log: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class LogExtent:
    """What stands in one partition of the partials: offsets from `begin` up to before `end`."""

    log: str
    partition: int
    begin: int
    end: int


def encode_snapshot(fold: RunFold, place: LogPlace) -> bytes:
    """Return the bytes of a snapshot: its place as a line of JSON, then the state."""
    return msgspec.json.encode(place) + b"\n" + fold.snapshot()


def configuration_of(snapshot: bytes) -> str:
    """Return the fingerprint of the configuration under which a snapshot was written.

    Raises:
        SnapshotError: it does not say so.
    """
    found = decode_state(snapshot.partition(b"\n")[2]).get("fingerprint")
    if not isinstance(found, str):
        raise SnapshotError("it does not say under which configuration it was written")
    return found


def restore_snapshot(fold: RunFold, snapshot: bytes, place: LogPlace) -> None:
    """Let a new fold take over the snapshot that is kept for a place.

    Raises:
        SnapshotError: it is of another place, of other code or another configuration, or damaged.
    """
    line, _, state = snapshot.partition(b"\n")
    try:
        found = msgspec.json.decode(line, type=LogPlace)
    except msgspec.MsgspecError as error:
        raise SnapshotError(f"it does not say of which log it is: {error}") from error
    if found != place:
        raise SnapshotError(
            f"it is of log {found.log}, partition {found.partition}, offset {found.offset}, and is kept for log "
            f"{place.log}, partition {place.partition}, offset {place.offset}"
        )
    fold.restore(state)


@dataclass(frozen=True, slots=True)
class Recovered:
    """A fold as the newest usable snapshot left it, and what was wrong with newer ones."""

    fold: RunFold
    position: int
    problems: tuple[str, ...]


def recover(extent: LogExtent, store: SnapshotStore, new_fold: Callable[[], RunFold]) -> Recovered:
    """Restore the highest valid snapshot of a partition; from the start of the log without any.

    Raises:
        SnapshotError: the store cannot say what it has.
        LogError: the log has lost its beginning, and no valid snapshot reaches over the hole.
    """
    problems = []
    for offset in store.offsets(extent.partition):
        fold = new_fold()
        try:
            _check_extent(offset, extent)
            restore_snapshot(fold, store.load(extent.partition, offset), LogPlace(extent.log, extent.partition, offset))
        except SnapshotError as error:
            problems.append(f"snapshot {offset} of partition {extent.partition} is refused: {error}")
            continue
        return Recovered(fold, offset, tuple(problems))
    if extent.begin > 0:
        raise LogError("\n".join([*problems, lost_beginning(extent, 0)]))
    return Recovered(new_fold(), 0, tuple(problems))


def lost_beginning(extent: LogExtent, needed: int) -> str:
    """Return what is said where the partials that are needed are gone."""
    return (
        f"partition {extent.partition} of the partials begins at offset {extent.begin}, and {needed} is needed: what "
        "was before it is deleted, no snapshot reaches over it, and no number is published that it is missing from. "
        "partials must be kept for ever (earlywarn topics create --check). Put the snapshots back if there is a copy, "
        "or count the transactions anew in another run: docs/operations/topics.md, Go on in another run"
    )


def _check_extent(offset: int, extent: LogExtent) -> None:
    if offset > extent.end:
        raise SnapshotError(
            f"the log ends at {extent.end}: what it was made of is not there (any more); if the broker has lost it, "
            "see docs/operations/topics.md"
        )
    if offset < extent.begin:
        raise SnapshotError(f"the log begins at {extent.begin} only, and cannot be read on from there")


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

    def is_due(self, now_seconds: float, *, failed: bool = False) -> bool:
        """Return whether there is reason for a snapshot, which is that the last one `failed`, too, and it is time."""
        reason = failed or self._buckets > 0 or self._bytes >= self._every_bytes
        return reason and now_seconds - self._last_seconds >= self._least_seconds

    @property
    def is_news(self) -> bool:
        """Return whether anything was folded since the last one."""
        return self._bytes > 0

    def done(self, now_seconds: float) -> None:
        """Note that a snapshot was tried."""
        self._last_seconds, self._bytes, self._buckets = now_seconds, 0, 0
