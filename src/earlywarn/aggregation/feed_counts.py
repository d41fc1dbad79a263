"""Transactions of feeds by cell: added, renamed, and as plain values of a snapshot."""

from collections.abc import Iterable, Mapping

from earlywarn.aggregation.feed_cells import Counts, FeedName
from earlywarn.aggregation.rows import Floats


def add_counts(found: Counts, more: Counts) -> None:
    """Add transactions of cells to others."""
    for cell, transactions in more.items():
        found[cell] = found.get(cell, 0) + transactions


def bounded(counts: Counts, unread: Counts, usual: Floats) -> Counts:
    """Return what is to be learned of cells of which so much came (`counts`), of that so much unread.

    What cannot be read says of itself how much it is. So it is taken for no more than is usual of a cell [K], or than
    came of it and could be read.

    >>> import numpy as np
    >>> bounded({0: 100, 1: 1000}, {0: 10, 1: 950}, np.array([100.0, 80.0]))
    {0: 100, 1: 100}
    """
    found = dict(counts)
    for cell, number in unread.items():
        read = counts.get(cell, 0) - number
        found[cell] = read + min(number, max(read, round(usual[cell]) - read, 0))
    return found


def relabelled(volumes: Mapping[FeedName, int], names: Mapping[FeedName, FeedName]) -> dict[FeedName, int]:
    """Return volumes by what their feeds count as."""
    found: dict[FeedName, int] = {}
    for name, volume in volumes.items():
        found[names.get(name, name)] = found.get(names.get(name, name), 0) + volume
    return found


def plain(delivered: Mapping[FeedName, Counts]) -> list[list[object]]:
    """Return what feeds brought as plain values."""
    return [[*name, [list(item) for item in counts.items()]] for name, counts in delivered.items()]


def restored(saved: Iterable[tuple[str, str, Iterable[tuple[int, int]]]]) -> dict[FeedName, Counts]:
    """Return what `plain` was told."""
    return {(kind, name): dict(counts) for kind, name, counts in saved}
