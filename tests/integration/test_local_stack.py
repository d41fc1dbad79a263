"""The local stack: servers that keep what they took through kill, standstill and restart; `make up` and `make down`."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from command_line import PANEL, REPOSITORY
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from detached_process import DetachedProcess, StackError
from kafka_broker import KafkaBroker
from kafka_runtime import KafkaRuntime
from local_stack import CONFIG, SERVICES, LocalStack
from ports import port_is_free, reserve_port, reserve_ports
from redis_server import RedisServer

from earlywarn.adapters.kafka.connection import confluent_connection
from earlywarn.application.settings import load

LOCAL = REPOSITORY / "deploy/local"
QUIET = {"log_level": 0}
DEADLINE_SECONDS = 30.0


def create_topic(address: str, settings: dict[str, str] | None = None) -> str:
    name = f"test-{uuid4()}"
    admin = AdminClient({"bootstrap.servers": address, **QUIET})
    admin.create_topics([NewTopic(name, 1, 1, config=settings or {})])[name].result(DEADLINE_SECONDS)
    return name


def produce(address: str, topic: str, values: list[bytes]) -> None:
    """Send values, and wait until the broker has acknowledged each."""
    parameters = {"bootstrap.servers": address, "acks": "all", "message.max.bytes": 16 << 20, **QUIET}
    refused: list[KafkaError] = []
    producer = Producer(parameters)
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: refused.append(error) if error else None)
    assert producer.flush(DEADLINE_SECONDS) == 0
    assert not refused


def consume(address: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": f"test-{uuid4()}", **QUIET})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        return [message.value() for message in consumer.consume(count, DEADLINE_SECONDS) if not message.error()]
    finally:
        consumer.close()


def test_a_broker_gives_back_what_it_took_up_to_16_mb(kafka: KafkaBroker) -> None:
    topic = create_topic(kafka.address)
    values = [b"small", os.urandom(15 << 20)]
    produce(kafka.address, topic, values)
    assert consume(kafka.address, topic, 2) == values


def test_a_broker_makes_no_topic_that_was_only_asked_for(kafka: KafkaBroker) -> None:
    unknown = AdminClient({"bootstrap.servers": kafka.address}).list_topics(f"test-{uuid4()}", DEADLINE_SECONDS)
    assert [topic.error.code() for topic in unknown.topics.values()] == [KafkaError.UNKNOWN_TOPIC_OR_PART]


def test_a_killed_broker_comes_back_with_what_it_acknowledged(fresh_kafka: KafkaBroker) -> None:
    topic = create_topic(fresh_kafka.address)
    values = [b"%d" % number for number in range(1000)]
    produce(fresh_kafka.address, topic, values)
    fresh_kafka.kill()
    assert not fresh_kafka.running
    assert not fresh_kafka.answers()
    fresh_kafka.start()
    assert consume(fresh_kafka.address, topic, len(values)) == values


def test_a_broker_stands_still_and_goes_on_and_ends_in_order(fresh_kafka: KafkaBroker) -> None:
    pid = fresh_kafka.process.pid
    fresh_kafka.suspend()
    assert not fresh_kafka.answers(1.0)
    assert fresh_kafka.running
    fresh_kafka.resume()
    assert fresh_kafka.answers(DEADLINE_SECONDS)
    assert fresh_kafka.process.pid == pid
    fresh_kafka.suspend()
    assert fresh_kafka.stop()
    assert not fresh_kafka.running


def test_a_broker_that_cannot_start_says_why_and_leaves_nothing(
    tmp_path: Path, stack_folder: Path, kafka_runtime: KafkaRuntime
) -> None:
    folder = stack_folder / tmp_path.name
    wrong = {"log.segment.bytes": "1"}
    broker = KafkaBroker(kafka_runtime, folder, port=reserve_port(), controller_port=reserve_port(), settings=wrong)
    with pytest.raises(StackError, match=r"log\.segment\.bytes"):
        broker.start()
    assert not broker.running


def test_a_secure_broker_takes_the_user_it_knows_and_no_other(secure_kafka: KafkaBroker) -> None:
    environment = secure_kafka.environment()
    parameters = confluent_connection(load(None, environment).kafka)
    assert AdminClient({**parameters, **QUIET}).list_topics(timeout=DEADLINE_SECONDS).brokers
    refusals: list[KafkaError] = []
    wrong = {**parameters, "sasl.password": "another", "error_cb": refusals.append, **QUIET}
    stranger = AdminClient(wrong)
    with pytest.raises(KafkaException):
        stranger.list_topics(timeout=2.0)
    stranger.poll(DEADLINE_SECONDS)  # until it has told of its first error
    assert KafkaError._AUTHENTICATION in [refusal.code() for refusal in refusals]


def test_redis_keeps_what_it_took_through_sigkill_and_loses_it_when_wiped(fresh_redis: RedisServer) -> None:
    with fresh_redis.client() as client:
        client.set("key", "value")
        fresh_redis.kill()
        assert not fresh_redis.answers()
        fresh_redis.start()
        assert client.get("key") == b"value"
        fresh_redis.wipe()
        assert client.get("key") is None


def test_redis_without_append_only_file_comes_back_empty(fresh_redis: RedisServer, stack_folder: Path) -> None:
    forgetful = RedisServer(stack_folder / f"redis-{uuid4().hex[:8]}", appendonly=False)
    with forgetful, forgetful.client() as client:
        assert client.set("key", "value")
        forgetful.restart()
        assert client.get("key") is None
    assert forgetful.url.startswith("unix://")
    assert fresh_redis.answers()


def test_redis_stands_still_and_goes_on(fresh_redis: RedisServer) -> None:
    fresh_redis.suspend()
    assert not fresh_redis.answers()
    assert fresh_redis.running
    fresh_redis.resume()
    assert fresh_redis.answers()
    assert fresh_redis.stop()


def test_a_secure_redis_takes_its_user_over_tls_and_no_other(secure_redis: RedisServer) -> None:
    settings = load(None, secure_redis.environment()).redis
    known = {"username": settings.username, "password": settings.password.reveal()}
    with redis.Redis.from_url(settings.url, ssl_ca_certs=settings.ca_file, **known) as client:
        assert client.acl_whoami() == settings.username
    nobody = redis.Redis.from_url(settings.url, ssl_ca_certs=settings.ca_file)
    with nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()
    with redis.Redis.from_url(settings.url, **known) as trusting, pytest.raises(redis.ConnectionError):
        trusting.ping()  # the system's authorities do not know ours


def test_a_reserved_port_is_given_once_and_one_in_use_not_at_all() -> None:
    ports = [reserve_port(), *reserve_ports(3), reserve_port()]
    assert len(set(ports)) == 5
    with socket.create_server(("127.0.0.1", ports[0])):
        assert not port_is_free(ports[0])
    assert port_is_free(ports[0])


def test_a_program_deaf_to_sigterm_is_killed_after_the_deadline(tmp_path: Path) -> None:
    deaf = DetachedProcess("deaf", tmp_path)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # which a program inherits
    try:
        deaf.start(["sleep", "600"], environment=os.environ)
    finally:
        signal.signal(signal.SIGTERM, before)
    with pytest.raises(StackError, match="runs already"):
        deaf.start(["sleep", "600"], environment=os.environ)
    assert not deaf.stop(0.1)
    assert not deaf.running


def test_what_a_killed_run_has_started_ends_with_it(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from keeper import kept; from redis_server import RedisServer\n"
        "folder = Path(sys.argv[1])\n"
        "with kept(folder):\n"
        "    server = RedisServer(folder / 'redis')\n"
        "    server.start()\n"
        "    print(server.process.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", program, tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(LOCAL)}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert finished.returncode == -signal.SIGKILL, finished.stderr
    assert finished.stdout.strip().isdigit()
    assert DetachedProcess("redis", tmp_path / "redis").ends_within(DEADLINE_SECONDS)


def stack_command(*arguments: str | Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, LOCAL / "stack.py", *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("EARLYWARN_", "REDIS_"))}
    return subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=False)  # noqa: S603  # ours


def test_up_may_come_twice_and_down_stops_all_and_keeps_the_data(stack_folder: Path) -> None:
    folder = stack_folder / f"up-{uuid4().hex[:8]}"
    kafka, redis_port = reserve_ports(2)
    environment = {"EARLYWARN_KAFKA": f"localhost:{kafka}", "REDIS_URL": f"redis://localhost:{redis_port}/0"}
    up = ("up", "--folder", folder, "--probe-port", str(reserve_ports(len(SERVICES))[0]))
    first = stack_command(*up, environment=environment)
    assert first.returncode == 0, first.stderr
    running = {each.name: each.pid for each in DetachedProcess.all_below(folder)}
    expected = [name for name in SERVICES if (REPOSITORY / "services" / name / "__main__.py").exists()]
    assert sorted(running) == sorted(["kafka", "redis", *expected])
    assert all(f" {pid} " in first.stdout for pid in running.values())

    second = stack_command(*up, environment=environment)
    assert second.returncode == 0, second.stderr
    assert {each.name: each.pid for each in DetachedProcess.all_below(folder)} == running

    other = stack_folder / f"{folder.name}.toml"
    other.write_text(CONFIG.read_text().replace("live", "other"))
    for arguments, changed, told in (
        (up, {"EARLYWARN_CONFIG": str(other)}, f"EARLYWARN_CONFIG={CONFIG}, not {other}"),
        (up, {"EARLYWARN_KAFKA__PASSWORD": "", "EARLYWARN_EXERCISE": "true"}, "EARLYWARN_EXERCISE=, not true"),
        ((*up[:-1], str(int(up[-1]) + 10)), {}, f"EARLYWARN_SERVICE__PORT={up[-1]}, not {int(up[-1]) + 10}"),
    ):
        refused = stack_command(*arguments, environment=environment | changed)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == f"aggregator of {folder} runs with {told}; make down first\n"
    assert {each.name: each.pid for each in DetachedProcess.all_below(folder)} == running

    stopped = stack_command("down", "--folder", folder, environment={})
    assert stopped.returncode == 0, stopped.stderr
    assert sorted(stopped.stdout.splitlines()[:-1]) == sorted(f"{name}: stopped" for name in running)
    assert not any(each.running for each in DetachedProcess.all_below(folder))
    assert (folder / "kafka/data/meta.properties").exists()

    again = stack_command("down", "--folder", folder, "--remove-data", environment={})
    assert again.stdout.startswith("nothing was running")
    assert not (folder / "kafka").exists()


def test_up_uses_the_servers_it_is_given_and_says_why_a_service_ended(
    tmp_path: Path, kafka: KafkaBroker, redis_server: RedisServer
) -> None:
    (tmp_path / "services/aggregator").mkdir(parents=True)
    (tmp_path / "services/aggregator/__main__.py").write_text("raise SystemExit('cannot work today')")
    environment = {
        **os.environ, "EARLYWARN_RUN": str(uuid4()), "EARLYWARN_KAFKA": kafka.address, "REDIS_URL": redis_server.url,
    }  # fmt: skip
    stack = LocalStack(
        tmp_path / "stack", environment, services_folder=tmp_path / "services", first_probe_port=reserve_port()
    )
    with pytest.raises(StackError, match=r"(?s)aggregator ended.*cannot work today"):
        stack.up()
    assert stack.down() == {}
    assert kafka.running
    assert redis_server.running


@pytest.mark.parametrize("name", ["EARLYWARN_KAFKA", "REDIS_URL"])
def test_a_port_that_another_program_uses_is_named(
    tmp_path: Path, kafka: KafkaBroker, redis_server: RedisServer, name: str
) -> None:
    port = reserve_port()
    taken = {"EARLYWARN_KAFKA": f"localhost:{port}", "REDIS_URL": f"redis://localhost:{port}/0"}
    given = {"EARLYWARN_KAFKA": kafka.address, "REDIS_URL": redis_server.url, name: taken[name]}
    with socket.create_server(("127.0.0.1", port)), pytest.raises(StackError, match=rf"port {port} .*in use.*{name}="):
        LocalStack(tmp_path, {**os.environ, **given}).up()


def test_without_java_and_redis_it_is_said_what_to_install_and_no_test_is_skipped(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name != "JAVA_HOME"} | {"PATH": str(tmp_path)}
    advice = "apt-get install default-jre-headless maven redis-server openssl"
    # Without apt-get in the PATH it cannot install anything, whoever runs it.
    command = [sys.executable, LOCAL / "prerequisites.py"]
    asked = subprocess.run(command, env=bare, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert asked.returncode == 1
    assert "not in the PATH: java, mvn, openssl, redis-server" in asked.stderr
    assert advice in asked.stderr

    chosen = [__file__, "-k", "gives_back_what_it_took or stands_still"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen]
    tested = subprocess.run(command, env=bare, cwd=REPOSITORY, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    assert tested.returncode == 1
    assert "3 errors" in tested.stdout
    assert advice in tested.stdout


def test_the_shipped_settings_have_the_panel_of_the_sample() -> None:
    assert load(CONFIG, {}).panels == load(PANEL, {}).panels
