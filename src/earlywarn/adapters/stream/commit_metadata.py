"""What an aggregator commits of a partition: the start of a block, and what its fold has to know of all before it."""

import msgspec
from faust.types import TP

from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.application.aggregator import BlockStart
from earlywarn.errors import LogError


class _Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands in the metadata of an offset commit: the newest event time, and the offset of the end mark."""

    M: int | None
    end: int | None = None


def commit_mark(reached: BlockStart) -> Mark:
    """Return what is committed of a partition that has reached the start of a block."""
    return Mark(reached.offset, msgspec.json.encode(_Metadata(reached.event_time_ms, reached.end)).decode())


def block_start(tp: TP, mark: Mark | None) -> BlockStart:
    """Return where a partition's fold begins by what was committed.

    Raises:
        LogError: an offset committed without the newest event time before it.
    """
    if mark is None:
        return BlockStart()
    try:
        found = msgspec.json.decode(mark.metadata, type=_Metadata)
    except msgspec.MsgspecError as error:
        raise LogError(
            f"{tp.topic}-{tp.partition}: offset {mark.offset} was committed without the newest event time before it "
            f"({mark.metadata!r}); only aggregators may commit for this group. Delete the group's offsets to fold "
            "the log from its start"
        ) from error
    return BlockStart(mark.offset, found.M, end=found.end)
