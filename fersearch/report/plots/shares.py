"""How images divide among classes, and grey values among images."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fersearch.report.plots import style

HATCHES = ("", "///", "...", "xxx")
SMALL = 0.04
"""Slices below this share are not written on: the legend tells them apart."""


def pies(parts: Mapping[str, Sequence[int]], classes: Sequence[str]) -> Figure:
    """One pie for each part of a dataset, its slices the classes; one legend for all."""
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
    """The distribution of grey values of each class, one panel each, with the mean; all on the same axes."""
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
