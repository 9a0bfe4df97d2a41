"""Mean differences with their confidence intervals, one row each."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from fersearch.report.plots import style

Interval = tuple[str, float, float, float, bool]
"""Name, mean, both bounds, and whether it is significant."""


def intervals(rows: Sequence[Interval], xlabel: str) -> Figure:
    """A forest plot: points with whiskers around a line at zero; significant ones in colour."""
    figure, (axis,) = style.panels(1, width=7.6, height=0.9 + 0.27 * len(rows))
    for place, (_, mean, low, high, significant) in enumerate(rows):
        colour = style.RED if significant else style.GREY
        axis.plot([low, high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        axis.plot(mean, place, "o", color=colour, markersize=5)
    axis.axvline(0, color=style.INK, linewidth=0.9)
    axis.set_yticks(range(len(rows)), [row[0] for row in rows])
    axis.set(xlabel=xlabel, ylim=(len(rows) - 0.4, -0.6))
    axis.grid(axis="y", visible=False)
    return figure


def rounds(labels: Sequence[str], values: Sequence[Sequence[float]], ylabel: str) -> Figure:
    """The value of each round of each entry as a point, those of one round joined; a bar marks the mean."""
    figure, (axis,) = style.panels(1, width=min(9.6, max(4.2, 1.6 + 0.75 * len(labels))), height=3.2)
    for number in range(max(map(len, values))):
        points = [(place, own[number]) for place, own in enumerate(values) if number < len(own)]
        axis.plot(*zip(*points, strict=True), color=style.GREY, linewidth=0.7, alpha=0.6, zorder=1)
    for place, own in enumerate(values):
        colour = style.COLOURS[place % len(style.COLOURS)]
        axis.plot([place] * len(own), own, "o", color=colour, markersize=4)
        known = [value for value in own if value == value]
        if known:
            mean = sum(known) / len(known)
            axis.plot([place - 0.22, place + 0.22], [mean, mean], color=colour, linewidth=2.4)
    axis.set_xticks(range(len(labels)), labels, rotation=25 if max(map(len, labels)) > 12 else 0)
    axis.set_ylabel(ylabel)
    axis.margins(x=0.08)
    axis.grid(axis="x", visible=False)
    return figure
