"""The style of every plot, and its rendering as SVG and PNG.

Colours are Paul Tol's "bright" scheme (doi:10.5281/zenodo.3381072), distinguishable with any colour vision. Ink, grid
and paper have colours of their own, so that a page can replace them where its background is dark.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from fersearch.escaping import printable
from fersearch.report.inputs import Measure

INK, GRID, PAPER = "#1c2128", "#dde1e6", "#fefefe"
GREY = "#9099a4"
BLUE, RED, GREEN, YELLOW, CYAN, PURPLE = "#4477aa", "#ee6677", "#228833", "#bba42c", "#44b3d6", "#aa3377"
COLOURS = (BLUE, RED, GREEN, PURPLE, YELLOW, CYAN)
STROKES = ("solid", (0, (4, 1.5)), (0, (1, 1)))
MANY = 400
"""From this number of marks on, they are drawn as pixels: vectors would make the page slow."""

_SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "fersearch",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and render in the style of the reports; earlier settings are restored afterwards."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def panels(
    count: int, columns: int = 1, width: float = 9.6, height: float = 3.2, share: str = ""
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` axes in rows of `columns`; `width` of the whole and `height` of a row in inches.

    `share` is `x` or `y` if that axis is one for all: it is labelled only on the outer panels.
    """
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    figure = Figure(figsize=(width, height * rows), layout="constrained", facecolor="none")
    axes: list[Axes] = []
    for place in range(count):
        shared_axis: dict[str, Any] = {f"share{share}": axes[0]} if share and axes else {}
        axes.append(figure.add_subplot(rows, columns, place + 1, **shared_axis))
        if share == "y" and place % columns:
            axes[-1].tick_params(labelleft=False)
        if share == "x" and place + columns < count:
            axes[-1].tick_params(labelbottom=False)
    return figure, axes


def stroke(place: int) -> tuple[str, Any]:
    """Return colour and line style of the series at an index; the first 18 differ."""
    return COLOURS[place % len(COLOURS)], STROKES[place // len(COLOURS) % len(STROKES)]


def scale(axes: Axes, which: str, measure: Measure, values: Sequence[float]) -> None:
    """Make one axis logarithmic if the measure has a log scale and its values span a wide range."""
    positive = [value for value in values if value > 0]
    if measure.log and len(positive) == len(values) and positive and max(positive) > 8 * min(positive):
        logarithmic(axes, which, positive)


def logarithmic(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Make one axis logarithmic for some values above 0, its ticks written as plain numbers."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if max(values) < 30 * min(values) else (1,), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def whole_numbers(axes: Axes) -> None:
    """Set ticks of the x axis only at whole numbers."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def render(figure: Figure) -> tuple[str, bytes]:
    """Return the figure as SVG text (transparent, its text kept as text) and as PNG (white, 160 dots an inch).

    Names are written out where they hold characters that a terminal would interpret.
    """
    _write_out(figure)
    svg, png = io.StringIO(), io.BytesIO()
    figure.savefig(svg, format="svg", metadata={"Date": None}, transparent=True)
    figure.set_layout_engine(None)  # the layout of the first file serves the second, which saves a draw
    figure.savefig(png, format="png", dpi=160, facecolor="white", metadata={"Software": None})
    return svg.getvalue(), png.getvalue()


def _write_out(figure: Figure) -> None:
    """Write out, in every text and label, the characters that a terminal would interpret; no font has a glyph for
    them."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if (shown := [printable(label) for label in labels]) != labels:
                axis.set_ticklabels(shown)
    for text in figure.findobj(Text):
        if isinstance(text, Text):
            text.set_text(printable(text.get_text()))
