"""The topics of a run: what they are, and how they become what they must be.

Nothing that exists is changed, except that partitions are added when that is asked for: shortening a retention
deletes data at once, and adding partitions to what must keep their number would break the run. What does not fit
is said, with the command that mends it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError, for_code

from earlywarn.adapters.kafka.manifest import Manifest, keeps_partials
from earlywarn.adapters.kafka.rights import may_not_administer, may_not_ask_after, may_not_see_configs
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.adapters.kafka.topic_configs import topic_configs
from earlywarn.adapters.kafka.topic_specifications import LEAST_COPIES, Q, TopicSpecification, topic_specifications
from earlywarn.application.settings import Settings
from earlywarn.errors import ConfigError

_UNKNOWN_TOPIC = 3
_MAY_NOT = 29
_TOPIC_EXISTS = 36
_READY_MS = 30_000
_LOOK_SECONDS = 0.1


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
    """How the cluster's topics compare with a run's: what is missing, does not fit, or could grow.

    Attributes:
        closed: by topic that this user may not compare, or not in full, the right that it lacks.
    """

    run: str
    missing: tuple[TopicSpecification, ...]
    misfits: tuple[Misfit, ...]
    closed: Mapping[str, str]
    growing: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """Return one line for each thing that keeps the run from starting, or may."""
        return [
            *(f"{each.name}: does not exist; run: earlywarn topics create --run {self.run}" for each in self.missing),
            *map(str, self.misfits),
            *self.closed.values(),
        ]


@dataclass(frozen=True, slots=True)
class Ensured:
    """What `ensure_topics` did: topics made, partition counts raised (topic to new count), and remarks.

    `closed` are topics that could not be compared in full, for want of a right.
    """

    created: tuple[str, ...]
    grown: Mapping[str, int]
    remarks: tuple[str, ...]
    closed: tuple[str, ...] = ()


def survey_topics(admin: KafkaAdminClient, settings: Settings, manifest: Manifest | None = None) -> Survey:
    """Compare the cluster's topics with what the run needs, and its manifest if it has one; change nothing."""
    wanted = topic_specifications(settings)
    described = {each["name"]: each for each in admin.describe_topics([each.name for each in wanted])}
    codes = {name: each["error_code"] for name, each in described.items()}
    closed = {each.name: may_not_ask_after(each.name) for each in wanted if codes[each.name] == _MAY_NOT}
    missing = tuple(each for each in wanted if codes[each.name] == _UNKNOWN_TOPIC)
    present = [each for each in wanted if each.name not in closed and each not in missing]
    for each in present:
        if code := codes[each.name]:
            raise ConfigError(f"{each.name}: cannot be described: {for_code(code).__name__}; look at the brokers")
    configs = topic_configs(settings.kafka, [each.name for each in present])
    misfits: list[Misfit] = []
    growing: dict[str, int] = {}
    remarks: list[str] = []
    for each in present:
        partitions = described[each.name]["partitions"]
        if manifest is not None and each.setting == Q and len(partitions) != manifest.partials_partitions:
            misfits.append(_not_of_the_run(each, len(partitions), manifest))
        else:
            _compare_partitions(each, len(partitions), settings.run, misfits, growing, remarks)
        copies = min(len(partition["replica_nodes"]) for partition in partitions)
        _compare_copies(each, copies, misfits)
        if (found := configs[each.name]) is None:
            closed[each.name] = may_not_see_configs(each.name)
        else:
            _compare_configs(each, copies, found, settings.kafka.brokers, misfits)
    closed = {each.name: closed[each.name] for each in wanted if each.name in closed}
    return Survey(settings.run, missing, tuple(misfits), closed, growing, tuple(remarks))


def ensure_topics(
    admin: KafkaAdminClient,
    settings: Settings,
    manifest: Manifest | None = None,
    *,
    create: bool = True,
    grow: bool = False,
    as_allowed: bool = False,
) -> Ensured:
    """Create the run's topics that are missing, and check those that exist; without `create`, check alone.

    `manifest` is the run's, if it has one.

    With `grow`, transactions and dead letters get as many partitions as the settings say. Nothing is created or
    grown while something else does not fit, or is not known to. With `as_allowed`, and nothing to be made, what this
    user has no right to compare is no problem.

    Raises:
        ConfigError: one line for each topic that is missing, does not fit, was refused by the broker or may not be
            compared.
    """
    survey = survey_topics(admin, settings, manifest)
    grown = survey.growing if grow else {}
    misfits = [each for each in survey.misfits if each.topic not in grown or each.setting != "partitions"]
    tolerated = as_allowed and not survey.missing and not grown
    closed = [] if tolerated else survey.closed.values()
    problems = [*map(str, misfits), *closed] if create else survey.problems
    if problems:
        raise ConfigError("\n".join(problems))
    created = _create(admin, survey.missing) if survey.missing else ()
    if grown:
        _grow(admin, grown)
    if len(created) < len(survey.missing):  # somebody else was faster: does it fit?
        ensure_topics(admin, settings, manifest, create=False)
    return Ensured(created, grown, survey.remarks, tuple(survey.closed))


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


def _compare_copies(wanted: TopicSpecification, copies: int, misfits: list[Misfit]) -> None:
    if copies < wanted.replication:
        mend = "move its partitions with kafka-reassign-partitions.sh, or set topics.replication to what it is"
        misfits.append(Misfit(wanted.name, "replication", str(copies), str(wanted.replication), mend))


def _compare_configs(
    wanted: TopicSpecification, copies: int, found: Mapping[str, str], brokers: str, misfits: list[Misfit]
) -> None:
    def mend(name: str, value: str) -> str:
        return (
            f"run: kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics "
            f"--entity-name {wanted.name} --add-config {name}={value}"
        )

    for name, value in wanted.configs.items():
        if name == LEAST_COPIES and copies < wanted.replication:
            continue  # more copies first: to demand two of one would stop every write
        if found[name] != value:
            misfits.append(Misfit(wanted.name, name, found[name], value, mend(name, value)))
    for name, least in wanted.least.items():
        if int(found[name]) < least:
            misfits.append(Misfit(wanted.name, name, found[name], f"{least} or more", mend(name, str(least))))


def _create(admin: KafkaAdminClient, missing: Sequence[TopicSpecification]) -> tuple[str, ...]:
    """Create topics; return those that were not there, which may be fewer than asked for."""
    answers = admin.create_topics(
        {
            each.name: {
                "num_partitions": each.partitions,
                "replication_factor": each.replication,
                "configs": each.configs_when_made,
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
    _raise_refusals([(each["name"], "grow", each) for each in answers])
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
    refused = [_refusal(name, what, answer) for name, what, answer in answers if answer["error_code"]]
    if refused:
        raise ConfigError("\n".join(refused))


def _refusal(name: str, what: str, answer: Mapping[str, Any]) -> str:
    if answer["error_code"] == _MAY_NOT:
        return may_not_administer(name, what)
    told = f": {answer['error_message']}" if answer.get("error_message") else ""
    return f"{name}: the broker refused to {what} it: {for_code(answer['error_code']).__name__}{told}"
