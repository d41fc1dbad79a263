"""What a snapshot is called wherever it is kept: partition and offset, so that the order of names is theirs."""

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
    if number != str(partition) or not dash or offset == rest or not offset.isdigit():
        return None
    return int(offset)
