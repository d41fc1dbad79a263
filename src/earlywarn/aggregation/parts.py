"""Partials that do not fit into one record: cut into parts, and put together again when all of them are there.

A part by itself counts nothing: it holds some of the rows that changed after `since`, so whoever applied it could not
say up to which offset a partition is applied. Parts of several senders may mix, and a sender may die between two.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from earlywarn.aggregation.partial import Partial

_Name = tuple[tuple[int, int, bool, int], int, int]
"""What all parts of a partial have in common: its order, `since`, and how many there are."""


def cut(partial: Partial, fits: Callable[[Partial], bool]) -> list[Partial]:
    """Return a partial in as many parts as it takes for each to fit; one with a row of each kind always must."""
    pieces = _halved(partial, fits)
    if len(pieces) == 1:
        return pieces
    return [msgspec.structs.replace(piece, part=at, parts=len(pieces)) for at, piece in enumerate(pieces)]


def _halved(partial: Partial, fits: Callable[[Partial], bool]) -> list[Partial]:
    lists = {"rows": partial.rows, "sources": partial.sources, "unread": partial.unread}
    if fits(partial) or max(map(len, lists.values())) <= 1:
        return [partial]
    first = msgspec.structs.replace(partial, **{name: each[: (len(each) + 1) // 2] for name, each in lists.items()})
    second = msgspec.structs.replace(partial, **{name: each[(len(each) + 1) // 2 :] for name, each in lists.items()})
    return [*_halved(first, fits), *_halved(second, fits)]


class Parts:
    """The parts of one source partition that wait for the rest of theirs."""

    def __init__(self, parts: Iterable[Partial] = ()) -> None:
        self._waiting: dict[_Name, dict[int, Partial]] = {}
        for part in parts:
            self.whole(part)

    def whole(self, partial: Partial) -> Partial | None:
        """Return the partial that a record completes, which may be its own; None while parts are missing."""
        if partial.parts == 1:
            return partial
        name = (partial.order, partial.since, partial.parts)
        found = self._waiting.setdefault(name, {})
        found[partial.part] = partial
        if len(found) < partial.parts:
            return None
        del self._waiting[name]
        ordered = [found[at] for at in range(partial.parts)]
        return msgspec.structs.replace(
            partial,
            part=0,
            parts=1,
            rows=tuple(row for each in ordered for row in each.rows),
            sources=tuple(row for each in ordered for row in each.sources),
            unread=tuple(row for each in ordered for row in each.unread),
        )

    def forget(self, applied: tuple[int, int, bool, int]) -> None:
        """Forget what is not newer than what is applied: its sender has died, or was overtaken."""
        for name in [name for name in self._waiting if name[0] <= applied]:
            del self._waiting[name]

    def state(self) -> list[dict[str, Any]]:
        """Return what waits as plain values."""
        return [msgspec.to_builtins(part) for parts in self._waiting.values() for part in parts.values()]

    @classmethod
    def restored(cls, saved: list[dict[str, Any]]) -> "Parts":
        """Return what `state` told."""
        return cls(msgspec.convert(saved, list[Partial]))
