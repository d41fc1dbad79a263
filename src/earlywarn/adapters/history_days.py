"""How many days a panel's history has, and on how many of them anything came."""

from dataclasses import dataclass
from datetime import date


@dataclass(slots=True)
class HistoryDays:
    """A panel's local days that have closed, those of them with any value, and whether any was ready for alerts.

    `learned` counts those of which enough was heard and could be read for the models to learn them. `last` is the last
    one that closed, `last_judged` the last one that was judged. `lost_to_disorder` counts the records that were left
    out since their files are not in the order of time.
    """

    closed: int = 0
    heard: int = 0
    learned: int = 0
    ready: bool = False
    last: date | None = None
    last_judged: date | None = None
    lost_to_disorder: int = 0

    @property
    def cut_short(self) -> date | None:
        """Return the last day if it was published and not judged, since too little of it was seen."""
        if self.last is None or self.last_judged is None or self.last <= self.last_judged:
            return None
        return self.last

    @property
    def disorder(self) -> str:
        """Return what disorder cost, and what helps, as a clause; empty if it cost nothing.

        >>> HistoryDays(lost_to_disorder=1200).disorder
        'the input is not in the order of time, so 1,200 of its records were left out; run it again with --sort'
        """
        if not self.lost_to_disorder:
            return ""
        return (
            f"the input is not in the order of time, so {self.lost_to_disorder:,} of its records were left out; run it "
            "again with --sort"
        )

    @property
    def is_hardly_learned(self) -> bool:
        """Return whether most days taught the models nothing."""
        return not self.ready and 2 * self.learned < self.closed

    @property
    def is_sparse(self) -> bool:
        """Return whether most days have no value: then it is no history of days, but of weeks or months."""
        return 2 * self.heard < self.closed

    def what_is_sparse(self) -> str:
        """Return what is there of a sparse history, and what is needed, as a clause.

        >>> HistoryDays(closed=274, heard=10).what_is_sparse()
        'values on 10 of 274 days; one row per local day is needed, since sums of weeks or months cannot be judged'
        """
        if self.lost_to_disorder:
            return f"values on {self.heard:,} of {self.closed:,} days; {self.disorder}"
        return (
            f"values on {self.heard:,} of {self.closed:,} days; one row per local day is needed, "
            "since sums of weeks or months cannot be judged"
        )
