"""The routes of many transactions at once: every distinct combination of attributes is resolved once.

Combinations are many where regions are postal codes, or where a merchant says what was bought. What every panel
takes for the same region and the same class has the same route, so such values are made one before they are
combined. Whether that is so, and what the route is, only the panels and the router say.
"""

from functools import lru_cache
from typing import NamedTuple

from earlywarn.aggregation.columns import Coded, TransactionColumns, joint
from earlywarn.aggregation.route import Route, Router
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import Kind, Transaction

_KEPT = 1 << 14  # results kept of each kind; the least recently used are worked out anew

_Texts = tuple[str | None, ...]


class Course(NamedTuple):
    """A route, or why there is none, with what the fold asks of it so often that it is laid out here.

    `exchange` is whose rates convert what currency, `cell` what sums are added to, or of what
    has no route what would have been; both None where there is nothing.
    """

    route: Route | Reject
    plain: bool
    count_sign: int
    amount_sign: int
    exchange: tuple[str, str] | None
    cell: tuple[tuple[str, str, str], str | None] | None


class ColumnRoutes:
    """Resolves the routes of columns, and remembers them from record to record."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._place_label = lru_cache(_KEPT)(self._find_place_label)
        self._goods_label = lru_cache(_KEPT)(self._find_goods_label)
        self._course = lru_cache(_KEPT)(self._find_course)

    def of(self, columns: TransactionColumns) -> "Routed":
        """Return each row's course."""
        attributes = _Attributes(
            joint(columns.region, columns.country, columns.channel),
            joint(columns.mcc, columns.sector, _merchants(columns)),
            columns.kind,
            columns.currency,
            columns.source,
        )
        joined = joint(
            attributes.place.merged(self._place_label), attributes.goods.merged(self._goods_label), *attributes[2:]
        )
        return Routed(Coded([self._course(*each) for each in joined.values], joined.codes), attributes)

    def reason(self, routed: "Routed", row: int) -> Reject:
        """Return why a row has no route. It quotes the row's own attributes, so no other row can answer."""
        reject = self._course(*(column.at(row) for column in routed.attributes)).route
        if isinstance(reject, Route):
            raise TypeError(f"row {row} has a route to {reject.target}, and what stands for it has none")
        return reject

    def _find_place_label(self, place: _Texts) -> tuple[object, ...]:
        """Return what the panel and the region depend on."""
        region, country, channel = (text or None for text in place)
        regions = (panel.regions.resolve(region, country, channel) for panel in self._router.panels)
        return (country or (region or "")[:2], *regions)

    def _find_goods_label(self, goods: _Texts) -> tuple[object, ...]:
        """Return what the class depends on."""
        mcc, sector, merchant = (text or None for text in goods)
        return tuple(panel.classification.class_of(mcc, sector, merchant) for panel in self._router.panels)

    def _find_course(self, place: _Texts, goods: _Texts, kind: Kind, currency: str, source: str | None) -> Course:
        region, country, channel = place
        mcc, sector, merchant = goods
        transaction = Transaction(
            id="", ts=0, amount_minor=0, currency=currency, mcc=mcc, region=region, country=country,
            channel=channel, source=source, sector=sector, merchant=merchant, kind=kind,  # type: ignore[arg-type]
        )  # fmt: skip
        route = self._router.resolve(transaction)
        if isinstance(route, Reject):
            target = self._router.where(transaction)
            missed = None if target is None else (target, source or None)
            return Course(route, plain=False, count_sign=0, amount_sign=0, exchange=None, cell=missed)
        return Course(
            route,
            route.plain,
            route.count_sign,
            route.amount_sign,
            None if route.currency == route.panel.currency else (route.panel.id, route.currency),
            (route.target, route.source),
        )


class _Attributes(NamedTuple):
    """What a route depends on; `place` is region, country and channel, `goods` is mcc, sector and merchant."""

    place: Coded
    goods: Coded
    kind: Coded
    currency: Coded
    source: Coded


class Routed(NamedTuple):
    """The courses of a record's rows, and the attributes that they come from."""

    courses: Coded
    attributes: _Attributes


def _merchants(columns: TransactionColumns) -> Coded:
    """Return the merchants of the rows in which they alone say what was bought; None in all others."""
    if None in columns.mcc.values:
        wanted = columns.mcc.flagged([code is None for code in columns.mcc.values], len(columns.ts))
        wanted &= columns.sector.flagged([not (text or "").strip() for text in columns.sector.values], len(columns.ts))
        if wanted.any():
            return columns.merchant().where(wanted)
    return Coded((None,))
