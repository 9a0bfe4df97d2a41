"""The baseline of a model that ignores the image. Imports no torch: the driver uses it."""

import math
from collections.abc import Iterable, Mapping
from statistics import mean
from typing import Any

from fersearch.blame import score
from fersearch.components import Evaluation, Metric
from fersearch.registry import Registry


def mean_baseline(registry: Registry, folds: Iterable[Any]) -> Mapping[str, float]:
    """Return the majority baseline by metric: the mean over the folds in which it is defined, else NaN."""
    baselines = [majority_baseline(registry, loaded) for loaded in folds]
    known = {name: [fold[name] for fold in baselines if math.isfinite(fold[name])] for name in baselines[0]}
    return {name: mean(values) if values else math.nan for name, values in known.items()}


def predictive(registry: Registry) -> dict[str, Metric]:
    """Return the metrics that read predictions, by name."""
    return {metric.name: metric for metric in registry.metrics.values() if not metric.measured}


def majority_baseline(registry: Registry, loaded: Any) -> Mapping[str, float]:
    """Return the metrics on validation of a model that always predicts the training set's class shares."""
    import numpy as np

    train = loaded.hard[loaded.indices["train"]]
    labels = np.asarray(loaded.hard[loaded.indices["valid"]])
    shares = np.bincount(train, minlength=loaded.task.num_classes).astype(np.float32)
    probabilities = np.tile(shares / shares.sum(), (len(labels), 1))
    evaluation = Evaluation(probabilities, labels, loaded.task.class_names)
    return {name: score(metric, evaluation) for name, metric in predictive(registry).items()}
