"""What `partials` holds of the open blocks of source partitions whose log has lost their beginnings.

It is read from its end, and from further and further back: most of it is of others, and of blocks long closed. Nothing
is read twice, and no more is kept than what a few blocks take.
"""

import logging
from collections.abc import Callable, Mapping

from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.adapters.kafka.wire import decode_partial, is_change
from earlywarn.aggregation.partial import Partial
from earlywarn.aggregation.published import BlocksHeld, standing
from earlywarn.application.aggregator import BlockStart
from earlywarn.application.service_settings import KafkaSettings

_log = logging.getLogger(__name__)
_FIRST_TAIL = 1_000
_LONGER = 4
_ASKED_RECORDS = 1_000

ReadPublished = Callable[[Mapping[int, int], Callable[[], bool]], Mapping[int, BlockStart]]
"""Given where the logs of source partitions begin now, returns where to go on, for those of which that is known.

It may take long, and asks meanwhile whether it is given up; then its answer is worth nothing.
"""


def read_published(
    kafka: KafkaSettings,
    topic: str,
    block_size: int,
    begins: Mapping[int, int],
    given_up: Callable[[], bool] = lambda: False,
    *,
    first_tail: int = _FIRST_TAIL,
) -> dict[int, BlockStart]:
    """Return where to go on behind what is published of blocks, by source partition (see `standing`).

    Args:
        kafka: where.
        topic: the partials.
        block_size: of the run.
        begins: by source partition, where its log begins now.
        given_up: asked while it reads; once true, it ends.
        first_tail: so many offsets of each partition of the partials are read first.

    Raises:
        ConfigError: they may not be read; NoAnswerError: no broker answers.
        LogError: they hold what is no partial.
    """
    found: dict[int, Partial] = {}
    wanted, tail = dict(begins), first_tail
    scan = TopicScan(kafka, topic, tail=tail, sparing=True)
    whole, starts = scan.extents, {q: scan.first(q) for q in scan.extents}
    held = {partition: {q: BlocksHeld(block_size, begin) for q in whole} for partition, begin in begins.items()}
    while True:
        _log.info("reading the last %d offsets of %s for the open blocks of %s", tail, topic, sorted(wanted))
        _read(scan, {str(each).encode(): held[each] for each in wanted}, given_up)
        is_whole = all(starts[q] == extent.low for q, extent in whole.items())
        for partition, begin in list(wanted.items()):
            partial = standing([each.published() for each in held[partition].values()], begin)
            if partial is not None and (is_whole or partial.lost is not None or partial.last + 1 >= begin):
                found[partition] = partial
                del wanted[partition]
        if is_whole or not wanted or given_up():
            return {partition: BlockStart.behind(sent, block_size) for partition, sent in found.items()}
        for each in (one for partition in wanted for one in held[partition].values()):
            each.further_back()
        tail *= _LONGER
        ends, starts = starts, {q: max(extent.low, extent.high - tail) for q, extent in whole.items()}
        scan = TopicScan(kafka, topic, starts=starts, ends=ends, sparing=True)


def _read(scan: TopicScan, held: Mapping[bytes, Mapping[int, BlocksHeld]], given_up: Callable[[], bool]) -> None:
    for at, record in enumerate(scan):
        if not at % _ASKED_RECORDS and given_up():
            return
        blocks = held.get(record.key or b"")
        if blocks is not None and not is_change(record.headers):
            partial = decode_partial(record.value, f"{scan.topic}-{record.partition}-{record.offset}")
            blocks[record.partition].take(partial)
