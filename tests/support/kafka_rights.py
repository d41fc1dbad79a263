"""The rights of docs/operations/security.md: given to the users of a broker and taken, and services that have them."""

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from every_listener import EveryListener
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka_clients import SECONDS, changed, environment_of, settings_of
from ports import reserve_port
from redis_server import RedisServer

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.adapters.kafka.manifest import write_manifest
from earlywarn.adapters.kafka.topics import delete_topics, ensure_topics
from earlywarn.application.compose import compose
from earlywarn.application.service_settings import KafkaSettings

SERVICES = Path(__file__).parents[2] / "services"
SECURITY_PAGE = Path(__file__).parents[2] / "docs/operations/security.md"
CONNECTION = "sasl_ssl scram-sha-512"
COLUMNS = ("reads", "writes", "groups", "transactional ids")


def rights_of_the_docs() -> dict[str, dict[str, list[str]]]:
    """Read the table of users out of the page: by user and column, the names that stand there."""
    rows = re.findall(r"^\| `(\w+)`[^|]*" + r"\|([^|]*)" * 4 + r"\|$", SECURITY_PAGE.read_text(), re.MULTILINE)
    return {
        user: {column: re.findall("`(.+?)`", cell) for column, cell in zip(COLUMNS, cells, strict=True)}
        for user, *cells in rows
    }


def grant(admin: KafkaAdminClient, user: str, operations: str, kind: str, name: str) -> None:
    """Allow a user some operations; `*` at the end of a name makes it a prefix."""
    pattern = ACLResourcePatternType.PREFIXED if name.endswith("*") else ACLResourcePatternType.LITERAL
    resource = ResourcePattern(ResourceType[kind], name.removesuffix("*"), pattern)
    allow = ACLPermissionType.ALLOW
    admin.create_acls([ACL(f"User:{user}", "*", ACLOperation[each], allow, resource) for each in operations.split()])


def take(admin: KafkaAdminClient, user: str, operations: str, kind: str, name: str) -> None:
    """Take back what `grant` gave."""
    pattern = ACLResourcePatternType.PREFIXED if name.endswith("*") else ACLResourcePatternType.LITERAL
    resource = ResourcePatternFilter(ResourceType[kind], name.removesuffix("*"), pattern)
    allow = ACLPermissionType.ALLOW
    filters = [ACLFilter(f"User:{user}", "*", ACLOperation[each], allow, resource) for each in operations.split()]
    admin.delete_acls(filters)


def grant_as_documented(admin: KafkaAdminClient, prefix: str) -> None:
    """Give every user of the table its rights of a run."""
    for user, rights in rights_of_the_docs().items():
        for topic in rights["reads"]:
            grant(admin, user, "READ DESCRIBE", "TOPIC", f"{prefix}.{topic}")
        for topic in rights["writes"]:
            grant(admin, user, "WRITE DESCRIBE", "TOPIC", f"{prefix}.{topic}")
        for group in rights["groups"]:
            grant(admin, user, "READ", "GROUP", group.replace("<run>", prefix))
        for name in rights["transactional ids"]:
            grant(admin, user, "WRITE DESCRIBE", "TRANSACTIONAL_ID", name.replace("<run>", prefix))
    grant(admin, "topics", "CREATE DELETE ALTER DESCRIBE DESCRIBE_CONFIGS", "TOPIC", f"{prefix}.*")


@contextmanager
def run_made(broker: EveryListener, run: str, folder: Path, *, replay: bool = False) -> Iterator[str]:
    """Give the documented rights; the user `topics` makes the run's topics and manifest with its own, and ends it."""
    with kafka_admin(KafkaSettings(brokers=broker.address)) as admin:
        grant_as_documented(admin, f"earlywarn.{run}")
    settings = changed(settings_of(broker, CONNECTION, folder, user="topics", run=run), topics__replay=replay)
    with kafka_admin(settings.kafka) as admin:
        assert len(ensure_topics(admin, settings).created) == 7
        write_manifest(compose(settings))
        yield run
        assert len(delete_topics(admin, run, "earlywarn.")) == 7


@dataclass(frozen=True, slots=True)
class Service:
    """A process of a service, where it answers, and its log."""

    process: "subprocess.Popen[bytes]"
    address: str
    log: Path


@contextmanager
def service(broker: EveryListener, run: str, user: str, folder: Path, redis_server: RedisServer) -> Iterator[Service]:
    """Run a service as a process of its own, as one of the table's users."""
    settings_of(broker, CONNECTION, folder, user=user, run=run)
    port = reserve_port()
    environment = {
        **os.environ,
        **redis_server.environment(),
        **environment_of(broker, CONNECTION, user=user, run=run),
        "EARLYWARN_CONFIG": str(folder / "settings.toml"),
        "EARLYWARN_KAFKA__SESSION_TIMEOUT_SECONDS": "6",
        "EARLYWARN_KAFKA__REQUEST_TIMEOUT_SECONDS": "15",
        "EARLYWARN_SERVICE__PORT": str(port),
        "EARLYWARN_SNAPSHOTS__URL": str(folder / "snapshots"),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, SERVICES / user], env=environment, stdout=log, stderr=log)
        try:
            yield Service(process, f"http://127.0.0.1:{port}", folder / "log")
        finally:
            process.terminate()
            process.wait(SECONDS)


def called(
    broker: EveryListener, run: str, user: str, folder: Path, *words: str, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, as one of the table's users, in a folder that is made."""
    folder.mkdir(exist_ok=True)
    settings_of(broker, CONNECTION, folder, user=user, run=run)
    return subprocess.run(
        [sys.executable, "-m", "earlywarn", *words, "--config", str(folder / "settings.toml")],
        env={**os.environ, **environment_of(broker, CONNECTION, user=user, run=run), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=4 * SECONDS,
    )


def answers(address: str) -> bool:
    """Return whether a probe says yes."""
    try:
        with urllib.request.urlopen(address, timeout=1) as response:  # our own probe
            return bool(response.status == 200)
    except OSError:
        return False
