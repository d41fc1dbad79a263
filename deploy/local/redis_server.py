"""A real redis-server: started, stopped, killed, suspended, wiped and started again in the same place."""

import os
import shutil
import time
from hashlib import sha256
from pathlib import Path
from typing import Self

import redis
from certificates import Certificates
from detached_process import POLL_SECONDS, STOP_SECONDS, DetachedProcess, StackError
from programs import find_program
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

START_SECONDS = 20.0
_ASK_SECONDS = 0.5
_SOCKET_PATH_BYTES = 100  # of at most 107 on Linux and 103 on macOS


class RedisServer:
    """A redis-server on the loopback address or a Unix socket, in a process that stays when this one ends.

    What one object has started another one with the same folder and port controls.

    Args:
        folder: Where it keeps its data (`data`), its users and its log.
        port: None for a Unix socket in the folder.
        appendonly: Whether what was written is there again after the next start, even after SIGKILL.
        username, password: Who may use it, with all rights; without a password everyone who reaches it.
        certificates: It speaks TLS alone, on the port.
        program: The redis-server; by default that of the PATH.

    Raises:
        StackError: the folder's path is too long for a socket, or TLS is wanted on one.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        appendonly: bool = True,
        username: str = "earlywarn",
        password: str = "",
        certificates: Certificates | None = None,
        program: Path | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log = self.folder / "redis.log"
        self.process = DetachedProcess("redis", self.folder)
        self.certificates = certificates
        self._username, self._password = username, password
        self._appendonly = appendonly
        self._program = program
        self._socket = self.folder / "redis.sock"
        if port is None and len(os.fsencode(self._socket)) > _SOCKET_PATH_BYTES:
            raise StackError(f"{self._socket}: too long for a socket; give a shorter folder, or a port")
        if port is None and certificates is not None:
            raise StackError(f"Redis in {self.folder}: TLS needs a port")

    @property
    def url(self) -> str:
        """Return its address, without user and password."""
        if self.port is None:
            return f"unix://{self._socket}"
        scheme = "redis" if self.certificates is None else "rediss"
        return f"{scheme}://localhost:{self.port}/0"

    @property
    def running(self) -> bool:
        """Return whether its process lives; a suspended one does."""
        return self.process.running

    def client(self, timeout_seconds: float = 10.0) -> redis.Redis:
        """Return a client that does not try again; close it after use."""
        return redis.Redis.from_url(
            self.url,
            **({"username": self._username, "password": self._password} if self._password else {}),
            **({"ssl_ca_certs": str(self.certificates.ca_file)} if self.certificates else {}),
            socket_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )

    def start(self, deadline_seconds: float = START_SECONDS) -> None:
        """Start it on what data there is, and wait until it answers.

        Raises:
            StackError: it runs already, or does not start; the end of its log is in the message.
        """
        program = self._program or find_program("redis-server")
        (self.folder / "data").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.process.start([program, *self._arguments()], environment=dict(os.environ), cwd=self.folder)
        try:
            self.wait(deadline_seconds)
        except StackError:
            self.process.kill()
            raise

    def wait(self, deadline_seconds: float = START_SECONDS) -> None:
        """Wait until it answers.

        Raises:
            StackError: it ended, or does not answer within the deadline.
        """
        deadline = time.monotonic() + deadline_seconds
        while not self.answers(min(_ASK_SECONDS, deadline_seconds)):
            if not self.running:
                raise StackError(f"Redis ended; {self.process.last_words(self.log)}")
            if time.monotonic() > deadline:
                raise StackError(
                    f"Redis (pid {self.process.pid}) does not answer at {self.url} within {deadline_seconds:g} s; "
                    f"{self.process.last_words(self.log)}"
                )
            time.sleep(POLL_SECONDS)

    def answers(self, deadline_seconds: float = _ASK_SECONDS) -> bool:
        """Return whether it answers a new client now, with its data loaded."""
        with self.client(deadline_seconds) as client:
            try:
                return bool(client.ping())
            except RedisError:
                return False

    def stop(self, deadline_seconds: float = STOP_SECONDS) -> bool:
        """Stop it in order, or with SIGKILL after the deadline; return whether it ended in order."""
        return self.process.stop(deadline_seconds)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it in order if it runs, and start it on the same data and port."""
        self.stop()
        self.start()

    def wipe(self) -> None:
        """Lose everything: end it with SIGKILL if it runs, remove its data, start it on the same port."""
        self.kill()
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        self.start()

    def suspend(self) -> None:
        """Let it stand still (SIGSTOP)."""
        self.process.suspend()

    def resume(self) -> None:
        """Let it go on (SIGCONT), and wait until it answers."""
        self.process.resume()
        self.wait()

    def environment(self) -> dict[str, str]:
        """Return what a service of earlywarn needs in its environment to use it."""
        named = {"REDIS_URL": self.url}
        if self._password:
            named |= {"EARLYWARN_REDIS__USERNAME": self._username, "EARLYWARN_REDIS__PASSWORD": self._password}
        if self.certificates is not None:
            named["EARLYWARN_REDIS__CA_FILE"] = str(self.certificates.ca_file)
        return named

    def _arguments(self) -> list[str | Path]:
        arguments: list[str | Path] = [
            "--dir", self.folder / "data", "--logfile", self.log, "--loglevel", "warning", "--daemonize", "no",
            "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes" if self._appendonly else "no",
            "--maxmemory-policy", "noeviction",
        ]  # fmt: skip
        if self.port is None:
            arguments += ["--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700"]
        elif self.certificates is None:
            arguments += ["--port", str(self.port)]
        else:
            files = self.certificates
            arguments += [
                "--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "optional",
                "--tls-ca-cert-file", files.ca_file,
                "--tls-cert-file", files.server_certificate_file, "--tls-key-file", files.server_key_file,
            ]  # fmt: skip
        if self._password:
            users = self.folder / "users.acl"
            fingerprint = sha256(self._password.encode()).hexdigest()
            users.write_text(f"user default off\nuser {self._username} on #{fingerprint} ~* &* +@all\n")
            users.chmod(0o600)
            arguments += ["--aclfile", users]
        return arguments

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
