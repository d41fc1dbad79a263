"""Transactions of feeds by cell: added, renamed, and as plain values of a snapshot."""

from collections.abc import Iterable, Mapping

from earlywarn.aggregation.feed_cells import Counts, FeedName


def add_counts(found: Counts, more: Counts) -> None:
    """Add transactions of cells to others."""
    for cell, transactions in more.items():
        found[cell] = found.get(cell, 0) + transactions


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
