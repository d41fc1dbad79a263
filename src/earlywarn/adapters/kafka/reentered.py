"""Whether a dead letter is re-entered already, also where retention may have taken the mark that says so.

A block that is folded anew after a restart sends its dead letters again, so one of them may stand behind its mark and
outlive it. What a letter became is newer than its record and stands in the same partition of `transactions`, with the
letter's key in a header: retention takes it after the record. So where the record stands, that header decides.

A mark is younger than its letter. It may have stood in any partition of the dead letters: once their topic has grown,
what is sent again stands in another than what was sent before.

Where a run was copied from another one, a bad record and what it became there are copied both, and the bad
one becomes a letter anew, with no mark. What was re-entered keeps the time of receipt and the partition of its letter,
and so does a copy: by these it is known.
"""

import time
from typing import NamedTuple

from earlywarn.adapters.kafka.dead_letters import Letter, Marks
from earlywarn.adapters.kafka.filling import copied_until_ms
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.aggregator import RECEIVED_HEADER
from earlywarn.application.control_marks import COPIED_REENTERED_HEADER, REENTERED_HEADER
from earlywarn.application.service_settings import FOR_EVER_HOURS
from earlywarn.application.settings import Settings

_CLOCKS_MS = 3_600_000
"""By so much the clocks of brokers, and of who asks, may differ."""


class _Known(NamedTuple):
    """What is known of a partition of `transactions`: read from `start`, begins at, of which letters it has records.

    `copied` are those of letters of another run that were copied from there: time of receipt and index of each.
    """

    start: int
    begins: float
    keys: set[str]
    copied: set[tuple[str, str]]


class Reentered:
    """Asks of one letter after the other; of a partition of `transactions` that is asked of, keys are kept.

    Args:
        settings: of the run; how to reach the broker, and how long dead letters are kept.
        marks: those that stand, read when nobody else could re-enter any more.
    """

    def __init__(self, settings: Settings, marks: Marks) -> None:
        self._kafka = settings.kafka
        topics = RunTopics(settings.run, settings.topics.prefix)
        self._topic = topics.transactions
        self._copied_until_ms = copied_until_ms(settings.kafka, topics)
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
        known = self._of_partition(letter)
        if letter.key in known.keys:
            return True
        return None if outlived and letter.offset < known.begins else False

    def before_copy(self, letter: Letter) -> bool:
        """Return whether what a letter became may have been copied with it, from the run that re-entered it.

        So it is for sure of no letter that came in after the copy. Of two that came in at the same millisecond, both
        may; and so may one whose record is gone from the copy, since what it became may be gone as well.

        Raises:
            ConfigError: `transactions` cannot be read.
        """
        if letter.received_ms > self._copied_until_ms + _CLOCKS_MS:
            return False
        known = self._of_partition(letter)
        return (str(letter.received_ms), str(letter.index)) in known.copied or letter.offset < known.begins

    def _of_partition(self, letter: Letter) -> _Known:
        known = self._known.get(letter.partition)
        if known is None or letter.offset < known.start:
            known = self._known[letter.partition] = self._read(letter)
        return known

    def _read(self, letter: Letter) -> _Known:
        """Read the partition of a letter's record, from there or from the oldest letter's on."""
        start = min(letter.offset, self._marks.lowest.get(letter.partition, letter.offset))
        scan = TopicScan(self._kafka, self._topic, starts={letter.partition: start})
        extent = scan.extents.get(letter.partition)
        keys: set[str] = set()
        copied: set[tuple[str, str]] = set()
        for record in scan:
            named = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
            if COPIED_REENTERED_HEADER in named:
                index = named[COPIED_REENTERED_HEADER].rpartition("/")[2]
                copied.add((named.get(RECEIVED_HEADER, ""), index))
            elif REENTERED_HEADER in named:
                keys.add(named[REENTERED_HEADER])
        return _Known(start, float("inf") if extent is None else extent.low, keys, copied)
