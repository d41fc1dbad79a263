"""Where the log of a finite run ends: whether the mark stands there, and which record is the last.

The mark need not be the last record: what `dlq replay` re-enters comes behind it, and a partition that was added later
has none. So it is looked for, from the end backwards.
"""

from typing import NamedTuple

from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.control_marks import CONTROL_HEADER, END
from earlywarn.application.service_settings import KafkaSettings

_TAIL_OFFSETS = 100
_WIDER = 30


class LogEnd(NamedTuple):
    """The end of a partition: whether an end mark stands in it, and the offset of its last record; -1 without any."""

    marked: bool
    last: int


def log_ends(kafka: KafkaSettings, topic: str) -> dict[int, LogEnd]:
    """Return, by partition, where a topic of transactions ends; committed records alone count.

    Raises:
        ConfigError: it cannot be read; NoAnswerError: no broker answers.
    """
    tail = _TAIL_OFFSETS
    while True:
        scan = TopicScan(kafka, topic, tail=tail)
        ends = dict.fromkeys(scan.extents, LogEnd(marked=False, last=-1))
        for record in scan:
            marked = ends[record.partition].marked or (CONTROL_HEADER, END) in record.headers
            ends[record.partition] = LogEnd(marked, record.offset)
        if all(end.marked or scan.first(p) == scan.extents[p].low for p, end in ends.items()):
            return ends
        tail *= _WIDER
