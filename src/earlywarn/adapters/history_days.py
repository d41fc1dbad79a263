"""How many days a panel's history has, and on how many of them anything came."""

from dataclasses import dataclass
from datetime import date


@dataclass(slots=True)
class HistoryDays:
    """A panel's local days that have closed, those of them with any value, and whether any was ready for alerts.

    `last` is the last one that closed, `last_judged` the last one that was judged.
    """

    closed: int = 0
    heard: int = 0
    ready: bool = False
    last: date | None = None
    last_judged: date | None = None

    @property
    def cut_short(self) -> date | None:
        """Return the last day if it was published and not judged, since too little of it was seen."""
        if self.last is None or self.last_judged is None or self.last <= self.last_judged:
            return None
        return self.last

    @property
    def is_sparse(self) -> bool:
        """Return whether most days have no value: then it is no history of days, but of weeks or months."""
        return 2 * self.heard < self.closed

    def what_is_sparse(self) -> str:
        """Return what is there of a sparse history, and what is needed, as a clause.

        >>> HistoryDays(closed=274, heard=10).what_is_sparse()
        'values on 10 of 274 days; one row per local day is needed, since sums of weeks or months cannot be judged'
        """
        return (
            f"values on {self.heard:,} of {self.closed:,} days; one row per local day is needed, "
            "since sums of weeks or months cannot be judged"
        )
