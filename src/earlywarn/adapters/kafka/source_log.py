"""Whether a run's `transactions` still is the log that the run counts.

A topic that is deleted and made anew begins at offset 0 again: what it holds would be taken for what is counted
already, or for more of it. An id never comes back, so what was read before a question whose answer is the run's id is
of the run's log. What an aggregator sends waits for such an answer (`let_go`).
"""

import asyncio
import logging

from earlywarn.adapters.kafka.manifest import Manifest
from earlywarn.adapters.kafka.outbox import Outbox
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_identity import Identities, NoAnswerError
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_ANSWER_SECONDS = 3.0
_PAUSE_SECONDS = 0.1
_SILENCE_SECONDS = 5.0
"""With nothing to send it is asked all the same: what comes in a new log may be taken for repeats, and give nothing."""


class SourceLog:
    """The transactions of a run, of which `wanted` is the id.

    Args:
        identities: asks for the present id.
        topics: the run's topics.
        wanted: the id that the manifest names; empty if an earlier version wrote it: then the one that is found first.
    """

    def __init__(self, identities: Identities, topics: RunTopics, wanted: str) -> None:
        self._identities = identities
        self._topics = topics
        self._wanted = wanted
        self._answered = True

    def check(self) -> None:
        """See that it is the run's.

        Raises:
            LogError: it is another one, or gone.
            ConfigError: no broker answers, or it refuses.
        """
        self._compare(self._identities.now(self._topics.transactions))

    async def still(self) -> bool:
        """Return whether it is the run's for sure; False if no broker says so now.

        Raises:
            LogError: it is another one, or gone.
            ConfigError: a broker refuses the answer.
        """
        try:
            found = await self._identities.soon(self._topics.transactions, _ANSWER_SECONDS)
        except NoAnswerError as error:
            if self._answered:
                _log.warning("%s; it will be asked again, and nothing is sent meanwhile", error)
            self._answered = False
            return False
        self._answered = True
        self._compare(found)
        return True

    def _compare(self, found: str | None) -> None:
        topic, run = self._topics.transactions, self._topics.run
        means = f"what stands in one made anew has offsets that run {run!r} has counted, so that none of it is counted"
        if found is None:
            raise LogError(
                f"{topic}: was deleted; {means}. Go on in another run: earlywarn replay FILES --run {run}-2 "
                "(docs/operations/topics.md, Never delete transactions alone)"
            )
        self._wanted = self._wanted or found
        if found != self._wanted:
            raise LogError(
                f"{topic}: was deleted and made anew (its id is {found}, in the manifest {self._wanted}); {means}. Go "
                f"on in another run: earlywarn replay FILES --run {run}-2, or --from-run {run} for what stands in the "
                "new one (docs/operations/topics.md, Never delete transactions alone)"
            )


def source_of_run(kafka: KafkaSettings, topics: RunTopics, manifest: Manifest) -> SourceLog:
    """Return the log that a run counts, seen to be there.

    Raises:
        LogError: it was deleted, or made anew.
        ConfigError: no broker answers, or it refuses.
    """
    source = SourceLog(Identities(kafka), topics, manifest.transactions_id)
    source.check()
    return source


async def let_go(outbox: Outbox, source: SourceLog) -> None:
    """Release what a gated outbox was given, as soon as the source is seen to be the run's after that; go on for ever.

    Raises:
        LogError: it is another one, or gone: nothing is released any more, and the outbox takes nothing.
        ConfigError: a broker refuses the answer.
    """
    while True:
        given = await outbox.more(_SILENCE_SECONDS)
        try:
            known = await source.still()
        except LogError as error:
            outbox.failure = error
            raise
        if known:
            outbox.release(given)
        await asyncio.sleep(_PAUSE_SECONDS)
