"""A panel: the part of the economy that one model sees as a whole (a country, or one workspace)."""

from dataclasses import dataclass

from earlywarn.domain.calendar import LocalCalendar
from earlywarn.domain.money import RateTable
from earlywarn.domain.region import RegionResolver
from earlywarn.domain.sector import Classification
from earlywarn.domain.series import Resolution

UNNAMED = "panel"
"""The id of a panel of which nothing is known that could name it."""


def called(panel_id: str) -> str:
    """Return what messages call a panel.

    >>> called("CH"), called(UNNAMED)
    ('panel CH', 'panel')
    """
    return "panel" if panel_id == UNNAMED else f"panel {panel_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What decides where a transaction of this panel counts, and in which local day.

    `countries` are NUTS country codes; an empty tuple takes what no other panel of the run does.
    `resolution` is the finest bucket published: 'day' for history that only knows days.
    """

    id: str
    currency: str
    countries: tuple[str, ...]
    calendar: LocalCalendar
    regions: RegionResolver
    classification: Classification
    rates: RateTable
    resolution: Resolution = "hour"

    def describe(self) -> dict[str, object]:
        """Return everything that decides where a transaction counts, as plain values, for the fingerprint."""
        return {
            "id": self.id,
            "currency": self.currency,
            "countries": list(self.countries),
            "time_zone": self.calendar.time_zone,
            "base_bucket_seconds": self.calendar.base_bucket_seconds,
            "regions": self.regions.describe(),
            "classification": self.classification.describe(),
            "rates": self.rates.describe(),
            "resolution": self.resolution,
        }
