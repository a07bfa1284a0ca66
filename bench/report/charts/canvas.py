"""Axes with the report's colours. Colours are for light pages; the page swaps them by name."""

import json
from typing import Any

from bench.report.model import Series

INK, MUTED, GRID, PAPER = "#1d2430", "#5b6472", "#d9dee6", "#ffffff"
BETTER, WORSE = "#0f7a4e", "#b4231f"
PALETTE = (
    *("#0b62a8", "#c2410b", "#0e7b50", "#a11caf", "#7a5c01"),
    *("#0e7291", "#b91c40", "#5b3fc5", "#4d5b1b", "#6b4a3b"),
)
MARKERS = "osD^vPX*<>"
NAMES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    BETTER: "better",
    WORSE: "worse",
    **{color: f"s{index}" for index, color in enumerate(PALETTE)},
}
"""Colour → the name of the page's colour that takes its place."""
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text: read aloud, searched, and in the page's own font
    "svg.hashsalt": "bench",
    "text.parse_math": False,  # names are data
    "font.size": 9,
    "text.color": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
}


def color_of(series: Series) -> str:
    """A series' colour; bounds are grey."""
    return MUTED if series.bound else PALETTE[series.index % len(PALETTE)]


def marker_of(series: Series) -> str:
    """A series' marker: with more series than colours, colour and marker together differ."""
    turn = series.index // len(PALETTE)
    return MARKERS[(series.index + 3 * turn) % len(MARKERS)]


class Canvas:
    """matplotlib Axes, and tags that tell the page which series a mark belongs to."""

    def __init__(self, axes: Any) -> None:
        self.axes = axes

    def tag(self, artist: Any, *, series: Series | None = None, tip: str = "") -> None:
        """Name an artist's series, and what a reader who points at it is shown."""
        about = {"series": None if series is None else key_of(series), "tip": tip}
        artist.set_gid(json.dumps(about))


def format_bound(bound: float | None) -> str:
    """An end of an interval; a dash where it is withheld."""
    return "–" if bound is None else f"{bound:.3f}"


def key_of(series: Series) -> str:
    """What the page calls a series."""
    return f"{'b' if series.bound else 's'}{series.index}"
