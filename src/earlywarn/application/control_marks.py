"""Marks in a log of transactions: what a replay says of its time there, in place of a clock.

`end` ends a partition; `time MS` says that no record older than MS (epoch milliseconds) is still to come in it, of a
partition that has nothing for long. Only a replay's log obeys them.
"""

from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import EARLIEST_MS, LATEST_MS

CONTROL_HEADER = "earlywarn-control"
REENTERED_HEADER = "dlq_key"
"""On a record that was rejected, mended and re-entered: the key of its dead letter."""
COPIED_REENTERED_HEADER = "copied_dlq_key"
"""On such a record in a copy of its run: the same key, which names a letter of that run, and none of the copy."""
END = b"end"
AFTER_END = Reject(
    reason=RejectReason.AFTER_END,
    detail="the log ended before it; what goes on belongs into a run that does: earlywarn replay --from-run … --open",
)
_TIME = b"time "
_DIGITS = 15


def time_mark(event_ms: int) -> bytes:
    """Return the mark of a time in epoch milliseconds.

    >>> time_mark(1551702896000)
    b'time 1551702896000'
    """
    return _TIME + str(event_ms).encode()


def marked_ms(mark: bytes | None) -> int | None:
    """Return the time that a mark states (epoch milliseconds); None if it states none."""
    digits = (mark or b"").removeprefix(_TIME)
    if mark == digits or not digits.isdigit() or len(digits) > _DIGITS:
        return None
    found = int(digits)
    return found if EARLIEST_MS <= found < LATEST_MS else None


def refused_mark(mark: bytes | None, *, finite: bool) -> Reject | None:
    """Say why a control mark is not obeyed; None for those of a finite log."""
    known = mark == END or marked_ms(mark) is not None
    if known and finite:
        return None
    detail = "an unknown mark"
    if known:
        detail = f"it {'ends a replay' if mark == END else 'is of the time of a replay'}, and this run is none"
    return Reject(reason=RejectReason.CONTROL_MARK, field=CONTROL_HEADER, detail=detail)
