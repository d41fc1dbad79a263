"""What a broker is run with: a Java, Kafka's jars from Maven, and an archive of their classes that halves its start."""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from detached_process import POLL_SECONDS, DetachedProcess, StackError
from kafka_settings import CLUSTER_ID, broker_settings, properties
from ports import reserve_port
from programs import HOW_TO_INSTALL, REPOSITORY, find_java, find_program

POM = Path(__file__).with_name("pom.xml")
LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
CACHE = REPOSITORY / "build/kafka"

_START_SECONDS = 120.0
_STOP_SECONDS = 60.0  # writing the archive of classes is part of its end


@dataclass(frozen=True, slots=True)
class KafkaRuntime:
    """Programs and files that every broker of this machine shares.

    java: 17 or newer. jars: Kafka's and what they need. archive: their classes as this Java has loaded them;
    where the file is missing, brokers take 4 s instead of 2 s to start.
    """

    java: Path
    jars: tuple[Path, ...]
    archive: Path

    def environment(self) -> dict[str, str]:
        """Return the environment of its programs."""
        return {**os.environ, "CLASSPATH": ":".join(map(str, self.jars))}

    def command(self, *main: str | Path, heap_mb: int = 512, log: Path | None = None) -> list[str | Path]:
        """Return the command line of one of Kafka's classes with its arguments.

        Args:
            main: The class, then its arguments.
            heap_mb: The largest heap, in MiB.
            log: Where it writes its log; None for what prints all it has to say.
        """
        # A library that Kafka unpacks for lz4 stays behind where Java keeps its temporary files.
        scratch = [f"-Djava.io.tmpdir={log.parent}"] if log else []
        return [
            self.java, f"-Xmx{heap_mb}m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData",
            *([f"-XX:SharedArchiveFile={self.archive}"] if self.archive.exists() else []),
            *scratch,
            *([f"-Dlog4j2.configurationFile={LOG_SETTINGS}", f"-Dearlywarn.log={log}"] if log else []),
            *main,
        ]  # fmt: skip

    def format(self, settings_file: Path, *more: str) -> None:
        """Prepare the data folder that a settings file names.

        Raises:
            StackError: Kafka refuses.
        """
        command = self.command(
            "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", settings_file, *more
        )
        finished = subprocess.run(  # noqa: S603  # our own command line
            command, env=self.environment(), capture_output=True, text=True, check=False
        )
        if finished.returncode:
            raise StackError(f"Kafka cannot format the folder of {settings_file}:\n{finished.stdout}{finished.stderr}")


def find_runtime() -> KafkaRuntime:
    """Return what is installed.

    Raises:
        StackError: what is missing, and how to get it.
    """
    java, version = find_java()
    jars = _jars()
    if jars is None:
        raise StackError(f"Kafka's jars are not in {CACHE / 'lib'}. {HOW_TO_INSTALL}")
    fingerprint = hashlib.sha256(f"{version}\n{jars}\n{_wanted()}".encode()).hexdigest()[:16]
    return KafkaRuntime(java, jars, CACHE / f"classes-{fingerprint}.jsa")


def install_runtime() -> KafkaRuntime:
    """Copy the jars and write the archive of classes where they are missing; Java and Maven must be there.

    Raises:
        StackError: what is missing or does not work, and what to do.
    """
    find_java()
    CACHE.mkdir(parents=True, exist_ok=True)
    with _locked(CACHE / "install.lock"):
        if _jars() is None:
            _copy_jars()
        runtime = find_runtime()
        if not runtime.archive.exists():
            _write_archive(runtime)
    return runtime


def _jars() -> tuple[Path, ...] | None:
    """Return the jars if all that pom.xml wants were copied."""
    folder = CACHE / "lib"
    try:
        complete = (folder / "complete").read_text() == _wanted()
    except FileNotFoundError:
        return None
    return tuple(sorted(folder.glob("*.jar"))) if complete else None


def _wanted() -> str:
    return hashlib.sha256(POM.read_bytes()).hexdigest()


def _copy_jars() -> None:
    maven = find_program("mvn")
    folder, fresh = CACHE / "lib", CACHE / "lib.new"
    shutil.rmtree(fresh, ignore_errors=True)
    command: list[str | Path] = [
        maven,
        "-q",
        "-B",
        "-C",
        "-f",
        POM,
        "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies",
        f"-DoutputDirectory={fresh}",
    ]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # found above
    if finished.returncode:
        shown = " ".join(map(str, command))
        raise StackError(f"Maven cannot fetch Kafka ({shown}):\n{finished.stdout}{finished.stderr}".strip())
    (fresh / "complete").write_text(_wanted())
    shutil.rmtree(folder, ignore_errors=True)
    fresh.replace(folder)


def _write_archive(runtime: KafkaRuntime) -> None:
    """Start a broker once, and let Java write down the classes it has loaded as it ends."""
    for old in CACHE.glob("classes-*.jsa"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="earlywarn-") as name:
        folder, port = Path(name), reserve_port()
        settings = broker_settings(folder / "data", port=port, controller_port=reserve_port())
        settings_file = folder / "server.properties"
        settings_file.write_text(properties(settings))
        runtime.format(settings_file)
        process = DetachedProcess("kafka", folder)
        fresh = runtime.archive.with_suffix(".new")
        command = runtime.command("kafka.Kafka", settings_file, log=folder / "kafka.log")
        process.start(
            [command[0], f"-XX:ArchiveClassesAtExit={fresh}", *command[1:]], environment=runtime.environment()
        )
        try:
            _wait_for_listener(process, port, folder / "kafka.log")
        finally:
            process.stop(_STOP_SECONDS)
        if fresh.exists():  # not every Java can
            fresh.replace(runtime.archive)


def _wait_for_listener(process: DetachedProcess, port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.running and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise StackError(f"Kafka does not start; {process.last_words(log)}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
