"""A figure as a picture file: its panels side by side, and a legend."""

from pathlib import Path
from typing import Any

from bench.report.charts.canvas import STYLE, Canvas, color_of, marker_of
from bench.report.model import Figure, View
from tasks.common.errors import ConfigError, StorageError

PANELS_PER_LINE = 3


def require_matplotlib() -> None:
    """Raise ConfigError unless matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "figures need matplotlib", hint="Install it: pip install 'pplug-bench[plot]'"
        ) from error


def write_figure(figure: Figure, view: View, out: Path) -> None:
    """Write one view of a figure. Raises StorageError where the file can't be written."""
    from matplotlib import rc_context

    with rc_context(STYLE | {"figure.facecolor": "white", "svg.fonttype": "path"}):
        drawn = _draw(figure, view)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            drawn.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)
        except (OSError, ValueError) as error:
            raise StorageError(
                f"the picture can't be written ({error})",
                file=out,
                hint="Choose a writable place and an ending such as .svg, .png or .pdf",
            ) from error


def _draw(figure: Figure, view: View) -> Any:
    from matplotlib import figure as pictures

    across = min(PANELS_PER_LINE, len(view.panels))
    down = -(-len(view.panels) // across)
    width = max(panel.size[0] for panel in view.panels)
    height = max(panel.size[1] for panel in view.panels)
    drawn = pictures.Figure((width * across, height * down + 0.8), layout="constrained")
    all_axes = drawn.subplots(down, across, squeeze=False).flatten()
    for axes, panel in zip(all_axes, view.panels, strict=False):
        panel.draw(Canvas(axes))
        axes.set_title(panel.title)
    for axes in all_axes[len(view.panels) :]:
        axes.set_axis_off()
    for artist in drawn.findobj():  # tags are for pages
        artist.set_gid(None)
    _add_legend(drawn, figure)
    return drawn


def _add_legend(drawn: Any, figure: Figure) -> None:
    from matplotlib.lines import Line2D

    if figure.series:
        lines = [
            Line2D(
                [],
                [],
                color=color_of(series),
                marker=None if series.bound else marker_of(series),
                linestyle=":" if series.bound else "-",
            )
            for series in figure.series
        ]
        names = [series.name for series in figure.series]
        drawn.legend(lines, names, loc="outside lower center", ncols=4)
