"""Values derived from the records: rounds, kept epochs, confusion matrices, class scores, ROC curves, mistakes."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fersearch.formatting import differ
from fersearch.report.inputs import Predictions
from fersearch.study import Objective
from fersearch.trial import Epoch, Trial, TrialState

if TYPE_CHECKING:
    import numpy as np


Matrix = list[list[int]]


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class: precision is NaN where it was never predicted, recall NaN where it has no images."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def best_first(trials: Iterable[Trial], objective: Objective) -> list[Trial]:
    """Return the complete trials with a finite value of an objective, the best first, the earlier of equals first."""
    defined = [
        trial
        for trial in trials
        if trial.state is TrialState.COMPLETE and math.isfinite(trial.values.get(objective.metric, math.nan))
    ]
    return sorted(defined, key=lambda trial: (objective.loss(trial.values[objective.metric]), trial.number))


def varying(trials: Sequence[Trial]) -> list[str]:
    """Return the parameters that do not have one value in all of these trials, in the order they first occur."""
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    return [name for name in names if differ(trials, name)]


def rounds(history: Sequence[Epoch]) -> list[list[Epoch]]:
    """Return the epochs of each training under folds or repeats, in order; a single list without those."""
    by_round: dict[int, list[Epoch]] = {}
    for epoch in sorted(history, key=lambda epoch: epoch.number):
        by_round.setdefault(epoch.round, []).append(epoch)
    return [by_round[number] for number in sorted(by_round)]


def curve(history: Sequence[Epoch], metric: str) -> list[tuple[int, float]]:
    """Return pairs (epoch of its round, value) where the value is finite."""
    pairs = [(place, epoch.values.get(metric, math.nan)) for place, epoch in enumerate(history, start=1)]
    return [(place, value) for place, value in pairs if math.isfinite(value)]


def mean_curve(curves: Sequence[Sequence[tuple[int, float]]]) -> list[tuple[int, float]]:
    """Return the mean of several curves at each epoch that all of them reached."""
    if not curves or not all(curves):
        return []
    tables = [dict(one) for one in curves]
    shared = set.intersection(*(set(table) for table in tables))
    return [(place, statistics.fmean(table[place] for table in tables)) for place in sorted(shared)]


def best_of_round(history: Sequence[Epoch], objective: Objective) -> Epoch | None:
    """Return the best epoch of a round by an objective, the earliest of equals; None if the objective is undefined in
    all."""
    defined = [epoch for epoch in history if math.isfinite(epoch.values.get(objective.metric, math.nan))]
    return min(defined, key=lambda epoch: (objective.loss(epoch.values[objective.metric]), epoch.number), default=None)


def confusion(history: Sequence[Epoch], objective: Objective) -> Matrix | None:
    """Return the confusion matrix of a trial's kept epoch; with several rounds, the sum over the kept epochs of
    each."""
    best = [best_of_round(one, objective) for one in rounds(history)]
    matrices = [epoch.confusion for epoch in best if epoch is not None and epoch.confusion]
    if not matrices or len({len(matrix) for matrix in matrices}) > 1:
        return None
    size = range(len(matrices[0]))
    return [[sum(int(matrix[i][j]) for matrix in matrices) for j in size] for i in size]


def row_shares(matrix: Sequence[Sequence[int]]) -> list[list[float]]:
    """Return each row divided by its sum; NaN in a row without images."""
    return [[count / sum(row) if sum(row) else math.nan for count in row] for row in matrix]


def class_scores(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> list[ClassScore]:
    """Return precision, recall, F1 and support of each class; F1 is 0 if a class has images and none is correct."""
    called = [sum(column) for column in zip(*matrix, strict=True)]
    return [
        ClassScore(
            name,
            precision=_share(row[i], called[i]),
            recall=_share(row[i], sum(row)),
            f1=_share(2 * row[i], called[i] + sum(row)),
            support=sum(row),
        )
        for i, (name, row) in enumerate(zip(classes, matrix, strict=True))
    ]


def averages(scores: Sequence[ClassScore]) -> dict[str, ClassScore]:
    """Return the macro average (every class counts the same, undefined scores as 0) and the one weighted by support."""
    total = sum(score.support for score in scores)
    equal = [1.0] * len(scores)
    weights = {"macro average": equal, "weighted average": [float(score.support) for score in scores]}
    return {
        name: ClassScore(
            name,
            precision=_average([score.precision for score in scores], weight),
            recall=_average([score.recall for score in scores], weight),
            f1=_average([score.f1 for score in scores], weight),
            support=total,
        )
        for name, weight in weights.items()
    }


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Return mean and sample deviation (n - 1) of the finite values; NaN where there are too few."""
    defined = [value for value in values if math.isfinite(value)]
    mean = statistics.fmean(defined) if defined else math.nan
    return mean, statistics.stdev(defined) if len(defined) > 1 else math.nan


def finite(values: Mapping[str, float], name: str) -> float | None:
    """Return a value by its name; None where there is none or it is not finite."""
    value = values.get(name)
    return value if value is not None and math.isfinite(value) else None


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _average(values: Sequence[float], weights: Sequence[float]) -> float:
    defined = [0.0 if math.isnan(value) else value for value in values]
    return _share(sum(value * weight for value, weight in zip(defined, weights, strict=True)), sum(weights))


@dataclass(frozen=True)
class Roc:
    """One curve: false and true positive rates, from (0, 0) to (1, 1), and the area below.

    `pooled` marks the curve of all (image, class) decisions together.
    """

    name: str
    false_positive: Sequence[float]
    true_positive: Sequence[float]
    area: float
    pooled: bool = False


@dataclass(frozen=True)
class Mistake:
    """A misclassified validation image (uint8, channels x size x size), both labels and the predicted share."""

    image: "np.ndarray[Any, Any]"
    true: str
    called: str
    share: float


def roc_curves(predictions: Predictions, classes: Sequence[str]) -> list[Roc]:
    """Return the curve of each class against the rest, where it has images and others have too, and of all
    decisions."""
    import numpy as np

    truth = predictions.labels[:, None] == np.arange(len(classes))
    curves = [
        _roc(name, truth[:, i], predictions.probabilities[:, i])
        for i, name in enumerate(classes)
        if truth[:, i].any() and not truth[:, i].all()
    ]
    return [*curves, _roc("all decisions (micro)", truth.ravel(), predictions.probabilities.ravel(), True)]


def mistakes(predictions: Predictions, classes: Sequence[str], most: int = 24) -> list[Mistake]:
    """Return the misclassified images with the largest shares, the most confident first."""
    import numpy as np

    called = predictions.probabilities.argmax(1)
    share = predictions.probabilities[np.arange(len(called)), called]
    wrong = np.flatnonzero(called != predictions.labels)
    order = wrong[np.argsort(-share[wrong], kind="stable")][:most]
    return [
        Mistake(
            np.asarray(predictions.images[predictions.rows[i]]),
            classes[int(predictions.labels[i])],
            classes[int(called[i])],
            float(share[i]),
        )
        for i in order
    ]


def right(predictions: Predictions) -> float:
    """Return the accuracy."""
    return float((predictions.probabilities.argmax(1) == predictions.labels).mean())


def _roc(name: str, truth: "np.ndarray[Any, Any]", scores: "np.ndarray[Any, Any]", pooled: bool = False) -> Roc:
    from sklearn.metrics import auc, roc_curve

    false_positive, true_positive, _ = roc_curve(truth, scores)
    area = float(auc(false_positive, true_positive))
    return Roc(name, false_positive.tolist(), true_positive.tolist(), area, pooled)
