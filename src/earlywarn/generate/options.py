"""What to generate: every figure a setting, with its unit."""

from datetime import date
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from earlywarn.domain.ranges import MOST_DAYS, SHARE, SOME_DAYS, Range, out_of_range, up_to
from earlywarn.domain.series import holds
from earlywarn.errors import ConfigError

HOURLY_PROFILE = (
    0.4, 0.2, 0.1, 0.1, 0.2, 0.6, 2.0, 3.6, 4.8, 6.0, 7.2, 8.2, 8.6, 7.2, 7.0, 7.4, 8.2, 9.0, 7.6, 4.8, 3.0, 2.0, 1.2,
    0.6,
)  # fmt: skip
"""Share of a day's card payments by hour of the local clock (shape of a shopping day, our judgement)."""

HORIZON_DAYS = 44
"""Longest delay of a late record, in days: below the 45 days after which it would be rejected."""


OPTION_RANGES = {
    "seed": Range(0, 2**63 - 1),
    "scale": up_to(1_000_000),
    "amount_sigma": up_to(5),
    "jitter_seconds": Range(0, 86_400, most_in=False),
    **dict.fromkeys(("ecom_share", "late_share", "duplicate_share", "broken_share"), SHARE),
    "cards_per_region": Range(1, 1_000_000_000),
    "late_days_mean": up_to(MOST_DAYS),
    "late_days_max": Range(1, HORIZON_DAYS),
}
SHOCK_RANGES = {"days": SOME_DAYS, "change_pct": Range(-100, 10_000)}


class Shock(msgspec.Struct, frozen=True, kw_only=True):
    """A step in the cells: `change_pct` per cent for `days` local days from `first_day`.

    `region` and `sector` None mean all. Of measure `transactions` the counts change, and the amounts with them;
    of measure `amount` the amounts change and the counts stay.
    """

    first_day: date
    days: int
    change_pct: float
    region: str | None = None
    sector: str | None = None
    measure: Literal["transactions", "amount"] = "transactions"

    def factor(self, day: date, region: str, sector: str) -> float:
        """Return what the cell is multiplied by, 1 where the shock does not reach."""
        return 1 + self.change_pct / 100 if self.reaches(day, region, sector) else 1.0

    def reaches(self, day: date, region: str, sector: str) -> bool:
        """Return whether a cell is hit."""
        in_time = 0 <= (day - self.first_day).days < self.days
        return in_time and holds((self.region, self.sector), (region, sector))


class GenerateOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How cells become transactions.

    Counts: each cell's count times `scale` (or so scaled that about `transactions` come out in all), drawn from
    a Poisson law of that mean (`poisson`) or rounded. Amounts: log-normal with `amount_sigma`, summing exactly to the
    cell's amount, which is scaled as its count was.
    Order: by arrival, which is the event's time plus up to `jitter_seconds`. `late_share` of the records arrive 1 to
    `late_days_max` days later, `late_days_mean` on average before the cut; `duplicate_share` arrive once more with
    the same id; `broken_share` broken records come on top.
    """

    seed: int = 1
    scale: float = 1.0
    transactions: int | None = None
    poisson: bool = True
    amount_sigma: float = 0.8
    time_zone: str = "Europe/Zurich"
    hourly_profile: tuple[float, ...] = HOURLY_PROFILE
    jitter_seconds: int = 600
    ecom_share: float = 0.0
    use_mcc: bool = False
    cards_per_region: int = 50_000
    sources: tuple[tuple[str, float], ...] = (("acquirer-a", 0.6), ("acquirer-b", 0.3), ("acquirer-c", 0.1))
    shocks: tuple[Shock, ...] = ()
    late_share: float = 0.0
    late_days_mean: float = 3.0
    late_days_max: int = 30
    duplicate_share: float = 0.0
    broken_share: float = 0.0

    def check(self) -> None:
        """Raise ConfigError with every setting that cannot be used."""
        problems = out_of_range(self, OPTION_RANGES)
        if self.transactions is not None and self.transactions < 1:
            problems.append(f"transactions = {self.transactions}: give 1 or more")
        if len(self.hourly_profile) != 24 or min(self.hourly_profile) < 0 or not sum(self.hourly_profile):
            problems.append("hourly_profile needs 24 weights, none negative, not all 0")
        if not self.sources or min(share for _, share in self.sources) < 0 or not sum(s for _, s in self.sources):
            problems.append("sources needs names with shares, none negative, not all 0")
        problems += [
            f"shock from {shock.first_day}: {problem}"
            for shock in self.shocks
            for problem in out_of_range(shock, SHOCK_RANGES)
        ]
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            problems.append(f"time_zone {self.time_zone!r} is no IANA time zone")
        if problems:
            raise ConfigError("generate: " + "; ".join(problems))
