"""The first fold over columns: a record of many transactions into a block's sums, exactly as one by one.

Sums are of 64-bit integers, or of Python's where 64 bits could be too few, and what is late follows from the running
maximum of accepted times. Refunds, reversals, foreign currencies and late rows are columns as well; one by one goes
only what is rejected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from operator import attrgetter

import numpy as np
import numpy.typing as npt

from earlywarn.aggregation.attribute_rows import DAY_MS
from earlywarn.aggregation.block_sums import BlockSums
from earlywarn.aggregation.column_misses import Miss, Pace, told
from earlywarn.aggregation.column_misses import add as add_missed
from earlywarn.aggregation.column_routes import ColumnRoutes, Routed
from earlywarn.aggregation.column_sums import SAFE, Entries, Sums, added_up
from earlywarn.aggregation.columns import Coded, Codes, Integers, Mask, TransactionColumns, compact, joint
from earlywarn.aggregation.copies import CopyWindow
from earlywarn.aggregation.parameters import FoldParameters
from earlywarn.aggregation.refusals import duplicate, in_future, negative_purchase, too_late, too_much, without_rate
from earlywarn.aggregation.route import Router
from earlywarn.domain.reject import Reject
from earlywarn.domain.transaction import AMOUNT_LIMIT_MINOR

_NEVER = -(1 << 60)
_SUMS = 1 << 14  # so many sums are kept side by side whether or not they occur
_STRETCH = 256  # rows
_RATES_KEPT = 1 << 12
_SCALE = 10**100  # a rate is a decimal fraction: converting so many minor units shows all of its digits

_IS_PLAIN, _COUNT_SIGN, _AMOUNT_SIGN, _EXCHANGE, _CELL = map(
    attrgetter, ("plain", "count_sign", "amount_sign", "exchange", "cell")
)

_Cell = tuple[tuple[str, str, str], str | None]
"""Target and source."""
_NO_CELL: _Cell = (("", "", ""), None)
_Rejects = dict[int, Reject]


class ColumnFold:
    """Adds records of many transactions to the sums of a block. It keeps nothing but routes and rates it has found."""

    def __init__(self, router: Router, parameters: FoldParameters) -> None:
        self._parameters = parameters
        self._routes = ColumnRoutes(router)
        self._panels = {panel.id: panel for panel in router.panels}
        self._rate = lru_cache(_RATES_KEPT)(self._find_rate)
        self._locate = router.locate

    def fold(
        self,
        columns: TransactionColumns,
        received_ms: int,
        newest_ms: int | None,
        sums: BlockSums,
        copies: CopyWindow | None = None,
    ) -> tuple[int | None, list[tuple[int, Reject]]]:
        """Add what is accepted to `sums`; return the newest accepted event time, and the rejected by row.

        With `copies` a row counts only if it is none of what stands there, which it joins.
        """
        routed = self._routes.of(columns)
        rows, rejects = self._in_time(columns, routed, received_ms)
        latest_ms = received_ms + self._parameters.future_tolerance_seconds * 1000
        misses = [*told(columns.rejects, latest_ms, self._locate)] if columns.rejects else []
        before = _NEVER if newest_ms is None else newest_ms
        if not len(rows.ts):
            self._miss(misses, rows, rows.ts, before, sums)
            return newest_ms, sorted(rejects.items())
        refused = self._examine(rows, routed)
        misses += _missed(columns, rows, refused) if refused else []
        copied = {} if copies is None else _copied(columns, rows, refused, copies)
        moving = rows.ts
        if refused or copied:
            moving = moving.copy()
            moving[[*refused, *copied]] = _NEVER
        newest = max(before, int(moving.max()))
        buckets = _Buckets.of(rows.ts, self._parameters.base_bucket_seconds)
        late = self._late(buckets, moving, before, refused)
        self._miss(misses, rows, moving, before, sums)
        refused |= copied  # a copy is just that, however late it comes
        if refused:
            rejects |= {rows.place(row): reject for row, reject in refused.items()}
            counted = np.ones(len(rows.ts), bool)
            counted[list(refused)] = False
            rows, buckets, late = rows.keep(counted), buckets.keep(counted), None if late is None else late[counted]
        if len(rows.ts):
            _admit(rows.courses, late, sums)
            _add(rows, buckets, late, sums)
        return None if newest == _NEVER else newest, sorted(rejects.items())

    def _miss(self, misses: list[Miss], rows: "_Rows", moving: Integers, before_ms: int, sums: BlockSums) -> None:
        """Note what was not accepted and would have counted on time; `moving` are the times that move the newest."""
        if not misses:
            return
        base_seconds = self._parameters.base_bucket_seconds
        places = np.arange(len(rows.ts)) if rows.numbers is None else rows.numbers
        pace = Pace(places, moving, before_ms, base_seconds * 1000, self._parameters.lateness_seconds * 1000)
        add_missed(pace.on_time(misses), base_seconds, sums)

    def remember(self, columns: TransactionColumns, received_ms: int, copies: CopyWindow) -> None:
        """Note the acceptable rows of a record that is folded already."""
        routed = self._routes.of(columns)
        rows, _ = self._in_time(columns, routed, received_ms)
        if len(rows.ts):
            _copied(columns, rows, self._examine(rows, routed), copies)

    def _in_time(self, columns: TransactionColumns, routed: Routed, received_ms: int) -> tuple["_Rows", _Rejects]:
        """Return the rows that are well formed and not in the future, and why the others are not accepted."""
        rejects = dict(columns.rejects)
        rows = _Rows(None, columns.ts, columns.amount_minor, columns.count, routed.courses)
        if rejects:
            sound = np.ones(len(rows.ts), bool)
            sound[list(rejects)] = False
            rows = rows.keep(sound)
        latest_ms = received_ms + self._parameters.future_tolerance_seconds * 1000
        if len(rows.ts) and rows.ts.max() > latest_ms:
            ahead = rows.ts > latest_ms
            for row in np.flatnonzero(ahead).tolist():
                rejects[rows.place(row)] = in_future(int(rows.ts[row]), latest_ms)
            rows = rows.keep(~ahead)
        return rows, rejects

    def _examine(self, rows: "_Rows", routed: Routed) -> _Rejects:
        """Give counts and amounts their sign and the panel's currency; return why some rows are refused."""
        courses, size = rows.courses.values, len(rows.ts)
        if rows.amounts.min() >= 0 and all(map(_IS_PLAIN, courses)):
            return {}
        refused: _Rejects = {}
        amount_signs = rows.courses.spread(list(map(_AMOUNT_SIGN, courses)), size)
        for row in np.flatnonzero(amount_signs == 0).tolist():
            refused[row] = self._routes.reason(routed, rows.place(row))
        for row in np.flatnonzero((rows.amounts < 0) & (amount_signs > 0)).tolist():
            refused[row] = negative_purchase(int(rows.amounts[row]))
        rows.amounts = np.abs(rows.amounts)
        exchanges = list(map(_EXCHANGE, courses))
        if exchanges.count(None) < len(exchanges):
            self._convert(rows, Coded(exchanges, rows.courses.codes), refused)
        count_signs = rows.courses.spread(list(map(_COUNT_SIGN, courses)), size)
        rows.amounts = rows.amounts * amount_signs
        rows.counts = count_signs if rows.counts is None else rows.counts * count_signs
        rows.courses = rows.courses.merged(_CELL)  # whatever the kind and the currency
        return refused

    def _convert(self, rows: "_Rows", exchanges: Coded, refused: _Rejects) -> None:
        """Convert the amounts of some rows into their panels' currencies, by the rate of each one's local day."""
        foreign = np.flatnonzero(exchanges.flagged([each is not None for each in exchanges.values], len(rows.ts)))
        if not len(foreign):
            return
        # By base bucket, since none lies in two local days of any panel.
        buckets = rows.ts[foreign] // (self._parameters.base_bucket_seconds * 1000)
        first, size = int(buckets.min()), len(foreign)
        every_bucket = range(first, int(buckets.max()) + 1)
        dated = joint(exchanges.take(foreign).merged(_itself), Coded(every_bucket, buckets - first))
        rates = [self._rate_in(*each) for each in dated.values]
        for row in foreign[dated.flagged([rate is None for rate in rates], size)].tolist():
            refused.setdefault(row, without_rate(rows.courses.at(row).route))
        numerators = [0 if rate is None else rate.numerator for rate in rates]
        denominators = [1 if rate is None else rate.denominator for rate in rates]
        amounts = rows.amounts[foreign]
        if max(*numerators, *denominators) * max(2, int(amounts.max())) >= SAFE:
            amounts = amounts.astype(object)
        products = amounts * dated.spread(numerators, size)
        divisors = dated.spread(denominators, size)
        whole, twice_rest = products // divisors, products % divisors * 2
        whole += (twice_rest > divisors) | ((twice_rest == divisors) & (whole % 2 == 1))  # half goes to even
        for at in np.flatnonzero(whole > AMOUNT_LIMIT_MINOR).tolist():
            row = int(foreign[at])
            refused.setdefault(row, too_much(int(whole[at]), rows.courses.at(row).route))
        rows.amounts = rows.amounts.astype(whole.dtype)
        rows.amounts[foreign] = whole

    def _rate_in(self, exchange: tuple[str, str] | None, bucket: int) -> Fraction | None:
        """Return minor units of a panel's currency for one of another; None if no rate holds, or none is needed."""
        if exchange is None:
            return None
        day = self._panels[exchange[0]].calendar.day_of(bucket * self._parameters.base_bucket_seconds)
        return self._rate(*exchange, day.toordinal())

    def _find_rate(self, panel: str, currency: str, day_ordinal: int) -> Fraction | None:
        converted = self._panels[panel].rates.convert(_SCALE, currency, day_ordinal)
        return None if converted is None else Fraction(converted, _SCALE)

    def _late(self, buckets: "_Buckets", moving: Integers, before_ms: int, refused: _Rejects) -> Mask | None:
        """Return which rows are late, None if none is; those beyond the revision horizon are refused.

        A row is judged by the newest time before it, or up to it: no row is late by its own time. `moving` are the
        times that move the newest; what is late never does.
        """
        lateness_ms = self._parameters.lateness_seconds * 1000
        starts = np.arange(0, len(moving), _STRETCH)
        reached = np.maximum(np.maximum.accumulate(np.maximum.reduceat(moving, starts)), before_ms)
        if (np.minimum.reduceat(buckets.numbers, starts) >= buckets.ended(reached - lateness_ms)).all():
            return None  # none is late by the newest time up to the end of its stretch
        newest = np.maximum.accumulate(moving)
        np.maximum(newest, before_ms, out=newest)
        late: Mask = buckets.numbers < buckets.ended(newest - lateness_ms)
        rows = np.flatnonzero(late)
        if not len(rows):
            return None
        horizon_ms = self._parameters.revision_horizon_days * DAY_MS
        beyond = rows[buckets.numbers[rows] < buckets.ended(newest[rows] - horizon_ms)]
        refused |= dict.fromkeys(beyond.tolist(), too_late(self._parameters))
        return late


@dataclass(slots=True)
class _Rows:
    """Rows that may count: `numbers` are their places in the record, None where all rows may.

    `counts` is None where each is one. Amounts that could leave 64 bits are Python integers (dtype object): slower,
    and as exact.
    """

    numbers: npt.NDArray[np.intp] | None
    ts: Integers
    amounts: Sums
    counts: Integers | None
    courses: Coded

    def keep(self, mask: Mask) -> "_Rows":
        rows = np.flatnonzero(mask)
        counts = None if self.counts is None else self.counts[rows]
        numbers = rows if self.numbers is None else self.numbers[rows]
        return _Rows(numbers, self.ts[rows], self.amounts[rows], counts, self.courses.take(rows))

    def place(self, row: int) -> int:
        return row if self.numbers is None else int(self.numbers[row])


@dataclass(frozen=True, slots=True)
class _Buckets:
    """The base bucket of each row, counted from the first that occurs."""

    numbers: Integers
    first: int
    span: int
    seconds: int

    @classmethod
    def of(cls, ts: Integers, seconds: int) -> "_Buckets":
        numbers = ts // (seconds * 1000)
        first = int(numbers.min())
        numbers -= first
        return cls(numbers, first, int(numbers.max()) + 1, seconds)

    def ended(self, time_ms: Integers) -> Integers:
        """Return how many buckets, counted from the first, end at or before each time."""
        return (time_ms - self.first * self.seconds * 1000) // (self.seconds * 1000)

    def keep(self, mask: Mask) -> "_Buckets":
        return _Buckets(self.numbers[mask], self.first, self.span, self.seconds)


def _copied(columns: TransactionColumns, rows: _Rows, refused: _Rejects, copies: CopyWindow) -> _Rejects:
    """Note the rows that are not refused, and return those that are copies."""
    acceptable: Sequence[int] = range(len(rows.ts))
    if refused:
        acceptable = [row for row in acceptable if row not in refused]
    places = acceptable if rows.numbers is None else rows.numbers[list(acceptable)].tolist()
    copied = copies.find(columns.identities(places))
    ids = columns.ids([places[at] for at in copied])
    return {acceptable[at]: duplicate(each) for at, each in zip(copied, ids, strict=True)}


def _missed(columns: TransactionColumns, rows: _Rows, refused: _Rejects) -> list[Miss]:
    """Return the decoded rows that are refused and have a place; a refund adds no transaction anyway."""
    found = []
    for row in refused:
        place, cell = rows.place(row), rows.courses.at(row).cell
        if cell is not None and columns.kind.at(place) == "purchase":
            count = 1 if columns.count is None else int(columns.count[place])
            found.append(Miss(place, cell[0], cell[1], int(columns.ts[place]), count))
    return found


def _admit(courses: Coded, late: Mask | None, sums: BlockSums) -> None:
    """Admit the named sources of the rows that are on time, in the order of the rows."""
    cells = [course.cell for course in courses.values]
    if sums.sources.keys() >= {cell[1] for cell in cells if cell is not None and cell[1]}:
        return
    for cell in Coded(cells, courses.codes).in_order(None if late is None else ~late):
        if cell[1]:
            sums.admit(cell[1])


def _add(rows: _Rows, buckets: _Buckets, late: Mask | None, sums: BlockSums) -> None:
    """Add rows up by lateness, base bucket and route."""
    width = len(rows.courses.values)
    keys: Codes = buckets.numbers * width
    if rows.courses.codes is not None:
        keys += rows.courses.codes
    size = buckets.span * width
    if late is not None:
        keys += late * np.int64(size)
        size *= 2
    used: Integers | None = None
    if size > _SUMS:
        used, keys = compact(keys, size)
        size = len(used)
    transactions = occupied = np.bincount(keys, minlength=size)
    if rows.counts is not None:
        transactions = np.zeros(size, np.int64)
        np.add.at(transactions, keys, rows.counts)
    amounts = added_up(rows.amounts, keys, size)
    if used is None:
        used = np.flatnonzero(occupied)
        transactions, amounts = transactions[used], amounts[used]
    places, chosen = np.divmod(used, width)
    late_ones, numbers = np.divmod(places, buckets.span)
    starts = (buckets.first + numbers) * buckets.seconds
    # A course without a route has no entry, whatever stands for it.
    cells = [course.cell or _NO_CELL for course in rows.courses.values]
    targets = sums.columns.number([target for target, _ in cells])
    sums.columns.add(Entries(starts, late_ones, targets.take(chosen), transactions, amounts))
    if any(source for _, source in cells):
        on_time = late_ones == 0
        _add_sources(cells, chosen[on_time], numbers[on_time], transactions[on_time], buckets, sums)


def _add_sources(
    cells: Sequence[_Cell], chosen: Codes, numbers: Integers, transactions: Integers, buckets: _Buckets, sums: BlockSums
) -> None:
    """Add up what named sources brought on time, by target, source and bucket."""
    known: dict[tuple[tuple[str, str, str], str], int] = {}
    places = [known.setdefault((target, source), len(known)) if source else -1 for target, source in cells]
    brought = np.array(places, np.int64).take(chosen)
    named = brought >= 0
    used, keys = compact(brought[named] * buckets.span + numbers[named], len(known) * buckets.span)
    found = np.zeros(len(used), np.int64)
    np.add.at(found, keys, transactions[named])
    names = list(known)
    for key, count in zip(used.tolist(), found.tolist(), strict=True):
        (target, source), number = names[key // buckets.span], key % buckets.span
        sums.add_source(target, source, (buckets.first + number) * buckets.seconds, count)


def _itself(value: object) -> object:
    return value
