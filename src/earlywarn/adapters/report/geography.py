"""Where the last week lies off what was expected: the map, the tiles beside it, and the heat map."""

from dataclasses import dataclass

from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.history import MEASURES, Key, PanelHistory
from earlywarn.adapters.report.standing import Standing
from earlywarn.adapters.report.territory import Shape, territory
from earlywarn.adapters.report.wording import against_expected, colour_class, compact, money, signed
from earlywarn.alerting.narrative import Names
from earlywarn.domain.region import RegionTree

SHOWN_MEASURES = (("amount", 1), ("transactions", 0))
HEAT_REGIONS, HEAT_SECTORS = 60, 30
_LABELLED_REGIONS = 24
_LABEL_ROOM = 34.0
_LETTER, _LINE = 6.4, 18.0
"""Width of a letter and height of a line of a label, in units of the map."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One coloured figure: how far off, its colour class, whether that is usual, and the whole in words.

    `has_alert` says whether an alert of this very series is open; `is_unexplained` that it is outside of its usual
    range while no alert holds it: the words then say why there is none. `level` is what a new level of this very
    series is against before, which expected has taken over; empty where there is none.
    """

    text: str
    colour: str
    is_usual: bool
    words: str
    has_alert: bool
    is_unexplained: bool
    level: str


@dataclass(frozen=True, slots=True)
class Place:
    """A region: its name, its mark by measure, its chart, its shape on the map if it has one.

    On the map, `has_value` writes its figure there and `has_name` its name above it.
    """

    code: str
    name: str
    marks: dict[str, Mark | None]
    chart: int | None
    shape: Shape | None = None
    has_value: bool = False
    has_name: bool = False


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
    without_alert: dict[str, tuple[str, ...]]

    @property
    def has_figures(self) -> bool:
        """Return whether any region has a figure."""
        return any(mark for place in (*self.shapes, *self.tiles) for mark in place.marks.values())


def geography(
    history: PanelHistory, book: ChartBook, tree: RegionTree, names: Names, currency: str, standing: Standing
) -> Geography:
    """Return map, tiles and heat map of the last judged week; `standing` says what alerts there are, and why not."""
    drawn = territory(history.regions, tree)
    shapes = {shape.code: shape for shape in drawn.shapes}

    def marks(key: Key) -> dict[str, Mark | None]:
        return {
            name: _mark(history, key, measure, book.title(key), currency, standing) for name, measure in SHOWN_MEASURES
        }

    valued = {shape.code for shape in drawn.shapes if len(shapes) <= _LABELLED_REGIONS and shape.room > _LABEL_ROOM}
    named = _names_with_room([shape for shape in drawn.shapes if shape.code in valued], names)
    places = [
        Place(
            code=region,
            name=names.region(region),
            marks=marks((region, None)),
            chart=book.index.get((region, None)),
            shape=shapes.get(region),
            has_value=region in valued,
            has_name=region in named,
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
    shown = [marks_of for row in rows for marks_of, _ in row.cells]
    return Geography(
        width=drawn.width,
        height=drawn.height,
        shapes=tuple(place for place in places if place.shape is not None),
        tiles=tuple(place for place in places if place.shape is None),
        columns=("All sectors", *(names.sector(sector or "") for _, sector in sectors)),
        rows=rows,
        rows_left_out=len(book.regions) - len(regions),
        columns_left_out=len(book.sectors) - len(sectors),
        without_alert={
            name: tuple(mark.words for each in shown if (mark := each.get(name)) is not None and mark.is_unexplained)
            for name, _ in SHOWN_MEASURES
        },
    )


def _exists(history: PanelHistory, region: str | None, sector: str | None) -> bool:
    return None in (region, sector) or (region, sector) in history.cells


def _mark(history: PanelHistory, key: Key, measure: int, title: str, currency: str, standing: Standing) -> Mark | None:
    week = history.week(key, measure)
    if week is None:
        return None
    observed, expected = (
        money(value * 7, currency) if measure else f"{compact(value * 7)} payments"
        for value in (week.observed, week.expected)
    )
    usual = f"{signed(week.lower)} to {signed(week.upper)}"
    verdict = "within its usual range" if week.is_usual else "outside its usual range"
    told = standing.alert(key)
    why = "" if told or week.is_usual else standing.no_alert(key, MEASURES[measure], week.share)
    note = "".join(f"; {each}" for each in (told or why, standing.levels(key)) if each)
    return Mark(
        text=signed(week.share),
        colour=colour_class(week.share),
        is_usual=week.is_usual,
        words=f"{title}: {against_expected(week.share)} ({observed} against {expected}), {verdict} of {usual}{note}",
        has_alert=standing.is_open(key),
        is_unexplained=bool(why),
        level=standing.level(key),
    )


def _names_with_room(shapes: list[Shape], names: Names) -> set[str]:
    """Return the regions whose names overlap no other label; those with more room go first."""
    taken = [(shape.x - 20, shape.y, shape.x + 20, shape.y + _LINE) for shape in shapes]
    found = set()
    for shape in sorted(shapes, key=lambda shape: -shape.room):
        half = len(names.region(shape.code)) * _LETTER / 2
        box = (shape.x - half, shape.y - _LINE, shape.x + half, shape.y - 2)
        if not any(box[0] < x2 and x1 < box[2] and box[1] < y2 and y1 < box[3] for x1, y1, x2, y2 in taken):
            taken.append(box)
            found.add(shape.code)
    return found
