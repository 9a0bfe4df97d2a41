"""Confusion matrices as heat maps."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from fersearch.report.plots import style

_BLUES = LinearSegmentedColormap.from_list("blues", ["#f4f7fb", "#a9c3df", "#4477aa", "#1f3f66"])
CELL = 0.44  # inches
DARK, LIGHT = "#10151b", "#ffffff"  # on the cells, whatever the page around them


def confusion(matrix: Sequence[Sequence[float]], classes: Sequence[str], shares: bool = False) -> Figure:
    """A matrix with the true class by row; `shares` shows rows divided by their sums, in percent."""
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
