"""Transactions as JSON, built from a day's columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
import numpy as np
from numpy.typing import NDArray

from earlywarn.domain.cell import Cell
from earlywarn.generate.options import GenerateOptions

_CARD_TAIL = 3.0  # the busiest tenth of the cards makes about half of the payments
_MIX = np.uint64(0x9E3779B97F4A7C15)  # an odd factor: a bijection of 64-bit numbers (Knuth, TAOCP 3, 6.4)


@dataclass(frozen=True, slots=True)
class DayRecords:
    """Columns of a local day's transactions, one entry each; `mcc` 0 means that the sector's code is given."""

    cell: NDArray[np.int64]
    ts_ms: NDArray[np.int64]
    amount_minor: NDArray[np.int64]
    ecom: NDArray[np.bool_]
    mcc: NDArray[np.int64] | None


def encode(
    day: date, cells: Sequence[Cell], records: DayRecords, options: GenerateOptions, rng: np.random.Generator
) -> list[bytes]:
    """Return one JSON object per transaction, fields as in docs/interfaces.md."""
    total = len(records.cell)
    fixed = [_fixed(cell) for cell in cells]
    sectors = [f'"sector":{_text(cell.sector)}' for cell in cells]
    where = records.cell.tolist()
    shares = np.array([share for _, share in options.sources], dtype=np.float64)
    names = [_text(name) for name, _ in options.sources]
    sources = rng.choice(len(names), total, p=shares / shares.sum()).tolist()
    channels = ("pos", "ecom")
    if records.mcc is None:
        kinds = [sectors[cell] for cell in where]
    else:
        kinds = [
            f'"mcc":"{mcc:04d}"' if mcc else sectors[cell]
            for mcc, cell in zip(records.mcc.tolist(), where, strict=True)
        ]
    start = f"{options.seed}-{day:%Y%m%d}-"
    return [
        (
            f'{{"id":"{start}{index}","ts":{ts},"amount_minor":{amount},{fixed[cell]},{kind},'
            f'"channel":"{channels[ecom]}","card":"{card:016x}","source":{names[source]}}}'
        ).encode()
        for index, (ts, amount, cell, kind, ecom, card, source) in enumerate(
            zip(
                records.ts_ms.tolist(),
                records.amount_minor.tolist(),
                where,
                kinds,
                records.ecom.tolist(),
                _cards(cells, records.cell, options, rng).tolist(),
                sources,
                strict=True,
            )
        )
    ]


def _fixed(cell: Cell) -> str:
    country = f',"country":{_text(cell.country)}' if cell.country else ""
    return f'"currency":{_text(cell.currency)},"region":{_text(cell.region)}{country}'


def _text(value: str) -> str:
    return msgspec.json.encode(value).decode()


def _cards(
    cells: Sequence[Cell], cell: NDArray[np.int64], options: GenerateOptions, rng: np.random.Generator
) -> NDArray[np.uint64]:
    """Return opaque card tokens: a region's cards pay in their region, few of them very often."""
    regions = sorted({one.region for one in cells})
    codes = [_number(region) for region in regions]
    by_cell = np.array([codes[regions.index(one.region)] for one in cells], dtype=np.uint64)
    index = (options.cards_per_region * rng.random(len(cell)) ** _CARD_TAIL).astype(np.uint64)
    return (by_cell[cell] + index) * _MIX


def _number(region: str) -> int:
    """Return a number for a region that is the same in every process."""
    return int.from_bytes(region.encode()[:6].ljust(6, b"\0"), "big") << 16
