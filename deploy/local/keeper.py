"""Ends what a test run has started, however the run itself ends.

Every process of the run holds the lock of a folder (shared, flock), which the kernel takes back from a dead one. The
keeper waits for the lock alone, then kills all that has a pid file below the folder and removes its data.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from detached_process import DetachedProcess, StackError

_LOCK = "in-use"

_keepers: list["subprocess.Popen[bytes]"] = []
"""They live longer than this process."""


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Use a folder: what is started in it or below ends after the last process that uses it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        _keepers.append(
            subprocess.Popen(  # noqa: S603  # this file
                [sys.executable, Path(__file__), folder.absolute()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # A measurement of the run's coverage would end before it does.
                env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
                start_new_session=True,
            )
        )
        yield


def keep(folder: Path) -> None:
    """Wait until nobody uses a folder, then end what runs in it and remove its data; logs stay."""
    with (folder / _LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for process in DetachedProcess.all_below(folder):
            with suppress(StackError):
                process.kill()
            shutil.rmtree(process.folder / "data", ignore_errors=True)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
