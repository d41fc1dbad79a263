"""Snapshots in a folder: whole or not at all, readable by whom the umask lets, and only so many."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stream_run import wait_until

from earlywarn.adapters.snapshots.folder import FolderSnapshots
from earlywarn.adapters.stream import detector_metrics
from earlywarn.adapters.stream.store_trial import StoreTrial
from earlywarn.errors import SnapshotError


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_a_detector_of_another_user_may_read_what_the_umask_lets(tmp_path: Path, mask: int, mode: int) -> None:
    with umask(mask):
        FolderSnapshots(tmp_path / "live", "log", kept=2).save(0, 7, b"state")
    [path] = (tmp_path / "live" / "log").iterdir()
    assert path.stat().st_mode & 0o777 == mode


def test_the_newest_are_kept_and_others_partitions_left_alone(tmp_path: Path) -> None:
    store = FolderSnapshots(tmp_path, "log", kept=2)
    for partition, offset in ((0, 5), (1, 5), (0, 30), (0, 200)):
        store.save(partition, offset, b"%d/%d" % (partition, offset))
    assert (store.offsets(0), store.offsets(1)) == ([200, 30], [5])
    assert store.load(0, 30) == b"0/30"


@pytest.mark.parametrize("name", ["0-².snapshot", "0-x.snapshot", "0-.snapshot", "0-7.snapshot.old"])
def test_files_of_other_names_are_no_snapshots(tmp_path: Path, name: str) -> None:
    store = FolderSnapshots(tmp_path, "log", kept=2)
    store.save(0, 7, b"state")
    (tmp_path / "log" / name).touch()
    assert store.offsets(0) == [7]


def test_what_cannot_be_named_leaves_no_draft(tmp_path: Path) -> None:
    store = FolderSnapshots(tmp_path, "log", kept=2)
    (tmp_path / "log" / f"0-{7:020d}.snapshot").mkdir(parents=True)
    with pytest.raises(SnapshotError, match="cannot be written: File exists"):
        store.save(0, 7, b"state")
    assert [path.name for path in (tmp_path / "log").iterdir()] == [f"0-{7:020d}.snapshot"]


def test_without_links_a_name_is_given_once_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a share over SMB: there is no linking, and no file is replaced either."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    store = FolderSnapshots(tmp_path, "log", kept=2)
    for state in (b"first", b"second"):
        store.save(0, 7, state)
    assert store.load(0, 7) == b"first"
    assert [path.name for path in (tmp_path / "log").iterdir()] == [f"0-{7:020d}.snapshot"]


def test_a_folder_that_takes_nothing_any_more_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that the kernel has mounted read-only takes no removal of a draft either; the error is that of writing."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(SnapshotError, match="cannot be written: Read-only file system; make room or mend its rights"):
        FolderSnapshots(tmp_path, "log", kept=2).save(0, 7, b"state")


def test_whether_anything_can_be_kept_is_tried_and_leaves_nothing(tmp_path: Path) -> None:
    FolderSnapshots(tmp_path / "live", "log", kept=2).probe()
    assert list((tmp_path / "live" / "log").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(SnapshotError, match="cannot be written: Not a directory; make room or mend its rights"):
        FolderSnapshots(tmp_path / "file", "log", kept=2).probe()


def test_a_detector_tries_at_its_start_until_snapshots_can_be_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so once, counts it as failed, and is able again when its folder is."""
    place = tmp_path / "live"
    place.write_bytes(b"")
    before = detector_metrics.SNAPSHOTS.labels("failed")._value.get()
    trial = StoreTrial(again_seconds=0.01)
    trial.start(lambda: FolderSnapshots(place, "log", kept=2))
    wait_until(lambda: trial.failed, 10, "the trial has failed")
    place.unlink()
    wait_until(lambda: not trial.failed, 10, "it has succeeded")
    assert detector_metrics.SNAPSHOTS.labels("failed")._value.get() == before + 1
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert "no snapshot can be kept: " in caplog.messages[0]


def test_a_detector_that_begins_anew_tries_no_more_what_it_tried_before(tmp_path: Path) -> None:
    """Else each time would leave a thread behind that fails for ever, and says of the new store that it does."""
    (tmp_path / "file").write_bytes(b"")
    trial = StoreTrial(again_seconds=0.01)
    trial.start(lambda: FolderSnapshots(tmp_path / "file", "log", kept=2))
    wait_until(lambda: trial.failed, 10, "the trial has failed")
    trial.start(lambda: FolderSnapshots(tmp_path / "folder", "log", kept=2))
    wait_until(lambda: not any(each.name == "snapshot-trial" for each in threading.enumerate()), 10, "none is left")
    assert not trial.failed
