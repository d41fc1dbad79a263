"""Whether what is published still stands there from its beginning: what Redis is filled with anew is missing otherwise.

The topics are kept for ever, so that nothing but a shortened retention or a deletion of records removes anything.
"""

from earlywarn.adapters.kafka.run_topics import PUBLISHED, RunTopics, way_on
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.application.service_settings import KafkaSettings


def lost_beginning(topic: str, partition: int, begin: int, needed: int, run: str) -> str:
    """Return what is told of a partition that begins at an offset after the one that is needed."""
    return (
        f"{topic}-{partition}: begins at offset {begin:,}, and {needed:,} is needed: what stood in {begin - needed:,} "
        "offsets was removed (a retention that was shortened, or a deletion of records), and a Redis that is filled "
        f"anew lacks it. Nothing brings it back in this run; to have all of it, go on in another run: {way_on(run)} "
        "(docs/operations/topics.md, When published records are removed)"
    )


def lost_beginnings(kafka: KafkaSettings, topics: RunTopics) -> list[str]:
    """Return a line for each partition of what is published that does not begin at offset 0.

    Raises:
        ConfigError: it may not be read; NoAnswerError: no broker answers.
    """
    found = []
    for topic in map(topics.of, PUBLISHED):
        scan = TopicScan(kafka, topic, may_be_missing=True)
        scan.close()
        for partition, extent in scan.extents.items():
            if extent.low > 0:
                found.append(lost_beginning(topic, partition, extent.low, 0, topics.run))
    return found
