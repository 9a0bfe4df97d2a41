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

MARGIN = 2.0
"""Factor by which a latency must exceed its bound before training, as other work on the machine distorts it."""


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
    latency: Callable[[nn.Module, Pixels], float],
) -> None:
    """Measure the metrics that have bounds, cheapest first, and stop at the first bound that is broken.

    Raises:
        OutOfBounds: the model breaks a bound on a metric that is known before training.
    """
    looks: dict[str, Callable[[], float]] = {
        "parameters": partial(measure.parameters, model),
        "model_bytes": partial(measure.model_bytes, model),
        "flops": partial(image_flops, model, pixels),
        "latency_seconds": partial(latency, model, pixels),
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
        values[bound.metric] = metrics[bound.metric].compute(_evaluation(task, measured))
        _judge(bound, values, rough="latency_seconds" in figures[bound])


def _judge(bound: Constraint, values: Mapping[str, float], rough: bool) -> None:
    value = values[bound.metric]
    eased = value / MARGIN if rough and bound.op == "<=" else value * MARGIN if rough else value
    if not bound.holds({bound.metric: eased}):
        raise OutOfBounds(f"{bound.metric} {number(value)} breaks {bound}", values)


def _reads(metric: Metric, figure: str, task: Task) -> bool:
    """Return whether a metric reads a figure of the model."""
    one, other = (metric.compute(_evaluation(task, {figure: amount})) for amount in (1, 2))
    return one != other


def _evaluation(task: Task, measured: Mapping[str, float]) -> Evaluation:
    none = np.zeros((0, task.num_classes), np.float32)
    return Evaluation(none, np.zeros(0, np.int64), task.class_names, **measured)  # type: ignore[arg-type]
