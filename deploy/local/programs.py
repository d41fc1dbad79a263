"""The programs of the stack that are not Python's: where they are, or how to get them."""

import os
import shutil
import subprocess
from pathlib import Path

from detached_process import StackError

REPOSITORY = Path(__file__).resolve().parents[2]
HOW_TO_INSTALL = (
    "On Debian or Ubuntu: apt-get install default-jre-headless maven redis-server openssl; "
    "on macOS: brew install openjdk maven redis openssl. "
    f"Then run: python3 {Path(__file__).with_name('prerequisites.py').relative_to(REPOSITORY)}"
)

_LEAST_JAVA = 17


def find_program(name: str) -> Path:
    """Return a program of the PATH.

    Raises:
        StackError: there is none.
    """
    found = shutil.which(name)
    if found is None:
        raise StackError(f"no {name} in the PATH. {HOW_TO_INSTALL}")
    return Path(found)


def find_java() -> tuple[Path, str]:
    """Return the Java of JAVA_HOME, else of the PATH, and what it says of its version.

    Raises:
        StackError: there is none, or it is too old.
    """
    home = os.environ.get("JAVA_HOME")
    java = Path(home, "bin/java") if home else find_program("java")
    try:
        # A line such as: openjdk version "17.0.15" 2025-04-15
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603  # the user's
    except OSError as error:
        raise StackError(f"JAVA_HOME = {home!r}: {java} cannot be started: {error.strerror}") from error
    number = said.partition('"')[2].partition('"')[0].partition(".")[0].partition("-")[0]
    if not number.isdigit() or int(number) < _LEAST_JAVA:
        raise StackError(f"{java} says {said.strip()!r:.80}; Kafka needs Java {_LEAST_JAVA} or newer. {HOW_TO_INSTALL}")
    return java, said
