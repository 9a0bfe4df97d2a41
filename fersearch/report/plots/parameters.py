"""Parameters against results (slices, parallel coordinates, importance), and the Pareto front."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from fersearch.report.inputs import Measure, title
from fersearch.report.plots import style
from fersearch.trial import Trial, TrialState

ABSENT = -0.12
"""Position of a missing value on a parallel coordinate from 0 to 1."""


_GOOD = LinearSegmentedColormap.from_list("good", ["#c0c7cf", style.BLUE, style.PURPLE])
NAMED = 14
"""Maximum number of front members that are labelled; more would overlap."""


@dataclass(frozen=True)
class Column:
    """A parameter of several trials: one value each, None where it did not apply; `log` asks for a log scale."""

    name: str
    values: Sequence[bool | int | float | str | None]
    log: bool = False

    @property
    def options(self) -> list[str] | None:
        """The values as text, if they are not numbers."""
        known = [value for value in self.values if value is not None]
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
            return None
        return sorted({_text(value) for value in known})

    def places(self) -> list[float]:
        """Return each value as a number: the value itself, or its index among the options; NaN where there is none."""
        options = self.options
        return [
            math.nan if value is None else options.index(_text(value)) if options is not None else float(value)
            for value in self.values
        ]


def slices(
    measure: Measure, results: Sequence[float], columns: Sequence[Column], bold: Sequence[bool], floor: float | None
) -> Figure:
    """Return a result against each parameter, one panel each; `bold` marks the trials on the front."""
    figure, axes = style.panels(len(columns), columns=4, height=2.1, share="y")
    style.scale(axes[0], "y", measure, results)
    for place, (axis, column) in enumerate(zip(axes, columns, strict=True)):
        _slice(axis, results, column, bold)
        if floor is not None and math.isfinite(floor):
            axis.axhline(floor, color=style.GREY, linestyle="dashed", linewidth=1)
        if place % 4 == 0:
            axis.set_ylabel(measure.heading)
    return figure


def parallel(measure: Measure, results: Sequence[float], columns: Sequence[Column]) -> Figure:
    """Return each trial as a line through its parameters to its result, coloured by that; the better ones lie on
    top."""
    figure, (axis,) = style.panels(1, width=9.6, height=4.2)
    last = Column(measure.heading, list(results), log=_spans(results) and measure.log)
    tracks = np.array([_unit(column) for column in [*columns, last]]).T
    order = np.argsort(np.array(results) * (1 if measure.direction == "max" else -1), kind="stable")
    places = np.arange(tracks.shape[1])
    lines = LineCollection(
        [np.column_stack([places, tracks[i]]) for i in order],
        array=np.array(results)[order],
        cmap=_GOOD if measure.direction == "max" else _GOOD.reversed(),
        norm=Normalize(min(results), max(results)),
        linewidths=1.0 if len(results) < style.MANY else 0.5,
        alpha=0.8 if len(results) < style.MANY else 0.35,
        rasterized=len(results) > style.MANY,
    )
    axis.add_collection(lines)
    for place, column in enumerate([*columns, last]):
        _ruler(axis, place, column)
    axis.set(xlim=(-0.3, len(columns) + 0.6), ylim=(-0.2, 1.1), yticks=[])
    axis.set_xticks(places, [title(column.name) for column in [*columns, last]], rotation=25, ha="right")
    axis.spines[:].set_visible(False)
    axis.grid(False)
    figure.colorbar(lines, ax=axis, label=measure.heading, pad=0.01, aspect=30)
    return figure


def importance(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Return horizontal bars of each parameter's share, one panel for each metric; the most important on top."""
    longest = max(len(one) for one in shares.values())
    figure, axes = style.panels(len(shares), columns=3, width=9.6, height=0.9 + 0.24 * longest)
    for axis, (name, importances) in zip(axes, shares.items(), strict=True):
        ranked = sorted(importances.items(), key=lambda pair: pair[1])
        bars = axis.barh(
            [title(parameter) for parameter, _ in ranked], [share for _, share in ranked], color=style.BLUE
        )
        axis.bar_label(bars, fmt="%.2f", padding=2, fontsize=7.5)
        axis.set(title=name, xlabel="share of variance")
        axis.margins(x=0.18)
        axis.grid(axis="y", visible=False)
    return figure


def _slice(axis: Axes, results: Sequence[float], column: Column, bold: Sequence[bool]) -> None:
    options = column.options
    places = np.array(column.places())
    if options is not None:
        places = places + np.random.default_rng(0).uniform(-0.16, 0.16, len(places))
        axis.set_xticks(range(len(options)), options, rotation=25 if len(options) > 3 else 0)
        axis.set_xlim(-0.5, len(options) - 0.5)
    raster = len(results) > style.MANY
    chosen, heights = np.array(bold, bool), np.array(results)
    axis.plot(places[~chosen], heights[~chosen], "o", color=style.BLUE, markersize=3, alpha=0.6, rasterized=raster)
    axis.plot(places[chosen], heights[chosen], "o", color=style.RED, markersize=4.5)
    if _logarithmic(column):
        style.logarithmic(axis, "x", places[~np.isnan(places)].tolist())
    axis.set_title(title(column.name))


def _unit(column: Column) -> list[float]:
    """Return the positions of a column's values from 0 to 1; `ABSENT` where there is no value."""
    raw = np.array(column.places())
    places = np.log10(raw) if _logarithmic(column) else raw
    low, high = np.nanmin(places), np.nanmax(places)
    scaled = (places - low) / (high - low) if high > low else np.full(len(places), 0.5) + 0 * places
    return [ABSENT if math.isnan(value) else float(value) for value in scaled]


def _ruler(axis: Axes, place: int, column: Column) -> None:
    """Draw a vertical axis with its ends, or its options, written beside it."""
    axis.plot([place, place], [0, 1], color=style.GREY, linewidth=1)
    options = column.options
    raw = [value for value in column.places() if not math.isnan(value)]
    if options is not None:
        step = len(options) - 1
        marks = [(i / step if step else 0.5, option) for i, option in enumerate(options)]
    else:
        marks = (
            [(0.0, f"{min(raw):.3g}"), (1.0, f"{max(raw):.3g}")] if min(raw) < max(raw) else [(0.5, f"{raw[0]:.3g}")]
        )
    if any(value is None for value in column.values):
        marks.append((ABSENT, "n/a"))
    for height, text in marks:
        axis.annotate(text, (place, height), (3, 0), textcoords="offset points", va="center", fontsize=7.5, bbox=_PLATE)


_PLATE = {"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.8}


def _logarithmic(column: Column) -> bool:
    known = [value for value in column.places() if not math.isnan(value)]
    return column.log and column.options is None and _spans(known)


def _spans(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) > 8 * min(values)


def _text(value: bool | int | float | str) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def pareto(
    first: Measure,
    others: Sequence[Measure],
    trials: Sequence[Trial],
    front: Sequence[Trial],
    baseline: Mapping[str, float],
) -> Figure:
    """Return one panel for each other objective; dominated complete trials in grey, the front in colour with its
    numbers."""
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
    """Draw the deviations over rounds, where the trials have them."""
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
