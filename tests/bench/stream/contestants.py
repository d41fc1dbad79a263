"""Who takes part in the comparison: how each is started, and how its results are read."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import Message
from contract import Task
from earlywarn_side import earlywarn_contestant
from measure import Contestant
from topics import Parts, read

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BUILD = ROOT / "build" / "bench"
_LOCK = HERE / "requirements.lock"
_VENV = BUILD / "venv"
_STREAMS = BUILD / "kafka_streams"
_JAVA_OPTIONS = ("-Xmx1g", "-XX:+UseSerialGC")
"""One stream thread and a small heap: of the collectors, the serial one takes the least CPU."""

Build = Callable[[str, Task], Contestant]
"""From a contestant's name and the task that all share."""


@dataclass(frozen=True)
class Entry:
    """A contestant before it has a task of its own.

    share: the part of the events that it gets: slow ones are scaled, and the table says so.
    needs: what has to be installed for it: "", "python" or "java".
    """

    build: Build
    share: float = 1.0
    needs: str = ""
    note: str = ""


def _ours(program: str) -> Build:
    """Return a builder for a program that runs in the project's own environment."""

    def build(name: str, task: Task) -> Contestant:
        return Contestant(name, [sys.executable, str(HERE / program)], task, lambda: read(task.brokers, task.output))

    return build


def _theirs(program: str, variant: str, grace_seconds: int = 0) -> Build:
    """Return a builder for a program that runs in the competitors' environment."""

    def build(name: str, task: Task) -> Contestant:
        task = replace(task, variant=variant, grace_seconds=grace_seconds or task.grace_seconds)
        command = [str(_VENV / "bin" / "python"), str(HERE / program)]
        return Contestant(name, command, task, lambda: read(task.brokers, task.output))

    return build


def _faust(variant: str) -> Build:
    """Return a builder for Faust; its result is its table's changelog."""

    def build(name: str, task: Task) -> Contestant:
        task = replace(task, variant=variant)
        fold = _fold_faust_change if variant == "local" else _fold_faust_window
        command = [str(_VENV / "bin" / "python"), str(HERE / "faust_idiomatic.py")]
        return Contestant(name, command, task, lambda: read(task.brokers, f"{task.group}-cells-changelog", fold))

    return build


def _fold_faust_change(parts: Parts, message: Message) -> None:
    """Take a change of the plain table: key and value are JSON, with the source partition in the key."""
    _, region, sector, hour = json.loads(message.key()).split("|")
    count, total = json.loads(message.value())
    parts[message.key()] = ((region, sector, int(hour)), count, total)


def _fold_faust_window(parts: Parts, message: Message) -> None:
    """Take a change of the windowed table: the key is a pair of key and window."""
    cell, (start, _) = json.loads(message.key())
    region, sector = cell.split("|")
    count, total = json.loads(message.value())
    parts[message.key()] = ((region, sector, int(start)), count, total)


def _kafka_streams(variant: str) -> Build:
    """Return a builder for the program that Maven built."""

    def build(name: str, task: Task) -> Contestant:
        task = replace(task, variant=variant)
        classes = os.pathsep.join([str(_STREAMS / "job.jar"), str(_STREAMS / "lib" / "*")])
        command = ["java", *_JAVA_OPTIONS, "-cp", classes, "earlywarn.bench.Job"]
        return Contestant(name, command, task, lambda: read(task.brokers, task.output))

    return build


_ALL_HISTORY_SECONDS = 30 * 24 * 3600
"""A grace in which nothing is late: windows that are exact."""

ENTRIES: dict[str, Entry] = {
    "floor": Entry(_ours("floor.py"), note="nothing durable"),
    "aiokafka floor": Entry(_ours("aiokafka_floor.py"), note="nothing durable"),
    "earlywarn": Entry(earlywarn_contestant),
    "kafka streams, local": Entry(_kafka_streams("local"), needs="java", note="processor API, no repartition"),
    "kafka streams, dsl": Entry(_kafka_streams("dsl"), needs="java", note="groupBy: a repartition topic"),
    "bytewax, own source": Entry(
        _theirs("bytewax_job.py", "own source"), needs="python", note="the floor's loop in a source, sums per batch"
    ),
    "bytewax, tuned": Entry(_theirs("bytewax_job.py", "tuned"), needs="python", note="shipped source, sums per batch"),
    "bytewax, windows": Entry(
        _theirs("bytewax_job.py", "windows", _ALL_HISTORY_SECONDS), needs="python", note="as its guide does it"
    ),
    "quixstreams, local": Entry(_theirs("quixstreams_job.py", "local"), needs="python", note="no repartition"),
    "quixstreams, windows": Entry(
        _theirs("quixstreams_job.py", "windows", _ALL_HISTORY_SECONDS), share=0.25, needs="python",
        note="as its guide does it: group_by, current()",
    ),
    "faust, local": Entry(_faust("local"), share=0.05, needs="python", note="agent and plain table, no repartition"),
    "faust, idiomatic": Entry(
        _faust("idiomatic"), share=0.05, needs="python", note="as its guide does it: group_by, table of windows"
    ),
}  # fmt: skip

LOSSY: dict[str, Entry] = {
    "earlywarn": Entry(earlywarn_contestant),
    "kafka streams": Entry(_kafka_streams("lossy"), needs="java"),
    "bytewax": Entry(_theirs("bytewax_job.py", "lossy"), needs="python"),
    "quixstreams": Entry(_theirs("quixstreams_job.py", "lossy"), needs="python"),
}
"""Those of the loss test, with windows and the task's grace."""


def install(needs: set[str]) -> None:
    """Make the competitors' environment and build the Java program, where they are missing or out of date.

    Raises:
        subprocess.CalledProcessError: a tool failed; what it said stands above.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    installed = _VENV / "installed.lock"
    if "python" in needs and (not installed.exists() or installed.read_bytes() != _LOCK.read_bytes()):
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(_VENV)], check=True)
        pip = [str(_VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(_LOCK)], check=True)
        installed.write_bytes(_LOCK.read_bytes())
    if "java" in needs:
        maven = shutil.which("mvn") or "mvn"
        subprocess.run([maven, "-q", "-B", "-f", str(HERE / "kafka_streams" / "pom.xml"), "package"], check=True)
