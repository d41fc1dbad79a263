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
    """Tries to write into a store until that succeeds once.

    Args:
        new_store: opens it.
        again_seconds: between two trials.

    Attributes:
        failed: the last trial did; what is kept later is told by each save.
    """

    def __init__(self, new_store: Callable[[], SnapshotStore], *, again_seconds: float = _AGAIN_SECONDS) -> None:
        self.failed = False
        self._new_store = new_store
        self._again_seconds = again_seconds
        self._stop = Event()

    def start(self) -> None:
        """Begin to try."""
        Thread(target=self._try, name="snapshot-trial", daemon=True).start()

    def stop(self) -> None:
        """Try no more."""
        self._stop.set()

    def _try(self) -> None:
        while True:
            try:
                self._new_store().probe()
            except NoAnswerError:  # of a broker, which names the log: others wait for it and say so
                pass
            except EarlywarnError as error:
                if not self.failed:
                    detector_metrics.SNAPSHOTS.labels("failed").inc()
                    _log.error("no snapshot can be kept: %s. Folding goes on, and it is tried again", error)
                self.failed = True
            else:
                if self.failed:
                    _log.warning("snapshots can be kept again")
                self.failed = False
                return
            if self._stop.wait(self._again_seconds):
                return
