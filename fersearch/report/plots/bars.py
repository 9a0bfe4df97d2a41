"""Grouped bars."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from fersearch.report.plots import style


def bars(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    ylabel: str,
    *,
    errors: Mapping[str, Sequence[float]] | None = None,
    floor: float | None = None,
    log: bool = False,
    figures: bool = True,
) -> Figure:
    """A group of bars for each of `groups`, one bar of each series; NaN leaves a gap.

    `errors` holds deviations by series, `floor` draws a baseline, `figures` writes the values above the bars.
    """
    count = len(groups) * len(series)
    figure, (axis,) = style.panels(1, width=min(9.6, max(4.2, 1.6 + 0.3 * count)), height=3.2)
    width = 0.8 / max(1, len(series))
    for place, (name, values) in enumerate(series.items()):
        offset = (place - (len(series) - 1) / 2) * width
        spread = _known((errors or {}).get(name))
        drawn = axis.bar(
            np.arange(len(groups)) + offset,
            [0 if math.isnan(value) else value for value in values],
            width * 0.92,
            yerr=spread,
            color=style.COLOURS[place % len(style.COLOURS)],
            hatch="///" if place >= len(style.COLOURS) else None,
            label=name,
            error_kw={"ecolor": style.GREY, "linewidth": 1},
        )
        if figures and count <= 30:
            axis.bar_label(
                drawn, [_written(value) for value in values], padding=1, fontsize=7, rotation=90 if count > 12 else 0
            )
    if floor is not None and math.isfinite(floor):
        axis.axhline(floor, color=style.GREY, linestyle="dashed", linewidth=1.2, label="majority baseline")
    if log:
        axis.set_yscale("log")
    axis.set_xticks(range(len(groups)), groups, rotation=25 if max(map(len, groups), default=0) > 12 else 0)
    axis.set_ylabel(ylabel)
    axis.margins(y=0.16)
    axis.grid(axis="x", visible=False)
    if len(series) > 1 or floor is not None:
        figure.legend(loc="outside upper right", ncols=4)
    return figure


def _known(values: Sequence[float] | None) -> list[float] | None:
    if values is None or all(math.isnan(value) for value in values):
        return None
    return [0.0 if math.isnan(value) else value for value in values]


def _written(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.3f}" if abs(value) < 1 else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
