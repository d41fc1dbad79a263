"""De-duplication: the ids that stand in a partition's newest records, so that a transaction sent again is told.

A stage in front of the first fold, off by default. A transaction is a copy if one of the same id, kind and source
stands before it in its own record, or in one of the `records - 1` before that; one that is not acceptable by itself
(no region of the panel, of the future, ...) is nobody's original. Records are counted, not offsets: what else a log
holds (marks of transactions, what was taken back) differs between a log and its replay, the records do not. So it is a
function of the records alone: whoever begins in the middle of the log reads the records before once more, and finds
the same copies. No copy renews another's claim by whether it counted, so that no more than these need ever be read.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from earlywarn.aggregation.identity import Identity, identity
from earlywarn.aggregation.intake import Outcome
from earlywarn.aggregation.refusals import Rejected, duplicate
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction

Refusal = Callable[[Transaction, int], Reject | None]
"""Says why a transaction is not acceptable by itself; the integer is the latest event time that is (epoch ms)."""

_NEVER = -(1 << 60)


class CopyWindow:
    """Identities of the newest records of a partition. Memory: some 0.25 kB for each transaction in them.

    Args:
        records: how many, with the one that is looked at.
        together: so many records are forgotten at once.
        refusal: what is nobody's original.

    Attributes:
        seen: how many records were numbered.
    """

    def __init__(self, records: int, together: int, refusal: Refusal) -> None:
        self.seen = 0
        self._records = records
        self._together = together
        self._refusal = refusal
        self._newest: dict[Identity, int] = {}
        self._groups: deque[tuple[int, list[Identity]]] = deque()
        """By the number of its first record: identities that stand in a group, each once."""

    def open_record(self) -> None:
        """Go on to a record of many transactions; `find` is about it then."""
        self._number(1)

    def sifted(
        self, batch: Sequence[Outcome], start: int, latest_ms: Callable[[int], int], rejected: Sequence[Rejected]
    ) -> Iterator[tuple[int, Outcome]]:
        """Number a batch of records for the fold's loop, with copies as rejects.

        `rejected` is the list to which the loop adds what it refuses: it has judged an item when it asks for the next.
        """
        newest = self._newest
        number = self._number(len(batch)) - start
        first, identities = self._groups[-1]
        for at, item in enumerate(batch, start):
            if isinstance(item, Reject):
                yield at, item
                continue
            mark = identity(item.kind, item.source, item.id)
            seen = newest.get(mark, _NEVER)
            if seen <= number + at - self._records:
                before = len(rejected)
                yield at, item
                if len(rejected) > before and (
                    rejected[-1].reject.reason is not RejectReason.TOO_LATE or self._refusal(item, latest_ms(at))
                ):
                    continue
            else:
                reject = self._refusal(item, latest_ms(at))
                yield at, item if reject else duplicate(item.id)  # what is refused by itself the loop refuses
                if reject:
                    continue
            newest[mark] = number + at
            if seen < first:
                identities.append(mark)

    def remember(self, outcomes: Sequence[Outcome], start: int, latest_ms: Callable[[int], int]) -> None:
        """Number records that are folded already."""
        number = self._number(len(outcomes)) - start
        for at, item in enumerate(outcomes, start):
            if not isinstance(item, Reject) and self._refusal(item, latest_ms(at)) is None:
                self._note(identity(item.kind, item.source, item.id), number + at)

    def find(self, marks: Sequence[Identity]) -> list[int]:
        """Note acceptable transactions of the open record by their identities; return the places of the copies."""
        newest, number = self._newest, self.seen - 1
        fresh = set(marks)
        if len(fresh) == len(marks) and fresh.isdisjoint(newest):
            newest.update(dict.fromkeys(marks, number))
            self._groups[-1][1].extend(marks)
            return []
        oldest = number - self._records
        return [at for at, mark in enumerate(marks) if self._note(mark, number) > oldest]

    def _note(self, mark: Identity, number: int) -> int:
        """Note where an identity stands, and return where it stood before."""
        seen = self._newest.get(mark, _NEVER)
        self._newest[mark] = number
        first, identities = self._groups[-1]
        if seen < first:
            identities.append(mark)
        return seen

    def _number(self, records: int) -> int:
        """Return the number of the first of the next records; forget those that are too far back for it."""
        first = self.seen
        self.seen += records
        if not self._groups or first >= self._groups[-1][0] + self._together:
            self._groups.append((first, []))
        while len(self._groups) > 1 and self._groups[1][0] <= first - self._records + 1:
            _, identities = self._groups.popleft()
            behind = self._groups[0][0]
            for each in identities:
                if self._newest[each] < behind:
                    del self._newest[each]
        return first
