"""Predictions of a model on images and their scores: overall, by class, and as a confusion matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fersearch.blame import score
from fersearch.components import Evaluation, Metric
from fersearch.data.arrays import Loaded
from fersearch.training.batches import Source
from fersearch.training.losses import Loss
from fersearch.training.measure import Clock
from fersearch.training.numerics import Precision, autocast, check_finite
from fersearch.training.preemption import Preempted, Pulse, unwatched

Array = np.ndarray[Any, Any]


def predict(
    model: nn.Module, pixels: Source, rows: Tensor, batch_size: int, precision: Precision, pulse: Pulse = unwatched
) -> Tensor:
    """Return the logits (float32, len(rows) x classes, on the device) of some images, the model in evaluation mode.

    `pulse` is called after every batch.

    Raises:
        Preempted: `pulse` says to leave.
    """
    model.eval()
    parts = []
    with torch.inference_mode(), autocast(precision, pixels.device):
        for part in torch.split(rows, batch_size):
            parts.append(model(pixels.take(part)))
            if pulse():
                raise Preempted
    return torch.cat(parts).float()


def probabilities(logits: Tensor) -> "np.ndarray[Any, Any]":
    """Return class shares (float32, n x classes) from logits."""
    shares: np.ndarray[Any, Any] = logits.softmax(1).cpu().numpy()
    return shares


@dataclass(frozen=True)
class Validation:
    """One pass over a split: class shares (float32, n x classes), their labels, the mean loss and the seconds."""

    probabilities: "np.ndarray[Any, Any]"
    labels: "np.ndarray[Any, Any]"
    loss: float
    seconds: float


def validate(
    model: nn.Module,
    loaded: Loaded,
    pixels: Source,
    split: str,
    batch_size: int,
    loss_of: Loss,
    precision: Precision,
    pulse: Pulse = unwatched,
) -> Validation:
    """Evaluate a model on a split; the loss is the trial's own, against the split's labels.

    Raises:
        Diverged: an output is not finite.
        Preempted: `pulse` says to leave.
    """
    indices = np.asarray(loaded.indices[split])
    labels = np.array(loaded.hard[indices])
    clock = Clock(pixels.device)
    with clock.running():
        logits = predict(model, pixels, pixels.rows(indices), batch_size, precision, pulse)
    check_finite(logits, "the network's output")
    loss = float(loss_of(logits, torch.from_numpy(labels).to(logits.device)))
    return Validation(probabilities(logits), labels, loss, clock.seconds)


def confusion_matrix(shares: "np.ndarray[Any, Any]", labels: "np.ndarray[Any, Any]") -> list[list[int]]:
    """Count, as `matrix[i][j]`, the images of class i that were classified as j."""
    classes = shares.shape[1]
    cells = np.bincount(labels * classes + shares.argmax(1), minlength=classes * classes)
    matrix: list[list[int]] = cells.reshape(classes, classes).tolist()
    return matrix


def compute(metrics: Mapping[str, Metric], evaluation: Evaluation) -> dict[str, float]:
    """Return every metric's value, NaN where it is undefined.

    Raises:
        PluginError: a metric fails; the message names it.
    """
    return {name: score(metric, evaluation) for name, metric in metrics.items()}


@dataclass(frozen=True)
class Scores:
    """The values of all predictive metrics; those of each class on its own, with its images as `support`.

    `outputs` are the classes that can be predicted; `confusion[i][j]` images of class i of `classes` were classified as
    output j.
    """

    classes: tuple[str, ...]
    outputs: tuple[str, ...]
    metrics: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    confusion: Sequence[Sequence[int]]


def score_predictions(
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
    rows = range(len(outputs)) if averaged is None else averaged
    evaluation = Evaluation(shares, labels, tuple(outputs), averaged=None if averaged is None else tuple(averaged))
    predictive = {name: metric for name, metric in metrics.items() if not metric.measured}
    matrix = confusion_matrix(shares, labels)
    names = tuple(outputs[k] for k in rows)
    per_class = by_class(predictive, evaluation)
    return Scores(
        names,
        tuple(outputs),
        compute(predictive, evaluation),
        {name: {**per_class[k], "support": sum(matrix[k])} for name, k in zip(names, rows, strict=True)},
        [matrix[k] for k in rows],
    )


def by_class(metrics: Mapping[str, Metric], evaluation: Evaluation) -> list[dict[str, float]]:
    """Return the values of metrics for each class alone, under the metric's name without `_macro`."""
    per_class: list[dict[str, float]] = [{} for _ in evaluation.class_names]
    for name, metric in metrics.items():
        for values, value in zip(per_class, metric.by_class(evaluation) or (), strict=False):
            values[name.removesuffix("_macro")] = float(value)
    return per_class
