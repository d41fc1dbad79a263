"""Snapshots in a folder that all detectors share: one file each, written aside, synced, then given its name.

Files have the mode that the umask leaves, as all that a detector writes: one under another user may have to read them.
A name is given once: the file that has it stays as it is, whoever comes second.
"""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from earlywarn.adapters.snapshots.names import offset_of, other_folders, snapshot_name, too_old
from earlywarn.errors import SnapshotError

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What file systems say that know no hard links (SMB, some in user space)."""


class FolderSnapshots:
    """Keeps the newest `kept` snapshots of each partition of a log, in a folder of its own below that of the run."""

    def __init__(self, folder: Path, log: str, *, kept: int) -> None:
        self._run = folder
        self._folder = folder / log
        self._kept = kept

    def offsets(self, partition: int) -> Sequence[int]:
        """Return the offsets of what is kept, highest first."""
        found = [offset_of(path.name, partition) for path in self._folder.glob(f"{partition}-*")]
        return sorted((offset for offset in found if offset is not None), reverse=True)

    def load(self, partition: int, offset: int) -> bytes:
        """Return a snapshot.

        Raises:
            SnapshotError: it cannot be read.
        """
        path = self._path(partition, offset)
        try:
            return path.read_bytes()
        except OSError as error:
            raise SnapshotError(f"{path}: cannot be read: {error.strerror}") from error

    def save(self, partition: int, offset: int, snapshot: bytes) -> None:
        """Keep a snapshot if none has its name, and remove those that are too old.

        Raises:
            SnapshotError: it cannot be written; nothing half-written is left.
        """
        path = self._path(partition, offset)
        draft: Path | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f".draft-{uuid4().hex}"
            _write(draft, snapshot)
            try:
                _name(draft, path, snapshot)
            except FileExistsError:
                if not path.is_file():
                    raise
            self._sync_folder()
            for old in too_old(self.offsets(partition), self._kept, offset):
                self._path(partition, old).unlink(missing_ok=True)
        except OSError as error:
            raise SnapshotError(f"{path}: cannot be written: {error.strerror}; make room or mend its rights") from error
        finally:
            if draft is not None:
                with suppress(OSError):  # of a folder that takes nothing any more; why is being said
                    draft.unlink(missing_ok=True)

    def probe(self) -> None:
        """Write a small file and remove it.

        Raises:
            SnapshotError: it cannot be written.
        """
        draft = self._folder / f".draft-{uuid4().hex}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(draft, b"probe")
            draft.unlink()
        except OSError as error:
            raise SnapshotError(
                f"{draft}: cannot be written: {error.strerror}; make room or mend its rights"
            ) from error

    def strangers(self) -> Sequence[str]:
        """Return the folders of the run with snapshots of other logs."""
        paths = (path.relative_to(self._run).as_posix() for path in self._run.glob("**/*"))
        return [str(self._run / folder) for folder in other_folders(paths, self._folder.name)]

    def _sync_folder(self) -> None:
        """Make the new name last through a power cut."""
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _path(self, partition: int, offset: int) -> Path:
        return self._folder / snapshot_name(partition, offset)


def _write(path: Path, content: bytes) -> None:
    """Write a file that is not there, and let it last through a power cut."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _name(draft: Path, path: Path, content: bytes) -> None:
    """Give a draft a name that nothing has.

    Without links it is written anew under the name: what is cut short by a crash is then passed over by its readers.

    Raises:
        FileExistsError: something has it.
    """
    try:
        path.hardlink_to(draft)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _write(path, content)
