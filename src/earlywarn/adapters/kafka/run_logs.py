"""Whether a run's topics still are the logs that they were.

A topic that is deleted and made anew begins at offset 0 again: what it holds would be taken for what was read already,
or for more of it. An id never comes back, so what was read before a question whose answer is the run's id is of the
run's log. What an aggregator sends waits for such an answer (`let_go`), and so does what a projector writes.

The topic of the manifest is looked after as well: beside workers that go on without it, others could be started under
another one.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from earlywarn.adapters.kafka.begun_run import refuse_begun
from earlywarn.adapters.kafka.manifest import Manifest, read_manifest
from earlywarn.adapters.kafka.outbox import Outbox
from earlywarn.adapters.kafka.run_topics import LogKind, RunTopics, WatchedKind, way_on
from earlywarn.adapters.kafka.topic_identity import Identities, NoAnswerError
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.application.settings import Settings
from earlywarn.errors import LogError

_log = logging.getLogger(__name__)
_ANSWER_SECONDS = 3.0
_PAUSE_SECONDS = 0.1
_ASK_SECONDS = 0.5
SILENCE_SECONDS = 5.0
"""With nothing new it is asked all the same: what comes in a new log may be taken for repeats, and give nothing."""


class RunLogs:
    """Some logs of a run, of which `wanted` are the ids.

    Args:
        identities: asks for the present ids.
        topics: the run's topics.
        wanted: the ids that the manifest names; where it names none (an earlier version wrote it): what is found first.
        kinds: which of its logs.

    Attributes:
        besides: asked whenever they are waited for (`still`): raises LogError where the run may not be written.
    """

    def __init__(
        self, identities: Identities, topics: RunTopics, wanted: Mapping[str, str], kinds: Sequence[WatchedKind]
    ) -> None:
        self._identities = identities
        self._topics = topics
        self._wanted: dict[str, str] = dict(wanted)
        self._names = {topics.of(kind): kind for kind in kinds}
        self._answered = True
        self.besides: Callable[[], None] | None = None

    def check(self) -> Mapping[WatchedKind, str]:
        """See that they are the run's, and return their ids.

        Raises:
            LogError: one is another, or gone.
            ConfigError: no broker answers, or it refuses.
        """
        return self._compare(self._identities.now(list(self._names)))

    async def confirmed(self) -> Mapping[WatchedKind, str]:
        """Wait until they are the run's for sure, however long no broker says so, and return their ids.

        Raises:
            LogError, ConfigError: as `still`.
        """
        while not (found := await self.still()):  # noqa: ASYNC110  # brokers have no event
            await asyncio.sleep(_ASK_SECONDS)
        return found

    async def still(self) -> Mapping[WatchedKind, str]:
        """Return their ids if they are the run's for sure; nothing if no broker says so now.

        Raises:
            LogError: one is another, or gone; or what `besides` says.
            ConfigError: a broker refuses the answer.
        """
        try:
            found = await self._identities.soon(list(self._names), _ANSWER_SECONDS)
            if self.besides is not None:
                await asyncio.to_thread(self.besides)
        except NoAnswerError as error:
            if self._answered:
                _log.warning("%s; it will be asked again, and nothing is written meanwhile", error)
            self._answered = False
            return {}
        self._answered = True
        return self._compare(found)

    def _compare(self, found: Mapping[str, str | None]) -> Mapping[WatchedKind, str]:
        ids: dict[WatchedKind, str] = {}
        for topic, kind in self._names.items():
            now = found[topic]
            if now is None:
                raise LogError(f"{topic}: was deleted; {self._way_on(kind, anew=False)}")
            wanted = self._wanted.setdefault(kind, now)
            if now != wanted:
                raise LogError(
                    f"{topic}: was deleted and made anew (its id is {now}, the run's is {wanted}); "
                    f"{self._way_on(kind, anew=True)}"
                )
            ids[kind] = now
        return ids

    def _way_on(self, kind: WatchedKind, *, anew: bool) -> str:
        run = self._topics.run
        again = f"Go on in another run: {way_on(run)}"
        if kind == "meta":
            return (
                f"with it is gone what all workers of run {run!r} agree on, and none starts until that stands there "
                f"again: earlywarn topics create --run {run} --remake-manifest, with the settings that the run has had "
                "(docs/operations/topics.md, When meta was deleted)"
            )
        if kind == "transactions":
            new = f", or --from-run {run} for what stands in the new one" if anew else ""
            return (
                f"what stands in one made anew has offsets that run {run!r} has counted, so that none of it is "
                f"counted. Go on in another run: earlywarn replay FILES --run {run}-2 --open{new} "
                "(docs/operations/topics.md, Never delete transactions alone)"
            )
        if kind == "partials":
            return (
                f"it is the source of all that run {run!r} publishes, and what stood in it is not sent a second time. "
                f"{again} (docs/operations/topics.md, When the broker has lost partials)"
            )
        return (
            f"what run {run!r} had published there is gone, and is not published a second time. {again}. Redis keeps "
            f"what it has; to go on without: earlywarn topics create --run {run} --accept-published, then earlywarn "
            f"rebuild-redis --run {run} (docs/operations/topics.md, When published topics are deleted)"
        )


def logs_of_run(kafka: KafkaSettings, topics: RunTopics, manifest: Manifest, *kinds: WatchedKind) -> RunLogs:
    """Return logs of a run, seen to be there, as its manifest is; all of them if no kind is named.

    Raises:
        LogError: one was deleted, or made anew.
        ConfigError: no broker answers, or it refuses.
    """
    logs = RunLogs(Identities(kafka), topics, manifest.logs, [*(kinds or topics.log_kinds), "meta"])
    logs.check()
    return logs


def check_logs(settings: Settings, known: Manifest | None, accepted: Collection[LogKind] = ()) -> None:
    """See that the logs of a run are those of its manifest, but for the `accepted`; without one, that it has not begun.

    Raises:
        LogError: one was deleted, or made anew; or there is no manifest, and data (`refuse_begun`).
        ConfigError: no broker answers, or it refuses.
    """
    topics = RunTopics(settings.run, settings.topics.prefix)
    if known is not None:
        logs_of_run(settings.kafka, topics, known, *(kind for kind in topics.log_kinds if kind not in accepted))
        return
    try:
        refuse_begun(settings.kafka, topics, replay=settings.topics.replay)
    except LogError:
        if read_manifest(settings) is None:  # else somebody has just begun it
            raise


async def let_go(outbox: Outbox, logs: RunLogs) -> None:
    """Release what a gated outbox was given, as soon as the logs are seen to be the run's after that; go on for ever.

    Raises:
        LogError: one is another, or gone: nothing is released any more, and the outbox takes nothing.
        ConfigError: a broker refuses the answer.
    """
    while True:
        given = await outbox.more(SILENCE_SECONDS)
        try:
            known = await logs.still()
        except LogError as error:
            outbox.failure = error
            raise
        if known:
            outbox.release(given)
        await asyncio.sleep(_PAUSE_SECONDS)
