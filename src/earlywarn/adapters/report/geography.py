"""Where the last week lies off what was expected: the map, the tiles beside it, and the heat map."""

from dataclasses import dataclass

from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.history import Key, PanelHistory
from earlywarn.adapters.report.territory import Shape, territory
from earlywarn.adapters.report.wording import against_expected, colour_class, compact, money, signed
from earlywarn.alerting.narrative import Names
from earlywarn.domain.region import RegionTree

SHOWN_MEASURES = (("amount", 1), ("transactions", 0))
HEAT_REGIONS, HEAT_SECTORS = 60, 30
_LABELLED_REGIONS = 24
_LABEL_ROOM = 34.0


@dataclass(frozen=True, slots=True)
class Mark:
    """One coloured figure: how far off, its colour class, whether that is usual, and the whole in words."""

    text: str
    colour: str
    is_usual: bool
    words: str


@dataclass(frozen=True, slots=True)
class Place:
    """A region: its name, its mark by measure, its chart, its shape on the map if it has one."""

    code: str
    name: str
    marks: dict[str, Mark | None]
    chart: int | None
    shape: Shape | None = None
    is_labelled: bool = False


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A row of the heat map: the region's total first, then its sectors."""

    name: str
    cells: tuple[tuple[dict[str, Mark | None], int | None], ...]


@dataclass(frozen=True, slots=True)
class Geography:
    """The map (`width` x `height` of its SVG; no height, no map), the tiles and the heat map of a panel."""

    width: float
    height: float
    shapes: tuple[Place, ...]
    tiles: tuple[Place, ...]
    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    rows_left_out: int
    columns_left_out: int

    @property
    def has_figures(self) -> bool:
        """Return whether any region has a figure."""
        return any(mark for place in (*self.shapes, *self.tiles) for mark in place.marks.values())


def geography(history: PanelHistory, book: ChartBook, tree: RegionTree, names: Names, currency: str) -> Geography:
    """Return map, tiles and heat map of the last judged week."""
    drawn = territory(history.regions, tree)
    shapes = {shape.code: shape for shape in drawn.shapes}

    def marks(key: Key) -> dict[str, Mark | None]:
        return {name: _mark(history, key, measure, book.title(key), currency) for name, measure in SHOWN_MEASURES}

    places = [
        Place(
            code=region,
            name=names.region(region),
            marks=marks((region, None)),
            chart=book.index.get((region, None)),
            shape=shapes.get(region),
            is_labelled=len(shapes) <= _LABELLED_REGIONS and region in shapes and shapes[region].room > _LABEL_ROOM,
        )
        for region, _ in book.regions
        if region is not None
    ]
    regions, sectors = book.regions[:HEAT_REGIONS], book.sectors[:HEAT_SECTORS]
    keys: list[tuple[str, str | None]] = [("All regions", None), *((names.region(r or ""), r) for r, _ in regions)]
    rows = tuple(
        HeatRow(
            name,
            tuple(
                (marks((region, sector)) if _exists(history, region, sector) else {}, book.index.get((region, sector)))
                for sector in (None, *(sector for _, sector in sectors))
            ),
        )
        for name, region in keys
    )
    return Geography(
        width=drawn.width,
        height=drawn.height,
        shapes=tuple(place for place in places if place.shape is not None),
        tiles=tuple(place for place in places if place.shape is None),
        columns=("All sectors", *(names.sector(sector or "") for _, sector in sectors)),
        rows=rows,
        rows_left_out=len(book.regions) - len(regions),
        columns_left_out=len(book.sectors) - len(sectors),
    )


def _exists(history: PanelHistory, region: str | None, sector: str | None) -> bool:
    return None in (region, sector) or (region, sector) in history.cells


def _mark(history: PanelHistory, key: Key, measure: int, title: str, currency: str) -> Mark | None:
    week = history.week(key, measure)
    if week is None:
        return None
    observed, expected = (
        money(value * 7, currency) if measure else f"{compact(value * 7)} payments"
        for value in (week.observed, week.expected)
    )
    usual = f"{signed(week.lower)} to {signed(week.upper)}"
    verdict = "within its usual range" if week.is_usual else "outside its usual range"
    return Mark(
        text=signed(week.share),
        colour=colour_class(week.share),
        is_usual=week.is_usual,
        words=f"{title}: {against_expected(week.share)} ({observed} against {expected}), {verdict} of {usual}",
    )
