"""How the search went: every trial's value in the order of the trials."""

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fersearch.report.plots import style
from fersearch.report.records import Measure
from fersearch.trial import Trial, TrialState

Pairs = list[tuple[int, float]]


def history(measures: Sequence[Measure], trials: Sequence[Trial], baseline: Mapping[str, float]) -> Figure:
    """One panel a measure: complete and pruned trials, the best so far, the baseline, and where trials failed."""
    figure, axes = style.panels(len(measures), height=2.1, share="x")
    for axis, measure in zip(axes, measures, strict=True):
        _panel(axis, measure, trials, baseline.get(measure.name))
    axes[-1].set_xlabel("trial")
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper right", ncols=5)
    return figure


def best_so_far(pairs: Pairs, direction: str) -> Pairs:
    """The best value up to each trial."""
    better = max if direction == "max" else min
    found: Pairs = []
    for number, value in sorted(pairs):
        found.append((number, better(value, found[-1][1]) if found else value))
    return found


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
