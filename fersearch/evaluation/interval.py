"""The bootstrap interval of a metric over images and seeds."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fersearch.components import Evaluation, Metric

Array = np.ndarray[Any, Any]
DRAWS, FEW_DRAWS = 1000, 200
"""Numbers of resamples for a metric that follows from confusion matrices, and for one that is computed from scratch."""
LEVEL = 95


def interval(metric: Metric, answers: Sequence[Evaluation], seed: int = 0) -> tuple[float, float]:
    """Return the percentile interval of a metric's mean over models evaluated on the same images.

    Both the images and the models are drawn with replacement, the same images for every model, so that it covers
    other images as well as other seeds; NaN where every resample is undefined. Source: Efron and Tibshirani 1993 (An
    Introduction to the Bootstrap, 13.3).
    """
    chance = np.random.default_rng(seed)
    values = _by_counts(metric, answers, chance)
    if values is None:
        values = _computed(metric, answers, chance)
    chosen = np.asarray(chance.integers(len(answers), size=values.shape))
    means = np.take_along_axis(values, chosen, axis=1).mean(1)
    if np.isnan(means).all():
        return math.nan, math.nan
    low, high = np.nanpercentile(means, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)


def _by_counts(metric: Metric, answers: Sequence[Evaluation], chance: np.random.Generator) -> Array | None:
    """Return the values (draws x models) from resampled confusion matrices; None where they do not follow from them."""
    n, classes = answers[0].probabilities.shape
    cells = np.stack([one.labels * classes + one.probabilities.argmax(1) for one in answers])
    if metric.of_confusions(np.bincount(cells[0], minlength=classes**2).reshape(1, classes, classes)) is None:
        return None
    counts = np.empty((DRAWS, len(answers), classes**2), dtype=np.int64)
    for draw in counts:
        rows = chance.integers(n, size=n)
        draw[:] = [np.bincount(own[rows], minlength=classes**2) for own in cells]
    values = metric.of_confusions(counts.reshape(-1, classes, classes))
    return None if values is None else values.reshape(DRAWS, len(answers))


def _computed(metric: Metric, answers: Sequence[Evaluation], chance: np.random.Generator) -> Array:
    n = len(answers[0].labels)
    drawn = (chance.integers(n, size=n) for _ in range(FEW_DRAWS))
    return np.array([[metric.compute(_resampled(one, rows)) for one in answers] for rows in drawn])


def _resampled(one: Evaluation, rows: Array) -> Evaluation:
    return replace(one, probabilities=one.probabilities[rows], labels=one.labels[rows])
