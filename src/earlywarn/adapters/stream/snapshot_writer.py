"""Snapshots written beside the fold: one at a time, so that a store that hangs holds up no fold.

A snapshot's bytes are of one place in the log, and of what is published. When they arrive in the store plays no part:
whoever restores takes the newest that is there, and reads on from its offset.
"""

import logging
import time
from concurrent.futures import Future
from threading import Thread

from earlywarn.adapters.stream import detector_metrics
from earlywarn.application.snapshots import SnapshotStore
from earlywarn.errors import SnapshotError

_log = logging.getLogger(__name__)
_HANGS_SECONDS = 60.0
"""Longer than a store takes to give up by itself: S3 some 25 s, Redis some 20. A folder over a network never does."""


class SnapshotWriter:
    """Keeps snapshots of one partition of the partials.

    Args:
        store: where; its time limits decide how long a save may take.
        partition: q.

    Attributes:
        failed: the last save that is over has kept nothing.
    """

    def __init__(self, store: SnapshotStore, partition: int) -> None:
        self._store = store
        self._partition = partition
        self._saved: Future[None] = Future()
        self._saved.set_result(None)
        self._since = 0.0
        self._told = False
        self.failed = False

    @property
    def saved(self) -> Future[None]:
        """Return what is done when the last save is over, whatever came of it."""
        return self._saved

    @property
    def free(self) -> bool:
        """Return whether no save is under way; one that takes too long is told and counted once.

        Raises what is no `SnapshotError`, of the save that is over: that is a defect.
        """
        if self._saved.done():
            self._saved.result()
            return True
        seconds = time.monotonic() - self._since
        if seconds > _HANGS_SECONDS and not self._told:
            self._told = True
            detector_metrics.SNAPSHOTS.labels("failed").inc()
            _log.error(
                "no snapshot now: that of partition %d has been under way for %.0f s; folding goes on, and the next "
                "one is written when it is over. Look at what snapshots.url names",
                self._partition, seconds,
            )  # fmt: skip
        return False

    def save(self, offset: int, snapshot: bytes) -> None:
        """Keep a snapshot, some time; if that fails the old ones stand, and the log is longer to read again.

        Only when `free`.
        """
        self._saved, self._since, self._told = Future(), time.monotonic(), False
        self._saved.set_running_or_notify_cancel()  # so that nobody's cancelled wait ends it
        # No thread of a pool: those are waited for at the end of the process, and this one may hang.
        Thread(
            target=self._keep, args=(self._saved, offset, snapshot), name=f"snapshot-{self._partition}", daemon=True
        ).start()

    def _keep(self, saved: "Future[None]", offset: int, snapshot: bytes) -> None:
        try:
            self._store.save(self._partition, offset, snapshot)
        except SnapshotError as error:
            detector_metrics.SNAPSHOTS.labels("failed").inc()
            _log.error("no snapshot now: %s", error)
            self.failed = True
        except BaseException as error:  # noqa: BLE001  # raised where the fold looks after it
            saved.set_exception(error)
            return
        else:
            self.failed = False
            detector_metrics.SNAPSHOTS.labels("kept").inc()
            detector_metrics.SNAPSHOT_BYTES.labels(self._partition).set(len(snapshot))
        saved.set_result(None)
