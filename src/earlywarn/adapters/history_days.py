"""How many days a panel's history has, and on how many of them anything came."""

from dataclasses import dataclass


@dataclass(slots=True)
class HistoryDays:
    """A panel's local days that have closed, those of them with any value, and whether any was ready for alerts."""

    closed: int = 0
    heard: int = 0
    ready: bool = False

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
