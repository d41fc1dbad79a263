"""Another model or configuration for a run: control records in `partials` and the manifest, in one transaction."""

from collections import defaultdict

import msgspec
from confluent_kafka import KafkaError, KafkaException, Producer

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.adapters.kafka.manifest import (
    KEY,
    Manifest,
    await_manifest,
    differences,
    manifest_of,
    read_manifest,
)
from earlywarn.adapters.kafka.outbox import SENDING
from earlywarn.adapters.kafka.publisher import Publisher
from earlywarn.adapters.kafka.quiet_log import QUIET
from earlywarn.adapters.kafka.rights import may_not_write_with
from earlywarn.adapters.kafka.run_topics import WAY_ON, RunTopics, way_on
from earlywarn.adapters.kafka.topic_identity import topic_identity
from earlywarn.adapters.kafka.topic_scan import TopicScan
from earlywarn.adapters.kafka.wire import CHANGE_HEADERS, encode_change
from earlywarn.application.compose import Run
from earlywarn.application.detector import Progress
from earlywarn.application.succession import Change, open_alerts
from earlywarn.domain.alert import Alert
from earlywarn.errors import ConfigError, LogError

_ATTEMPTS = 5
_Standing = dict[int, tuple[int, list[Alert]]]
"""By partition q: offset of the partials up to which all is published, and the alerts in their order."""


def change_configuration(run: Run) -> Manifest:
    """Let the run go on under other models or another configuration, whose settings `run` has; return its manifest.

    Detectors of the one before are fenced off, so that what they have published is known; those that are started
    anew refuse the old settings. Should one have published in between, a further control record says so.

    Raises:
        LogError: the run has no manifest; what aggregators count would change; it is not known what is published, or
            what one partial makes publishable is published in part.
        ConfigError: no broker answers, or it refuses.
    """
    settings = run.settings
    topics = RunTopics(settings.run, settings.topics.prefix)
    manifest, own = read_manifest(settings), manifest_of(run)
    if manifest is None:
        raise LogError(
            f"{topics.meta}: run {settings.run!r} has no manifest; run: earlywarn topics create --run {settings.run}"
        )
    lines = differences(manifest, msgspec.structs.replace(own, fingerprint=manifest.fingerprint))
    if lines:
        raise LogError(
            "\n".join(f"{topics.meta}: {line}" for line in lines)
            + f"\n{topics.meta}: only models and [coverage], [detection], [alerts] change within a run; for another "
            f"count go on in another run: {way_on(settings.run)} ({WAY_ON})"
        )
    if own.fingerprint == manifest.fingerprint:
        return manifest
    standing = _standing(run, topics)
    for _ in range(_ATTEMPTS):
        manifest = msgspec.structs.replace(
            manifest,
            fingerprint=own.fingerprint,
            change=manifest.change + 1,
            published={q: offset for q, (offset, _) in standing.items()},
        )
        _write(run, topics, manifest, standing)
        before, standing = standing, _standing(run, topics)
        if standing == before:
            await_manifest(settings, manifest)
            return manifest
    raise LogError(f"{topics.alerts}: detectors go on publishing meanwhile; stop them and run the same command again")


def _standing(run: Run, topics: RunTopics) -> _Standing:
    """Fence off whoever publishes, and read what stands there."""
    connection = confluent_connection(run.settings.kafka)
    log = topic_identity(run.settings.kafka, topics.partials)
    published = {}
    for q in range(run.settings.topics.partials_partitions):
        publisher = Publisher(connection, topics.published_group, topics.partials, q, log)
        try:
            _whole(publisher.published(), topics, q)  # before a detector is fenced off that could bring it to its end
            published[q] = _whole(publisher.open(), topics, q)
        finally:
            publisher.close()
    alerts: dict[int, list[Alert]] = defaultdict(list)
    for record in TopicScan(run.settings.kafka, topics.alerts):
        try:
            alerts[record.partition].append(msgspec.json.decode(record.value or b"", type=Alert))
        except msgspec.DecodeError as error:
            place = f"{topics.alerts}-{record.partition}-{record.offset}"
            raise LogError(f"{place}: no alert that this version can read: {error}") from error
    for q, offset in published.items():
        if alerts[q] and not offset:
            raise LogError(
                f"{topics.partials}-{q}: the broker has forgotten up to where it is published (the run has rested for "
                "longer than offsets.retention.minutes); let the detectors publish once more under the old settings"
            )
    return {q: (offset, alerts[q]) for q, offset in published.items()}


def _whole(progress: Progress, topics: RunTopics, q: int) -> int:
    """Return the offset up to which all is published.

    Raises:
        LogError: of the partial there some outputs are published, and others are not: those of two configurations
            would be mixed.
    """
    if progress.outputs:
        raise LogError(
            f"{topics.partials}-{q}: what offset {progress.offset} makes publishable is published in part (the first "
            f"{progress.outputs} outputs); let the detectors bring it to its end under the old settings, then try again"
        )
    return progress.offset


def _write(run: Run, topics: RunTopics, manifest: Manifest, standing: _Standing) -> None:
    seconds, own_id = run.settings.kafka.request_timeout_seconds, topics.manifest_id
    producer = Producer(
        {
            **confluent_connection(run.settings.kafka),
            **SENDING,
            "transactional.id": own_id,
            "message.timeout.ms": seconds * 1000,
            "transaction.timeout.ms": seconds * 1000,
            "allow.auto.create.topics": False,
        },
        logger=QUIET,
    )
    try:
        producer.init_transactions(seconds)
        producer.begin_transaction()
        for q, (published, alerts) in standing.items():
            change = Change(
                number=manifest.change,
                fingerprint=manifest.fingerprint,
                published=published,
                sequence=max((alert.sequence for alert in alerts), default=0),
                open=open_alerts(alerts),
                revisions={alert.id: alert.revision for alert in alerts},
            )
            key, value = encode_change(change)
            producer.produce(topics.partials, value, key, partition=q, headers=list(CHANGE_HEADERS))
        producer.produce(topics.meta, msgspec.json.encode(manifest), KEY, partition=0)
        producer.commit_transaction(seconds)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        told = f"{topics.meta}: the change could not be written: {reason.str()}; try again"
        raise ConfigError(may_not_write_with(reason, [topics.partials, topics.meta], own_id) or told) from error
