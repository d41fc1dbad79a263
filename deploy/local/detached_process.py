"""A program that outlives whoever started it, known by its pid file alone.

The program inherits the pid file open and locked (flock), so the kernel holds the lock exactly as long as it lives:
whether it runs can be asked by anyone at any time, and neither a reused number nor a crash leaves a wrong answer.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
_LOCK_SECONDS = 1.0  # longer than anyone takes to ask whether the program runs
_END_SECONDS = 10.0  # of a killed program; what is still writing to a slow disk needs some
_TAIL_BYTES = 3_000
_NO_SPACE = b"No space left on device"

_children: dict[int, "subprocess.Popen[bytes]"] = {}
"""Those started by this process, which alone can take note of their end."""


class StackError(Exception):
    """What the local stack cannot do: the program, the place and the way out."""


class DetachedProcess:
    """A program of the stack: `folder/NAME.pid` says which process it is, `folder/NAME.out` what it printed.

    Args:
        name: What people call it.
        folder: Made when it is started.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder.absolute()
        self.pid_file = self.folder / f"{name}.pid"
        self.output = self.folder / f"{name}.out"

    @classmethod
    def all_below(cls, folder: Path) -> "list[DetachedProcess]":
        """Return the programs whose pid files lie in a folder or below it, running or not."""
        return [cls(file.stem, file.parent) for file in sorted(folder.rglob("*.pid"))]

    @property
    def pid(self) -> int | None:
        """Return the number of the running process, None if it does not run."""
        try:
            with self.pid_file.open("rb") as file:
                if _locked(file, fcntl.LOCK_SH):
                    return None
                return int(file.read() or b"0") or None
        except FileNotFoundError:
            return None

    @property
    def running(self) -> bool:
        """Return whether it lives; a suspended one does."""
        return self.pid is not None

    def start(self, command: Sequence[str | Path], *, environment: Mapping[str, str], cwd: Path | None = None) -> None:
        """Start it in a session of its own, deaf to interrupts at our terminal. It may not be ready yet.

        The output of the run before is kept beside the new one as `NAME.out.1`.

        Raises:
            StackError: it runs already, or the program cannot be started.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.pid_file.open("a+b") as file:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not _locked(file, fcntl.LOCK_EX):
                if time.monotonic() > deadline:
                    raise StackError(f"{self.name} runs already in {self.folder} (pid {self.pid}); stop it first")
                time.sleep(POLL_SECONDS)
            file.truncate(0)
            if self.output.exists():
                self.output.replace(self.output.with_suffix(".out.1"))
            with self.output.open("wb") as output:
                try:
                    child = subprocess.Popen(  # noqa: S603  # a program of the stack
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        env=environment,
                        cwd=cwd,
                        pass_fds=[file.fileno()],
                        start_new_session=True,
                    )
                except OSError as error:
                    raise StackError(f"{self.name}: {command[0]} cannot be started: {error.strerror}") from error
            _children[child.pid] = child
            file.write(b"%d" % child.pid)

    def terminate(self) -> None:
        """Ask it to end (SIGTERM); a suspended one goes on first."""
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)

    def stop(self, deadline_seconds: float = STOP_SECONDS) -> bool:
        """End it in order, or with SIGKILL after the deadline; return whether it ended in order.

        Raises:
            StackError: it cannot be ended.
        """
        self.terminate()
        if self.ends_within(deadline_seconds):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """End it with SIGKILL, and wait until it is gone.

        Raises:
            StackError: it cannot be ended.
        """
        pid = self.pid
        self._signal(signal.SIGKILL)
        if not self.ends_within(_END_SECONDS):
            raise StackError(f"{self.name} (pid {pid}, {self.pid_file}) does not end; look at it with: ps -p {pid}")

    def ends_within(self, seconds: float) -> bool:
        """Wait until it does not run; return False if it still does after so many seconds."""
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        for pid, child in list(_children.items()):
            if child.poll() is not None:
                del _children[pid]
        return True

    def suspend(self) -> None:
        """Let it stand still (SIGSTOP): its connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def last_words(self, *more: Path) -> str:
        """Return the ends of what it printed and of further logs, without Java's stacks; first if its disk is full."""
        contents = {log: log.read_bytes() for log in (self.output, *more) if log.exists()}
        ends = {log: _plain(content).strip() for log, content in contents.items()}
        shown = [f"the end of {log}:\n{text}" for log, text in ends.items() if text]
        full = any(_NO_SPACE in content for content in contents.values())
        if full or shutil.disk_usage(self.folder).free < _TAIL_BYTES:
            shown.insert(0, f"No space left on device: make room on the disk of {self.folder}")
        return "\n".join(shown) or f"it printed nothing ({self.output})"

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is not None:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                return  # it has just ended


def _plain(content: bytes) -> str:
    """Return the end of a log, without the lines of Java's stacks."""
    lines = content.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.startswith("\tat "))[-_TAIL_BYTES:]


def _locked(file: IO[bytes], kind: int) -> bool:
    """Lock an open file if nobody else has it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
