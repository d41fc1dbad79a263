"""Partitions whose log has lost the start of their open block: looked up in the partials, gone on behind, or lost."""

import asyncio
import threading
from collections.abc import Callable, Mapping

import msgspec
import pytest
from faust.types import TP
from told_consumer import EMPTY, PLACES, RUN, Brokers, service

from earlywarn.adapters.kafka.column_consumer import Extent
from earlywarn.adapters.kafka.consumer_thread import Mark
from earlywarn.adapters.kafka.topic_identity import NoAnswerError
from earlywarn.aggregation.partial import Partial, Row
from earlywarn.aggregation.published import whole
from earlywarn.application.aggregator import BlockStart
from earlywarn.application.compose import compose
from earlywarn.errors import LogError


def test_a_log_that_has_lost_a_blocks_start_is_told_at_once_and_read_no_more() -> None:
    """Even if nothing is left in it, so that no record will ever show it; the other partition goes on."""

    async def live() -> tuple[list[Partial], set[TP], list[bool]]:
        brokers = Brokers(EMPTY | {PLACES[0]: Extent(30, 30)})
        worker, sent = service(brokers)
        starts = await worker.start(dict.fromkeys(PLACES))
        assert starts == dict.fromkeys(PLACES, 0)
        await worker._lookup.settled()
        await worker.look_for_idle()
        return sent.partials, brokers.left, [each.lost for each in worker.aggregator.partitions.values()]

    sent, paused, lost = asyncio.run(live())
    assert [(each.partition, each.lost, each.idle) for each in sent] == [(0, 30, False), (1, None, True)]
    assert (paused, lost) == ({PLACES[0]}, [True, False])


def test_a_log_that_loses_what_comes_next_while_it_is_read() -> None:
    async def live() -> list[Partial]:
        brokers = Brokers(EMPTY)
        worker, sent = service(brokers)
        await worker.start(dict.fromkeys(PLACES))
        brokers.logs[PLACES[1]] = Extent(5, 9)
        await worker.look_for_idle()
        await worker._lookup.settled()
        return sent.partials

    assert [(each.partition, each.lost) for each in asyncio.run(live())] == [(0, None), (1, 5)]


def published(last: int, *, block: int = 0, sealed: bool = False) -> BlockStart:
    """Return what is published of a block of 2,000 offsets."""
    partial = Partial(
        partition=0, partitions=2, block=block, since=-1, last=last, sealed=sealed, event_time_ms=7,
        rows=(Row("CH", "CH04", "grocery", 0, late=False, transactions=3, amount_minor=30),), rejected={"json": 1},
    )  # fmt: skip
    return BlockStart.behind(partial, 2_000)


@pytest.mark.parametrize(
    ("found", "position"),
    [(published(71), 72), (published(99), 100), (published(1_999, sealed=True), 2_000)],
)
def test_a_log_that_has_lost_what_is_published_is_read_on_behind_it(found: BlockStart, position: int) -> None:
    """Be a block's start committed, or nothing any more; a broker that does not answer is asked anew."""

    async def live(mark: Mark | None) -> None:
        asked: list[Mapping[int, int]] = []

        def read_published(begins: Mapping[int, int], _: object) -> Mapping[int, BlockStart]:
            asked.append(begins)
            if len(asked) == 1:
                raise NoAnswerError("no broker")
            return {0: found}

        brokers = Brokers({PLACES[0]: Extent(72, 150), PLACES[1]: Extent(0, 3)})
        worker, sent = service(brokers, read_published)
        assert await worker.start({PLACES[0]: mark, PLACES[1]: None}) == dict.fromkeys(PLACES, 0)
        assert brokers.left == {PLACES[0]}
        await worker._lookup.settled()
        assert asked == [{0: 72}] * 2
        assert (brokers.sought, worker.counting) == ({PLACES[0]: position}, True)
        worker.tick()
        assert (sent.partials, brokers.left) == ([whole(found.sent, 2_000)] if found.sent else [], set())

    asyncio.run(live(Mark(0, '{"M":null}')))
    asyncio.run(live(None))


@pytest.mark.parametrize(("found", "needed"), [({}, 0), ({0: published(49)}, 50)])
def test_what_is_not_published_either_is_lost(found: Mapping[int, BlockStart], needed: int) -> None:
    """The record names the first offset that was not folded; a worker that has nothing else is not ready."""

    async def live() -> list[Partial]:
        worker, sent = service(Brokers({PLACES[0]: Extent(72, 150)}), lambda *_: found)
        await worker.start({PLACES[0]: None})
        await worker._lookup.settled()
        assert not worker.counting
        return sent.partials

    [lost] = asyncio.run(live())
    assert (lost.lost, lost.last + 1, lost.rows, lost.rejected) == (72, needed, (), {})


def test_what_was_committed_is_not_gone_back_behind() -> None:
    """Where partials have lost their end, say: nothing that was acknowledged may be sent as if it came first."""

    async def live() -> list[Partial]:
        worker, sent = service(Brokers({PLACES[0]: Extent(5_000, 6_000)}), lambda *_: {0: published(49)})
        await worker.start({PLACES[0]: Mark(4_000, '{"M":9}')})
        await worker._lookup.settled()
        return sent.partials

    assert [(each.lost, each.last + 1) for each in asyncio.run(live())] == [(5_000, 4_000)]


def test_who_was_away_goes_on_behind_what_another_has_folded_meanwhile() -> None:
    async def live() -> tuple[list[Partial], dict[TP, int]]:
        brokers = Brokers(EMPTY)
        worker, sent = service(brokers, lambda *_: {0: published(99)})
        await worker.start({PLACES[0]: None})
        brokers.logs[PLACES[0]] = Extent(72, 150)
        await worker.look_for_idle()
        await worker._lookup.settled()
        return sent.partials, brokers.sought

    sent, sought = asyncio.run(live())
    assert ([each.last for each in sent], sought) == ([99], {PLACES[0]: 100})


def test_what_is_published_is_looked_up_while_the_other_partitions_are_folded() -> None:
    """Nothing of the one is folded or said meanwhile; what is found for an assignment that is over is not used."""
    free, asked = threading.Event(), threading.Event()
    given_up: list[Callable[[], bool]] = []

    def read_published(begins: Mapping[int, int], is_given_up: Callable[[], bool]) -> Mapping[int, BlockStart]:
        given_up.append(is_given_up)
        asked.set()
        assert free.wait(10)
        return {0: published(99)} if begins else {}

    async def live() -> None:
        brokers = Brokers({PLACES[0]: Extent(72, 150), PLACES[1]: Extent(0, 0)})
        worker, sent = service(brokers, read_published)
        for _ in range(2):
            asked.clear()
            await worker.start(dict.fromkeys(PLACES))
            await asyncio.to_thread(asked.wait, 10)
        assert [each() for each in given_up] == [True, False]
        await worker.look_for_idle()
        assert [(each.partition, each.idle) for each in sent.partials] == [(1, True)]
        assert (brokers.sought, len(given_up)) == ({}, 2)
        free.set()
        await worker._lookup.settled()
        assert [(each.partition, each.last) for each in sent.partials] == [(1, -1), (0, 99)]
        assert (brokers.sought, brokers.left) == ({PLACES[0]: 100}, set())

    asyncio.run(live())


def test_partials_that_cannot_be_read_end_the_worker() -> None:
    async def live() -> None:
        def read_published(*_: object) -> Mapping[int, BlockStart]:
            raise LogError("no partial")

        worker, _ = service(Brokers({PLACES[0]: Extent(72, 150)}), read_published)
        await worker.start({PLACES[0]: None})
        await worker._failure.raised()

    with pytest.raises(LogError, match="no partial"):
        asyncio.run(live())


def test_the_offset_that_is_needed_is_none_that_only_tells_copies(caplog: pytest.LogCaptureFixture) -> None:
    fold = msgspec.structs.replace(RUN.settings.fold, deduplicate_blocks=2)
    run = compose(msgspec.structs.replace(RUN.settings, fold=fold))

    async def live() -> None:
        worker, _ = service(Brokers({PLACES[0]: Extent(4_100, 4_200)}), lambda *_: {0: published(4_049, block=2)}, run)
        await worker.start({PLACES[0]: Mark(4_000, '{"M":9}')})
        await worker._lookup.settled()

    asyncio.run(live())
    assert "offset 4050 is needed, but the log begins at 4100" in caplog.text
