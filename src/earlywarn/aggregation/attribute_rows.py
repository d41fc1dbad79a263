"""Sums of the open block by a transaction's own attributes, so that the hot loop routes nothing.

What has the same attributes has the same route: it is resolved with the first of its kind, and again only when
the sums move on into the block's.
"""

from typing import Any

from earlywarn.aggregation.block_sums import BlockSums
from earlywarn.aggregation.parameters import FoldParameters
from earlywarn.aggregation.refusals import negative_purchase, too_much, without_rate
from earlywarn.aggregation.route import Route, Router
from earlywarn.domain.reject import Reject, Whereabouts
from earlywarn.domain.transaction import AMOUNT_LIMIT_MINOR, Transaction

DAY_MS = 86_400_000
ROUTES_LIMIT = 1 << 17
"""Combinations of attributes kept at once; then they are resolved anew."""
_NOT_PLAIN = "not plain"

Attributes = tuple[Any, ...]
"""Region, mcc, currency, country, channel, sector, kind, source; and the merchant if it alone says what was bought."""
Rows = dict[int, dict[Attributes, list[int]]]
"""By base bucket (number), then by a transaction's attributes: [transactions, amount in minor units]."""


class AttributeRows:
    """Rows not yet in the block's sums, and the routes they will take.

    Attributes:
        on_time, late: the rows, by base bucket.
        plain: routes of purchases in the panel's currency, which are added as they stand.
    """

    def __init__(self, router: Router, parameters: FoldParameters) -> None:
        self.on_time: Rows = {}
        self.late: Rows = {}
        self.plain: dict[Attributes, Route] = {}
        self._others: dict[Attributes, Route | Reject] = {}
        self._router = router
        self._base_bucket_seconds = parameters.base_bucket_seconds
        self._lateness_ms = parameters.lateness_seconds * 1000
        self._sources_limit = parameters.sources_limit
        self.sums = BlockSums(self._sources_limit)

    def open_block(self) -> None:
        """Begin anew; the routes stay."""
        self.on_time.clear()
        self.late.clear()
        self.sums = BlockSums(self._sources_limit)

    def collect(self) -> BlockSums:
        """Move all rows into the sums of the block, and return these."""
        plain = self.plain.get
        for late, buckets in ((False, self.on_time), (True, self.late)):
            for bucket, rows in buckets.items():
                added = [(plain(place) or self._route_of(place), row) for place, row in rows.items()]
                self.sums.add(bucket * self._base_bucket_seconds, added, late=late)
            buckets.clear()
        return self.sums

    def enter(
        self, item: Transaction, key: Attributes, buckets: Rows, bucket: int
    ) -> tuple[list[int], int, int] | Reject:
        """Return the row that a transaction adds to, and the signed count and amount that it adds.

        Plain purchases of the same attributes share the row that stands under them; what needs a look each
        time (a refund, a foreign currency) has a row under a longer key, where the hot loop does not find it.
        """
        if item.mcc is None and item.merchant and not (item.sector or "").strip():
            key = (*key, item.merchant)  # the shop's name alone says what was bought
        route = self.plain.get(key) or self._others.get(key)
        if route is None:
            route = self._learn_route(key, item)
        if isinstance(route, Reject):
            return route
        examined = _examine(item, route)
        if isinstance(examined, Reject):
            return examined
        rows = buckets.setdefault(bucket, {})
        return rows.setdefault(key if route.plain else (_NOT_PLAIN, *key), [0, 0]), *examined

    def refusal(self, item: Transaction) -> Reject | None:
        """Say why a transaction is not acceptable by itself, whatever its time; nothing is kept of it."""
        route = self._known_route(item)
        if isinstance(route, Reject):
            return route
        examined = _examine(item, route)
        return examined if isinstance(examined, Reject) else None

    def _known_route(self, item: Transaction) -> Route | Reject:
        """Return the route of a transaction, or why it has none; nothing is kept of it."""
        key: Attributes = (
            item.region, item.mcc, item.currency, item.country, item.channel,
            item.sector, item.kind, item.source,
        )  # fmt: skip
        if item.mcc is None and item.merchant and not (item.sector or "").strip():
            key = (*key, item.merchant)
        # Not learned: the loop holds rows that would be collected when there are too many routes.
        return self.plain.get(key) or self._others.get(key) or self._router.resolve(item)

    def miss(self, about: Whereabouts, newest_ms: int, latest_ms: int) -> None:
        """Note a record that was not decoded, if it would have counted on time and its place can be told."""
        base_ms = self._base_bucket_seconds * 1000
        bucket = about.ts // base_ms
        if about.ts > latest_ms or bucket < (newest_ms - self._lateness_ms) // base_ms:
            return
        target = self._router.locate(about.place)
        if target is not None:
            self.sums.miss(target, about.source, bucket * self._base_bucket_seconds, about.count)

    def miss_transaction(self, item: Transaction, bucket: int) -> None:
        """Note an on-time transaction that was refused, if it has a place; a refund adds no transaction anyway."""
        if item.kind != "purchase":
            return
        route = self._known_route(item)
        target = self._router.where(item) if isinstance(route, Reject) else route.target
        if target is not None:
            self.sums.miss(target, item.source or None, bucket * self._base_bucket_seconds, item.count)

    def _learn_route(self, key: Attributes, transaction: Transaction) -> Route | Reject:
        """Resolve a new combination of attributes."""
        if len(self.plain) + len(self._others) >= ROUTES_LIMIT:
            self.collect()
            self.plain.clear()
            self._others.clear()
        route = self._router.resolve(transaction)
        if isinstance(route, Route) and route.plain:
            self.plain[key] = route
        else:
            self._others[key] = route
        return route

    def _route_of(self, place: Attributes) -> Route:
        """Return the route of a row that is not plain; only what was accepted has a row."""
        route = self._others[place[1:]]
        if isinstance(route, Reject):
            raise TypeError(f"a rejected record has a row: {place}")
        return route


def _examine(item: Transaction, route: Route) -> tuple[int, int] | Reject:
    """Return the signed count and amount in the panel's currency, or why the record is rejected."""
    if item.kind == "purchase" and item.amount_minor < 0:
        return negative_purchase(item.amount_minor)
    amount: int | None = abs(item.amount_minor)
    if route.currency != route.panel.currency:
        day = route.panel.calendar.day_of(item.ts // 1000).toordinal()
        amount = route.panel.rates.convert(abs(item.amount_minor), route.currency, day)
        if amount is not None and amount > AMOUNT_LIMIT_MINOR:
            return too_much(amount, route)
    if amount is None:
        return without_rate(route)
    return route.count_sign * item.count, route.amount_sign * amount
