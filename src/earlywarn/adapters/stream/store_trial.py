"""Whether snapshots can be kept at all: tried at a detector's start, since the first save may be hours away.

A spare detector, which folds nothing, tries it too: it is of no use later if it cannot. In a thread of its own: a store
that hangs holds up nothing.
"""

import logging
from collections.abc import Callable
from threading import Event, Thread

from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.adapters.stream import detector_metrics
from earlywarn.application.snapshots import SnapshotStore
from earlywarn.errors import EarlywarnError

_log = logging.getLogger(__name__)
_AGAIN_SECONDS = 5.0


class StoreTrial:
    """Tries to write into a store until that succeeds once; into one at a time, however often a detector begins anew.

    Args:
        again_seconds: between two trials.

    Attributes:
        failed: the last trial did; what is kept later is told by each save.
    """

    def __init__(self, *, again_seconds: float = _AGAIN_SECONDS) -> None:
        self.failed = False
        self._again_seconds = again_seconds
        self._stop = Event()

    def start(self, new_store: Callable[[], SnapshotStore]) -> None:
        """Begin to try into what is opened so, and no more into what was tried before."""
        self.stop()
        self._stop = Event()
        Thread(target=self._try, args=(new_store, self._stop), name="snapshot-trial", daemon=True).start()

    def stop(self) -> None:
        """Try no more."""
        self._stop.set()

    def _try(self, new_store: Callable[[], SnapshotStore], stop: Event) -> None:
        while not stop.is_set():
            try:
                new_store().probe()
            except NoAnswerError:  # of a broker, which names the log: others wait for it and say so
                pass
            except EarlywarnError as error:
                if stop.is_set():
                    return
                if not self.failed:
                    detector_metrics.SNAPSHOTS.labels("failed").inc()
                    _log.error("no snapshot can be kept: %s. Folding goes on, and it is tried again", error)
                self.failed = True
            else:
                if stop.is_set():
                    return
                if self.failed:
                    _log.warning("snapshots can be kept again")
                self.failed = False
                return
            stop.wait(self._again_seconds)
