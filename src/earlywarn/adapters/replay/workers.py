"""The workers of a replay's run: child processes that end with it, however it ends."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from earlywarn.adapters.disk_room import told_when_full
from earlywarn.errors import ConfigError, LogError

_STOP_SECONDS = 10.0
_LOG_TAIL_BYTES = 2_000
_SERVICES_FOLDER = Path(__file__).resolve().parents[4] / "services"
_KEEPER = 'read -r nothing; kill "$1" 2>/dev/null'
"""Waits for the end of its input, which comes with the end of this process, however it ends."""


class Workers:
    """Processes of services; use it as a context manager.

    Args:
        environment: theirs, whole.
        folder: of their logs; made if it is not there.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = dict(environment)
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._keepers: list[subprocess.Popen[bytes]] = []

    def start(self, service: str, count: int = 1) -> None:
        """Start so many workers of a service, each with a first line in its log.

        Raises:
            ConfigError: the service's program is not installed.
            InputError: there is no room for logs.
        """
        program = _program(service)
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            name = f"{service}-{number}"
            with told_when_full(self._folder), (self._folder / f"{name}.log").open("ab", buffering=0) as log:
                log.write(f"earlywarn: starting {name}\n".encode())  # what it cannot write itself it cannot tell
                process = subprocess.Popen(  # noqa: S603  # our own program
                    [sys.executable, *program],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # an interrupt at the terminal is ours to handle
                )
            self._processes[name] = process
            self._keepers.append(
                subprocess.Popen(  # noqa: S603  # fixed text, and a number
                    ["/bin/sh", "-c", _KEEPER, "keeper", str(process.pid)],
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                )
            )

    def run(self) -> bool:
        """Return whether all of them run."""
        return all(process.poll() is None for process in self._processes.values())

    def check(self) -> None:
        """See that all of them run.

        Raises:
            LogError: one has ended, with the end of its log.
        """
        for name, process in self._processes.items():
            if process.poll() is not None:
                log = self._folder / f"{name}.log"
                tail = log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
                full = shutil.disk_usage(self._folder).free < _LOG_TAIL_BYTES
                told = " (its disk is full, so the reason may be missing: make room there)" if full else ""
                raise LogError(f"{name} has ended with {process.returncode}; the end of {log}{told}:\n{tail}")

    def stop(self) -> None:
        """End them in order; after ten seconds by force."""
        for keeper in self._keepers:  # first: later the number of the process could be another one's
            keeper.kill()
            keeper.wait()
            if keeper.stdin is not None:
                keeper.stdin.close()
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes, self._keepers = {}, []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _program(service: str) -> list[str]:
    """Return what Python is to run: a module of the installed package, or the program in the repository."""
    try:
        installed = find_spec(f"earlywarn.services.{service}") is not None
    except ModuleNotFoundError:
        installed = False
    if installed:
        return ["-m", f"earlywarn.services.{service}"]
    folder = _SERVICES_FOLDER / service
    if not (folder / "__main__.py").exists():
        raise ConfigError(f"the service {service} is not installed; start the run's workers and say --no-workers")
    return [os.fspath(folder)]
