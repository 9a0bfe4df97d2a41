"""Precision, recall, F1 and ROC area of the classes, averaged, by scikit-learn's definitions.

Averages of precision, recall and F1 count every class of the task, present or not (0 for what cannot
be divided); areas under the ROC curve only the classes that have images and do not have all of them.
The macro averages also give the values of single classes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from fersearch import Evaluation, Metric, hookimpl
from fersearch_metrics._counts import accuracies, scores, scores_of, share, tallies

if TYPE_CHECKING:
    import numpy as np


class Macro(Metric):
    """The mean of a score over all classes."""

    score: ClassVar[str]

    def compute(self, evaluation: Evaluation) -> float:
        return float(getattr(scores(evaluation), self.score).mean())

    def of_confusions(self, matrices: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        values: np.ndarray[Any, Any] = getattr(scores_of(matrices), self.score).mean(-1)
        return values

    def by_class(self, evaluation: Evaluation) -> Sequence[float]:
        values: list[float] = getattr(scores(replace(evaluation, averaged=None)), self.score).tolist()
        return values


class Weighted(Metric):
    """The mean of a score over all classes, weighted by their images."""

    score: ClassVar[str]

    def compute(self, evaluation: Evaluation) -> float:
        class_scores = scores(evaluation)
        return float(getattr(class_scores, self.score) @ class_scores.support / class_scores.support.sum())

    def of_confusions(self, matrices: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        class_scores = scores_of(matrices)
        values: np.ndarray[Any, Any] = (getattr(class_scores, self.score) * class_scores.support).sum(
            -1
        ) / class_scores.support.sum(-1)
        return values


class Micro(Metric):
    """A score over the decisions of all classes together: the accuracy, where no class is left out."""

    score: ClassVar[str]

    def compute(self, evaluation: Evaluation) -> float:
        right, called, support = (int(counts.sum()) for counts in tallies(evaluation))
        parts = {"precision": called, "recall": support, "f1": (called + support) / 2}
        return float(right / parts[self.score]) if parts[self.score] else 0.0

    def of_confusions(self, matrices: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        return accuracies(matrices)


class F1Macro(Macro):
    """The mean F1 of all classes; `f1_macro_harmonic` is the other definition."""

    name = "f1_macro"
    summary = "mean F1 of all classes"
    score = "f1"


class F1MacroHarmonic(Metric):
    """The harmonic mean of macro precision and macro recall: the F1 of the merged four-class study (document 003).

    It is never below the mean F1 of the classes (Opitz and Burst 2019, arXiv:1911.03347).
    """

    name = "f1_macro_harmonic"
    summary = "harmonic mean of macro precision and macro recall (document 003)"

    def compute(self, evaluation: Evaluation) -> float:
        class_scores = scores(evaluation)
        return harmonic(float(class_scores.precision.mean()), float(class_scores.recall.mean()))

    def of_confusions(self, matrices: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        class_scores = scores_of(matrices)
        precision, recall = class_scores.precision.mean(-1), class_scores.recall.mean(-1)
        return share(2 * precision * recall, precision + recall)


class F1Weighted(Weighted):
    """The mean F1 of all classes, weighted by their images."""

    name = "f1_weighted"
    summary = "mean F1 of all classes, weighted by their images"
    score = "f1"


class F1Micro(Micro):
    """F1 over all decisions together."""

    name = "f1_micro"
    summary = "F1 over all decisions together"
    score = "f1"


class PrecisionMacro(Macro):
    """The mean precision of all classes; 0 for a class that is never predicted."""

    name = "precision_macro"
    summary = "mean precision of all classes"
    score = "precision"


class PrecisionWeighted(Weighted):
    """The mean precision of all classes, weighted by their images."""

    name = "precision_weighted"
    summary = "mean precision of all classes, weighted by their images"
    score = "precision"


class PrecisionMicro(Micro):
    """Precision over all decisions together."""

    name = "precision_micro"
    summary = "precision over all decisions together"
    score = "precision"


class RecallMacro(Macro):
    """The mean recall of all classes; 0 for one without images."""

    name = "recall_macro"
    summary = "mean recall of all classes"
    score = "recall"


class RecallWeighted(Weighted):
    """The mean recall of all classes, weighted by their images."""

    name = "recall_weighted"
    summary = "mean recall of all classes, weighted by their images"
    score = "recall"


class RecallMicro(Micro):
    """Recall over all decisions together."""

    name = "recall_micro"
    summary = "recall over all decisions together"
    score = "recall"


class AucMacro(Metric):
    """The mean area under the ROC curve of each class against the rest."""

    name = "auc_macro"
    summary = "mean one-vs-rest ROC area of the classes that have images"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np

        areas = np.array(self.by_class(evaluation))[list(averaged(evaluation))]
        defined = areas[~np.isnan(areas)]
        return float(defined.mean()) if defined.size else float("nan")

    def by_class(self, evaluation: Evaluation) -> Sequence[float]:
        return [area(shares, evaluation.labels == k) for k, shares in enumerate(evaluation.probabilities.T)]


class AucMicro(Metric):
    """The area under the ROC curve of all (image, class) decisions together."""

    name = "auc_micro"
    summary = "ROC area of all (image, class) decisions together"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np

        classes = np.array(averaged(evaluation))
        truth = evaluation.labels[:, None] == classes
        defined = truth.any(0) & ~truth.all(0)
        return area(evaluation.probabilities[:, classes[defined]].ravel(), truth[:, defined].ravel())


def averaged(evaluation: Evaluation) -> Sequence[int]:
    """Return the indices of the classes that are averaged."""
    return range(evaluation.probabilities.shape[1]) if evaluation.averaged is None else evaluation.averaged


def harmonic(a: float, b: float) -> float:
    """Return the harmonic mean of two scores; 0 if both are."""
    return 2 * a * b / (a + b) if a + b else 0.0


def area(marks: "np.ndarray[Any, Any]", truth: "np.ndarray[Any, Any]") -> float:
    """Return the share of pairs (one true, one not) whose true one has the higher score, ties counted half; NaN without
    such a pair.

    That is the area under the ROC curve (Hanley and McNeil 1982).
    """
    import numpy as np

    yes, no = marks[truth], np.sort(marks[~truth])
    if not yes.size or not no.size:
        return float("nan")
    yes = np.sort(yes)
    below = np.searchsorted(no, yes, "left").sum() + np.searchsorted(no, yes, "right").sum()
    return float(below / 2 / (yes.size * no.size))


AVERAGES = (
    PrecisionMacro,
    PrecisionWeighted,
    PrecisionMicro,
    RecallMacro,
    RecallWeighted,
    RecallMicro,
    F1Macro,
    F1MacroHarmonic,
    F1Weighted,
    F1Micro,
    AucMacro,
    AucMicro,
)


@hookimpl
def register_metrics(register):
    """Register the averages over classes."""
    for metric in AVERAGES:
        register(metric())
