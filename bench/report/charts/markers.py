"""A series' marker as a small SVG, for legends and tables of the page."""

from math import cos, pi, sin

from bench.report.charts.canvas import marker_of
from bench.report.model import Series

SHAPES: dict[str, list[tuple[float, float]]] = {
    "s": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "D": [(0, -1.1), (1.1, 0), (0, 1.1), (-1.1, 0)],
    "^": [(0, -1), (1, 0.8), (-1, 0.8)],
    "v": [(0, 1), (1, -0.8), (-1, -0.8)],
    "<": [(-1, 0), (0.8, 1), (0.8, -1)],
    ">": [(1, 0), (-0.8, 1), (-0.8, -1)],
    "P": [
        *[(-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35)],
        *[(0.35, 1), (-0.35, 1), (-0.35, 0.35), (-1, 0.35), (-1, -0.35), (-0.35, -0.35)],
    ],
}
"""matplotlib's marker → its outline; y runs downward."""


def draw_marker(series: Series) -> str:
    """One `<svg>`, hidden from screen readers: the name stands beside it."""
    if series.bound:
        stroke = 'stroke="var(--muted)" stroke-width=".5" stroke-dasharray=".5 .5"'
        shape = f'<path d="M-1.4 0H1.4" {stroke}/>'
    else:
        marker = marker_of(series)
        color = f"var(--s{series.index % 10})"
        if marker == "o":
            shape = f'<circle r=".9" fill="{color}"/>'
        else:
            points = " ".join(f"{x:.2f},{y:.2f}" for x, y in _find_outline(marker))
            shape = f'<polygon points="{points}" fill="{color}"/>'
    return f'<svg class="marker" viewBox="-1.5 -1.5 3 3" aria-hidden="true">{shape}</svg>'


def _find_outline(marker: str) -> list[tuple[float, float]]:
    if marker == "X":
        c = cos(pi / 4)
        return [((x - y) * c, (x + y) * c) for x, y in SHAPES["P"]]
    if marker == "*":
        return [
            (r * sin(pi * n / 5), -r * cos(pi * n / 5))
            for n in range(10)
            for r in [1.2 if n % 2 == 0 else 0.5]
        ]
    return SHAPES[marker]
