"""What an aggregator sends waits until the log it was folded from is seen to be the run's."""

import asyncio
from collections.abc import Callable

import pytest
from told_logs import NOBODY, Answer, Answers

from earlywarn.adapters.kafka import run_logs
from earlywarn.adapters.kafka.filling import FilledUntilSent
from earlywarn.adapters.kafka.outbox import Outbox, Parcel
from earlywarn.adapters.kafka.run_logs import RunLogs, let_go
from earlywarn.adapters.kafka.run_topics import LogKind, RunTopics
from earlywarn.errors import LogError

TOPICS = RunTopics("live")
NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_logs, "_PAUSE_SECONDS", 0.001)


def give(outbox: Outbox, parcel: Parcel, *values: bytes) -> None:
    for value in values:
        outbox.send("t", value, key=b"k", parcel=parcel)


def held(outbox: Outbox) -> list[bytes | None]:
    return [each.value for each in outbox._waiting]


async def come(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.001)


def source(answers: Answers, *kinds: LogKind, wanted: str = "first") -> RunLogs:
    named = kinds or ("transactions",)
    return RunLogs(answers, TOPICS, dict.fromkeys(named, wanted) if wanted else {}, named)  # type: ignore[arg-type]  # who is asked


def test_what_is_given_while_the_question_is_under_way_waits_for_the_next_one() -> None:
    """It may have been read after the answer was made."""

    async def live() -> None:
        answers, outbox, parcel = Answers("first"), Outbox(NOWHERE, gated=True), Parcel()
        answers.answering.clear()
        working = asyncio.create_task(let_go(outbox, source(answers)))
        give(outbox, parcel, b"1", b"2")
        await come(lambda: answers.asked == 1)
        give(outbox, parcel, b"3")
        outbox.poll()
        assert held(outbox) == [b"1", b"2", b"3"]
        answers.answering.set()
        await asyncio.sleep(0)
        answers.answering.clear()
        await come(lambda: answers.asked == 2)
        assert held(outbox) == [b"3"]
        answers.answering.set()
        await come(lambda: held(outbox) == [])
        working.cancel()

    asyncio.run(live())


def test_without_an_answer_everything_waits_and_nothing_fails() -> None:
    async def live() -> None:
        answers, outbox, parcel = Answers(NOBODY), Outbox(NOWHERE, gated=True), Parcel()
        working = asyncio.create_task(let_go(outbox, source(answers)))
        give(outbox, parcel, b"1")
        await come(lambda: answers.asked > 3)
        assert (held(outbox), working.done()) == ([b"1"], False)
        answers.answer = "first"
        await come(lambda: held(outbox) == [])
        working.cancel()

    asyncio.run(live())


@pytest.mark.parametrize(("answer", "said"), [("second", "made anew .its id is second"), (None, "was deleted; ")])
def test_of_another_log_nothing_is_let_go_and_nothing_taken(answer: Answer, said: str) -> None:
    async def live() -> None:
        answers, outbox, parcel = Answers("first"), Outbox(NOWHERE, gated=True), Parcel()
        working = asyncio.create_task(let_go(outbox, source(answers)))
        give(outbox, parcel, b"1")
        await come(lambda: held(outbox) == [])
        answers.answer = answer
        give(outbox, parcel, b"2")
        with pytest.raises(LogError, match=said):
            await working
        assert held(outbox) == [b"2"]
        with pytest.raises(LogError, match=said):
            give(outbox, parcel, b"3")
        with pytest.raises(LogError, match=said):
            await outbox.settle(deadline_seconds=1)
        assert held(outbox) == [b"2"]

    asyncio.run(live())


def test_it_is_asked_with_nothing_to_send_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_logs, "SILENCE_SECONDS", 0.01)

    async def live() -> None:
        with pytest.raises(LogError, match="was deleted; "):
            await let_go(Outbox(NOWHERE, gated=True), source(Answers(None)))

    asyncio.run(live())


def test_a_run_of_an_earlier_version_counts_the_log_that_is_found_first() -> None:
    answers = Answers("first")
    found = source(answers, wanted="")
    found.check()
    answers.answer = "second"
    with pytest.raises(LogError, match="made anew"):
        found.check()


@pytest.mark.parametrize("kind", TOPICS.log_kinds)
def test_what_was_deleted_is_named_with_the_way_on(kind: LogKind) -> None:
    answers = Answers("first")
    found = source(answers, *TOPICS.log_kinds)
    assert found.check() == dict.fromkeys(TOPICS.log_kinds, "first")
    for answer in ("second", None):
        answers.answer = answer
        with pytest.raises(LogError) as caught:
            source(answers, kind).check()
        assert str(caught.value).startswith(f"{TOPICS.of(kind)}: was deleted")
        assert "Go on in another run: earlywarn replay " in str(caught.value)
        assert "--run live-2" in str(caught.value)


def test_nothing_goes_out_of_a_worker_that_a_filling_has_not_seen() -> None:
    """A member that was stopped for long is none to it; once something of the worker stands there, it asks no more."""
    being_filled, has_sent, asked = False, False, 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if being_filled:
            raise LogError("is being filled")

    async def live() -> None:
        nonlocal being_filled, has_sent
        outbox, logs = Outbox(NOWHERE, gated=True), source(Answers("first"))
        filled = logs.besides = FilledUntilSent(check, lambda: has_sent)
        for _ in range(2):
            assert await logs.still()
        being_filled = True
        give(outbox, Parcel(), b"early")
        with pytest.raises(LogError, match="is being filled"):
            await let_go(outbox, logs)
        assert held(outbox) == [b"early"]
        has_sent = True
        for _ in range(3):
            filled()

    asyncio.run(live())
    assert asked == 3
