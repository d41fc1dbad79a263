"""Series: what is counted. A cell is one sector of one region; totals leave a dimension out."""

from functools import lru_cache
from typing import Literal, NamedTuple, Self
from urllib.parse import quote, unquote

Level = Literal["panel", "region", "sector", "cell"]
Measure = Literal["transactions", "amount", "mean_ticket"]
Resolution = Literal["hour", "day"]

_SERIES_CACHED = 65_536

ALL = "*"
"""Stands in a series_id for the dimension that a total sums over; no code may be this."""


class CellKey(NamedTuple):
    """The key of a cell within a panel, ordered by region, then sector."""

    region: str
    sector: str


def holds(outer: tuple[str | None, str | None], inner: tuple[str | None, str | None]) -> bool:
    """Return whether all cells of one series are cells of another; both are (region, sector), None for a total.

    >>> holds(("CH04", None), ("CH04", "food")), holds((None, "food"), ("CH04", None))
    (True, False)
    """
    return outer[0] in (None, inner[0]) and outer[1] in (None, inner[1])


def contains(outer: tuple[str | None, str | None], inner: tuple[str | None, str | None]) -> bool:
    """Return whether the cells of one series are some of another one's: as `holds`, and not the same series.

    >>> contains(("CH04", None), ("CH04", "food")), contains(("CH04", None), ("CH04", None))
    (True, False)
    """
    return outer != inner and holds(outer, inner)


class Series(NamedTuple):
    """A cell or a total of a panel; `region` and `sector` are None where the series sums over them."""

    panel: str
    region: str | None
    sector: str | None

    @property
    def level(self) -> Level:
        """Return the level of the series."""
        if self.region is None:
            return "panel" if self.sector is None else "sector"
        return "region" if self.sector is None else "cell"

    @property
    def series_id(self) -> str:
        """Return the canonical id: panel/region/sector, percent-encoded, `*` for a total.

        >>> Series("CH", "CH04", None).series_id
        'CH/CH04/*'
        """
        return _series_id(self.panel, self.region, self.sector)

    @classmethod
    def of(cls, series_id: str) -> Self:
        """Return the series of a canonical id.

        >>> Series.of("CH/CH04/*")
        Series(panel='CH', region='CH04', sector=None)
        """
        panel, *parts = (unquote(part) for part in series_id.split("/"))
        region, sector = (None if part == ALL else part for part in parts)
        return cls(panel, region, sector)


@lru_cache(maxsize=_SERIES_CACHED)
def _series_id(*parts: str | None) -> str:
    return "/".join(ALL if part is None else quote(part, safe=" ") for part in parts)


def series_of(panel: str, cells: tuple[CellKey, ...]) -> tuple[Series, ...]:
    """Return every series of a panel in canonical order: cells, regions, sectors, panel.

    The order of the cells is kept; regions and sectors are sorted.
    """
    regions = sorted({cell.region for cell in cells})
    sectors = sorted({cell.sector for cell in cells})
    return (
        *(Series(panel, cell.region, cell.sector) for cell in cells),
        *(Series(panel, region, None) for region in regions),
        *(Series(panel, None, sector) for sector in sectors),
        Series(panel, None, None),
    )
