"""A panel from nothing: cells with the rhythms of card spending, for a demonstration without real data."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import msgspec
import numpy as np
from numpy.typing import NDArray

from earlywarn.domain.cell import Cell
from earlywarn.errors import ConfigError


class SyntheticSector(msgspec.Struct, frozen=True, kw_only=True):
    """A sector's share of a region's payments, its mean ticket, and how its counts move.

    `weekday_log` Monday to Sunday and `annual_log` (half the distance of the yearly high from the low, the high on
    `peak_day_of_year`) are added to the log of the mean; `christmas_log` is the rise to 23 December,
    `holiday_log` the effect of the fixed holidays 1 January, 1 May, 25 and 26 December.
    """

    code: str
    share: float
    ticket_minor: int
    weekday_log: tuple[float, ...]
    annual_log: float = 0.1
    peak_day_of_year: int = 200
    christmas_log: float = 0.0
    holiday_log: float = -1.0


_SHOPPING = (0.0, 0.0, 0.02, 0.05, 0.2, 0.35, -1.2)
_LEISURE = (-0.15, -0.1, -0.05, 0.0, 0.15, 0.25, 0.05)
_TRAVEL = (0.0, 0.0, 0.0, 0.05, 0.15, 0.05, -0.1)

SECTORS: tuple[SyntheticSector, ...] = (
    SyntheticSector(code="Accommodation", share=0.03, ticket_minor=21_000, weekday_log=_LEISURE, annual_log=0.35,
                    holiday_log=-0.1),
    SyntheticSector(code="Food and beverage services", share=0.17, ticket_minor=3_600, weekday_log=_LEISURE,
                    holiday_log=-0.3),
    SyntheticSector(code="Other", share=0.09, ticket_minor=8_500, weekday_log=_TRAVEL),
    SyntheticSector(code="Retail: Food, beverage, tobacco", share=0.38, ticket_minor=3_900, weekday_log=_SHOPPING,
                    annual_log=0.03, peak_day_of_year=350, christmas_log=0.3, holiday_log=-1.6),
    SyntheticSector(code="Retail: Fuel stations", share=0.09, ticket_minor=5_200, weekday_log=_TRAVEL,
                    holiday_log=-0.4),
    SyntheticSector(code="Retail: Other goods", share=0.19, ticket_minor=8_200, weekday_log=_SHOPPING,
                    annual_log=0.05, peak_day_of_year=345, christmas_log=0.55, holiday_log=-1.8),
    SyntheticSector(code="Transport services", share=0.05, ticket_minor=4_100, weekday_log=_TRAVEL,
                    annual_log=0.2, holiday_log=-0.3),
)  # fmt: skip
"""Seven sectors in the proportions of a European acquirer, our judgement; no figure is taken from anyone's data."""

REGIONS: tuple[tuple[str, float], ...] = (
    ("CH01", 0.19), ("CH02", 0.20), ("CH03", 0.14), ("CH04", 0.20), ("CH05", 0.13), ("CH06", 0.09), ("CH07", 0.05),
)  # fmt: skip
"""Regions and their shares of all payments."""

_HOLIDAYS = {(1, 1), (5, 1), (12, 25), (12, 26)}
_PERSISTENCE = 0.6  # of the noise from one day to the next


def synthetic_cells(
    *,
    seed: int = 1,
    first_day: date = date(2022, 1, 1),
    days: int = 730,
    regions: Sequence[tuple[str, float]] = REGIONS,
    sectors: Sequence[SyntheticSector] = SECTORS,
    transactions_per_day: float = 200_000.0,
    noise_log: float = 0.05,
    growth_per_year: float = 0.04,
    currency: str = "CHF",
    country: str | None = "CH",
) -> Iterator[Cell]:
    """Return an iterator over one cell per day, region and sector, in that order.

    Log counts are level + weekday + year + holidays + noise, the noise (standard deviation `noise_log`) being a
    first-order autoregression with parts common to all, to a region and to a sector, so that series move
    together; counts are Poisson given that, and amounts vary around the sector's ticket.

    Raises:
        ConfigError: no days, regions or sectors, or a weight that is not above 0.
    """
    weights = [share for _, share in regions] + [sector.share for sector in sectors]
    if days < 1 or not regions or not sectors or min(weights) <= 0 or transactions_per_day <= 0:
        raise ConfigError("synthetic cells need days, regions, sectors and shares above 0")
    rng = np.random.default_rng(seed)
    shape = (len(regions), len(sectors))
    region_share = np.array([share for _, share in regions])
    sector_share = np.array([sector.share for sector in sectors])
    level = np.log(
        transactions_per_day * np.outer(region_share / region_share.sum(), sector_share / sector_share.sum())
    )
    level += 0.2 * rng.standard_normal(shape)
    return _days(
        rng=rng,
        level=level,
        first_day=first_day,
        days=days,
        regions=regions,
        sectors=sectors,
        noise_log=noise_log,
        growth_per_year=growth_per_year,
        currency=currency,
        country=country,
    )


def _days(
    *,
    rng: np.random.Generator,
    level: NDArray[np.float64],
    first_day: date,
    days: int,
    regions: Sequence[tuple[str, float]],
    sectors: Sequence[SyntheticSector],
    noise_log: float,
    growth_per_year: float,
    currency: str,
    country: str | None,
) -> Iterator[Cell]:
    tickets = np.array([sector.ticket_minor for sector in sectors], dtype=np.float64)
    noise = np.zeros(level.shape)
    for offset in range(days):
        day = first_day + timedelta(days=offset)
        noise = _PERSISTENCE * noise + np.sqrt(1 - _PERSISTENCE**2) * _shared_noise(rng, level.shape)
        seasonal = np.array([_seasonal(sector, day) for sector in sectors])
        means = np.exp(level + seasonal + noise_log * noise + np.log1p(growth_per_year) * offset / 365.25)
        counts = rng.poisson(means)
        spread = np.exp(0.03 * rng.standard_normal(level.shape))
        amounts = np.rint(counts * tickets * spread).astype(np.int64)
        for row, (region, _) in enumerate(regions):
            for column, sector in enumerate(sectors):
                count, amount_minor = int(counts[row, column]), int(amounts[row, column])
                yield Cell(day, region, sector.code, count, amount_minor, currency, country)


def _shared_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return standard normal noise: a quarter of the variance is common, a quarter regional, a quarter sectoral."""
    parts = (
        rng.standard_normal((1, 1)), rng.standard_normal((shape[0], 1)), rng.standard_normal((1, shape[1])),
        rng.standard_normal(shape),
    )  # fmt: skip
    total: NDArray[np.float64] = parts[0] + parts[1] + parts[2] + parts[3]
    return total / 2


def _seasonal(sector: SyntheticSector, day: date) -> float:
    of_year = day.timetuple().tm_yday
    value = sector.weekday_log[day.weekday()]
    value += sector.annual_log * float(np.cos(2 * np.pi * (of_year - sector.peak_day_of_year) / 365.25))
    if day.month == 12 and day.day < 24:
        value += sector.christmas_log * day.day / 23
    if (day.month, day.day) in _HOLIDAYS:
        value += sector.holiday_log
    return value
