"""Which partition a transaction goes to: a stable hash of its cell, so that a cell's records stay in their order."""

from zlib import crc32

from earlywarn.aggregation.route import Route, Router
from earlywarn.domain.transaction import Transaction

_CELLS_KEPT = 1 << 16
_Attributes = tuple[str | None, ...]


class CellPartitioner:
    """Deals cells (panel, region, sector) to partitions by CRC-32; what belongs to no cell, by what it says itself."""

    def __init__(self, router: Router, partitions: int) -> None:
        self.partitions = partitions
        self._router = router
        self._known: dict[_Attributes, int] = {}

    def of(self, transaction: Transaction) -> int:
        """Return the partition, 0 to P - 1."""
        key: _Attributes = (
            transaction.region,
            transaction.sector,
            transaction.mcc,
            transaction.country,
            transaction.channel,
        )
        if transaction.sector is None and transaction.mcc is None:
            key += (transaction.merchant,)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _CELLS_KEPT:
                self._known.clear()
            found = self._known[key] = self._partition(transaction, key)
        return found

    def _partition(self, transaction: Transaction, key: _Attributes) -> int:
        route = self._router.resolve(transaction)
        cell = route.target if isinstance(route, Route) else tuple(each or "" for each in key)
        return crc32("/".join(cell).encode()) % self.partitions
