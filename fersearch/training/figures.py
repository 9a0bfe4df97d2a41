"""The figures of an untrained model as plain numbers, and the bounds that they break. Imports no torch."""

from collections.abc import Mapping, Sequence

import numpy as np

from fersearch.components import Evaluation, Metric, Task
from fersearch.errors import FersearchError
from fersearch.formatting import number
from fersearch.study import Constraint

SHAPE_FIGURES = ("parameters", "model_bytes", "flops")
"""Figures that all trials of one network shape share, the cheapest first."""
LATENCY_SECONDS = "latency_seconds"
FIGURES = (*SHAPE_FIGURES, LATENCY_SECONDS)


class OutOfBounds(FersearchError):
    """The model breaks a bound; `measured` has the measured values by metric."""

    def __init__(self, message: str, measured: Mapping[str, float]) -> None:
        super().__init__(message)
        self.measured = dict(measured)


def checked_before_training(
    bounds: Sequence[Constraint], metrics: Mapping[str, Metric], task: Task
) -> list[tuple[Constraint, list[str]]]:
    """Return the bounds that are checked before training, each with the figures that it reads, the cheapest first."""
    read = {
        bound: [figure for figure in FIGURES if _reads(metrics[bound.metric], figure, task)]
        for bound in bounds
        if bound.metric in metrics and metrics[bound.metric].of_model
    }
    return sorted(read.items(), key=lambda item: [FIGURES.index(figure) for figure in reversed(item[1])])


def value_of(metric: Metric, figures: Mapping[str, float], task: Task) -> float:
    """Return the value of a metric that reads nothing but figures."""
    none = np.zeros((0, task.num_classes), np.float32)
    return metric.compute(Evaluation(none, np.zeros(0, np.int64), task.class_names, **figures))  # type: ignore[arg-type]


def check_bound(bound: Constraint, values: Mapping[str, float], margin: float = 1.0) -> None:
    """Raise OutOfBounds if a value breaks a bound by `margin` times."""
    value = values[bound.metric]
    if not bound.holds({bound.metric: value / margin if bound.op == "<=" else value * margin}):
        raise OutOfBounds(f"{bound.metric} {number(value)} breaks {bound}", values)


def _reads(metric: Metric, figure: str, task: Task) -> bool:
    """Return whether a metric reads a figure of the model."""
    one, other = (value_of(metric, {figure: amount}, task) for amount in (1, 2))
    return one != other
