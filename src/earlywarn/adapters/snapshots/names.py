"""What a snapshot is called wherever it is kept, and which are too old to be kept.

The name is partition and offset, so that the order of names is theirs. It stands below the name of its log: what was
made of other logs of the same run (topics deleted and made anew, another cluster) is out of its way.
"""

from collections.abc import Iterable, Sequence

_SUFFIX = ".snapshot"


def snapshot_name(partition: int, offset: int) -> str:
    """Return the name of a snapshot.

    >>> snapshot_name(3, 1200)
    '3-00000000000000001200.snapshot'
    """
    return f"{partition}-{offset:020d}{_SUFFIX}"


def offset_of(name: str, partition: int) -> int | None:
    """Return the offset in a name; None if it is no snapshot of the partition.

    >>> offset_of("3-00000000000000001200.snapshot", 3), offset_of("3-00000000000000001200.snapshot", 2)
    (1200, None)
    """
    number, dash, rest = name.partition("-")
    offset = rest.removesuffix(_SUFFIX)
    if number != str(partition) or not dash or offset == rest:
        return None
    return int(offset) if offset.isascii() and offset.isdigit() else None


def other_folders(paths: Iterable[str], log: str) -> list[str]:
    """Return the folders of snapshots of other logs, of paths below a run's place; "" are those in none.

    >>> other_folders(["a/0-00000000000000000007.snapshot", "b/0-00000000000000000007.snapshot", "b/x"], "a")
    ['b']
    """
    folders = {path.rpartition("/")[0] for path in paths if path.endswith(_SUFFIX)}
    return sorted(folders - {log})


def too_old(offsets: Iterable[int], kept: int, newest: int) -> Sequence[int]:
    """Return which offsets go when one was written: all but the highest so many, and never the one just written.

    Higher ones may be of a program that lays its state out otherwise; while the log is folded anew below them, the
    one just written is what a restart goes on from.

    >>> too_old([10, 20, 30, 40], 2, 40), too_old([900, 800, 20, 10], 2, 20)
    ([20, 10], [10])
    """
    return [offset for offset in sorted(offsets, reverse=True)[kept:] if offset != newest]
