"""A replay from its beginning to its end: topics, workers, records, end marks, and the wait until all is folded.

Or, of a run that goes on (`fill`): topics and records alone, before its workers are started.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.manifest import Manifest, read_manifest, write_manifest
from earlywarn.adapters.kafka.run_logs import check_logs
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topics import ensure_topics
from earlywarn.adapters.kafka.transactions import TakenBackError
from earlywarn.adapters.replay.begun import check_not_begun
from earlywarn.adapters.replay.completion import Completion, wait_until_folded
from earlywarn.adapters.replay.pace import Pace
from earlywarn.adapters.replay.position import ReplayPosition
from earlywarn.adapters.replay.projected import wait_until_projected
from earlywarn.adapters.replay.replay_log import ReplayLog
from earlywarn.adapters.replay.source import Source, Tell, Told
from earlywarn.adapters.replay.standing import Standing
from earlywarn.adapters.replay.workers import Workers
from earlywarn.application.compose import Run
from earlywarn.errors import ConfigError, LogError

_log = logging.getLogger(__name__)
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Replay:
    """What is to be done.

    Attributes:
        run: composed, with the settings of its workers: `topics.replay` is set, unless the run goes on behind it.
        source: what is replayed.
        pace: how fast.
        aggregators: workers to start, with one detector; 0 if the run's workers run elsewhere.
        environment: of the workers.
        logs: folder of their logs.
        standing: noted on the way.
    """

    run: Run
    source: Source
    pace: Pace
    aggregators: int
    environment: Mapping[str, str]
    logs: Path
    standing: Standing = field(default_factory=Standing)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of it.

    Attributes:
        position: where it ended.
        resumed: records that an earlier replayer of the run had sent.
        dead_letters: transactions that were not accepted, by reason.
        projected: whether Redis has all of it.
    """

    position: ReplayPosition
    resumed: int
    dead_letters: Mapping[str, int]
    projected: bool


def play(replay: Replay, tell: Tell, tell_folded: Callable[[int, int], None]) -> Played:
    """Do it; start it again after a kill, and it goes on behind the last record that stands in the topic.

    Raises:
        ConfigError: the run is no replay, of another input, or something does not fit.
        LogError: another replayer took over, a worker ended, or the log cannot be written or read.
    """
    settings = replay.run.settings
    topics = RunTopics(settings.run, settings.topics.prefix)
    manifest = _prepare(replay.run)
    log = ReplayLog(settings.kafka, topics, compressed=not replay.source.batched, standing=replay.standing)
    position = _agreed(log.open(), replay.source.beginning(settings.topics.transactions_partitions), topics)
    resumed = position.sent
    with ExitStack() as stack:
        workers = stack.enter_context(Workers(replay.environment, replay.logs))
        if replay.aggregators:
            workers.start("aggregator", replay.aggregators)
            workers.start("detector")
        replay.standing.workers_run = workers.run
        position = send(replay, log, position, tell, workers.check)
        replay.standing.sending = False
        completion = Completion(settings.kafka, topics, manifest.partials_partitions)
        stack.callback(completion.close)
        wait_until_folded(completion, workers.check, tell_folded)
        projected = wait_until_projected(settings, topics)
        return Played(position, resumed, completion.rejected, projected)


def fill(replay: Replay, tell: Tell) -> Played:
    """Send all to a run that goes on behind it: no end marks, and no workers, which fold it once they are started.

    While it is written they would take a partition for idle that is only not written yet. So they may not run before,
    and do not start until it is done (`check_filled`). Each side says first what it does and looks at the other then:
    the position stands before it is asked last who runs, and a worker asks again before it sends anything, until
    something of it stands there.

    Raises:
        ConfigError: the run is a replay, has begun already, is of another input, or something does not fit.
        LogError: another replayer took over, or the log cannot be written or read.
    """
    settings = replay.run.settings
    topics = RunTopics(settings.run, settings.topics.prefix)
    _prepare(replay.run)
    log = ReplayLog(settings.kafka, topics, standing=replay.standing)
    found, own = log.open(), replay.source.beginning(settings.topics.transactions_partitions)
    position = _agreed(found, own, topics)
    if found is None:
        check_not_begun(settings.kafka, topics)
        log.commit(position)
        try:
            check_not_begun(settings.kafka, topics)
        except ConfigError:
            log.withdraw()
            raise
    elif not position.ended:
        check_not_begun(settings.kafka, topics, resumed=True)
    resumed = position.sent
    position = send(replay, log, position, tell, lambda: None)
    replay.standing.sending = False
    return Played(position, resumed, {}, projected=False)


def _prepare(run: Run) -> Manifest:
    """Make topics and manifest, or see that those that are there fit.

    Of a run that is made already a replayer needs no more rights than its own: what they do not let it compare is told.
    """
    settings = run.settings
    known = read_manifest(settings)
    if known is not None and known.replay != settings.topics.replay:
        raise ConfigError(
            f"run {settings.run!r} is a replay: its log is closed at its end, and cannot go on (--open); "
            "copy into another run (--run)"
            if known.replay
            else f"run {settings.run!r} is no replay: its log goes on, and end marks would close it; replay into "
            "another run (--run), or, to fill this one before its workers start, without end marks (--open)"
        )
    check_logs(settings, known)  # before anything is made
    with kafka_admin(settings.kafka) as admin:
        ensured = ensure_topics(admin, settings, known, as_allowed=True)
    if ensured.closed:
        _log.warning(
            "%s: not compared with what the run needs, since this user may not see how they are configured (DESCRIBE "
            "and DESCRIBE_CONFIGS on the topics); who may, can say: earlywarn topics create --check --run %s",
            ", ".join(ensured.closed), settings.run,
        )  # fmt: skip
    return write_manifest(run)


def _agreed(found: ReplayPosition | None, own: ReplayPosition, topics: RunTopics) -> ReplayPosition:
    """Return where to go on: at the beginning, or behind what an earlier replayer of the same input has sent."""
    if found is None:
        return own
    if found.log and found.log != own.log and found.described == own.described:
        raise ConfigError(
            f"run {topics.run!r} replays {found.described} as it was before its transactions were deleted and made "
            f"anew (their id was {found.log}, now it is {own.log}); replay what stands there now into another run "
            f"(--run), or delete this one first: earlywarn topics delete --run {topics.run}"
        )
    if found.source != own.source:
        raise ConfigError(
            f"run {topics.run!r} replays {found.described} with other contents or options; replay "
            f"{own.described} into another run (--run), or delete this one first: "
            f"earlywarn topics delete --run {topics.run}"
        )
    return found


def send(
    replay: Replay, log: ReplayLog, position: ReplayPosition, tell: Tell, check: Callable[[], None]
) -> ReplayPosition:
    """Send the records and the end marks; what a broker took back is read and sent again.

    `check` is called now and then, also while it waits or is paused: it raises when nobody folds what is sent.
    """
    replay.pace.meanwhile = check

    def tell_all(told: Told) -> None:
        check()
        replay.standing.move()
        tell(told)

    replay.standing.begin(position)
    try:
        for _ in range(_ATTEMPTS):
            try:
                if not position.ended:
                    position = replay.source.send(log, position, replay.pace, tell_all)
                position = log.end(position) if replay.run.settings.topics.replay else log.leave_open(position)
            except TakenBackError as error:
                _log.warning("%s; it is sent again", error)
                log.take_back()
                position = log.position() or replay.source.beginning(position.partitions)
            else:
                return position
    except BaseException:
        # Told to stop within a commit, the client refuses to take it back; what is open falls to whoever comes next.
        with suppress(LogError):
            log.take_back()
        raise
    raise LogError(
        f"{log.topics.transactions}: {_ATTEMPTS} transactions were taken back; look at the broker, and start "
        "again: what is committed stands, and the replay goes on behind it"
    )
