"""Runs one program of the comparison and measures it.

CPU is user + system of all threads between the program's own words `first` and `last` (contract.py), read from the
kernel's account of the process. Start (interpreter, imports, virtual machine, joining a group) and end are kept
apart, since they do not grow with events: they are the rest of what the kernel reports when the process and its
children are dead (`wait4`), so that nothing can hide. What is compiled while running (JIT) counts.
"""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from contract import Task, Totals

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_WATCH_SECONDS = 0.02
_SAID = re.compile(r"(?P<what>first|last) (?P<at>[\d.]+) (?P<cpu>[\d.]+)$")
_LATE = re.compile(r"late (?P<count>\d+)$")
_LOG_TAIL_LINES = 30


@dataclass(frozen=True)
class Contestant:
    """A program to measure.

    results: reads what it published. seen: for a program that says nothing and never ends, returns the number of
    events that its results hold so far; it is asked until that is all, then the program gets SIGTERM. begins: what
    stands in such a program's log (standard error) when it begins to read. late: reads how many events it called late,
    if it does not say so.
    """

    name: str
    command: list[str]
    task: Task
    results: Callable[[], Totals]
    seen: Callable[[], int] | None = None
    begins: str = ""
    late: Callable[[], int] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a run took. `results` is what it published, `exact`: that equals the plain count.

    cpu_seconds: from the first event until results are safe. around_cpu_seconds: all else, from fork to death.
    late: how many events it says that it did not count because they were late, if it says so.
    """

    name: str
    events: int
    cpu_seconds: float
    around_cpu_seconds: float
    wall_seconds: float
    peak_mib: float
    exact: bool
    results: Totals = field(repr=False)
    late: int | None = None
    note: str = ""

    @property
    def cpu_per_million(self) -> float:
        """Return CPU seconds per million events."""
        return self.cpu_seconds / self.events * 1e6

    @property
    def events_per_second(self) -> float:
        """Return events over the time from the first event to safe results."""
        return self.events / self.wall_seconds


@dataclass
class _Marks:
    """Time and CPU at the first event and at the end, by the program's own word or by what was seen of it."""

    first: tuple[float, float] | None = None
    last: tuple[float, float] | None = None
    late: int | None = None
    peak_kib: int = 0


def measure(contestant: Contestant, truth: Totals, logs: Path, deadline_seconds: float) -> Measurement:
    """Run, wait, verify.

    Raises:
        RuntimeError: it failed, did not end before the deadline, or did not say when it began and ended.
    """
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{re.sub(r'[^a-z0-9]+', '-', contestant.name.lower())}.log"
    marks = _Marks()
    environment = os.environ | contestant.task.environment() | contestant.environment
    with log.open("wb") as errors:
        process = subprocess.Popen(
            contestant.command,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            start_new_session=True,
        )
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(contestant, process.pid, log, marks, ended))
        overdue = threading.Timer(deadline_seconds, os.killpg, (process.pid, signal.SIGKILL))
        overdue.start()
        watcher.start()
        try:
            for line in process.stdout or ():
                _hear(line, marks)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            overdue.cancel()
            ended.set()
            watcher.join()
    if process.returncode not in {0, -signal.SIGTERM} or marks.first is None or marks.last is None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
        raise RuntimeError(
            f"{contestant.name}: exit {process.returncode}, first {marks.first}, last {marks.last}; {log}:\n{tail}"
        )
    counted = marks.last[1] - marks.first[1]
    results = contestant.results()
    return Measurement(
        name=contestant.name,
        events=contestant.task.events,
        cpu_seconds=counted,
        around_cpu_seconds=usage.ru_utime + usage.ru_stime - counted,
        wall_seconds=marks.last[0] - marks.first[0],
        peak_mib=marks.peak_kib / 1024,
        exact=results == truth,
        results=results,
        late=contestant.late() if contestant.late is not None else marks.late,
        note=contestant.note,
    )


def _hear(line: str, marks: _Marks) -> None:
    if said := _SAID.search(line):  # Faust draws on the same line
        what, at, cpu = said["what"], float(said["at"]), float(said["cpu"])
        if what == "first":
            marks.first = (at, cpu)
        else:
            marks.last = (at, cpu)
    elif late := _LATE.search(line):
        marks.late = int(late["count"])


def _watch(contestant: Contestant, pid: int, log: Path, marks: _Marks, ended: threading.Event) -> None:
    """Note the peak of memory, and what a program without a word of its own does; end that one when it is done."""
    while not ended.wait(_WATCH_SECONDS):
        marks.peak_kib = max(marks.peak_kib, _peak_kib(pid))
        if contestant.seen is None:
            continue
        if marks.first is None:
            if contestant.begins in log.read_text(errors="replace"):
                marks.first = (time.time(), _session_cpu_seconds(pid))
        elif marks.last is None and contestant.seen() >= contestant.task.events:
            marks.last = (time.time(), _session_cpu_seconds(pid))
            os.kill(pid, signal.SIGTERM)


def _peak_kib(pid: int) -> int:
    """Return the most memory that a process has held; `wait4` would name its parent's where that is more."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    except OSError:  # it ended meanwhile
        pass
    return 0


def _session_cpu_seconds(session: int) -> float:
    """Return the CPU time so far of the processes of a session, which is a child's whole tree here."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            values = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(values[3]) == session:
            ticks += sum(map(int, values[11:15]))
    return ticks / _TICKS_PER_SECOND
