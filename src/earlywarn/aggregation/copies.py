"""De-duplication: the ids that stand in a partition's newest blocks, so that a transaction sent again is told.

A stage in front of the first fold, off by default. A record is a copy if one of the same id, kind and source stands
before it in its partition, in its own block or one of the `blocks - 1` before; one that is not acceptable by itself
(no region of the panel, of the future, ...) is nobody's original. That is a function of the log alone: whoever begins
in the middle of it reads the blocks before once more, and finds the same copies. No copy renews another's claim by
whether it counted, so that no more than these blocks need ever be read.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from earlywarn.aggregation.identity import Identity, identity
from earlywarn.aggregation.intake import Outcome
from earlywarn.aggregation.refusals import Rejected, duplicate
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction

Refusal = Callable[[Transaction, int], Reject | None]
"""Says why a transaction is not acceptable by itself; the integer is the latest event time that is (epoch ms)."""


class CopyWindow:
    """Identities of the newest blocks of a partition. Memory: some 0.2 kB for each transaction in these blocks."""

    def __init__(self, blocks: int, refusal: Refusal) -> None:
        self._blocks = blocks
        self._refusal = refusal
        self._newest: dict[Identity, int] = {}
        self._identities: deque[tuple[int, list[Identity]]] = deque()

    def open_block(self, block: int) -> None:
        """Go on to a block, and forget those that are too far back by now; the open one again changes nothing."""
        if self._identities and self._identities[-1][0] == block:
            return
        while self._identities and self._identities[0][0] <= block - self._blocks:
            forgotten, identities = self._identities.popleft()
            for each in identities:
                if self._newest[each] == forgotten:
                    del self._newest[each]
        self._identities.append((block, []))

    def sifted(
        self, batch: Iterable[Outcome], start: int, latest_ms: Callable[[int], int], rejected: Sequence[Rejected]
    ) -> Iterator[tuple[int, Outcome]]:
        """Number a batch for the fold's loop, with copies as rejects.

        `rejected` is the list to which the loop adds what it refuses: it has judged an item when it asks for the next.
        """
        newest = self._newest
        block, identities = self._identities[-1]
        for at, item in enumerate(batch, start):
            if isinstance(item, Reject):
                yield at, item
                continue
            mark = identity(item.kind, item.source, item.id)
            seen = newest.get(mark)
            if seen is None:
                before = len(rejected)
                yield at, item
                if len(rejected) > before and (
                    rejected[-1].reject.reason is not RejectReason.TOO_LATE or self._refusal(item, latest_ms(at))
                ):
                    continue
            else:
                reject = self._refusal(item, latest_ms(at))
                yield at, item if reject else duplicate(item.id)  # what is refused by itself the loop refuses
                if reject or seen == block:
                    continue
            newest[mark] = block
            identities.append(mark)

    def remember(self, outcomes: Iterable[Outcome], start: int, latest_ms: Callable[[int], int]) -> None:
        """Note records of the open block that are folded already."""
        marks = (
            identity(item.kind, item.source, item.id)
            for at, item in enumerate(outcomes, start)
            if not isinstance(item, Reject) and self._refusal(item, latest_ms(at)) is None
        )
        self.find(list(marks))

    def find(self, marks: Sequence[Identity]) -> list[int]:
        """Note acceptable transactions of the open block by their identities; return the places of the copies."""
        newest = self._newest
        block, identities = self._identities[-1]
        fresh = set(marks)
        if len(fresh) == len(marks) and fresh.isdisjoint(newest):
            newest.update(dict.fromkeys(marks, block))
            identities.extend(marks)
            return []
        copies = []
        for at, mark in enumerate(marks):
            seen = newest.get(mark)
            if seen is not None:
                copies.append(at)
            if seen != block:
                newest[mark] = block
                identities.append(mark)
        return copies
