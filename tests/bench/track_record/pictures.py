"""The two pictures of the page, as SVG that needs no script: shares by size of shock, and delays."""

from collections.abc import Mapping, Sequence
from html import escape

from track_record.measured import Point
from track_record.record import Record
from track_record.shocks import WATCHED_DAYS

WIDTH, HEIGHT, LEFT, TOP, LEGEND = 420, 260, 46, 34, 210
COLOURS = ("#999999", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7")
"""Okabe and Ito's, which the colour-blind tell apart."""
SIZES = {10: "step -10 %", 20: "step -20 %", 30: "step -30 %", 50: "step -50 %"}

Line = Sequence[tuple[float, float]]


def shown_points(record: Record) -> list[Point]:
    """Return the points that are drawn: those of the first rate, threshold chosen by the first half."""
    return [each for each in record.points if (each.rate, each.chosen) == (record.points[0].rate, "first half")]


def shares_picture(record: Record) -> str:
    """Return the share found within 7 days against the size of the step, a line for each contestant."""
    lines = {}
    for point in shown_points(record):
        found = {each.shock: each.within["7"].share for each in point.detections}
        lines[point.contestant] = [(size, found[name]) for size, name in SIZES.items() if name in found]
    title = f"Found within 7 days, at {record.points[0].rate}"
    return _chart(title, "size of the fall (%)", lines, span=(10, 50), ticks=tuple(SIZES))


def delays_picture(record: Record) -> str:
    """Return the share that alarmed by each age of a step of -20 %, a line for each contestant."""
    lines = {}
    for point in shown_points(record):
        for each in point.detections:
            if each.shock == SIZES[20]:
                sums = [sum(each.delays[: age + 1]) / each.trials for age in range(WATCHED_DAYS)]
                lines[point.contestant] = [(float(age), share) for age, share in enumerate(sums)]
    title = f"Alarmed of a step of -20 %, at {record.points[0].rate}"
    return _chart(title, "days after the first shocked day", lines, span=(0, WATCHED_DAYS - 1), ticks=(0, 3, 6, 9, 13))


def _chart(
    title: str, label: str, lines: Mapping[str, Line], *, span: tuple[float, float], ticks: Sequence[float]
) -> str:
    least, greatest = span

    def x(value: float) -> float:
        return LEFT + WIDTH * (value - least) / (greatest - least)

    def y(share: float) -> float:
        return TOP + HEIGHT * (1 - share)

    width, height = LEFT + WIDTH + LEGEND, TOP + HEIGHT + 46
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" '
        f'font-size="12"><title>{escape(title)}</title><rect width="100%" height="100%" fill="#fff"/>'
    )
    parts = [
        head,
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<path d="M{LEFT} {y(share):.1f}h{WIDTH}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(share) + 4:.1f}" text-anchor="end">{100 * share:.0f} %</text>')
    parts += [f'<text x="{x(at):.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{at:g}</text>' for at in ticks]
    parts.append(f'<text x="{LEFT + WIDTH / 2}" y="{TOP + HEIGHT + 38}" text-anchor="middle">{escape(label)}</text>')
    for place, (name, line) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        path = "L".join(f"{x(at):.1f} {y(share):.1f}" for at, share in line)
        if path:
            parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        row = TOP + 20 * place + 8
        parts.append(f'<path d="M{LEFT + WIDTH + 12} {row}h18" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 36}" y="{row + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
