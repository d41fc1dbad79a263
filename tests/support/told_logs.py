"""Which logs a run's topics are, without brokers: it is told what is answered, and when."""

import asyncio

from earlywarn.adapters.kafka.topic_identity import NoAnswerError

NOBODY = NoAnswerError("nobody")
Answer = str | None | NoAnswerError


class Answers:
    """Says what it is told to, when it is told to."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked = 0
        self.answering = asyncio.Event()
        self.answering.set()

    def now(self, topics: list[str]) -> dict[str, str | None]:
        if isinstance(self.answer, NoAnswerError):
            raise self.answer
        return dict.fromkeys(topics, self.answer)

    async def soon(self, topics: list[str], timeout_seconds: float) -> dict[str, str | None]:
        assert timeout_seconds > 0
        self.asked += 1
        await self.answering.wait()
        return self.now(topics)
