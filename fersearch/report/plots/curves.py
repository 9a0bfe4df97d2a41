"""Lines over epochs."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fersearch.report.plots import style

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One line: its points, its colour by number, whether it is dashed, and whether it is one thin round of several.

    Lines of one label share an entry of the legend; an empty label has none. `mark` circles the point there.
    """

    label: str
    points: Points
    colour: int = 0
    dashed: bool = False
    thin: bool = False
    mark: float | None = None


@dataclass(frozen=True)
class Panel:
    """Lines over one pair of axes; `floor` is drawn as a dashed horizontal named `floor_name`."""

    title: str
    ylabel: str
    lines: Sequence[Line]
    floor: float | None = None
    floor_name: str = "majority baseline"


def curves(panels: Sequence[Panel], xlabel: str = "epoch") -> Figure:
    """Panels side by side, two in a row, with one legend below."""
    figure, axes = style.panels(len(panels), columns=2, width=9.6 if len(panels) > 1 else 6.0, height=3.3)
    entries: dict[str, Artist] = {}
    for axis, panel in zip(axes, panels, strict=True):
        for line in panel.lines:
            drawn = _draw(axis, line)
            if line.label:
                entries.setdefault(line.label, drawn)
        if panel.floor is not None:
            floor = axis.axhline(panel.floor, color=style.GREY, linestyle=(0, (1, 1.5)), linewidth=1.2)
            entries.setdefault(panel.floor_name, floor)
        axis.set(title=panel.title, xlabel=xlabel, ylabel=panel.ylabel)
        style.whole_numbers(axis)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=4)
    return figure


def _draw(axis: Axes, line: Line) -> Artist:
    x, y = [x for x, _ in line.points], [y for _, y in line.points]
    marker = "o" if len(x) == 1 and not line.thin else None
    (drawn,) = axis.plot(
        x,
        y,
        color=style.COLOURS[line.colour % len(style.COLOURS)],
        linestyle=(0, (4, 1.8)) if line.dashed else "solid",
        linewidth=0.7 if line.thin else 1.7,
        alpha=0.45 if line.thin else 1.0,
        marker=marker,
        markersize=4,
    )
    marked = [(a, b) for a, b in line.points if a == line.mark]
    if marked:
        axis.plot(*marked[0], "o", color=drawn.get_color(), markersize=5)
    return drawn
