"""Bounds that are checked before training: on size, operations and latency of a model."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from torch import nn

from fersearch.components import Evaluation, Metric, Task
from fersearch.errors import FersearchError
from fersearch.formatting import number
from fersearch.study import Constraint
from fersearch.training import measure
from fersearch.training.batches import Pixels
from fersearch.training.context import image_flops
from fersearch.training.latency import Stopwatch
from fersearch.trial import ROUGH_MARGIN


class OutOfBounds(FersearchError):
    """The model breaks a bound; `measured` has the measured values by metric."""

    def __init__(self, message: str, measured: Mapping[str, float]) -> None:
        super().__init__(message)
        self.measured = dict(measured)


def check_bounds(
    bounds: Sequence[Constraint],
    metrics: Mapping[str, Metric],
    model: nn.Module,
    task: Task,
    pixels: Pixels,
    stopwatch: Stopwatch,
    trained: bool = True,
) -> None:
    """Measure the metrics that have bounds, cheapest first, and stop at the first bound that is broken.

    A latency is measured roughly; where that breaks a bound by less than `ROUGH_MARGIN` times, alone, if the model is
    the one that is to be `trained`. Where that cannot be, the bound counts as kept.

    Raises:
        OutOfBounds: the model breaks a bound on a metric that is known before training.
    """
    looks: dict[str, Callable[[], float]] = {
        "parameters": partial(measure.parameters, model),
        "model_bytes": partial(measure.model_bytes, model),
        "flops": partial(image_flops, model, pixels),
        "latency_seconds": partial(stopwatch.rough, model, pixels),
    }
    order = list(looks)
    figures = {
        bound: [figure for figure in order if _reads(metrics[bound.metric], figure, task)]
        for bound in bounds
        if bound.metric in metrics and metrics[bound.metric].of_model
    }
    measured: dict[str, float] = {}
    values: dict[str, float] = {}
    for bound in sorted(figures, key=lambda bound: [order.index(figure) for figure in reversed(figures[bound])]):
        for figure in figures[bound]:
            if figure not in measured:
                measured[figure] = looks[figure]()
        metric = metrics[bound.metric]
        values[bound.metric] = metric.compute(_evaluation(task, measured))
        if "latency_seconds" not in figures[bound]:
            _judge(bound, values)
        elif not bound.holds(values):
            _judge(bound, values, ROUGH_MARGIN)
            if trained and (found := stopwatch.alone(model, pixels)):
                measured["latency_seconds"] = found.seconds
                values[bound.metric] = metric.compute(_evaluation(task, measured))
                _judge(bound, values)


def _judge(bound: Constraint, values: Mapping[str, float], margin: float = 1.0) -> None:
    value = values[bound.metric]
    if not bound.holds({bound.metric: value / margin if bound.op == "<=" else value * margin}):
        raise OutOfBounds(f"{bound.metric} {number(value)} breaks {bound}", values)


def _reads(metric: Metric, figure: str, task: Task) -> bool:
    """Return whether a metric reads a figure of the model."""
    one, other = (metric.compute(_evaluation(task, {figure: amount})) for amount in (1, 2))
    return one != other


def _evaluation(task: Task, measured: Mapping[str, float]) -> Evaluation:
    none = np.zeros((0, task.num_classes), np.float32)
    return Evaluation(none, np.zeros(0, np.int64), task.class_names, **measured)  # type: ignore[arg-type]
