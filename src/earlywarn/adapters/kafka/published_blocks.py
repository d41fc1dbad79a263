"""What `partials` holds of the open blocks of source partitions whose log has lost their beginnings.

It is read from its end, and from further and further back: most of it is of others, and of blocks long closed.
"""

import logging
from collections.abc import Callable, Mapping

from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.adapters.kafka.wire import decode_partial, is_change
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.published import PublishedBlocks, standing
from earlywarn.application.aggregator import BlockStart
from earlywarn.application.service_settings import KafkaSettings

_log = logging.getLogger(__name__)
_FIRST_TAIL = 1_000
_LONGER = 8

ReadPublished = Callable[[Mapping[int, int]], Mapping[int, BlockStart]]
"""Given where the logs of source partitions begin now, returns where to go on, for those of which that is known."""


def read_published(
    kafka: KafkaSettings, topic: str, block_size: int, begins: Mapping[int, int], *, first_tail: int = _FIRST_TAIL
) -> dict[int, BlockStart]:
    """Return where to go on behind what is published of blocks, by source partition (see `standing`).

    Args:
        kafka: where.
        topic: the partials.
        block_size: of the run.
        begins: by source partition, where its log begins now.
        first_tail: so many offsets of each partition of the partials are read first.

    Raises:
        ConfigError: they may not be read; NoAnswerError: no broker answers.
        LogError: they hold what is no partial.
    """
    found: dict[int, Partial] = {}
    wanted, tail, whole = dict(begins), first_tail, False
    while wanted and not whole:
        scan = TopicScan(kafka, topic, tail=tail)
        whole = all(scan.first(q) == extent.low for q, extent in scan.extents.items())
        _log.info("reading the last %d offsets of %s for the open blocks of %s", tail, topic, sorted(wanted))
        for partition, partial in _read(scan, block_size, wanted).items():
            if whole or partial.lost is not None or partial.last + 1 >= wanted[partition]:
                found[partition] = partial
                del wanted[partition]
        tail *= _LONGER
    return {partition: BlockStart.behind(sent, block_size) for partition, sent in found.items()}


def _read(scan: TopicScan, block_size: int, begins: Mapping[int, int]) -> dict[int, Partial]:
    keys = {str(partition).encode(): partition for partition in begins}
    blocks = {
        partition: {q: PublishedBlocks(block_size, begin) for q in scan.extents} for partition, begin in begins.items()
    }
    for record in scan:
        partition = keys.get(record.key or b"")
        if partition is not None and not is_change(record.headers):
            partial = decode_partial(record.value, f"{scan.topic}-{record.partition}-{record.offset}")
            blocks[partition][record.partition].take(partial)
    found = {partition: standing(list(each.values()), begins[partition]) for partition, each in blocks.items()}
    return {partition: partial for partition, partial in found.items() if partial is not None}
