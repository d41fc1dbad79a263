"""A real Kafka of one node: started, stopped, killed, suspended and started again in the same place."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from detached_process import POLL_SECONDS, STOP_SECONDS, DetachedProcess, StackError
from kafka_runtime import KafkaRuntime
from kafka_settings import SCRAM, SecureListener, broker_settings, properties

START_SECONDS = 90.0
_ASK_SECONDS = 0.5


class KafkaBroker:
    """A broker on the loopback address, in a process that stays when this one ends.

    What one object has started another one with the same folder and ports controls.

    Args:
        runtime: Of `kafka_runtime.find_runtime`.
        folder: Where it keeps its data (`data`), settings and logs.
        port: For clients.
        controller_port: Of its own.
        secure: A listener with TLS besides.
        settings: Settings of the broker over those of `kafka_settings.broker_settings`.
        heap_mb: The largest heap, in MiB.
    """

    def __init__(
        self,
        runtime: KafkaRuntime,
        folder: Path,
        *,
        port: int,
        controller_port: int,
        secure: SecureListener | None = None,
        settings: Mapping[str, str] | None = None,
        heap_mb: int = 512,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.secure = secure
        self.log = self.folder / "kafka.log"
        self.process = DetachedProcess("kafka", self.folder)
        self._runtime = runtime
        self._heap_mb = heap_mb
        self._settings_file = self.folder / "server.properties"
        self._settings = broker_settings(
            self.folder / "data", port=port, controller_port=controller_port, secure=secure, more=settings
        )

    @property
    def address(self) -> str:
        """Return host:port of the plain listener."""
        return f"127.0.0.1:{self.port}"

    @property
    def secure_address(self) -> str:
        """Return host:port of the listener with TLS.

        Raises:
            StackError: it has none.
        """
        return f"localhost:{self._secure.port}"

    @property
    def running(self) -> bool:
        """Return whether its process lives; a suspended one does."""
        return self.process.running

    def start(self, deadline_seconds: float = START_SECONDS) -> None:
        """Start it, and wait until it answers. The first start prepares the data folder.

        Raises:
            StackError: it runs already, or does not start; the end of its log is in the message.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.running:
            raise StackError(f"a broker runs already in {self.folder} (pid {self.process.pid}); stop it first")
        self._settings_file.write_text(properties(self._settings))
        if not (self.folder / "data/meta.properties").exists():
            self._runtime.format(self._settings_file, *self._users())
        command = self._runtime.command("kafka.Kafka", self._settings_file, heap_mb=self._heap_mb, log=self.log)
        self.process.start(command, environment=self._runtime.environment(), cwd=self.folder)
        try:
            self.wait(deadline_seconds)
        except StackError:
            self.process.kill()
            raise

    def wait(self, deadline_seconds: float = START_SECONDS) -> None:
        """Wait until it answers and every partition has a leader.

        Raises:
            StackError: it ended, or does not answer within the deadline.
        """
        client = self._client()
        deadline = time.monotonic() + deadline_seconds
        while not _answers(client, min(_ASK_SECONDS, deadline_seconds)):
            if not self.running:
                raise StackError(f"Kafka ended; {self.process.last_words(self.log)}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"Kafka (pid {self.process.pid}) does not answer at {self.address} within {deadline_seconds:g} s; "
                    f"{self.process.last_words(self.log)}"
                )
            time.sleep(POLL_SECONDS)

    def answers(self, deadline_seconds: float = _ASK_SECONDS) -> bool:
        """Return whether it answers a new client now, with a leader for every partition."""
        return _answers(self._client(), deadline_seconds)

    def stop(self, deadline_seconds: float = STOP_SECONDS) -> bool:
        """Stop it in order, or with SIGKILL after the deadline; return whether it ended in order."""
        return self.process.stop(deadline_seconds)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it in order if it runs, and start it on the same data and ports."""
        self.stop()
        self.start()

    def suspend(self) -> None:
        """Let it stand still (SIGSTOP)."""
        self.process.suspend()

    def resume(self) -> None:
        """Let it go on (SIGCONT), and wait until it answers."""
        self.process.resume()
        self.wait()

    def environment(self) -> dict[str, str]:
        """Return what a service of earlywarn needs in its environment to use the best listener there is."""
        if self.secure is None:
            return {"EARLYWARN_KAFKA": self.address}
        files = self.secure.certificates
        named = {"SECURITY": self.secure.security, "CA_FILE": str(files.ca_file)}
        if self.secure.security == "sasl_ssl":
            named |= {
                "SASL_MECHANISM": SCRAM.lower(),
                "USERNAME": self.secure.username,
                "PASSWORD": self.secure.password,
            }
        else:
            named |= {
                "CERTIFICATE_FILE": str(files.client_certificate_file),
                "KEY_FILE": str(files.client_key_file),
            }
        return {"EARLYWARN_KAFKA": self.secure_address} | {f"EARLYWARN_KAFKA__{k}": v for k, v in named.items()}

    @property
    def _secure(self) -> SecureListener:
        if self.secure is None:
            raise StackError(f"the broker of {self.folder} has no listener with TLS; give it `secure`")
        return self.secure

    def _users(self) -> list[str]:
        if self.secure is None or self.secure.security != "sasl_ssl":
            return []
        return ["--add-scram", f"{SCRAM}=[name={self.secure.username},password={self.secure.password}]"]

    def _client(self) -> AdminClient:
        return AdminClient(
            {
                "bootstrap.servers": self.address,
                "log_level": 0,  # that nobody listens yet is expected
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
            }
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def answers_at(address: str, deadline_seconds: float = _ASK_SECONDS) -> bool:
    """Return whether a plain broker, anyone's, answers at host:port."""
    try:
        AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=deadline_seconds)
    except KafkaException:
        return False
    return True


def _answers(client: AdminClient, deadline_seconds: float) -> bool:
    try:
        metadata = client.list_topics(timeout=deadline_seconds)
    except KafkaException:
        return False
    partitions = (each for topic in metadata.topics.values() for each in topic.partitions.values())
    return bool(metadata.brokers) and all(each.leader >= 0 for each in partitions)
