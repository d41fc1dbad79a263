"""When an aggregator tells that much of what it reads is of no use: seldom, with numbers, and never with a content."""

from collections import Counter

from earlywarn.domain.reject import RejectReason

_LOOK_SECONDS = 5.0
_QUIET_SECONDS = 60.0
_SHARE = 0.1
"""Of what was read: what some senders always get wrong is less, and stands in the metrics."""
_LEAST = 10
_AFTER_END = RejectReason.AFTER_END.value
"""Of these each one is told: whoever sends them believes that they count."""
_MAY_BE_TOLD = "that stood in open blocks when this worker took its partitions (whoever had them may have told it)"


class Flood:
    """Counts what is judged and what of it is rejected, and says so if that is much.

    What may be read `again`, since it stood in a block that was open when its partition was taken, is told apart.

    Args:
        now_seconds: of a clock that does not go back.
    """

    def __init__(self, now_seconds: float) -> None:
        self._since = now_seconds
        self._look_at = now_seconds + _LOOK_SECONDS
        self._judged = {True: 0, False: 0}
        self._rejected: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}

    def judge(self, transactions: int, *, again: bool = False) -> None:
        """Count transactions, accepted or not."""
        self._judged[again] += transactions

    def reject(self, reason: str, *, again: bool = False) -> None:
        """Count one that was not accepted."""
        self._rejected[again][reason] += 1

    def told(self, now_seconds: float) -> str:
        """Return what is to be told now, nothing most of the time; a minute passes before more of it."""
        if now_seconds < self._look_at:
            return ""
        seconds = f"of the last {now_seconds - self._since:.0f} s"
        parts = (self._in_words(seconds, again=False), self._in_words(_MAY_BE_TOLD, again=True))
        told = "; ".join(filter(None, parts))
        self._since, self._look_at = now_seconds, now_seconds + (_QUIET_SECONDS if told else _LOOK_SECONDS)
        self._judged = {True: 0, False: 0}
        self._rejected = {True: Counter(), False: Counter()}
        return told

    def _in_words(self, which: str, *, again: bool) -> str:
        rejected, judged = self._rejected[again], self._judged[again]
        total = rejected.total()
        if after_end := rejected[_AFTER_END]:
            return (
                f"{after_end:,} transactions {which} came in after the end of this replay, whose log is closed: none "
                "of them is counted, and they are dead letters (after_end). Point senders to a run that goes on: "
                "docs/operations/topics.md, Go on in another run"
            )
        if total < max(_LEAST, _SHARE * judged):
            return ""
        [(reason, most)] = rejected.most_common(1)
        # A batched record is judged at once, and what of it is rejected is sent bit by bit: it may be told later.
        of = f" of {judged:,}" if judged >= total else ""
        return (
            f"{total:,}{of} transactions {which} were rejected, {most:,} of them as {reason}; they are dead letters: "
            "docs/operations/dead-letters.md"
        )
