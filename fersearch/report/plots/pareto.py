"""The Pareto front: the first objective against each other one."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fersearch.report.plots import style
from fersearch.report.records import Measure
from fersearch.trial import Trial, TrialState

NAMED = 14
"""So many members of the front carry their numbers; more would overlap."""


def pareto(
    first: Measure,
    others: Sequence[Measure],
    trials: Sequence[Trial],
    front: Sequence[Trial],
    baseline: Mapping[str, float],
) -> Figure:
    """One panel for each other objective; dominated complete trials in grey, the front in colour with its numbers."""
    figure, axes = style.panels(len(others), columns=2, width=9.6 if len(others) > 1 else 6.0, height=3.3)
    members = {trial.number for trial in front}
    rest = [trial for trial in trials if trial.state is TrialState.COMPLETE and trial.number not in members]
    for axis, other in zip(axes, others, strict=True):
        _points(axis, first, other, rest, front)
        floor = baseline.get(first.name)
        if floor is not None and math.isfinite(floor):
            axis.axhline(floor, color=style.GREY, linestyle="dashed", linewidth=1.2, label="majority baseline")
        axis.set(xlabel=other.heading, ylabel=first.heading)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    return figure


def _points(axis: Axes, first: Measure, other: Measure, rest: Sequence[Trial], front: Sequence[Trial]) -> None:
    dominated, shining = _pairs(rest, other, first), _pairs(front, other, first)
    raster = len(dominated) > style.MANY
    axis.plot(
        *_columns(dominated), "o", color=style.GREY, markersize=3.5, alpha=0.6, label="dominated", rasterized=raster
    )
    axis.plot(*_columns(shining), "o", color=style.RED, markersize=6, label="front")
    _whiskers(axis, first, other, front)
    style.scale(axis, "x", other, [x for _, x, _ in dominated + shining])
    if len(shining) <= NAMED:
        for number, x, y in shining:
            axis.annotate(str(number), (x, y), (4, 4), textcoords="offset points", fontsize=8)


def _whiskers(axis: Axes, first: Measure, other: Measure, front: Sequence[Trial]) -> None:
    """The deviations over rounds, where the trials have them."""
    for trial in front:
        values = trial.values
        up, side = values.get(f"{first.name}_std"), values.get(f"{other.name}_std")
        if (up is not None or side is not None) and first.name in values and other.name in values:
            axis.errorbar(values[other.name], values[first.name], up, side, color=style.RED, linewidth=1)


def _pairs(trials: Sequence[Trial], x: Measure, y: Measure) -> list[tuple[int, float, float]]:
    points = [(t.number, t.values.get(x.name, math.nan), t.values.get(y.name, math.nan)) for t in trials]
    return [point for point in points if math.isfinite(point[1]) and math.isfinite(point[2])]


def _columns(points: Sequence[tuple[int, float, float]]) -> tuple[list[float], list[float]]:
    return [x for _, x, _ in points], [y for _, _, y in points]
