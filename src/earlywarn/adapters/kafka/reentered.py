"""Whether a dead letter is re-entered already, also where retention may have taken the mark that says so.

A block that is folded anew after a restart sends its dead letters again, so one of them may stand behind its mark and
outlive it. What a letter became is newer than its record and stands in the same partition of `transactions`, with the
letter's key in a header: retention takes it after the record. So where the record stands, that header decides.

A mark is younger than its letter. It may have stood in any partition of the dead letters: once their topic has grown,
what is sent again stands in another than what was sent before.
"""

import time
from typing import NamedTuple

from earlywarn.adapters.kafka.dead_letters import Letter, Marks
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.control_marks import REENTERED_HEADER
from earlywarn.application.service_settings import FOR_EVER_HOURS
from earlywarn.application.settings import Settings

_CLOCKS_MS = 3_600_000
"""By so much the clocks of brokers, and of who asks, may differ."""


class _Known(NamedTuple):
    """What is known of a partition of `transactions`: read from `start`, begins at, of which letters it has records."""

    start: int
    begins: float
    keys: set[str]


class Reentered:
    """Asks of one letter after the other; of a partition of `transactions` that is asked of, keys are kept.

    Args:
        settings: of the run; how to reach the broker, and how long dead letters are kept.
        marks: those that stand, read when nobody else could re-enter any more.
    """

    def __init__(self, settings: Settings, marks: Marks) -> None:
        self._kafka = settings.kafka
        self._topic = RunTopics(settings.run, settings.topics.prefix).transactions
        self._marks = marks
        self._known: dict[int, _Known] = {}
        hours = settings.topics.dead_letter_retention_hours
        self._kept_from_ms = float("-inf") if hours == FOR_EVER_HOURS else time.time() * 1000 - hours * 3_600_000

    def __call__(self, letter: Letter) -> bool | None:
        """Return whether a letter is re-entered; None if that cannot be seen any more.

        Raises:
            ConfigError: `transactions` cannot be read.
        """
        if letter.key in self._marks.keys:
            return True
        outlived = letter.received_ms <= self._kept_from_ms + _CLOCKS_MS
        if not (outlived and self._marks.cut) and letter.received_ms > self._marks.gone_until_ms + _CLOCKS_MS:
            return False
        known = self._known.get(letter.partition)
        if known is None or letter.offset < known.start:
            known = self._known[letter.partition] = self._read(letter)
        if letter.key in known.keys:
            return True
        return None if outlived and letter.offset < known.begins else False

    def _read(self, letter: Letter) -> _Known:
        """Read the partition of a letter's record, from there or from the oldest letter's on."""
        start = min(letter.offset, self._marks.lowest.get(letter.partition, letter.offset))
        scan = TopicScan(self._kafka, self._topic, starts={letter.partition: start})
        extent = scan.extents.get(letter.partition)
        keys = {
            (value or b"").decode(errors="replace")
            for record in scan
            for name, value in record.headers
            if name == REENTERED_HEADER
        }
        return _Known(start, float("inf") if extent is None else extent.low, keys)
