"""When an aggregator tells that much of what it reads is of no use: seldom, with numbers, and never with a content."""

from collections import Counter

_LOOK_SECONDS = 5.0
_QUIET_SECONDS = 60.0
_SHARE = 0.1
"""Of what was read: what some senders always get wrong is less, and stands in the metrics."""
_LEAST = 10


class Flood:
    """Counts what is judged and what of it is rejected, and says so if that is much.

    Args:
        now_seconds: of a clock that does not go back.
    """

    def __init__(self, now_seconds: float) -> None:
        self._since = now_seconds
        self._look_at = now_seconds + _LOOK_SECONDS
        self._judged = 0
        self._rejected: Counter[str] = Counter()

    def judge(self, transactions: int) -> None:
        """Count transactions, accepted or not."""
        self._judged += transactions

    def reject(self, reason: str) -> None:
        """Count one that was not accepted."""
        self._rejected[reason] += 1

    def told(self, now_seconds: float) -> str:
        """Return what is to be told now, nothing most of the time; a minute passes before more of it."""
        if now_seconds < self._look_at:
            return ""
        rejected = self._rejected.total()
        told = ""
        if rejected >= max(_LEAST, _SHARE * self._judged):
            [(reason, most)] = self._rejected.most_common(1)
            # A batched record is judged at once, and what of it is rejected is sent bit by bit: it may be told later.
            of = f" of {self._judged:,}" if self._judged >= rejected else ""
            told = (
                f"{rejected:,}{of} transactions of the last {now_seconds - self._since:.0f} s were rejected, {most:,} "
                f"of them as {reason}; they are dead letters: docs/operations/dead-letters.md"
            )
        self._since, self._look_at = now_seconds, now_seconds + (_QUIET_SECONDS if told else _LOOK_SECONDS)
        self._judged = 0
        self._rejected.clear()
        return told
