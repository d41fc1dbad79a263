"""Where a transaction counts: its panel, region, sector and sign, resolved once per combination of attributes."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from earlywarn.aggregation.excerpt import shown
from earlywarn.aggregation.sectorless import NO_SECTOR
from earlywarn.aggregation.unknown_region import region_hint
from earlywarn.domain.country import nuts_country
from earlywarn.domain.panel import Panel
from earlywarn.domain.region import RegionResolver
from earlywarn.domain.reject import Place, Reject, RejectReason
from earlywarn.domain.transaction import Transaction

_SIGNS = {"purchase": (1, 1), "refund": (0, -1), "reversal": (-1, -1)}
"""By kind: the sign of the count and of the amount."""
_PLACES_KEPT = 1 << 14  # of records that are not accepted; the least recently used are found anew
_POSTAL_CODE = 8
"""Characters of the longest in Europe: SW1A 1AA, 1000-001."""


Target = tuple[str, str, str]
"""Panel, region, sector."""


class Route(NamedTuple):
    """The destination of every transaction with the same attributes.

    `plain` marks the common case: a purchase in the panel's currency,
    added as it stands.
    """

    panel: Panel
    target: Target
    source: str | None
    count_sign: int
    amount_sign: int
    currency: str
    plain: bool


class Router:
    """Finds the panel by country, then the region and the sector by the panel's own rules.

    Attributes:
        locate: where a record that was not accepted would have counted, None if that cannot be told; `NO_SECTOR` if
            all but the sector can.
    """

    def __init__(self, panels: Sequence[Panel]) -> None:
        self.panels = tuple(panels)
        self._by_country = {nuts_country(country): panel for panel in panels for country in panel.countries}
        self._rest = next((panel for panel in panels if not panel.countries), None)
        self.locate = lru_cache(_PLACES_KEPT)(self._locate)

    def resolve(self, transaction: Transaction) -> Route | Reject:
        """Return the route of a transaction, or why it has none."""
        panel = self.panel_of(transaction.country, transaction.region)
        if panel is None:
            where = transaction.country or transaction.region or ""
            return Reject(
                reason=RejectReason.PANEL_UNKNOWN,
                field="country" if transaction.country else "region",
                detail=f"no panel takes {_shown_region(where)}",
            )
        region = panel.regions.resolve(
            transaction.region or None, transaction.country or None, transaction.channel or None
        )
        if isinstance(region, RejectReason):
            return _without_region(region, transaction, panel.regions)
        sector = panel.classification.class_of(
            transaction.mcc, transaction.sector or None, transaction.merchant or None
        )
        if isinstance(sector, RejectReason):
            return _without_sector(sector, transaction, panel.classification.name)
        count_sign, amount_sign = _SIGNS[transaction.kind]
        return Route(
            panel=panel,
            target=(panel.id, region, sector),
            source=transaction.source or None,
            count_sign=count_sign,
            amount_sign=amount_sign,
            currency=transaction.currency,
            plain=transaction.kind == "purchase" and transaction.currency == panel.currency,
        )

    def where(self, refused: Transaction) -> Target | None:
        """Return the same of a transaction that has no route."""
        return self.locate(
            Place(
                region=refused.region or None,
                country=refused.country or None,
                channel=refused.channel or None,
                mcc=refused.mcc or None,
                sector=refused.sector or None,
                merchant=refused.merchant or None,
            )
        )

    def _locate(self, place: Place) -> Target | None:
        """Return what `locate` tells."""
        panel = self.panel_of(place.country, place.region)
        if panel is None:
            return None
        sector = panel.classification.class_of(place.mcc, place.sector, place.merchant)
        region = panel.regions.resolve(place.region, place.country, place.channel)
        if isinstance(region, RejectReason):
            return None
        if place.any_channel and panel.regions.resolve(place.region, place.country, "ecom") != region:
            return None
        return panel.id, region, NO_SECTOR if isinstance(sector, RejectReason) else sector

    def panel_of(self, country: str | None, region: str | None) -> Panel | None:
        """Return the panel that takes records of a country, as stated or of the NUTS code; None if none does."""
        if len(self.panels) == 1:
            return self.panels[0]  # its regions say whose the record is, also where it states no country
        if country:
            return self._by_country.get(nuts_country(country), self._rest)
        return self._by_country.get((region or "")[:2], self._rest)


def _shown_region(region: str) -> str:
    return shown(region, with_digits=_POSTAL_CODE)


def _without_region(reason: RejectReason, transaction: Transaction, regions: RegionResolver) -> Reject:
    if reason is RejectReason.REGION_MISSING:
        return Reject(reason=reason, field="region", detail="the field is missing, and the channel is not ecom")
    region = _shown_region(transaction.region) if transaction.region else "none"
    if reason is RejectReason.REGION_UNKNOWN:
        hint = region_hint(transaction.region or "", regions)
        return Reject(reason=reason, field="region", detail=f"{region} is no region of the panel{hint}")
    country = regions.country_of(transaction.region, transaction.country)
    if reason is not RejectReason.PANEL_UNKNOWN or country is None:
        detail = f"region {region}, country {transaction.country or 'not stated'}: not of the panel"
        return Reject(reason=reason, field="country", detail=detail)
    panel = f"and the panel is of {', '.join(regions.countries)}"
    if transaction.country and nuts_country(transaction.country) == country:
        return Reject(reason=reason, field="country", detail=f"{country} is stated, {panel}")
    return Reject(reason=reason, field="region", detail=f"{region} is of {country}, {panel}")


def _without_sector(reason: RejectReason, transaction: Transaction, classification: str) -> Reject:
    """Name the field that decided: a sector goes before an MCC, and both before a merchant."""
    for field, value in (("sector", transaction.sector), ("mcc", transaction.mcc), ("merchant", transaction.merchant)):
        if value and not value.isspace():
            detail = f"{shown(value)} is not in the classification {classification}"
            return Reject(reason=reason, field=field, detail=detail)
    return Reject(reason=reason, field="sector", detail="none of sector, mcc and merchant is there")
