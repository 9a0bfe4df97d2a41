"""Bars: grouped scores, mean differences with confidence intervals, shares of classes and grey values."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fersearch.report.plots import style

Interval = tuple[str, float, float, float, bool]
"""Name, mean, lower and upper bound, and whether the difference is significant."""
HATCHES = ("", "///", "...", "xxx")
SMALL = 0.04
"""Slices below this share have no label: the legend identifies them."""


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
    """Return a group of bars for each of `groups`, one bar of each series; NaN leaves a gap.

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


def intervals(rows: Sequence[Interval], xlabel: str) -> Figure:
    """Return a forest plot: points with whiskers around a line at zero; significant ones in colour."""
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
    """Return the value of each round of each entry as a point, those of one round joined; a bar marks the mean."""
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


def pies(parts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Figure:
    """Return one pie for each part of a dataset, its slices the classes; one legend for all."""
    figure, axes = style.panels(len(parts), columns=4, width=min(9.6, 2.6 * len(parts) + 1.6), height=2.7)
    colours = [style.COLOURS[i % len(style.COLOURS)] for i in range(len(classes))]
    for axis, (name, counts) in zip(axes, parts.items(), strict=True):
        slices, *_ = axis.pie(
            counts,
            colors=colours,
            hatch=[HATCHES[i // len(style.COLOURS) % len(HATCHES)] for i in range(len(classes))],
            startangle=90,
            counterclock=False,
            autopct=lambda share: f"{share:.0f}%" if share >= 100 * SMALL else "",
            pctdistance=0.78,
            wedgeprops={"edgecolor": style.PAPER, "linewidth": 0.7},
            textprops={"fontsize": 7.5, "color": "white"},
        )
        axis.set_title(f"{name}: {sum(counts):,}", loc="center")
    figure.legend(slices, list(classes), loc="outside right center")
    return figure


def intensities(shares: "np.ndarray[Any, Any]", classes: Sequence[str]) -> Figure:
    """Return the distribution of grey values of each class, one panel each, with the mean; all on the same axes."""
    figure, axes = style.panels(len(classes), columns=4, height=1.75, share="y")
    values = np.arange(256)
    for place, (axis, name, own) in enumerate(zip(axes, classes, shares, strict=True)):
        axis.fill_between(values, own, step="mid", color=style.BLUE, alpha=0.75, linewidth=0)
        if own.any():
            mean = float((values * own).sum())
            axis.axvline(mean, color=style.RED, linewidth=1.2)
            axis.text(0.98, 0.9, f"mean {mean:.0f}", transform=axis.transAxes, ha="right", fontsize=7.5)
        axis.set(title=name, xlim=(0, 255), xticks=(0, 128, 255))
        axis.set_ylim(bottom=0)
        if place % 4 == 0:
            axis.set_ylabel("share of pixels")
    return figure
