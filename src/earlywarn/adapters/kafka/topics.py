"""The topics of a run: what they must be, what they are, and how the one becomes the other.

Nothing that exists is changed, except that partitions are added when that is asked for: shortening a retention
deletes data at once, and adding partitions to what must keep their number would break the run. What does not fit
is said, with the command that mends it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaTimeoutError, for_code

from earlywarn.adapters.kafka.manifest import Manifest, keeps_partials
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.application.service_settings import FOR_EVER_HOURS, TopicSettings
from earlywarn.application.settings import Settings
from earlywarn.errors import ConfigError

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_P = "topics.transactions_partitions"
_Q = "topics.partials_partitions"
_LEAST_COPIES = "min.insync.replicas"
_UNKNOWN_TOPIC = 3
_TOPIC_EXISTS = 36
_READY_MS = 30_000
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class TopicSpecification:
    """What a topic must be. `setting` decides its partitions; it is empty where they are always the same."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]
    setting: str

    @property
    def grows(self) -> bool:
        """Return whether partitions may be added in a running system."""
        return self.setting == _P


@dataclass(frozen=True, slots=True)
class Misfit:
    """A setting of an existing topic that is not what the run needs, and what mends it."""

    topic: str
    setting: str
    found: str
    wanted: str
    mend: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.setting} is {self.found}, wanted {self.wanted}; {self.mend}"


@dataclass(frozen=True, slots=True)
class Survey:
    """How the cluster's topics compare with a run's: what is missing, does not fit, or could grow."""

    run: str
    missing: tuple[TopicSpecification, ...]
    misfits: tuple[Misfit, ...]
    growing: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """Return one line for each thing that keeps the run from starting."""
        return [
            f"{each.name}: does not exist; run: earlywarn topics create --run {self.run}" for each in self.missing
        ] + [str(misfit) for misfit in self.misfits]


@dataclass(frozen=True, slots=True)
class Ensured:
    """What `ensure_topics` did: topics made, partition counts raised (topic to new count), and remarks."""

    created: tuple[str, ...]
    grown: Mapping[str, int]
    remarks: tuple[str, ...]


def topic_specifications(settings: Settings) -> tuple[TopicSpecification, ...]:
    """Return what every topic of the run must be, in the order of `RunTopics.all`.

    Raises:
        ConfigError: the run's id cannot be part of a topic's name.
    """
    topics = settings.topics
    names = RunTopics(settings.run, topics.prefix)
    delete = {"cleanup.policy": "delete", "retention.bytes": "-1"}
    for_ever = delete | {"retention.ms": "-1"}
    compact = {"cleanup.policy": "compact"}
    hours = -1 if topics.replay else topics.transactions_retention_hours
    source = delete | _kept(hours) | {"max.message.bytes": str(topics.message_bytes)}
    dead = delete | _kept(topics.dead_letter_retention_hours) | {"max.message.bytes": str(topics.dead_letter_bytes)}
    partials = for_ever | {"max.message.bytes": str(topics.partial_bytes)}
    p, q = topics.transactions_partitions, topics.partials_partitions
    return (
        _specification(names.transactions, p, source, topics, _P),
        _specification(names.dead_letters, p, dead, topics, _P),
        _specification(names.partials, q, partials, topics, _Q),
        _specification(names.aggregates, q, for_ever, topics, _Q),
        _specification(names.alerts, q, for_ever, topics, _Q),
        _specification(names.actions, 1, compact, topics, ""),
        _specification(names.meta, 1, compact, topics, ""),
    )


def survey_topics(admin: KafkaAdminClient, settings: Settings, manifest: Manifest | None = None) -> Survey:
    """Compare the cluster's topics with what the run needs, and its manifest if it has one; change nothing."""
    wanted = topic_specifications(settings)
    described = {each["name"]: each for each in admin.describe_topics([each.name for each in wanted])}
    present = [each for each in wanted if described[each.name]["error_code"] != _UNKNOWN_TOPIC]
    resources = [ConfigResource(ConfigResourceType.TOPIC, each.name) for each in present]
    configs = admin.describe_configs(resources, config_filter="all")["topic"] if present else {}
    misfits: list[Misfit] = []
    growing: dict[str, int] = {}
    remarks: list[str] = []
    for each in present:
        if code := described[each.name]["error_code"]:
            raise ConfigError(f"{each.name}: {for_code(code).__name__}: cannot be described; check the user's rights")
        partitions = described[each.name]["partitions"]
        if manifest is not None and each.setting == _Q and len(partitions) != manifest.partials_partitions:
            misfits.append(_not_of_the_run(each, len(partitions), manifest))
        else:
            _compare_partitions(each, len(partitions), settings.run, misfits, growing, remarks)
        _compare_configs(each, partitions, configs[each.name], settings.kafka.brokers, misfits)
    missing = tuple(each for each in wanted if each not in present)
    return Survey(settings.run, missing, tuple(misfits), growing, tuple(remarks))


def ensure_topics(
    admin: KafkaAdminClient,
    settings: Settings,
    manifest: Manifest | None = None,
    *,
    create: bool = True,
    grow: bool = False,
) -> Ensured:
    """Create the run's topics that are missing, and check those that exist; without `create`, check alone.

    `manifest` is the run's, if it has one.

    With `grow`, transactions and dead letters get as many partitions as the settings say. Nothing is created or
    grown while something else does not fit.

    Raises:
        ConfigError: one line for each topic that is missing, does not fit or was refused by the broker.
    """
    survey = survey_topics(admin, settings, manifest)
    grown = survey.growing if grow else {}
    misfits = [each for each in survey.misfits if each.topic not in grown or each.setting != "partitions"]
    problems = [str(each) for each in misfits] if create else survey.problems
    if problems:
        raise ConfigError("\n".join(problems))
    created = _create(admin, survey.missing) if survey.missing else ()
    if grown:
        _grow(admin, grown)
    if len(created) < len(survey.missing):  # somebody else was faster: does it fit?
        ensure_topics(admin, settings, manifest, create=False)
    return Ensured(created, grown, survey.remarks)


def delete_topics(admin: KafkaAdminClient, run: str, prefix: str) -> tuple[str, ...]:
    """Delete the topics of a run with all they hold; return those that were there.

    Raises:
        ConfigError: one line for each topic that the broker refused to delete.
    """
    names = [
        each["name"]
        for each in admin.describe_topics(list(RunTopics(run, prefix).all))
        if each["error_code"] != _UNKNOWN_TOPIC
    ]
    if names:
        answers = admin.delete_topics(names, raise_errors=False)["topics"]
        _raise_refusals([(each["name"], "delete", each) for each in answers if each["error_code"] != _UNKNOWN_TOPIC])
    return tuple(names)


def _specification(
    name: str, partitions: int, configs: Mapping[str, str], topics: TopicSettings, setting: str
) -> TopicSpecification:
    durable = {
        # Two copies hold a record before it counts as sent, and no copy that lacks it may take over.
        _LEAST_COPIES: str(min(topics.replication, 2)),
        "unclean.leader.election.enable": "false",
        # The broker's own time: it refuses records that a client's clock puts an hour ahead, and old event times
        # would shorten a retention.
        "message.timestamp.type": "LogAppendTime",
    }
    return TopicSpecification(name, partitions, topics.replication, {**configs, **durable}, setting)


def _kept(hours: int) -> dict[str, str]:
    """Return the configuration of a retention by time of arrival."""
    if hours == FOR_EVER_HOURS:
        return {"retention.ms": "-1"}
    # A segment goes as a whole, when its newest record is due: it lives a quarter of the time, at most a day.
    segment_ms = min(_DAY_MS, hours * _HOUR_MS // 4)
    return {"retention.ms": str(hours * _HOUR_MS), "segment.ms": str(segment_ms)}


def _not_of_the_run(wanted: TopicSpecification, found: int, manifest: Manifest) -> Misfit:
    """Return what does not fit where somebody has added partitions that a run cannot take."""
    mend = keeps_partials(manifest.run, manifest.partials_partitions)
    return Misfit(wanted.name, "partitions", str(found), str(manifest.partials_partitions), mend)


def _compare_partitions(
    wanted: TopicSpecification,
    found: int,
    run: str,
    misfits: list[Misfit],
    growing: dict[str, int],
    remarks: list[str],
) -> None:
    if found == wanted.partitions:
        return
    if wanted.grows and found > wanted.partitions:
        remarks.append(
            f"{wanted.name}: has {found} partitions, {wanted.setting} = {wanted.partitions}: it has grown; "
            f"set {wanted.setting} = {found}"
        )
        return
    if wanted.grows:
        growing[wanted.name] = wanted.partitions
        mend = f"run: earlywarn topics create --run {run} --grow"
    elif wanted.setting:
        mend = f"it never changes in a run: set {wanted.setting} = {found}, or start another run"
    else:
        mend = f"it has one in every run: delete the topic and run: earlywarn topics create --run {run}"
    misfits.append(Misfit(wanted.name, "partitions", str(found), str(wanted.partitions), mend))


def _compare_configs(
    wanted: TopicSpecification,
    partitions: Sequence[Mapping[str, Any]],
    found: Mapping[str, Mapping[str, Any]],
    brokers: str,
    misfits: list[Misfit],
) -> None:
    copies = min(len(partition["replica_nodes"]) for partition in partitions)
    if copies < wanted.replication:
        mend = "move its partitions with kafka-reassign-partitions.sh, or set topics.replication to what it is"
        misfits.append(Misfit(wanted.name, "replication", str(copies), str(wanted.replication), mend))
    for name, value in wanted.configs.items():
        if name == _LEAST_COPIES and copies < wanted.replication:
            continue  # more copies first: to demand two of one would stop every write
        if found[name]["value"] != value:
            mend = (
                f"run: kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics "
                f"--entity-name {wanted.name} --add-config {name}={value}"
            )
            misfits.append(Misfit(wanted.name, name, str(found[name]["value"]), value, mend))


def _create(admin: KafkaAdminClient, missing: Sequence[TopicSpecification]) -> tuple[str, ...]:
    """Create topics; return those that were not there, which may be fewer than asked for."""
    answers = admin.create_topics(
        {
            each.name: {
                "num_partitions": each.partitions,
                "replication_factor": each.replication,
                "configs": dict(each.configs),
            }
            for each in missing
        },
        raise_errors=False,
    )["topics"]
    there = {each["name"] for each in answers if each["error_code"] == _TOPIC_EXISTS}
    _raise_refusals([(each["name"], "create", each) for each in answers if each["name"] not in there])
    _wait(admin, [each.name for each in missing])
    return tuple(each.name for each in missing if each.name not in there)


def _grow(admin: KafkaAdminClient, counts: Mapping[str, int]) -> None:
    answers = admin.create_partitions(dict(counts), raise_errors=False).to_dict()["results"]
    _raise_refusals([(each["name"], f"grow to {counts[each['name']]} partitions", each) for each in answers])
    deadline = time.monotonic() + _READY_MS / 1000
    while any(len(each["partitions"]) < counts[each["name"]] for each in admin.describe_topics(list(counts))):
        if time.monotonic() > deadline:
            raise ConfigError(f"{', '.join(counts)}: new partitions not seen after {_READY_MS // 1000} s")
        time.sleep(_LOOK_SECONDS)
    _wait(admin, list(counts))


def _wait(admin: KafkaAdminClient, names: list[str]) -> None:
    try:
        admin.wait_for_topics(names, timeout_ms=_READY_MS)
    except KafkaTimeoutError as error:
        raise ConfigError(f"{', '.join(names)}: no leader after {_READY_MS // 1000} s; look at the brokers") from error


def _raise_refusals(answers: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
    refused = [
        f"{name}: the broker refused to {what}: {for_code(answer['error_code']).__name__}"
        + (f": {answer['error_message']}" if answer.get("error_message") else "")
        for name, what, answer in answers
        if answer["error_code"]
    ]
    if refused:
        raise ConfigError("\n".join(refused))
