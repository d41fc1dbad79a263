"""Of which places too little could be read: of regions and sectors throughout, or of single cells."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from earlywarn.aggregation.rows import ReadShare
from earlywarn.alerting.notice import PLACES_TOLD
from earlywarn.domain.alert import UNREAD, Evidence
from earlywarn.domain.series import Series, holds

_REGIONS_OF_A_SECTOR = 2
"""In so many regions that are not told as a whole a sector must lack something, to be told beside them."""


class UnreadPlaces(NamedTuple):
    """Each with those of which most of the panel could not be read first.

    Attributes:
        throughout: regions and sectors (else the panel) that lack something in half of their cells; else totals that
            lack a little of each.
        single: cells of none of these.
    """

    throughout: tuple[ReadShare, ...]
    single: tuple[ReadShare, ...]


def unread_places(unread: Sequence[ReadShare], least: float) -> UnreadPlaces:
    """Return the places of which less than the share `least` could be read.

    Example: a row in one region, and all of another.
        >>> one = ReadShare("east", "food", 0.0, 0.0, 0.0, 0.1)
        >>> all_of_it = [ReadShare("west", each, 0.0, 0.0, 0.0, 0.2) for each in ("food", "fuel")]
        >>> west = ReadShare("west", None, 0.0, 0.0, 0.0, 0.4, is_throughout=True)
        >>> found = unread_places([one, west, *all_of_it], 0.95)
        >>> found.throughout == (west,), found.single == (one,)
        (True, True)
    """
    short = sorted(
        (each for each in unread if each.share < least),
        key=lambda each: (-each.of_panel, each.share, each.region or "", each.sector or ""),
    )
    cells = [each for each in short if each.region is not None and each.sector is not None]
    regions = [each for each in short if each.region is not None and each.sector is None]
    sectors = [each for each in short if each.region is None and each.sector is not None]
    panel = [each for each in short if each.region is each.sector is None]
    throughout = [each for each in regions if each.is_throughout]
    elsewhere = Counter(each.sector for each in _outside(cells, throughout))
    throughout += [each for each in sectors if each.is_throughout and elsewhere[each.sector] >= _REGIONS_OF_A_SECTOR]
    throughout = throughout or [each for each in panel if each.is_throughout]
    single = _outside(cells, throughout)
    if not throughout and not single:
        throughout = panel or regions or sectors
    return UnreadPlaces(tuple(throughout), tuple(single))


def _outside(cells: Sequence[ReadShare], totals: Sequence[ReadShare]) -> list[ReadShare]:
    around = [(total.region, total.sector) for total in totals]
    return [cell for cell in cells if not any(holds(total, (cell.region, cell.sector)) for total in around)]


def series_id(panel: str, place: ReadShare) -> str:
    """Return the series that a place of a panel is."""
    return Series(panel, place.region, place.sector).series_id


def as_evidence(panel: str, places: Sequence[ReadShare]) -> tuple[Evidence, ...]:
    """Return how much of the first places could not be read; the panel has a figure of its own."""
    told = [each for each in places if each.region is not None or each.sector is not None]
    return tuple(
        Evidence(name=UNREAD, value=pct(1 - each.share), unit="pct", series_id=series_id(panel, each))
        for each in told[:PLACES_TOLD]
    )


def pct(share: float) -> float:
    """Return a share in per cent, as it is published."""
    return round(100 * share, 1)
