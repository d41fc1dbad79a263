"""Snapshots in a folder that all detectors share: one file each, written aside, synced, then given its name.

Files have the mode that the umask leaves, as all that a detector writes: one under another user may have to read them.
A file's name is partition and offset; a second writer of the same name writes the same bytes, since the state is a
function of the log.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from earlywarn.adapters.snapshots.names import offset_of, snapshot_name
from earlywarn.errors import SnapshotError


class FolderSnapshots:
    """Keeps the newest `kept` snapshots of each partition under a folder of the run."""

    def __init__(self, folder: Path, *, kept: int) -> None:
        self._folder = folder
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
        """Keep a snapshot, and remove those that are too old.

        Raises:
            SnapshotError: it cannot be written; nothing half-written is left.
        """
        path = self._path(partition, offset)
        draft: Path | None = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = self._folder / f".draft-{uuid4().hex}"
            with draft.open("xb") as file:
                file.write(snapshot)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
            self._sync_folder()
            for old in self.offsets(partition)[self._kept :]:
                self._path(partition, old).unlink(missing_ok=True)
        except OSError as error:
            if draft is not None:
                draft.unlink(missing_ok=True)
            raise SnapshotError(f"{path}: cannot be written: {error.strerror}; make room or mend its rights") from error

    def _sync_folder(self) -> None:
        """Make the new name last through a power cut."""
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _path(self, partition: int, offset: int) -> Path:
        return self._folder / snapshot_name(partition, offset)
