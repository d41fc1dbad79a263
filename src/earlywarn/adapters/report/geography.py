"""Where the last week lies off what was expected: the map, the tiles beside it, and the heat map."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from earlywarn.adapters.report.absence import Absence, in_one_sentence
from earlywarn.adapters.report.charts import ChartBook
from earlywarn.adapters.report.history import MEASURES, Key, PanelHistory, WeekDeviation
from earlywarn.adapters.report.labels import Box, Label, frame, place_labels
from earlywarn.adapters.report.standing import Standing
from earlywarn.adapters.report.territory import Shape, territory
from earlywarn.adapters.report.week_words import in_short, in_words, verdict
from earlywarn.adapters.report.wording import colour_class, compact, money, short_day
from earlywarn.alerting.words import Names
from earlywarn.domain.region import RegionTree

SHOWN_MEASURES = (("amount", 1), ("transactions", 0))
HEAT_REGIONS, HEAT_SECTORS = 60, 30
_LABELLED_REGIONS = 24
_SHORT = {"transactions": "payments", "amount": "spending", "mean_ticket": "mean payment"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One coloured figure: how far off, its colour class, whether that is usual, and the whole in words.

    `has_alert` says whether an alert of this very series is open, `alert_of` what measure it is of where that is
    another one; `is_part` that none is, but that the series moves along with one of a total around it; `is_within` that
    neither is so, but an alert of a part of it is open; `is_unexplained` that it is outside of its usual range while no
    alert holds it: the words then say why there is none. `figures` stand in place of a percentage where too little is
    expected for one. `level` is the day on which a new level of this very series was taken as usual of late, with its
    measure in `level_of` where that is another one; empty where there is none.
    """

    text: str
    figures: str
    colour: str
    is_usual: bool
    words: str
    has_alert: bool
    alert_of: str
    is_part: bool
    is_within: bool
    is_unexplained: bool
    level: str
    level_of: str


@dataclass(frozen=True, slots=True)
class Place:
    """A region: its name, its mark by measure, its chart, its shape on the map if it has one, and its label there.

    `silent` says since when nothing comes of it; empty if something does.
    """

    code: str
    name: str
    marks: dict[str, Mark | None]
    chart: int | None
    silent: str = ""
    shape: Shape | None = None
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A row of the heat map: the region's total first, then its sectors; `silent` as of a `Place`."""

    name: str
    silent: str
    cells: tuple[tuple[dict[str, Mark | None], int | None], ...]


@dataclass(frozen=True, slots=True)
class Geography:
    """The map (the box of its SVG; no height, no map), the tiles and the heat map of a panel.

    `land` is the path of the countries around the regions, `absent` a clause about regions that its totals are without.
    """

    box: Box
    land: str
    shapes: tuple[Place, ...]
    tiles: tuple[Place, ...]
    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    rows_left_out: int
    columns_left_out: int
    without_alert: dict[str, tuple[str, ...]]
    absent: str

    @property
    def has_figures(self) -> bool:
        """Return whether any region has a figure."""
        return any(mark for place in (*self.shapes, *self.tiles) for mark in place.marks.values())


def geography(
    history: PanelHistory,
    book: ChartBook,
    tree: RegionTree,
    names: Names,
    currency: str,
    standing: Standing,
    absent: Sequence[Absence],
) -> Geography:
    """Return map, tiles and heat map of the last judged week.

    Args:
        history: of the panel.
        book: its charts.
        tree: its regions.
        names: what codes are called.
        currency: of its amounts.
        standing: says what alerts there are, and why not.
        absent: regions that were silent in that week.
    """
    drawn = territory(history.regions, tree)
    shapes = {shape.code: shape for shape in drawn.shapes}
    silent = {each.code: each.words for each in absent}

    def marks(key: Key) -> dict[str, Mark | None]:
        return {
            name: _mark(history, key, measure, book.title(key), currency, standing) for name, measure in SHOWN_MEASURES
        }

    labels = {} if len(shapes) > _LABELLED_REGIONS else place_labels(drawn, names.region)
    places = [
        Place(
            code=region,
            name=names.region(region),
            marks=marks((region, None)),
            chart=book.index.get((region, None)),
            silent=silent.get(region, ""),
            shape=shapes.get(region),
            label=labels.get(region),
        )
        for region, _ in book.regions
        if region is not None
    ]
    regions, sectors = book.regions[:HEAT_REGIONS], book.sectors[:HEAT_SECTORS]
    keys: list[tuple[str, str | None]] = [("All regions", None), *((names.region(r or ""), r) for r, _ in regions)]
    rows = tuple(
        HeatRow(
            name,
            silent.get(region or "", ""),
            tuple(
                (marks((region, sector)) if _exists(history, region, sector) else {}, book.index.get((region, sector)))
                for sector in (None, *(sector for _, sector in sectors))
            ),
        )
        for name, region in keys
    )
    shown = [marks_of for row in rows for marks_of, _ in row.cells]
    return Geography(
        box=frame(drawn, labels.values()),
        land=drawn.land,
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
        absent=in_one_sentence(absent),
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
    figures = f" ({observed} against {expected}), {verdict(week)}"
    told, level = standing.alert(key, week.share), standing.level(key)
    open_of = standing.measures(key)
    why = "" if told or week.is_usual else _why_not(history, key, measure, week, standing)
    is_part = not open_of and not week.is_too_little and standing.moves_along(key, week.share)
    note = "".join(f"; {each}" for each in (told or why, standing.levels(key)) if each)
    return Mark(
        text=in_short(week),
        figures=f"{observed} against {expected}" if week.is_too_little else "",
        colour=colour_class(week.share),
        is_usual=week.is_usual,
        words=f"{title}: {in_words(week)}{'' if week.is_nothing else figures}{note}",
        has_alert=bool(open_of),
        alert_of="" if MEASURES[measure] in open_of else _SHORT.get(next(iter(open_of), ""), ""),
        is_part=is_part,
        is_within=not is_part and standing.has_within(key),
        is_unexplained=bool(why),
        level="" if level is None else short_day(date.fromisoformat(level.as_of)),
        level_of="" if level is None or level.measure == MEASURES[measure] else _SHORT[level.measure],
    )


def _why_not(history: PanelHistory, key: Key, measure: int, week: WeekDeviation, standing: Standing) -> str:
    """Return why there is no alert, with the figures of the other tab where spending is told by its parts."""
    counts = history.week(key, 0)
    payments = None if counts is None or counts.is_nothing or counts.is_too_little else counts.share
    return standing.no_alert(key, MEASURES[measure], week.share, payments)
