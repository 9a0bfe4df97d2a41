"""What the metrics make of a model's answers: as a whole, class by class, and as a confusion matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fersearch.components import Evaluation, Metric
from fersearch.training.evaluate import compute, confusion_matrix

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Scores:
    """The values of all predictive metrics; those of each class on its own, with its images as `support`.

    `outputs` are the classes that could be answered; `confusion[i][j]` images of class i of `classes` were called
    output j.
    """

    classes: tuple[str, ...]
    outputs: tuple[str, ...]
    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    confusion: Sequence[Sequence[int]]


def score(
    shares: Array,
    labels: Array,
    outputs: Sequence[str],
    metrics: Mapping[str, Metric],
    averaged: Sequence[int] | None = None,
) -> Scores:
    """Score class shares (float32, n x outputs) against the right outputs (int64, n).

    `averaged` are the outputs that can be right, where that is not all of them.

    Raises:
        FersearchError: a metric fails; the message names it.
    """
    judged = range(len(outputs)) if averaged is None else averaged
    evaluation = Evaluation(shares, labels, tuple(outputs), averaged=None if averaged is None else tuple(averaged))
    told = {name: metric for name, metric in metrics.items() if not metric.measured}
    matrix = confusion_matrix(shares, labels)
    names = tuple(outputs[k] for k in judged)
    each = by_class(told, evaluation)
    return Scores(
        names,
        tuple(outputs),
        compute(told, evaluation),
        {name: {**each[k], "support": sum(matrix[k])} for name, k in zip(names, judged, strict=True)},
        [matrix[k] for k in judged],
    )


def by_class(metrics: Mapping[str, Metric], evaluation: Evaluation) -> list[dict[str, float]]:
    """What metrics say of each class on its own, under the metric's name without `_macro`."""
    found: list[dict[str, float]] = [{} for _ in evaluation.class_names]
    for name, metric in metrics.items():
        for one, value in zip(found, metric.by_class(evaluation) or (), strict=False):
            one[name.removesuffix("_macro")] = float(value)
    return found
