"""The stack of `make up`: a broker, a redis-server, the topics of a run and its services, all on this machine.

Everything lies in one folder, and what runs is known by the pid files in it; so `up` may come twice, and `down`
finds all of it, whoever started it.
"""

import fcntl
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import redis
from detached_process import POLL_SECONDS, STOP_SECONDS, DetachedProcess, StackError
from kafka_broker import KafkaBroker, answers_at
from kafka_runtime import find_runtime
from ports import port_is_free, reserve_port
from programs import REPOSITORY
from redis.exceptions import RedisError
from redis_server import RedisServer

SERVICES = ("aggregator", "detector")
"""What is started, in this order, of `services/NAME/__main__.py`; probes at consecutive ports."""

CONFIG = Path(__file__).with_name("earlywarn.toml")
DEFAULT_KAFKA = "localhost:9092"
DEFAULT_REDIS = "redis://localhost:6379/0"

_READY_SECONDS = 60.0
_ASK_SECONDS = 2.0
_LOCAL = frozenset({"localhost", "127.0.0.1"})


@dataclass(frozen=True, slots=True)
class Part:
    """One line of what runs where.

    pid: None for a server that is not ours. log: None likewise.
    """

    name: str
    address: str
    pid: int | None
    log: Path | None


class LocalStack:
    """The stack in a folder.

    Args:
        folder: Where its data, logs and pid files lie.
        environment: That of the services; EARLYWARN_KAFKA, REDIS_URL and EARLYWARN_CONFIG in it say where Kafka and
            Redis are, or shall be, and which settings the services have.
        services_folder: Holds `NAME/__main__.py` of the services.
        first_probe_port: /livez, /readyz and /metrics of the first service; the next ones follow.
        say: Told what is being started.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        services_folder: Path = REPOSITORY / "services",
        first_probe_port: int = 8081,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = folder.absolute()
        self.kafka_address = environment.get("EARLYWARN_KAFKA") or DEFAULT_KAFKA
        self.redis_url = environment.get("REDIS_URL") or DEFAULT_REDIS
        self._chosen = frozenset(name for name in ("EARLYWARN_KAFKA", "REDIS_URL") if environment.get(name))
        self._services_folder = services_folder
        self._first_probe_port = first_probe_port
        self._say = say
        self.environment = {
            "EARLYWARN_CONFIG": str(CONFIG),
            "EARLYWARN_SNAPSHOTS__URL": str(self.folder / "snapshots"),
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            **{name: value for name, value in environment.items() if value},
            "EARLYWARN_KAFKA": self.kafka_address,
            "REDIS_URL": self.redis_url,
        }

    def up(self) -> list[Part]:
        """Start what does not run yet, in order, and wait until each part is ready; return all parts.

        Raises:
            StackError: what does not start, why, and the way out. What had started stays.
        """
        with self._alone():
            parts = [self._kafka(), self._redis()]
            for at, name in enumerate(SERVICES):
                self._check_unchanged(name, self._first_probe_port + at)
            self._say("topics")
            self._create_topics()
            started = [
                self._start_service(name, self._first_probe_port + at)
                for at, name in enumerate(SERVICES)
                if (self._services_folder / name / "__main__.py").exists()
            ]
            return parts + [self._wait_for_service(process, probe) for process, probe in started]

    def down(self, *, remove_data: bool = False) -> dict[str, bool]:
        """Stop everything that runs in the folder; return names, and whether each ended in order.

        Args:
            remove_data: Remove what they keep, too.

        Raises:
            StackError: something does not end.
        """
        if not self.folder.exists():
            return {}
        with self._alone():
            found = [each for each in DetachedProcess.all_below(self.folder) if each.running]
            services = [each for each in found if each.folder.parent.name == "services"]
            for each in services:
                each.terminate()
            # Redis and Kafka last, Kafka at the very end: services finish their work with both.
            servers = sorted((each for each in found if each not in services), key=lambda each: each.name == "kafka")
            ended = {each.name: each.stop(STOP_SECONDS) for each in (*services, *servers)}
            if remove_data:
                for name in ("kafka", "redis", "services", "snapshots"):
                    shutil.rmtree(self.folder / name, ignore_errors=True)
        return ended

    def _kafka(self) -> Part:
        host, _, port = self.kafka_address.rpartition(":")
        if not port.isdigit():
            raise StackError(f"EARLYWARN_KAFKA = {self.kafka_address!r}: give host:port, as {DEFAULT_KAFKA}")
        folder = self.folder / "kafka"
        used = "EARLYWARN_KAFKA" in self._chosen and not DetachedProcess("kafka", folder).running
        # Several brokers have a host with commas, which is none of ours either.
        if host not in _LOCAL or (used and answers_at(self.kafka_address)):
            return Part("kafka", self.kafka_address, None, None)
        broker = KafkaBroker(find_runtime(), folder, port=int(port), controller_port=reserve_port())
        self._run(broker, f"make up EARLYWARN_KAFKA=localhost:{int(port) + 10}")
        return Part("kafka", self.kafka_address, broker.process.pid, broker.log)

    def _redis(self) -> Part:
        try:
            parts = urlsplit(self.redis_url)
            port = parts.port or 6379
        except ValueError as error:
            raise StackError(f"REDIS_URL is no address ({error}); give {DEFAULT_REDIS}") from None
        plain = parts.scheme == "redis" and parts.hostname in _LOCAL and not parts.password
        server = RedisServer(self.folder / "redis", port=port)
        if not plain or (not server.running and "REDIS_URL" in self._chosen and _redis_answers(self.redis_url)):
            return Part("redis", _without_user(self.redis_url), None, None)
        self._run(server, f"make up REDIS_URL=redis://localhost:{port + 10}/0")
        return Part("redis", self.redis_url, server.process.pid, server.log)

    def _run(self, server: KafkaBroker | RedisServer, elsewhere: str) -> None:
        """Start a server, or see that it runs where it is expected."""
        name, noted = server.process.name, server.folder / "port"
        if server.running:
            if noted.read_text() != str(server.port):
                raise StackError(
                    f"{name} of {self.folder} runs at port {noted.read_text()}, not {server.port}; make down first"
                )
            server.wait()
            return
        if server.port is not None and not port_is_free(server.port):
            raise StackError(
                f"port {server.port} of {name} is in use by another program (ss -ltnp shows which); stop it, "
                f"or take another port: {elsewhere}. To use what listens there, name it in the same way."
            )
        self._say(name)
        server.folder.mkdir(parents=True, exist_ok=True)
        noted.write_text(str(server.port))
        server.start()

    def _create_topics(self) -> None:
        finished = subprocess.run(
            [sys.executable, "-m", "earlywarn", "topics", "create"],
            env=self.environment, cwd=REPOSITORY, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if finished.returncode:
            raise StackError(f"earlywarn topics create:\n{finished.stderr or finished.stdout}".strip())

    def _check_unchanged(self, name: str, port: int) -> None:
        """See that a service, if it runs, has the settings that are asked for."""
        process = DetachedProcess(name, self.folder / "services" / name)
        noted = process.folder / "settings.json"
        if not process.running or not noted.exists():
            return
        before, now = json.loads(noted.read_text()), self._told(port)
        if changed := sorted(each for each in before | now if before.get(each) != now.get(each)):
            raise StackError(
                f"{name} of {self.folder} runs with "
                + ", ".join(f"{each}={before.get(each, '')}, not {now.get(each, '')}" for each in changed)
                + "; make down first"
            )

    def _told(self, port: int) -> dict[str, str]:
        """Return what a service is told by its environment, passwords aside."""
        told = {
            each: value
            for each, value in self.environment.items()
            if each.startswith("EARLYWARN_") and not each.endswith("PASSWORD")
        }
        return told | {"REDIS_URL": _without_user(self.redis_url), "EARLYWARN_SERVICE__PORT": str(port)}

    def _start_service(self, name: str, port: int) -> tuple[DetachedProcess, str]:
        process = DetachedProcess(name, self.folder / "services" / name)
        if not process.running:
            self._say(name)
            if not port_is_free(port):
                raise StackError(
                    f"port {port} of {name}'s probes is in use by another program (ss -ltnp shows which); stop it, "
                    f"or take other ports: make up PROBE_PORT={self._first_probe_port + 100}"
                )
            process.folder.mkdir(parents=True, exist_ok=True)
            (process.folder / "settings.json").write_text(json.dumps(self._told(port)))
            process.start(
                [sys.executable, self._services_folder / name],
                environment=self.environment | {"EARLYWARN_SERVICE__PORT": str(port)},
                cwd=REPOSITORY,
            )
        return process, f"http://127.0.0.1:{port}/readyz"

    def _wait_for_service(self, process: DetachedProcess, probe: str) -> Part:
        deadline = time.monotonic() + _READY_SECONDS
        while missing := _not_ready(probe):
            if not process.running:
                raise StackError(f"{process.name} ended; {process.last_words()}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"{process.name} (pid {process.pid}) is not ready within {_READY_SECONDS:.0f} s, "
                    f"{probe}: {missing}; {process.last_words()}"
                )
            time.sleep(POLL_SECONDS)
        return Part(process.name, probe, process.pid, process.output)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(f"another make up or make down is at work in {self.folder}; wait for it") from None
            yield


def _not_ready(probe: str) -> str:
    """Return why a service is not ready, empty if it is."""
    try:
        with urlopen(probe, timeout=_ASK_SECONDS):  # noqa: S310  # always http
            return ""
    except HTTPError as error:
        with error:
            return error.read().decode(errors="replace").strip().replace("\n", ", ") or str(error)
    except (OSError, HTTPException) as error:
        return str(error)


def _without_user(url: str) -> str:
    """Return an address without user and password."""
    netloc = urlsplit(url).netloc
    return url.replace(netloc, netloc.rpartition("@")[2], 1)


def _redis_answers(url: str) -> bool:
    with redis.Redis.from_url(url, socket_timeout=_ASK_SECONDS) as client:
        try:
            return bool(client.ping())
        except RedisError:
            return False
