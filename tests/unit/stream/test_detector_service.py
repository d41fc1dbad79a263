"""A detector whose broker goes away while it asks something: it waits, and goes on by itself."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError
from faust.types import TP
from told_logs import NOBODY, Answers

from earlywarn.adapters.kafka import run_logs
from earlywarn.adapters.kafka.batch_transport import Consumer
from earlywarn.adapters.kafka.record_batch import RecordBatch
from earlywarn.adapters.kafka.run_logs import RunLogs
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.snapshots.folder import FolderSnapshots
from earlywarn.adapters.stream import detector_service
from earlywarn.adapters.stream.detector_partition import DetectorParts
from earlywarn.adapters.stream.detector_service import DetectorService
from earlywarn.adapters.stream.failure import Failure
from earlywarn.application.compose import compose
from earlywarn.application.compose_fold import compose_fold
from earlywarn.application.detector import Progress
from earlywarn.application.settings import PanelSettings, Settings

RUN = compose(Settings(panels=(PanelSettings(id="CH", countries=("CH",)),)))
TOPICS = RunTopics("x")
PLACE = TP(TOPICS.partials, 0)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_logs, "_ASK_SECONDS", 0.001)
    monkeypatch.setattr(detector_service, "_ASK_SECONDS", 0.001)


class Brokers(Consumer):
    """A consumer of an empty log, or one whose brokers fail so."""

    def __init__(self, error: KafkaError | None = None) -> None:
        self.error = error
        self.sought: list[tuple[TP, int]] = []

    async def partition_count(self, topic: str) -> int:
        assert topic == TOPICS.partials
        return 1

    async def earliest_offsets(self, *partitions: TP) -> dict[TP, int]:
        if self.error is not None:
            raise self.error
        return dict.fromkeys(partitions, 0)

    highwaters = earliest_offsets

    async def read_from(self, tp: TP, offset: int) -> None:
        self.sought.append((tp, offset))


class Silent:
    """A publisher of nothing."""

    waiting_seconds = 0.0

    def open(self) -> Progress:
        return Progress(0)

    def close(self) -> None:
        pass


def service(folder: Path, consumer: Consumer, answers: Answers) -> tuple[DetectorService, Failure]:
    failure = Failure()
    parts = DetectorParts(
        new_fold=lambda _: compose_fold(RUN, 1),
        new_publisher=lambda _q, _log: Silent(),  # type: ignore[arg-type,return-value]  # who would publish
        published_before=lambda _: 0,
        topics=TOPICS,
        partitions=1,
        snapshots=RUN.settings.snapshots,
    )
    found = DetectorService(
        parts,
        logs=RunLogs(answers, TOPICS, {}, ["partials"]),  # type: ignore[arg-type]  # who is asked
        new_store=lambda log: FolderSnapshots(folder, log, kept=1),
        failure=failure,
    )
    found._app = SimpleNamespace(consumer=consumer)  # type: ignore[assignment]  # of it the consumer alone
    return found, failure


def failed(failure: Failure) -> bool:
    """Return whether the service would end."""
    return failure._event.is_set()


async def come(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.001)


def batch(start: int, following: int) -> RecordBatch:
    return RecordBatch(PLACE.topic, PLACE.partition, start, following, [], [], 0)


def test_where_no_broker_says_which_log_it_is_an_assignment_waits(tmp_path: Path) -> None:
    async def live() -> None:
        answers = Answers(NOBODY)
        worker, failure = service(tmp_path, Brokers(), answers)
        starting = asyncio.create_task(worker.start({PLACE: None}))
        await come(lambda: answers.asked > 3)
        assert not starting.done()
        answers.answer = "first"
        assert await starting == {PLACE: 0}
        assert not failed(failure)

    asyncio.run(live())


def test_where_a_log_ends_is_asked_anew_by_whoever_assigns(tmp_path: Path) -> None:
    """What passes is no failure of the service; what does not ends it."""

    async def live() -> None:
        brokers = Brokers(KafkaTimeoutError("nobody answers"))
        worker, failure = service(tmp_path, brokers, Answers("first"))
        with pytest.raises(KafkaTimeoutError):
            await worker.start({PLACE: None})
        assert not failed(failure)
        brokers.error = TopicAuthorizationFailedError("not yours")
        with pytest.raises(TopicAuthorizationFailedError):
            await worker.start({PLACE: None})
        assert failed(failure)

    asyncio.run(live())


def test_repeats_wait_until_it_is_known_which_log_they_are_of(tmp_path: Path) -> None:
    async def live() -> None:
        answers = Answers("first")
        worker, _ = service(tmp_path, Brokers(), answers)
        await worker.start({PLACE: None})
        await worker._take(batch(0, 5))
        answers.answer = NOBODY
        taking = asyncio.create_task(worker._take(batch(3, 7)))
        await come(lambda: answers.asked > 3)
        assert not taking.done()
        answers.answer = "first"
        await taking
        assert worker._partitions[0].position == 7

    asyncio.run(live())


def test_a_gap_is_read_again_whether_or_not_a_broker_says_where_the_log_begins(tmp_path: Path) -> None:
    async def live() -> None:
        brokers = Brokers()
        worker, _ = service(tmp_path, brokers, Answers("first"))
        await worker.start({PLACE: None})
        await worker._take(batch(3, 7))
        brokers.error = KafkaTimeoutError("nobody answers")
        await worker._take(batch(3, 7))
        assert brokers.sought == [(PLACE, 0), (PLACE, 0)]

    asyncio.run(live())


def test_a_worker_whose_partition_waits_for_long_does_not_publish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def live() -> None:
        worker, _ = service(tmp_path, Brokers(), Answers("first"))
        await worker.start({PLACE: None})
        assert worker.publishes
        monkeypatch.setattr(Silent, "waiting_seconds", 9.0)
        assert worker.publishes
        monkeypatch.setattr(Silent, "waiting_seconds", 10.0)
        assert not worker.publishes

    asyncio.run(live())
