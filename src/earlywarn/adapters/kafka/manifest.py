"""The manifest of a run: the constants that all of its workers must agree on, kept in its topic `.meta`.

It is written once, when the topics are made; models and configuration change by a control record (`change.py`). A
worker whose own settings give other constants refuses to start: its partials would not be those of the others.
"""

import time
from collections.abc import Collection, Iterable, Mapping

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

import earlywarn
from earlywarn.adapters.kafka.begun_run import refuse_begun
from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.quiet_log import QUIET
from earlywarn.adapters.kafka.rights import may_not_write_with
from earlywarn.adapters.kafka.run_topics import WAY_ON, LogKind, RunTopics, way_on
from earlywarn.adapters.kafka.topic_identity import topic_identities
from earlywarn.adapters.kafka.topic_scan import newest_value
from earlywarn.adapters.kafka.transactions import FENCED
from earlywarn.application.compose import Run
from earlywarn.application.service_settings import KafkaSettings
from earlywarn.application.settings import Settings
from earlywarn.errors import ConfigError, LogError

KEY = b"manifest"
_ATTEMPTS = 5
_RETRY_SECONDS = 0.05
_SETTING_OF = {
    "partials_partitions": "topics.partials_partitions",
    "block_size": "fold.block_size",
    "lateness_seconds": "fold.lateness_seconds",
    "base_bucket_seconds": "base_bucket_seconds of the panels",
}


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a run from its first record to its last.

    transactions_partitions: P when the run was made; it may have grown since.
    logs: which log its `transactions`, `partials`, `aggregates` and `alerts` each are (`topic_identity`); of a run that
        an earlier version made some may be absent.
    partials_partitions: Q.
    panels: the partition q of partials in which each panel lives.
    fingerprint: of parser, mappings, rates and models (`application.panels.fingerprint`).
    fold_fingerprint: of these what decides the partials (`application.panels.fold_fingerprint`); it never changes.
    change: number of the last control record that brought another fingerprint; 0 if there was none.
    published: by partition q, the offset of partials up to which all was published before that control record.
    replay: it replays a history, so its transactions are kept until it is deleted.
    created_version: the version of earlywarn that made the run.
    """

    run: str
    transactions_partitions: int
    partials_partitions: int
    block_size: int
    lateness_seconds: int
    base_bucket_seconds: int
    panels: dict[str, int]
    fingerprint: str
    fold_fingerprint: str
    replay: bool
    created_version: str
    logs: dict[str, str] = {}
    change: int = 0
    published: dict[int, int] = {}

    @property
    def panels_of(self) -> tuple[frozenset[str], ...]:
        """Return the panels that live in each partition q of partials."""
        return tuple(
            frozenset(panel for panel, q in self.panels.items() if q == partition)
            for partition in range(self.partials_partitions)
        )


def keeps_partials(run: str, partitions: int) -> str:
    """Return what is to be done where topics of a run have another number of partitions than Q."""
    return (
        f"Q is {partitions} in the manifest and never changes in a run; go on in another one: {way_on(run)} ({WAY_ON})"
    )


def check_partials(topics: RunTopics, wanted: int, found: int) -> None:
    """See that the partials have as many partitions as the run.

    Raises:
        LogError: somebody has added some.
    """
    if found > wanted:
        raise LogError(f"{topics.partials}: has {found} partitions; {keeps_partials(topics.run, wanted)}")


def deal_panels(panels: Iterable[str], partitions: int, dealt: Mapping[str, int] | None = None) -> dict[str, int]:
    """Return the partition of each panel: sorted ids go round; those of `dealt` stay, new ones take the next.

    Examples:
        >>> deal_panels(["CH", "AT", "DE"], 2)
        {'AT': 0, 'CH': 1, 'DE': 0}
        >>> deal_panels(["CH", "AT", "DE", "BE"], 2, {"AT": 0, "CH": 1, "DE": 0})
        {'AT': 0, 'CH': 1, 'DE': 0, 'BE': 1}
    """
    placed = dict(dealt or {})
    for panel in sorted(set(panels) - placed.keys()):
        placed[panel] = len(placed) % partitions
    return placed


def manifest_of(run: Run) -> Manifest:
    """Return the manifest that a run would get from these settings."""
    settings = run.settings
    return Manifest(
        run=settings.run,
        transactions_partitions=settings.topics.transactions_partitions,
        partials_partitions=settings.topics.partials_partitions,
        block_size=settings.fold.block_size,
        lateness_seconds=settings.fold.lateness_seconds,
        base_bucket_seconds=settings.fold.base_bucket_seconds,
        panels=deal_panels((each.panel.id for each in run.panels), settings.topics.partials_partitions),
        fingerprint=run.fingerprint,
        fold_fingerprint=run.fold_fingerprint,
        replay=settings.topics.replay,
        created_version=earlywarn.__version__,
    )


def differences(manifest: Manifest, own: Manifest, *, only_fold: bool = False) -> list[str]:
    """Return one line for each constant in which a worker differs from its run. P may differ, since it may grow.

    With `only_fold` models and alerts may differ as well: an aggregator makes the same partials whatever they are.
    """
    found = [
        f"{setting} = {getattr(own, name)} here, {getattr(manifest, name)} in the run; set {getattr(manifest, name)}"
        for name, setting in _SETTING_OF.items()
        if getattr(own, name) != getattr(manifest, name)
    ]
    found += [
        f"panel {panel!r} is in the run, not here; add it" for panel in sorted(manifest.panels.keys() - own.panels)
    ]
    found += [
        f"panel {panel!r} is here, not in the run; take it out" for panel in sorted(own.panels.keys() - manifest.panels)
    ]
    versions = f"the run was made by version {manifest.created_version}, this is {own.created_version}"
    if own.fold_fingerprint != manifest.fold_fingerprint:
        found.append(
            f"fold fingerprint {own.fold_fingerprint} here, {manifest.fold_fingerprint} in the run: a mapping, rate or "
            f"setting of [fold] or [[panels]] that decides where a transaction counts differs; {versions}"
        )
    elif own.fingerprint != manifest.fingerprint and not only_fold:
        way = "To change the run: earlywarn topics change"
        if manifest.change:
            way = (
                f"The run was changed since it was made (change {manifest.change}): start with the settings of that "
                "change; earlywarn topics change with these would change it once more, maybe back"
            )
        found.append(
            f"fingerprint {own.fingerprint} here, {manifest.fingerprint} in the run: a model, a holiday or a "
            f"setting of [coverage], [detection], [alerts] or [[panels]] differs; {versions}. {way}"
        )
    return found


def read_manifest(settings: Settings) -> Manifest | None:
    """Return the manifest of the run; None if there is none yet, or not even its topic.

    Raises:
        ConfigError: no broker answers, or it refuses.
        LogError: what stands there is no manifest, or cannot be read to its end.
    """
    return manifest_in(settings.kafka, RunTopics(settings.run, settings.topics.prefix))


def manifest_in(kafka: KafkaSettings, topics: RunTopics) -> Manifest | None:
    """Return the manifest that stands in the topics of a run, which may be another than that of the settings.

    Raises:
        ConfigError, LogError: as `read_manifest`.
    """
    found = newest_value(kafka, topics.meta, KEY)
    try:
        return None if found is None else msgspec.json.decode(found, type=Manifest)
    except msgspec.DecodeError as error:
        version = earlywarn.__version__
        raise LogError(f"{topics.meta}: holds no manifest that version {version} can read: {error}") from error


def await_manifest(settings: Settings, written: Manifest) -> None:
    """Wait until who reads finds a manifest, or a later one: a broker ends a transaction after it has said so.

    Raises:
        ConfigError: it takes longer than an answer may, or no broker answers.
        LogError: the topic cannot be read to its end.
    """
    deadline = time.monotonic() + settings.kafka.request_timeout_seconds
    while True:
        found = read_manifest(settings)
        if found is not None and (found.change > written.change or found == written):
            return
        if time.monotonic() > deadline:
            topic = RunTopics(settings.run, settings.topics.prefix).meta
            raise ConfigError(f"{topic}: the manifest is written, and cannot be read yet; run the same command again")
        time.sleep(_RETRY_SECONDS)


def write_manifest(run: Run, *, accepted: Collection[LogKind] = (), remade: Manifest | None = None) -> Manifest:
    """Write the manifest of a run if there is none; return the one that stands there, which agrees.

    One of an earlier version, which does not name all logs, gets the ids of those that are there; and so does any one
    for logs that are `accepted` as they are, whatever stood in those before. A run that has data and none gets the one
    that is `remade` (`remade_manifest`), or is refused. Of several writers one wins: the topic is written in
    transactions under one id, so that a writer who has read before another wrote cannot write any more. Where nothing
    is to be written no right to write is needed.

    Raises:
        LogError: the run has a manifest that differs, one line for each difference; or none, and data (`refuse_begun`).
        ConfigError: the topic is missing, or the broker refuses.
    """
    settings, own = run.settings, manifest_of(run)
    topics = RunTopics(settings.run, settings.topics.prefix)
    topic, own_id = topics.meta, topics.manifest_id
    timeout_seconds = settings.kafka.request_timeout_seconds

    def found() -> tuple[Manifest | None, dict[str, str]]:
        """Return what stands there, and the logs in it that hold."""
        manifest = read_manifest(settings)
        known = {} if manifest is None else _agreed(manifest, own, topic).logs
        return manifest, {kind: log for kind, log in known.items() if kind not in accepted}

    manifest, known = found()
    if manifest is not None and known.keys() >= set(topics.log_kinds):
        return manifest
    refusal: KafkaError | None = None
    for _ in range(_ATTEMPTS):
        producer = Producer(
            {
                **confluent_connection(settings.kafka),
                "transactional.id": own_id,
                "transaction.timeout.ms": timeout_seconds * 1000,
                "allow.auto.create.topics": False,
            },
            logger=QUIET,
        )
        try:
            producer.init_transactions(timeout_seconds)
            manifest, known = found()
            if manifest is None and remade is None:
                refuse_begun(settings.kafka, topics, replay=own.replay)
            if manifest is not None and known.keys() >= set(topics.log_kinds):
                return manifest
            if producer.list_topics(topic, timeout_seconds).topics[topic].error is not None:
                raise ConfigError(f"{topic}: does not exist; run: earlywarn topics create --run {own.run}")
            ids = topic_identities(settings.kafka, [topics.of(kind) for kind in topics.log_kinds])
            logs = {kind: ids[topics.of(kind)] for kind in topics.log_kinds} | known
            written = msgspec.structs.replace(manifest or remade or own, logs=logs)
            producer.begin_transaction()
            producer.produce(topic, msgspec.json.encode(written), KEY, partition=0)
            producer.commit_transaction(timeout_seconds)
        except KafkaException as error:
            refusal = error.args[0]
            if refusal.code() not in FENCED:
                break
        else:
            await_manifest(settings, written)
            return written
    told = f"{topic}: the manifest could not be written: {refusal}; see docs/operations/topics.md"
    raise ConfigError((refusal and may_not_write_with(refusal, [topic], own_id)) or told)


def check_manifest(run: Run, *, only_fold: bool = False) -> Manifest:
    """Return the manifest of the run that a worker is about to join.

    Args:
        run: as the worker's own settings have it.
        only_fold: check what concerns the first fold; for an aggregator.

    Raises:
        LogError: the run has none, or the worker's settings differ from it: one line for each difference.
        ConfigError: no broker answers, or it refuses.
    """
    topic = RunTopics(run.settings.run, run.settings.topics.prefix).meta
    manifest = read_manifest(run.settings)
    if manifest is None:
        name = run.settings.run
        raise LogError(
            f"{topic}: run {name!r} has no manifest; run: earlywarn topics create --run {name}, with the settings of "
            "its workers (--config FILE, or EARLYWARN_CONFIG)"
        )
    return _agreed(manifest, manifest_of(run), topic, only_fold=only_fold)


def _agreed(manifest: Manifest, own: Manifest, topic: str, *, only_fold: bool = False) -> Manifest:
    lines = differences(manifest, own, only_fold=only_fold)
    if lines:
        if own.fold_fingerprint != manifest.fold_fingerprint or own.fingerprint == manifest.fingerprint:
            lines.append(
                f"run {manifest.run!r} keeps its constants; for others start another run (--run, EARLYWARN_RUN)"
            )
        raise LogError("\n".join(f"{topic}: {line}" for line in lines))
    return manifest
