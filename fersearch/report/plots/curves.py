"""Curves over epochs and trials, ROC curves, confusion matrices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from fersearch.report.derive import Roc
from fersearch.report.inputs import Measure
from fersearch.report.plots import style
from fersearch.trial import Trial, TrialState

Points = Sequence[tuple[float, float]]
Pairs = list[tuple[int, float]]
_BLUES = LinearSegmentedColormap.from_list("blues", ["#f4f7fb", "#a9c3df", "#4477aa", "#1f3f66"])
CELL = 0.44  # inches
DARK, LIGHT = "#10151b", "#ffffff"  # on the cells, whatever the page around them


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
    """Lines on one pair of axes; `floor` is drawn as a dashed horizontal line named `floor_name`."""

    title: str
    ylabel: str
    lines: Sequence[Line]
    floor: float | None = None
    floor_name: str = "majority baseline"


def curves(panels: Sequence[Panel], xlabel: str = "epoch") -> Figure:
    """Return panels side by side, two in a row, with one legend below."""
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


def history(measures: Sequence[Measure], trials: Sequence[Trial], baseline: Mapping[str, float]) -> Figure:
    """Return one panel a measure: complete and pruned trials, the best so far, the baseline, and where trials
    failed."""
    figure, axes = style.panels(len(measures), height=2.1, share="x")
    for axis, measure in zip(axes, measures, strict=True):
        _panel(axis, measure, trials, baseline.get(measure.name))
    axes[-1].set_xlabel("trial")
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper right", ncols=5)
    return figure


def best_so_far(pairs: Pairs, direction: str) -> Pairs:
    """Return the best value up to each trial."""
    better = max if direction == "max" else min
    best: Pairs = []
    for number, value in sorted(pairs):
        best.append((number, better(value, best[-1][1]) if best else value))
    return best


def _panel(axis: Axes, measure: Measure, trials: Sequence[Trial], floor: float | None) -> None:
    pruned, complete = (_pairs(trials, measure, state) for state in (TrialState.PRUNED, TrialState.COMPLETE))
    raster = len(trials) > style.MANY
    size = 2 if raster else 4
    if pruned:
        axis.plot(*_columns(pruned), "x", color=style.GREY, markersize=size, label="pruned", rasterized=raster)
    if complete:
        axis.plot(*_columns(complete), "o", color=style.BLUE, markersize=size, label="complete", rasterized=raster)
        best = best_so_far(complete, measure.direction)
        axis.plot(*_columns(best), color=style.RED, drawstyle="steps-post", label="best so far")
    if floor is not None and math.isfinite(floor):
        axis.axhline(floor, color=style.GREY, linestyle="dashed", linewidth=1.2, label="majority baseline")
    style.scale(axis, "y", measure, [value for _, value in pruned + complete])
    lost = [trial.number for trial in trials if trial.state in (TrialState.FAILED, TrialState.INFEASIBLE)]
    if lost:
        place = axis.get_xaxis_transform()
        axis.plot(lost, [0.02] * len(lost), "|", color=style.PURPLE, markersize=9, transform=place, label="failed")
    axis.set_ylabel(measure.heading)
    style.whole_numbers(axis)


def _pairs(trials: Sequence[Trial], measure: Measure, state: TrialState) -> Pairs:
    pairs = [(t.number, t.values.get(measure.name, math.nan)) for t in trials if t.state is state]
    return [(number, value) for number, value in pairs if math.isfinite(value)]


def _columns(pairs: Pairs) -> tuple[list[int], list[float]]:
    return [number for number, _ in pairs], [value for _, value in pairs]


def roc(curves: Sequence[Roc]) -> Figure:
    """Return the true against the false positive rate, with each curve's area in the legend; the diagonal is chance."""
    figure, (axis,) = style.panels(1, width=7.0, height=4.4)
    axis.plot([0, 1], [0, 1], color=style.GREY, linestyle="dashed", linewidth=1)
    for place, curve in enumerate(curves):
        colour, line = style.stroke(place)
        appearance: dict[str, Any] = {"color": colour, "linestyle": line}
        if curve.pooled:
            appearance = {"color": style.INK, "linewidth": 2.2}
        axis.plot(curve.false_positive, curve.true_positive, label=f"{curve.name}: {curve.area:.3f}", **appearance)
    axis.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axis.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), title="area under the curve", title_fontsize=8)
    return figure


def confusion(matrix: Sequence[Sequence[float]], classes: Sequence[str], shares: bool = False) -> Figure:
    """Return a matrix with the true class by row; `shares` shows rows divided by their sums, in percent."""
    size = len(classes)
    cells = np.array(matrix, float)
    longest = max(map(len, classes))
    figure, (axis,) = style.panels(1, 1, CELL * size + 0.075 * longest + 0.5, CELL * size + 0.055 * longest + 0.6)
    top = 1.0 if shares else max(float(np.nanmax(cells)), 1.0)
    axis.pcolormesh(np.ma.masked_invalid(cells), cmap=_BLUES, vmin=0, vmax=top, edgecolors="white", linewidth=0.8)
    for i in range(size):
        for j in range(size):
            colour = LIGHT if cells[i, j] > 0.5 * top else DARK
            axis.text(
                j + 0.5, i + 0.5, _written(cells[i, j], shares), ha="center", va="center", fontsize=8, color=colour
            )
    axis.set_xticks(np.arange(size) + 0.5, classes, rotation=40, ha="right")
    axis.set_yticks(np.arange(size) + 0.5, classes)
    axis.set(xlabel="called", ylabel="true class", aspect="equal")
    axis.invert_yaxis()
    axis.grid(False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return figure


def _written(value: float, shares: bool) -> str:
    if math.isnan(value):
        return "-"
    return f"{100 * value:.0f}" if shares else f"{value:.0f}"
