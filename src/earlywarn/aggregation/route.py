"""Where a transaction counts: its panel, region, sector and sign, resolved once per combination of attributes."""

from collections.abc import Sequence
from typing import NamedTuple

from earlywarn.domain.country import nuts_country
from earlywarn.domain.panel import Panel
from earlywarn.domain.reject import Reject, RejectReason
from earlywarn.domain.transaction import Transaction

_SIGNS = {"purchase": (1, 1), "refund": (0, -1), "reversal": (-1, -1)}
"""By kind: the sign of the count and of the amount."""


class Route(NamedTuple):
    """The destination of every transaction with the same attributes.

    `target` is panel, region and sector; `plain` marks the common case: a purchase in the panel's currency,
    added as it stands.
    """

    panel: Panel
    target: tuple[str, str, str]
    source: str | None
    count_sign: int
    amount_sign: int
    currency: str
    plain: bool


class Router:
    """Finds the panel by country, then the region and the sector by the panel's own rules."""

    def __init__(self, panels: Sequence[Panel]) -> None:
        self.panels = tuple(panels)
        self._by_country = {nuts_country(country): panel for panel in panels for country in panel.countries}
        self._rest = next((panel for panel in panels if not panel.countries), None)

    def resolve(self, transaction: Transaction) -> Route | Reject:
        """Return the route of a transaction, or why it has none."""
        panel = self._panel(transaction)
        if panel is None:
            where = transaction.country or transaction.region or ""
            return Reject(
                reason=RejectReason.PANEL_UNKNOWN,
                field="country" if transaction.country else "region",
                detail=f"no panel takes {where[:16]!r}",
            )
        region = panel.regions.resolve(
            transaction.region or None, transaction.country or None, transaction.channel or None
        )
        if isinstance(region, RejectReason):
            field = "country" if region is RejectReason.PANEL_UNKNOWN else "region"
            return Reject(reason=region, field=field, detail=f"{transaction.region!r:.40}")
        sector = panel.classification.class_of(
            transaction.mcc, transaction.sector or None, transaction.merchant or None
        )
        if isinstance(sector, RejectReason):
            field, value = ("sector", transaction.sector) if transaction.sector else ("mcc", transaction.mcc)
            return Reject(reason=sector, field=field, detail=f"{value!r:.40} in {panel.classification.name}")
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

    def _panel(self, transaction: Transaction) -> Panel | None:
        if len(self.panels) == 1 and self._rest is not None:
            return self._rest
        if transaction.country:
            return self._by_country.get(nuts_country(transaction.country), self._rest)
        return self._by_country.get((transaction.region or "")[:2], self._rest)
