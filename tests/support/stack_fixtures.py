"""Real Kafka and Redis as fixtures: `kafka` and `redis_server` to share, `fresh_...` to kill, `secure_...` with TLS.

A test that uses one of them bears the mark `stack`. Without Java, Kafka's jars or redis-server it fails and says
what to install; nothing is skipped. Whatever a run has started ends with it, even when the run is killed.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import mkdtemp

import pytest
from bucket_server import BucketServer
from certificates import Certificates
from detached_process import StackError
from every_listener import EveryListener
from kafka.admin import KafkaAdminClient
from kafka_broker import KafkaBroker
from kafka_runtime import KafkaRuntime, find_runtime
from kafka_settings import SecureListener
from keeper import kept
from ports import reserve_port
from programs import find_program
from redis_server import RedisServer

from earlywarn.adapters.kafka.connection import kafka_admin
from earlywarn.application.service_settings import KafkaSettings

_PASSWORD = "a word that only the tests know"  # noqa: S105  # of a Redis that lives as long as a test


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the tests that need the stack."""
    for item in items:
        if "stack_folder" in getattr(item, "fixturenames", ()):
            item.add_marker("stack")


@pytest.fixture(scope="session")
def stack_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of all servers of this run, which its workers share."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if hasattr(pytestconfig, "workerinput") else own) / "stack"
    with kept(folder):
        yield folder


@pytest.fixture(scope="session")
def kafka_runtime() -> KafkaRuntime:
    """Return what brokers are run with."""
    try:
        return find_runtime()
    except StackError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def admin(kafka: KafkaBroker) -> Iterator[KafkaAdminClient]:
    """Return who makes topics on the broker that all share."""
    with kafka_admin(KafkaSettings(brokers=kafka.address)) as found:
        yield found


@pytest.fixture(scope="session")
def kafka(stack_folder: Path, kafka_runtime: KafkaRuntime) -> KafkaBroker:
    """Return the broker that all tests of the run share: use names of your own, and never stop it."""
    folder = stack_folder / "kafka"
    folder.mkdir(exist_ok=True)
    noted = folder / "ports.json"
    with (folder / "starting").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not noted.exists():
            noted.write_text(json.dumps([reserve_port(), reserve_port()]))
        port, controller_port = json.loads(noted.read_text())
        broker = KafkaBroker(kafka_runtime, folder, port=port, controller_port=controller_port)
        if not broker.running:
            broker.start()
    return broker


@pytest.fixture
def fresh_kafka(stack_folder: Path, kafka_runtime: KafkaRuntime) -> Iterator[KafkaBroker]:
    """Return a broker of the test's own, without topics, to stop, kill and suspend."""
    folder = Path(mkdtemp(prefix="kafka-", dir=stack_folder))
    with KafkaBroker(kafka_runtime, folder, port=reserve_port(), controller_port=reserve_port()) as broker:
        yield broker
    shutil.rmtree(folder / "data")


@pytest.fixture(scope="session")
def certificates(stack_folder: Path) -> Certificates:
    """Return certificates of localhost and of a client."""
    return Certificates.make(Path(mkdtemp(prefix="certificates-", dir=stack_folder)))


@pytest.fixture(scope="module")
def every_listener(
    stack_folder: Path, kafka_runtime: KafkaRuntime, certificates: Certificates
) -> Iterator[EveryListener]:
    """Return a broker of a module's own that listens in every way and gives no right of itself."""
    folder = Path(mkdtemp(prefix="kafka-every-listener-", dir=stack_folder))
    with EveryListener(kafka_runtime, folder, certificates) as broker:
        yield broker


@pytest.fixture(scope="session")
def secure_kafka(stack_folder: Path, kafka_runtime: KafkaRuntime, certificates: Certificates) -> Iterator[KafkaBroker]:
    """Return a broker with a listener for SASL_SSL (SCRAM-SHA-512), for the tests of one worker; never stop it."""
    folder = Path(mkdtemp(prefix="kafka-secure-", dir=stack_folder))
    secure = SecureListener(security="sasl_ssl", port=reserve_port(), certificates=certificates)
    with KafkaBroker(
        kafka_runtime, folder, port=reserve_port(), controller_port=reserve_port(), secure=secure
    ) as broker:
        yield broker


@pytest.fixture(scope="session")
def bucket_server(stack_folder: Path) -> Iterator[BucketServer]:
    """Return a server that speaks S3 over HTTP for the tests of one worker, with an empty bucket; never stop it."""
    with BucketServer(Path(mkdtemp(prefix="s3-", dir=stack_folder)), port=reserve_port()) as server:
        yield server


@pytest.fixture(scope="session")
def redis_program() -> Path:
    """Return the redis-server."""
    try:
        return find_program("redis-server")
    except StackError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def redis_server(stack_folder: Path, redis_program: Path) -> Iterator[RedisServer]:
    """Return a Redis for the tests of one worker: use keys of your own, and never stop it."""
    with _redis(stack_folder, redis_program) as server:
        yield server


@pytest.fixture
def fresh_redis(stack_folder: Path, redis_program: Path) -> Iterator[RedisServer]:
    """Return an empty Redis of the test's own (append-only), to stop, kill, suspend and wipe."""
    with _redis(stack_folder, redis_program) as server:
        yield server


@pytest.fixture(scope="session")
def secure_redis(stack_folder: Path, redis_program: Path, certificates: Certificates) -> Iterator[RedisServer]:
    """Return a Redis that speaks TLS alone and knows one user, for the tests of one worker; never stop it."""
    with _redis(stack_folder, redis_program, password=_PASSWORD, certificates=certificates) as server:
        yield server


def _redis(
    stack_folder: Path, program: Path, *, password: str = "", certificates: Certificates | None = None
) -> RedisServer:
    folder = Path(mkdtemp(prefix="redis-", dir=stack_folder))
    return RedisServer(folder, port=reserve_port(), password=password, certificates=certificates, program=program)
