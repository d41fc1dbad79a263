"""The contract of the folds as a plain loop over the input, and a small panel to fold."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from earlywarn.aggregation.block import FoldParameters
from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.money import RateTable
from earlywarn.domain.panel import Panel
from earlywarn.domain.region import RegionResolver, RegionTree
from earlywarn.domain.sector import Classification
from earlywarn.domain.series import Resolution
from earlywarn.domain.transaction import Transaction

HOUR_MS = 3_600_000
EUR_RATES = [
    (date(2000, 1, 1), Decimal("1.10")),
    *((date(2019, 3, 25) + timedelta(days=day), Decimal(90 + 7 * day % 23) / 100) for day in range(60)),
]
"""Another one every day round the tests' days, so that the rate of a wrong day is seen."""
ZONES = {"P": "Europe/Zurich", "Q": "America/New_York"}
Cell = tuple[str, str]
"""Region, sector."""


def small_panel(
    resolution: Resolution = "hour", time_zone: str = ZONES["P"], *, name: str = "P", country: str = ""
) -> Panel:
    """Return a panel that takes any region and sector, with a rate for EUR and none for USD."""
    return Panel(
        id=name,
        currency="CHF",
        countries=(country,) if country else (),
        calendar=LocalCalendar(time_zone),
        regions=RegionResolver(RegionTree([]), level=None, accepts_any=True),
        classification=Classification.open(),
        rates=RateTable("CHF", {"EUR": EUR_RATES}),
        resolution=resolution,
    )


def two_panels(resolution: Resolution = "hour") -> tuple[Panel, Panel]:
    """Return the small panel, and one of another country, whose days begin six hours later."""
    return small_panel(resolution), small_panel(resolution, ZONES["Q"], name="Q", country="US")


class Payment(NamedTuple):
    """A record of a partition's log, short. It counts in panel P, or Q if that is its country's."""

    event_ms: int
    region: str
    sector: str
    amount_minor: int
    kind: str = "purchase"
    currency: str = "CHF"
    count: int = 1
    country: str | None = None
    source: str | None = None

    @property
    def panel(self) -> str:
        """Return the panel in which it counts."""
        return "Q" if self.country == "US" else "P"

    def transaction(self) -> Transaction:
        """Return it as the fold takes it."""
        return Transaction(
            id="x",
            ts=self.event_ms,
            amount_minor=self.amount_minor,
            currency=self.currency,
            region=self.region,
            country=self.country,
            sector=self.sector,
            kind=self.kind,  # type: ignore[arg-type]  # one of the three
            count=self.count,
            channel="pos",
            source=self.source,
        )


@dataclass
class Truth:
    """What must come out: a panel's sums by (cell, base bucket), the run's rejects by reason and its newest event.

    `unread` are a panel's transactions that were not accepted and would have counted on time.
    """

    on_time: dict[tuple[Cell, int], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    late: dict[tuple[Cell, int], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    unread: Counter[tuple[Cell, int]] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    newest_ms: int | None = None

    def buckets(self) -> list[int]:
        """Return the base buckets with on-time rows, ascending."""
        return sorted({bucket for _, bucket in self.on_time})

    def final(self) -> dict[tuple[Cell, int], tuple[int, int]]:
        """Return on-time plus late, zeros left out."""
        sums: dict[tuple[Cell, int], list[int]] = defaultdict(lambda: [0, 0])
        for part in (self.on_time, self.late):
            for key, (count, amount) in part.items():
                sums[key][0] += count
                sums[key][1] += amount
        return {key: (count, amount) for key, (count, amount) in sums.items() if count or amount}


def count_plainly(logs: Sequence[Sequence[Payment]], parameters: FoldParameters, panel: str = "P") -> Truth:
    """Return what the contract says of a panel in these logs, one partition each, record by record."""
    truth = Truth()
    lateness_ms = parameters.lateness_seconds * 1000
    horizon_ms = parameters.revision_horizon_days * 24 * HOUR_MS
    for log in logs:
        newest: int | None = None
        for payment in log:
            end_ms = (payment.event_ms // HOUR_MS + 1) * HOUR_MS
            is_late = newest is not None and end_ms <= newest - lateness_ms
            if is_late and newest is not None and end_ms <= newest - horizon_ms:
                truth.rejected["too_late"] += 1
                continue
            is_negative = payment.kind == "purchase" and payment.amount_minor < 0
            if is_negative or payment.currency == "USD":
                truth.rejected["amount_out_of_range" if is_negative else "currency_no_rate"] += 1
                if payment.kind == "purchase" and payment.panel == panel and not is_late:
                    place = (payment.region, payment.sector), payment.event_ms // HOUR_MS * 3600
                    truth.unread[place] += payment.count
                continue
            if payment.panel == panel:
                count, amount = _signed(payment)
                row = (truth.late if is_late else truth.on_time)[
                    (payment.region, payment.sector), payment.event_ms // HOUR_MS * 3600
                ]
                row[0] += count
                row[1] += amount
            newest = payment.event_ms if newest is None else max(newest, payment.event_ms)
        truth.newest_ms = max(filter(None, (truth.newest_ms, newest)), default=None)
    return truth


def published_hours(truth: Truth, panel: Panel, fill_days: int) -> list[int]:
    """Return the base buckets of which a panel gives first vintages: to the end of the run's last day, without rest."""
    calendar, heard = panel.calendar, truth.buckets()
    if not heard or truth.newest_ms is None:
        return []
    last = calendar.day_of(truth.newest_ms // 1000)
    days = {calendar.day_of(bucket) for bucket in heard}
    found, silent_days = [], 0
    day = min(days)
    while day <= last:
        silent_days = 0 if day in days else silent_days + 1
        if silent_days <= fill_days:
            found += calendar.buckets(day)
        day += timedelta(days=1)
    return [bucket for bucket in found if bucket >= heard[0]]


def _signed(payment: Payment) -> tuple[int, int]:
    amount = abs(payment.amount_minor)
    if payment.currency == "EUR":
        day = datetime.fromtimestamp(payment.event_ms / 1000, ZoneInfo(ZONES[payment.panel])).date()
        rate = next(rate for since, rate in reversed(EUR_RATES) if since <= day)
        amount = int((Decimal(amount) * rate).to_integral_value(rounding="ROUND_HALF_EVEN"))
    if payment.kind == "refund":
        return 0, -amount
    if payment.kind == "reversal":
        return -payment.count, -amount
    return payment.count, amount
