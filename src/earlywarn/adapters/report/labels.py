"""Where the labels of the map stand: inside their region, or beside the map at the end of a line where it is small."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from earlywarn.adapters.report.territory import Shape, Territory, contains

_ROOM = 34.0
"""Least width of a region with a label of its own inside (units of the map, as all below)."""
_LETTER, _LINE = 6.4, 18.0
"""Width of a letter and height of a line."""
_NARROW_HALF = 56.0
"""Half the width of a figure in the size that it has on a narrow screen."""
_VALUE_WIDTH, _OUTSIDE_HEIGHT = 72.0, 44.0
_BESIDE, _ABOVE = 90.0, 30.0
"""How far labels may stand beyond the map."""
_DISTANCES = np.arange(30.0, 330.0, 10.0)
_ANGLES = np.linspace(0.0, 2 * np.pi, 24, endpoint=False)
_COVERS_COST = 250.0
"""What a label costs that lies on regions, in units of distance."""

Points = npt.NDArray[np.float64]
_Edges = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the plane: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Label:
    """The middle of a region's label, whether its name is written, and the line to its region if it stands outside.

    `is_lifted`: on a narrow screen, where figures are larger, it stands higher than the one at its side.
    """

    x: float
    y: float
    has_name: bool
    line: tuple[float, float, float, float] | None = None
    width: float = 0.0
    is_lifted: bool = False


def place_labels(drawn: Territory, name: Callable[[str], str]) -> dict[str, Label]:
    """Return the labels by region; one that finds no room has none (its figure stands in the table)."""
    large = [shape for shape in drawn.shapes if shape.room > _ROOM]
    taken = [(shape.x - 20, shape.y, shape.x + 20, shape.y + _LINE) for shape in large]
    found: dict[str, Label] = {}
    narrow: list[_Edges] = []
    for shape in sorted(large, key=lambda shape: -shape.room):
        half = len(name(shape.code)) * _LETTER / 2
        box = (shape.x - half, shape.y - _LINE, shape.x + half, shape.y - 2)
        has_name = not any(_overlap(box, other) for other in taken)
        if has_name:
            taken.append(box)
        figure = (shape.x - _NARROW_HALF, shape.y - _LINE, shape.x + _NARROW_HALF, shape.y + _LINE)
        is_lifted = any(_overlap(figure, other) for other in narrow)
        narrow.append(figure)
        found[shape.code] = Label(shape.x, shape.y, has_name, is_lifted=is_lifted)
    for shape in drawn.shapes:
        if shape.room <= _ROOM:
            label = _outside(drawn, shape, max(len(name(shape.code)) * _LETTER, _VALUE_WIDTH), taken)
            if label is not None:
                found[shape.code] = label
                taken.append(_edges(label))
    return found


def frame(drawn: Territory, labels: Iterable[Label]) -> Box:
    """Return the box that holds the map and the labels beside it."""
    edges = np.array([(0.0, 0.0, drawn.width, drawn.height), *(_edges(each) for each in labels if each.line)])
    low, high = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
    x, y, right, bottom = (round(float(each), 1) for each in (*low, *high))
    return Box(x, y, round(right - x, 1), round(bottom - y, 1))


def _outside(drawn: Territory, shape: Shape, width: float, taken: Sequence[_Edges]) -> Label | None:
    """Return the label nearest to a small region that covers no other label, and as little of the map as may be."""
    distances, angles = (each.ravel() for each in np.meshgrid(_DISTANCES, _ANGLES, indexing="ij"))
    middles = np.array([shape.x, shape.y]) + distances[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    half = np.array([width, _OUTSIDE_HEIGHT]) / 2
    corners = np.array([(i, j) for i in (-1.0, 0.0, 1.0) for j in (-1.0, 0.0, 1.0)]) * half
    points = (middles[:, None, :] + corners).reshape(-1, 2)
    covered = np.zeros(len(points), dtype=bool)
    for other in drawn.shapes:
        for ring in other.outlines:
            covered |= contains(ring, points)
    cost = distances + _COVERS_COST * covered.reshape(len(middles), -1).mean(axis=1)
    margin = np.array([_BESIDE, _ABOVE])
    size = np.array([drawn.width, drawn.height])
    fits = ((middles - half >= -margin) & (middles + half <= size + margin)).all(axis=1)
    for at in np.argsort(cost, kind="stable"):
        x, y = (round(float(each), 1) for each in middles[at])
        # The line ends where it meets the label's box.
        across = max(abs(shape.x - x) / half[0], abs(shape.y - y) / half[1])
        end = (round(x + (shape.x - x) / across, 1), round(y + (shape.y - y) / across, 1)) if across > 1 else None
        if not fits[at] or end is None:
            continue
        label = Label(x, y, has_name=True, line=(shape.x, shape.y, *end), width=width)
        if not any(_overlap(_edges(label), other) or _crosses(label, other) for other in taken):
            return label
    return None


def _edges(label: Label) -> _Edges:
    half = label.width / 2
    return (label.x - half, label.y - _OUTSIDE_HEIGHT / 2, label.x + half, label.y + _OUTSIDE_HEIGHT / 2)


def _overlap(one: _Edges, other: _Edges) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _crosses(label: Label, box: _Edges) -> bool:
    """Return whether a label's line runs through a box."""
    x1, y1, x2, y2 = label.line or (0.0, 0.0, 0.0, 0.0)
    along = np.linspace(0.0, 1.0, 40)
    x, y = x1 + along * (x2 - x1), y1 + along * (y2 - y1)
    return bool(((x > box[0]) & (x < box[2]) & (y > box[1]) & (y < box[3])).any())
