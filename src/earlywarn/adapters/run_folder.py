"""The folder of a run's results: it holds the files of one finished run, never of two.

A run writes into a temporary folder inside it and moves its files to their names when it has read its input to
the end; what an earlier run left under the names of results goes then. A run that breaks off, for whatever
reason, leaves the folder as it was, and so does one that could use nothing: what explains it has names of its own
beside results of an earlier run. Files of other names are never touched.
"""

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from earlywarn.adapters.disk_room import without_room
from earlywarn.errors import InputError

RESULTS = (
    "alerts.jsonl",
    "aggregates.parquet",
    "divisions.parquet",
    "forecast.parquet",
    "rejects.jsonl",
    "report.html",
    "summary.json",
)
"""The names of results."""
FAILED = {name: f"failed.{name}" for name in ("rejects.jsonl", "summary.json")}
"""What explains a run that could use nothing beside earlier results, by the name that it has without such.

The next run takes it away.

These and the results are the only names that earlywarn writes and removes.
"""
_NAMES = (*RESULTS, *FAILED.values())

_PREFIX = ".earlywarn-"


class RunFolder:
    """Results in the making; use it as a context manager, and `publish` when the run is over.

    Args:
        out: the folder, made if it does not exist.
        inputs: the files that are read, which must not be replaced by results.

    Raises:
        InputError: the folder cannot be made or written, is full, or a result would replace an input or a folder.
    """

    def __init__(self, out: Path, inputs: Iterable[Path]) -> None:
        self.out = out
        self._read = {path.resolve() for path in inputs}
        self._made: list[Path] = []
        self.draft = out

    def __enter__(self) -> Self:
        if self.out.exists() and not self.out.is_dir():
            raise InputError(f"{self.out}: is a file; choose a folder for the results")
        for path in (self.out / name for name in _NAMES):
            if path.resolve() in self._read:
                raise InputError(f"{path}: is an input and the name of a result; choose another folder for the results")
            if path.is_dir() and not path.is_symlink():
                raise InputError(f"{path}: is a folder where a result goes; choose another folder for the results")
        try:
            self._make(self.out)
            self.draft = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self.out))
        except OSError as error:
            self._unmake()
            reason = error.strerror or error
            raise InputError(
                f"{self.out}: cannot be written: {reason}; choose another folder for the results"
            ) from error
        return self

    def publish(self) -> None:
        """Put the drafts in place of the results of earlier runs; a result that was not drafted is gone then.

        Raises:
            InputError: they cannot be moved; the folder is as it was.
        """
        self._exchange(_NAMES, {name: name for name in RESULTS})

    def tell_failure(self) -> Path:
        """Put what explains a run that could use nothing beside the results of earlier runs, which stay.

        Without such it has the names of results. Returns where the rejects are.

        Raises:
            InputError: it cannot be moved; the folder is as it was.
        """
        explained = {"rejects.jsonl", "summary.json"}
        found = {name for name in RESULTS if (self.out / name).exists() or (self.out / name).is_symlink()}
        names = FAILED if found - explained else {name: name for name in explained}
        self._exchange([*FAILED.values(), *names.values()], names)
        return self.out / names["rejects.jsonl"]

    def _exchange(self, old: Iterable[str], new: Mapping[str, str]) -> None:
        """Take `old` files away and move drafts to their `new` names; take all back if that fails halfway."""
        aside = Path(tempfile.mkdtemp(dir=self.draft))
        moves = [(self.out / name, aside / name) for name in old]
        moves += [(self.draft / drafted, self.out / name) for drafted, name in new.items()]
        done: list[tuple[Path, Path]] = []
        try:
            for source, target in moves:
                if source.exists() or source.is_symlink():
                    done.append((source, target))  # before it is moved: an interrupt may come right after
                    source.replace(target)
        except BaseException as error:
            for source, target in reversed(done):
                if target.exists() or target.is_symlink():
                    target.replace(source)
            if isinstance(error, OSError):
                reason = error.strerror or error
                raise InputError(
                    f"{self.out}: results cannot be put there: {reason}; the folder is as it was"
                ) from error
            raise
        self._made = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.draft, ignore_errors=True)
        self._unmake()
        if (told := without_room(error, self.out)) is not None:
            raise told from error

    def _make(self, folder: Path) -> None:
        """Make a folder and those above it, and remember the new ones, outermost first."""
        if not folder.exists():
            self._make(folder.parent)
            folder.mkdir()
            self._made.append(folder)

    def _unmake(self) -> None:
        for folder in reversed(self._made):
            try:
                folder.rmdir()
            except OSError:  # someone else put a file there meanwhile
                return
