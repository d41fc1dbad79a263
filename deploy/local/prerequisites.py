"""Install what the local stack and the tests need, or say what to install. Needs nothing but Python.

As root on Debian and its kin, missing programs come from apt-get; everywhere Kafka's jars come through Maven into
build/kafka. What is there already is left alone, and then this takes a moment.
"""

import os
import shutil
import subprocess
import sys
from contextlib import suppress

from detached_process import StackError
from kafka_runtime import find_runtime, install_runtime
from programs import HOW_TO_INSTALL

_PACKAGES = {
    "java": "default-jre-headless",
    "mvn": "maven",
    "redis-server": "redis-server",
    "openssl": "openssl",
}
"""Debian's packages by the program they bring."""


def main() -> None:
    """Install what is missing; exit 1 with what to do where that cannot be done."""
    try:
        install_programs(missing_programs())
        if not install_runtime().archive.exists():
            _say("this Java writes no archive of classes: brokers take 4 s instead of 2 s to start")
    except StackError as error:
        _say(str(error))
        sys.exit(1)


def missing_programs() -> list[str]:
    """Return the programs that are not in the PATH; Maven is not missed once Kafka's jars are here."""
    wanted = set(_PACKAGES)
    if os.environ.get("JAVA_HOME"):
        wanted.remove("java")
    with suppress(StackError):
        find_runtime()
        wanted.discard("mvn")
    return sorted(name for name in wanted if shutil.which(name) is None)


def install_programs(missing: list[str]) -> None:
    """Install programs from Debian's packages.

    Raises:
        StackError: this is no Debian, not root, or apt-get fails.
    """
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise StackError(f"not in the PATH: {', '.join(missing)}. {HOW_TO_INSTALL}")
    packages = [_PACKAGES[name] for name in missing]
    _say(f"installing {' '.join(packages)} (apt-get)")
    install = ["install", "-y", "-q", "--no-install-recommends", *packages]
    # The lists may be missing, as in a fresh container, or name versions that are gone.
    if _apt(install).returncode:
        _apt(["update", "-q"])
        finished = _apt(install)
        if finished.returncode:
            raise StackError(f"apt-get {' '.join(install)} failed:\n{finished.stdout}")
    if still := missing_programs():
        raise StackError(f"installed, but not in the PATH: {', '.join(still)}")


def _apt(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # fixed arguments, and packages of the table
        ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments],  # noqa: S607  # the system's
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
