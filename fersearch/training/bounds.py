"""Bounds that are checked before training: on size, operations and latency of a model."""

from collections.abc import Mapping, Sequence

from torch import nn

from fersearch.components import Metric, Task
from fersearch.study import Constraint
from fersearch.training.batches import Pixels
from fersearch.training.figures import LATENCY_SECONDS, OutOfBounds, check_bound, checked_before_training, value_of
from fersearch.training.latency import Stopwatch
from fersearch.training.measure import ModelFigures
from fersearch.trial import ROUGH_MARGIN

__all__ = ["OutOfBounds", "check_bounds"]


def check_bounds(
    bounds: Sequence[Constraint],
    metrics: Mapping[str, Metric],
    model: nn.Module,
    task: Task,
    pixels: Pixels,
    stopwatch: Stopwatch,
    figures: ModelFigures,
    trained: bool = True,
) -> None:
    """Measure the metrics that have bounds, cheapest first, and stop at the first bound that is broken.

    A latency is measured roughly; if that breaks a bound by less than `ROUGH_MARGIN` times, it is measured alone if
    the model is the one to be `trained`. If that is impossible, the bound counts as kept.

    Raises:
        OutOfBounds: the model breaks a bound on a metric that is known before training.
    """
    measured: dict[str, float] = {}
    values: dict[str, float] = {}
    image = pixels.take(pixels.rows([0]))
    for bound, read in checked_before_training(bounds, metrics, task):
        for figure in read:
            if figure not in measured:
                timed = figure == LATENCY_SECONDS
                measured[figure] = stopwatch.rough(model, pixels) if timed else figures.of(figure, model, image)
        metric = metrics[bound.metric]
        values[bound.metric] = value_of(metric, measured, task)
        if LATENCY_SECONDS not in read:
            check_bound(bound, values)
        elif not bound.holds(values):
            check_bound(bound, values, ROUGH_MARGIN)
            if trained and (steady := stopwatch.alone(model, pixels)):
                measured[LATENCY_SECONDS] = steady.seconds
                values[bound.metric] = value_of(metric, measured, task)
                check_bound(bound, values)
