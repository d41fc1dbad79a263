"""Cells into single transactions, a day at a time, in order of arrival, with a known truth."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from earlywarn.domain.cell import Cell
from earlywarn.generate.amounts import split_amounts
from earlywarn.generate.broken import breakages
from earlywarn.generate.clock import event_times, local_day
from earlywarn.generate.merchants import MCCS
from earlywarn.generate.options import GenerateOptions
from earlywarn.generate.records import DayRecords, encode
from earlywarn.generate.truth import Truth

_DAY_MS = 86_400_000
BATCH_RECORDS = 10_000
RECORD_BYTES = 200
"""About what a record takes as a line of JSON."""

Arrivals = list[tuple[int, bytes]]
"""Records with the epoch milliseconds at which they arrive."""


def generate(cells: Iterable[Cell], options: GenerateOptions, truth: Truth | None = None) -> Iterator[list[bytes]]:
    """Yield batches of JSON transactions without line ends, in order of arrival, and fill `truth`.

    The cells are held (they are small); the transactions of one local day at a time, with those
    that are still to arrive. The same cells, options and seed give the same bytes.

    Raises:
        ConfigError: an option that cannot be used.
    """
    options.check()
    return _Expansion(options, truth if truth is not None else Truth()).batches(cells)


def expected_transactions(cells: Sequence[Cell], options: GenerateOptions) -> int:
    """Return about how many transactions the cells become: what shocks and chance do to it is left out."""
    if options.transactions is not None:
        return options.transactions
    return round(sum(cell.transactions for cell in cells) * options.scale)


class _Expansion:
    def __init__(self, options: GenerateOptions, truth: Truth) -> None:
        self._options = options
        self._truth = truth
        self._zone = ZoneInfo(options.time_zone)
        self._profile = np.asarray(options.hourly_profile, dtype=np.float64)
        self._waiting: dict[int, Arrivals] = {}
        self._breakages = breakages()

    def batches(self, cells: Iterable[Cell]) -> Iterator[list[bytes]]:
        ordered = sorted(cells, key=lambda cell: (cell.day, cell.region, cell.sector))
        scale = self._scale(ordered)
        for day, group in groupby(ordered, key=lambda cell: cell.day):
            self._expand(day, list(group), scale)
            yield from self._arrived(local_day(day, self._zone).end_ms)
        yield from self._arrived(None)

    def _scale(self, cells: Sequence[Cell]) -> float:
        wanted = self._options.transactions
        if wanted is None:
            return self._options.scale
        there = sum(cell.transactions for cell in cells)
        return wanted / there if there else 1.0

    def _expand(self, day: date, cells: Sequence[Cell], scale: float) -> None:
        options = self._options
        rng = np.random.default_rng([options.seed, day.toordinal()])
        counts, amounts = self._drawn(day, cells, scale, rng)
        total = int(counts.sum())
        if not total:
            return
        records = DayRecords(
            cell=np.repeat(np.arange(len(cells)), counts),
            ts_ms=event_times(day, self._zone, self._profile, total, rng),
            amount_minor=split_amounts(amounts, counts, options.amount_sigma, rng),
            ecom=rng.random(total) < options.ecom_share,
            mcc=_mccs(cells, counts, rng) if options.use_mcc else None,
        )
        values = encode(day, cells, records, options, rng)
        late = rng.random(total) < options.late_share
        arrival = records.ts_ms + (rng.random(total) * options.jitter_seconds * 1000).astype(np.int64)
        days_late = np.clip(rng.exponential(options.late_days_mean, total), 1, options.late_days_max)
        arrival = np.where(late, records.ts_ms + (days_late * _DAY_MS).astype(np.int64), arrival)
        twice = rng.random(total) < options.duplicate_share
        self._count(day, cells, records, late, twice)
        self._queue(arrival, values)
        again = np.flatnonzero(twice)
        gaps = (rng.random(len(again)) * max(1, options.jitter_seconds) * 1000).astype(np.int64)
        self._queue(arrival[again] + gaps, [values[index] for index in again])
        broken = np.flatnonzero(rng.random(total) < options.broken_share)
        self._queue(arrival[broken], [self._broken(values[index]) for index in broken])

    def _drawn(
        self, day: date, cells: Sequence[Cell], scale: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the count and the amount of each cell, with shocks, scale and chance."""
        counts = np.array([cell.transactions for cell in cells], dtype=np.int64)
        amounts = np.array([cell.amount_minor for cell in cells], dtype=np.float64)
        factors = {"transactions": np.ones(len(cells)), "amount": np.ones(len(cells))}
        for shock in self._options.shocks:
            factors[shock.measure] *= [shock.factor(day, cell.region, cell.sector) for cell in cells]
        means = counts * factors["transactions"] * scale
        if not self._options.poisson and np.all(means == counts) and np.all(factors["amount"] == 1):
            # Nothing changes: the cells' own integers, without a way over floats.
            return counts, np.array([cell.amount_minor if cell.transactions else 0 for cell in cells], dtype=np.int64)
        drawn = rng.poisson(means) if self._options.poisson else np.rint(means)
        drawn = drawn.astype(np.int64)
        tickets = np.divide(amounts, counts, out=np.zeros(len(cells)), where=counts > 0)
        return drawn, np.rint(drawn * tickets * factors["amount"]).astype(np.int64)

    def _count(
        self,
        day: date,
        cells: Sequence[Cell],
        records: DayRecords,
        late: NDArray[np.bool_],
        twice: NDArray[np.bool_],
    ) -> None:
        groups = records.cell * 2 + records.ecom
        mccs = records.mcc
        if mccs is not None:
            groups = groups * 10_000 + mccs
        keys, index = np.unique(groups, return_inverse=True)
        for column, chosen in ((0, None), (2, late), (4, twice)):
            weight = np.ones(len(index)) if chosen is None else chosen.astype(np.float64)
            counts = np.bincount(index, weights=weight, minlength=len(keys)).astype(np.int64)
            sums = np.zeros(len(keys), dtype=np.int64)
            np.add.at(sums, index, records.amount_minor * weight.astype(np.int64))
            for key, count, amount_minor in zip(keys.tolist(), counts.tolist(), sums.tolist(), strict=True):
                if count:
                    group, mcc = divmod(key, 10_000) if mccs is not None else (key, -1)
                    cell = cells[group // 2]
                    sector = f"{mcc:04d}" if mcc >= 0 and mcc != 0 else cell.sector
                    channel = "ecom" if group % 2 else "pos"
                    self._truth.add((day, cell.region, sector, channel), column, count, amount_minor)

    def _broken(self, value: bytes) -> bytes:
        breakage = next(self._breakages)
        self._truth.expected_rejects[breakage.reason.value] += 1
        return breakage.apply(value)

    def _queue(self, arrival: NDArray[np.int64], values: Sequence[bytes]) -> None:
        for moment, value in zip(arrival.tolist(), values, strict=True):
            slot = self._waiting.get(moment // _DAY_MS)
            if slot is None:
                slot = self._waiting[moment // _DAY_MS] = []
            slot.append((moment, value))

    def _arrived(self, until_ms: int | None) -> Iterator[list[bytes]]:
        """Yield what arrives before `until_ms` (None: all), in order; ties in the order of generation."""
        last = None if until_ms is None else until_ms // _DAY_MS
        for day in sorted(day for day in self._waiting if last is None or day <= last):
            arrivals = self._waiting.pop(day)
            arrivals.sort(key=lambda item: item[0])
            if day == last and until_ms is not None:
                cut = next((i for i, (moment, _) in enumerate(arrivals) if moment >= until_ms), len(arrivals))
                if cut < len(arrivals):
                    self._waiting[day] = arrivals[cut:]
                arrivals = arrivals[:cut]
            for start in range(0, len(arrivals), BATCH_RECORDS):
                yield [value for _, value in arrivals[start : start + BATCH_RECORDS]]


def _mccs(cells: Sequence[Cell], counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return an MCC for each transaction, 0 where the sector has none and its code passes through."""
    drawn = [
        rng.choice([int(code) for code in MCCS[cell.sector]], count)
        if cell.sector in MCCS
        else np.zeros(count, dtype=np.int64)
        for cell, count in zip(cells, counts.tolist(), strict=True)
    ]
    return np.concatenate(drawn)
