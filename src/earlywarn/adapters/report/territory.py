"""The map: boundaries of a panel's regions as SVG paths, drawn here so that the page asks for nothing.

(Plotly's own maps fetch world outlines as soon as a trace names places.)
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from earlywarn.domain.region import RegionTree
from earlywarn.reference.nuts import load_boundaries

WIDTH = 720.0
_GREATEST_HEIGHT = 640.0
_MARGIN = 6.0
_FRAME = (-25.0, 34.0, 45.0, 72.0)
"""Mainland Europe (west, south, east, north): what lies beyond would make the rest too small to see."""
_GRID = 24
_FILLED = 0.97
"""Share of a country's area from which on the regions are the country; outlines of levels differ by a little."""
_LEAST_SHARE = 0.25
"""What the regions must fill of the map's width or height for their countries to be drawn around them."""

Ring = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """One region: its SVG path and outer rings, a point well inside of it, and the room for a label there (pixels)."""

    code: str
    path: str
    x: float
    y: float
    room: float
    outlines: tuple[Ring, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Territory:
    """The drawn regions, and those that have no boundary or lie overseas.

    `land` is the path of the countries around them; empty where they fill these, or are too small in them.
    """

    width: float
    height: float
    shapes: tuple[Shape, ...]
    missing: tuple[str, ...]
    land: str = ""


def territory(codes: Iterable[str], tree: RegionTree) -> Territory:
    """Return the map of the regions with a boundary in NUTS 2021, equal-area, each at its own level."""
    wanted = tuple(codes)
    polygons = _polygons(wanted, tree)
    inside = {code: [p for p in found if _in_frame(p[0])] for code, found in polygons.items()}
    is_mainland = any(inside.values())
    if is_mainland:
        polygons = {code: found for code, found in inside.items() if found}
    missing = tuple(code for code in wanted if code not in polygons)
    if not polygons:
        return Territory(WIDTH, 0.0, (), missing)
    drawn = [polygon for found in polygons.values() for polygon in found]
    land = _land({tree.country(tree.recode(code)) for code in polygons}, drawn) if is_mainland else []
    centre = _middle([*drawn, *land])
    low, extent = _extent([*drawn, *land], centre)
    scale = min((WIDTH - 2 * _MARGIN) / extent[0], (_GREATEST_HEIGHT - 2 * _MARGIN) / extent[1])
    size = extent * scale + 2 * _MARGIN

    def on_page(ring: Ring) -> Ring:
        placed: Ring = (_project(ring, centre) - low) * scale + _MARGIN
        placed[:, 1] = size[1] - placed[:, 1]
        return placed

    shapes = []
    for code, found in polygons.items():
        placed = [[on_page(ring) for ring in polygon] for polygon in found]
        x, y, room = _label_place(max(placed, key=lambda polygon: abs(_area(polygon[0]))))
        path = "".join(_path(ring) for polygon in placed for ring in polygon)
        outlines = tuple(polygon[0] for polygon in placed)
        shapes.append(Shape(code, path, round(x, 1), round(y, 1), round(room, 1), outlines))
    around = "".join(_path(on_page(polygon[0])) for polygon in land)
    return Territory(round(float(size[0]), 1), round(float(size[1]), 1), tuple(shapes), missing, around)


def _land(countries: Collection[str | None], drawn: list[list[Ring]]) -> list[list[Ring]]:
    """Return the polygons of the countries, if the drawn regions neither fill them nor would become too small."""
    features = [each for each in load_boundaries(0)["features"] if each["properties"]["id"] in countries]
    land = [polygon for each in features for polygon in _rings(each["geometry"]) if _in_frame(polygon[0])]
    if not land:
        return []
    centre = _middle(land)
    if _area_of(drawn, centre) >= _FILLED * _area_of(land, centre):
        return []
    shares = _extent(drawn, centre)[1] / _extent([*drawn, *land], centre)[1]
    return land if shares.max() >= _LEAST_SHARE else []


def _middle(polygons: list[list[Ring]]) -> npt.NDArray[np.float64]:
    points = np.concatenate([polygon[0] for polygon in polygons])
    middle: npt.NDArray[np.float64] = (points.min(axis=0) + points.max(axis=0)) / 2
    return middle


def _extent(polygons: list[list[Ring]], centre: npt.NDArray[np.float64]) -> tuple[Ring, Ring]:
    """Return the left lower corner of what is projected, and its size."""
    flat = _project(np.concatenate([polygon[0] for polygon in polygons]), centre)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return low, np.maximum(high - low, 1e-9)


def _area_of(polygons: list[list[Ring]], centre: npt.NDArray[np.float64]) -> float:
    """Return the area of polygons, their holes taken off."""
    areas = [[abs(_area(_project(ring, centre))) for ring in polygon] for polygon in polygons]
    return sum(outer - sum(holes) for outer, *holes in areas)


def _polygons(codes: tuple[str, ...], tree: RegionTree) -> dict[str, list[list[Ring]]]:
    """Return the polygons (outer ring first) by region code as the panel writes it."""
    by_level: dict[int, dict[str, str]] = {}
    for code in codes:
        known = tree.recode(code)
        level = tree.level_of(known)
        if level is not None:
            by_level.setdefault(level, {})[known] = code
    found: dict[str, list[list[Ring]]] = {}
    for level, names in by_level.items():
        for feature in load_boundaries(level)["features"]:
            named = names.get(feature["properties"]["id"])
            if named is not None:
                found[named] = _rings(feature["geometry"])
    return {code: found[code] for code in codes if code in found}


def _rings(geometry: dict[str, Any]) -> list[list[Ring]]:
    parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    return [[np.asarray(ring, dtype=np.float64)[:, :2] for ring in polygon] for polygon in parts]


def _in_frame(ring: Ring) -> bool:
    west, south, east, north = _FRAME
    x, y = ring.mean(axis=0)
    return bool(west <= x <= east and south <= y <= north)


def _project(degrees: Ring, centre: npt.NDArray[np.float64]) -> Ring:
    """Project longitude and latitude by Lambert's azimuthal equal-area projection (Snyder 1987, 24-2)."""
    longitude, latitude = np.radians(degrees[:, 0] - centre[0]), np.radians(degrees[:, 1])
    middle = np.radians(centre[1])
    cosine = np.cos(latitude) * np.cos(longitude)
    reach = 1 + np.sin(middle) * np.sin(latitude) + np.cos(middle) * cosine
    factor = np.sqrt(2 / np.maximum(reach, 1e-9))
    x = factor * np.cos(latitude) * np.sin(longitude)
    y = factor * (np.cos(middle) * np.sin(latitude) - np.sin(middle) * cosine)
    return np.column_stack([x, y])


def _path(ring: Ring) -> str:
    points = [f"{x:.1f} {y:.1f}" for x, y in ring]
    kept = [point for at, point in enumerate(points) if at == 0 or point != points[at - 1]]
    return f"M{'L'.join(kept)}Z"


def _area(ring: Ring) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _label_place(polygon: list[Ring]) -> tuple[float, float, float]:
    """Return the point of a grid that lies deepest inside, and the width of the polygon around it."""
    outer = polygon[0]
    low, high = outer.min(axis=0), outer.max(axis=0)
    grid = np.stack(np.meshgrid(*(np.linspace(low[d], high[d], _GRID + 2)[1:-1] for d in (0, 1))), -1).reshape(-1, 2)
    within = np.logical_xor.reduce([contains(ring, grid) for ring in polygon])
    if not within.any():
        x, y = outer.mean(axis=0)
        return float(x), float(y), 0.0
    inner = grid[within]
    depth = np.min([_distance(ring, inner) for ring in polygon], axis=0)
    best = int(depth.argmax())
    return float(inner[best, 0]), float(inner[best, 1]), 2 * float(depth[best])


def contains(ring: Ring, points: Ring) -> npt.NDArray[np.bool_]:
    """Return which points lie inside a ring, by counting crossings."""
    x1, y1 = ring[:, 0], ring[:, 1]
    x2, y2 = np.roll(x1, -1), np.roll(y1, -1)
    x, y = points[:, :1], points[:, 1:]
    crosses = (y1 > y) != (y2 > y)
    slope = np.divide(x2 - x1, y2 - y1, out=np.zeros_like(x1), where=y2 != y1)
    return np.asarray((crosses & (x < slope * (y - y1) + x1)).sum(axis=1) % 2 == 1)


def _distance(ring: Ring, points: Ring) -> npt.NDArray[np.float64]:
    """Return the distance of each point from the nearest edge of a ring."""
    start, along = ring, np.roll(ring, -1, axis=0) - ring
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    offset = points[:, None, :] - start[None, :, :]
    at = np.clip((offset * along).sum(axis=2) / length, 0.0, 1.0)
    return np.asarray(np.sqrt(((offset - at[:, :, None] * along) ** 2).sum(axis=2)).min(axis=1))
