"""Small static charts as SVG: they need no script, so they show in a mail preview and on paper."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sketch:
    """Observed against expected: SVG paths in a box of `width` x `height`, and the span to shade.

    `inner` is a band within the band.
    """

    width: int
    height: int
    band: str
    expected: str
    observed: str
    spans: tuple[tuple[float, float], ...]
    is_from_zero: bool
    inner: str = ""


def sketch(
    observed: Floats,
    expected: Floats,
    lower: Floats,
    upper: Floats,
    *,
    width: int,
    height: int,
    spans: Sequence[tuple[int, int]] = (),
    from_zero: bool = True,
    inner: tuple[Floats, Floats] | None = None,
) -> Sketch | None:
    """Draw one series of n days; None if nothing was observed.

    The scale starts at zero (or just below the least value) and ends above observed and expected; a band
    that reaches further is cut there, but for one with another within. `spans` are pairs of day indices, both included.
    """
    if not np.isfinite(observed).any():
        return None
    both = np.concatenate([observed, expected, *(() if inner is None else (upper,))])
    least, greatest = min(float(np.nanmin(both)), 0.0), float(np.nanmax(both))
    if not from_zero:
        least = float(np.nanmin(both)) - 0.3 * (greatest - float(np.nanmin(both)))
    top = greatest + 0.12 * (greatest - least) if greatest > least else least + 1.0
    days = len(observed)
    x = np.linspace(0, width, days) if days > 1 else np.array([width / 2])

    def y(values: Floats) -> Floats:
        return np.asarray(height * (top - np.clip(values, least, top)) / (top - least))

    half = width / (days - 1) / 2 if days > 1 else width / 2
    shaded = tuple(
        (round(max(float(x[start]) - half, 0.0), 1), round(min(float(x[end]) + half, width), 1))
        for start, end in spans
        if 0 <= start <= end < days
    )
    return Sketch(
        width,
        height,
        _band(x, y(lower), y(upper)),
        _line(x, y(expected)),
        _line(x, y(observed)),
        shaded,
        from_zero,
        "" if inner is None else _band(x, y(inner[0]), y(inner[1])),
    )


def _runs(known: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.intp]]:
    """Return the indices of known values, in unbroken runs."""
    at = np.flatnonzero(known)
    return [run for run in np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if len(run)]


def _points(x: Floats, y: Floats) -> str:
    return "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _line(x: Floats, y: Floats) -> str:
    return "".join(f"M{_points(x[run], y[run])}" for run in _runs(np.isfinite(y)))


def _band(x: Floats, low: Floats, high: Floats) -> str:
    return "".join(
        f"M{_points(np.concatenate([x[run], x[run][::-1]]), np.concatenate([high[run], low[run][::-1]]))}Z"
        for run in _runs(np.isfinite(low) & np.isfinite(high))
    )
