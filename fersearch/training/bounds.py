"""Bounds that are checked before training: on size, operations and latency of a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from fersearch.components import Metric, Task
from fersearch.study import Constraint
from fersearch.training.batches import Pixels
from fersearch.training.figures import LATENCY_SECONDS, OutOfBounds, check_bound, checked_before_training, value_of
from fersearch.training.latency import Stopwatch
from fersearch.training.measure import ModelFigures
from fersearch.trial import ROUGH_MARGIN

__all__ = ["BoundsCheck", "OutOfBounds"]


@dataclass(frozen=True)
class BoundsCheck:
    """A check of a trial's model against the study's bounds, before its first step."""

    bounds: Sequence[Constraint]
    metrics: Mapping[str, Metric]
    task: Task
    stopwatch: Stopwatch
    figures: ModelFigures

    def __call__(self, model: nn.Module, pixels: Pixels, trained: bool = True) -> None:
        """Measure the metrics that have bounds, cheapest first, and stop at the first bound that is broken.

        A latency is measured roughly; if that breaks a bound by less than `ROUGH_MARGIN` times, it is measured alone
        if the model is the one to be `trained`. If that is impossible, the bound counts as satisfied.

        Raises:
            OutOfBounds: the model breaks a bound on a metric that is known before training.
        """
        measured: dict[str, float] = {}
        values: dict[str, float] = {}
        image = pixels.take(pixels.rows([0]))
        for bound, read in checked_before_training(self.bounds, self.metrics, self.task):
            for figure in read:
                if figure not in measured:
                    timed = figure == LATENCY_SECONDS
                    rough = self.stopwatch.rough
                    measured[figure] = rough(model, pixels) if timed else self.figures.of(figure, model, image)
            metric = self.metrics[bound.metric]
            values[bound.metric] = value_of(metric, measured, self.task)
            if LATENCY_SECONDS not in read:
                check_bound(bound, values)
            elif not bound.holds(values):
                check_bound(bound, values, ROUGH_MARGIN)
                if trained and (steady := self.stopwatch.alone(model, pixels)):
                    measured[LATENCY_SECONDS] = steady.seconds
                    values[bound.metric] = value_of(metric, measured, self.task)
                    check_bound(bound, values)
