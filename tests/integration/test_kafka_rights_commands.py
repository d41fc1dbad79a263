"""Commands with the rights of docs/operations/security.md: a row is enough for its user, and what lacks is named."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest
from every_listener import EveryListener
from kafka_clients import produce
from kafka_rights import answers, called, grant, run_made, service, take
from redis_server import RedisServer
from stream_run import wait_until

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.manifest import KEY, manifest_in
from earlywarn.adapters.kafka.run_topics import RunTopics
from earlywarn.application.service_settings import KafkaSettings

START_MS = 1_551_702_896_000
HOUR_MS = 3_600_000
PAGE = "(docs/operations/security.md)"
JOIN = f"this user may not take part in it; give it READ on the group {PAGE}"
ASK = f"this user may not ask after it; give it DESCRIBE on the topic {PAGE}"
SEE = f"this user may not see how it is configured; give it DESCRIBE_CONFIGS on the topic {PAGE}"


@pytest.fixture(scope="module")
def broker(every_listener: EveryListener) -> EveryListener:
    return every_listener


@pytest.fixture
def run(broker: EveryListener, tmp_path: Path) -> Iterator[str]:
    """Return a run of the test's own, a replay, with all rights of the table."""
    (tmp_path / "made").mkdir()
    with run_made(broker, f"commands-{uuid4().hex[:8]}", tmp_path / "made", replay=True) as run:
        yield run


def payments(folder: Path, days: int = 3) -> str:
    """Write hourly payments, and return the name of their file."""
    file = folder / "payments.jsonl"
    records = [
        {
            "id": f"t{hour}", "ts": START_MS + hour * HOUR_MS, "amount_minor": 100, "currency": "CHF", "mcc": "5411",
            "region": "CH04", "country": "CH",
        }
        for hour in range(24 * days)
    ]  # fmt: skip
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(file)


def test_a_replayer_fills_a_run_that_is_there_with_its_row_alone(
    broker: EveryListener, redis_server: RedisServer, run: str, tmp_path: Path
) -> None:
    """What it may not compare is told in one line; without the group of what is published the line names that."""
    words = ["replay", payments(tmp_path), "--no-workers", "--out", str(tmp_path / "out"), "--json"]
    with ExitStack() as running:
        for user in ("aggregator", "detector"):
            (tmp_path / user).mkdir()
            worker = running.enter_context(service(broker, run, user, tmp_path / user, redis_server))
            wait_until(lambda at=worker.address: answers(f"{at}/readyz"), 60, f"{user} is ready")  # type: ignore[misc]
        done = called(broker, run, "replayer", tmp_path / "replayer", *words)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["sent"] == 72
        [line] = done.stderr.splitlines()
        assert line.startswith(f"earlywarn: {', '.join(RunTopics(run).all)}: not compared with what the run needs")
        with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
            take(admin, "replayer", "READ", "GROUP", f"earlywarn.{run}.detector.published")
        refused = called(broker, run, "replayer", tmp_path / "replayer", *words)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == f"earlywarn: consumer group earlywarn.{run}.detector.published: {JOIN}"


def test_a_replayer_who_would_have_to_write_the_manifest_is_told_what_it_lacks(
    broker: EveryListener, run: str, tmp_path: Path
) -> None:
    """One of an earlier version lacks the ids of the logs."""
    meta, kafka = RunTopics(run).meta, KafkaSettings(brokers=broker.address)
    manifest = manifest_in(kafka, RunTopics(run))
    assert manifest is not None
    before = msgspec.json.encode(msgspec.structs.replace(manifest, logs={}))
    assert produce(kafka, meta, before, KEY) is None
    words = ["replay", payments(tmp_path), "--no-workers", "--out", str(tmp_path / "out")]
    refused = called(broker, run, "replayer", tmp_path / "replayer", *words)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == (
        f"earlywarn: transactional id {meta}.manifest: this user may not use it; give it WRITE and DESCRIBE on the "
        f"transactional id {PAGE}"
    )


@pytest.mark.parametrize("user", ["operator", "aggregator", "topics"])
def test_who_may_not_compare_topics_is_told_of_each_what_right_it_lacks(
    broker: EveryListener, run: str, user: str, tmp_path: Path
) -> None:
    names = RunTopics(run)
    seen = {
        "operator": set(names.all) - {names.actions},
        "aggregator": {names.transactions, names.dead_letters, names.partials, names.meta},
        "topics": set(names.all),
    }[user]
    done = called(broker, run, user, tmp_path / user, "topics", "create", "--check")
    if user == "topics":
        assert (done.returncode, done.stderr) == (0, "")
        return
    told = [f"earlywarn: {each}: {SEE if each in seen else ASK}" for each in names.all]
    assert (done.returncode, done.stderr.splitlines()) == (1, told)


def test_who_may_not_make_topics_is_told_of_each_what_right_it_lacks(broker: EveryListener, tmp_path: Path) -> None:
    run = f"unmade-{uuid4().hex[:8]}"
    with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
        grant(admin, "topics", "READ DESCRIBE", "TOPIC", f"earlywarn.{run}.*")
    done = called(broker, run, "topics", tmp_path / "topics", "topics", "create")
    assert done.returncode == 1
    assert set(done.stderr.splitlines()) == {
        f"earlywarn: {each}: this user may not create it; give it CREATE on the topic {PAGE}"
        for each in RunTopics(run).all
    }


def test_another_configuration_comes_with_the_row_of_who_changes_it(
    broker: EveryListener, run: str, tmp_path: Path
) -> None:
    """Without the group of what is published it waits for nobody, and says what it lacks."""
    group = f"earlywarn.{run}.detector.published"
    with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
        take(admin, "changer", "READ", "GROUP", group)
        refused = called(
            broker, run, "changer", tmp_path / "own", "topics", "change", EARLYWARN_ALERTS__ALARM_EVIDENCE="7.5"
        )
        assert (refused.returncode, refused.stderr.splitlines()) == (1, [f"earlywarn: consumer group {group}: {JOIN}"])
        grant(admin, "changer", "READ", "GROUP", group)
    done = called(broker, run, "changer", tmp_path / "own", "topics", "change", EARLYWARN_ALERTS__ALARM_EVIDENCE="7.5")
    assert done.returncode == 0, done.stderr
    assert "(change 1)" in done.stdout
