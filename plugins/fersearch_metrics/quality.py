"""How well a model tells the classes apart, by scikit-learn's definitions.

Averages over classes count every class of the task, present or not, except the areas under the
ROC curve: those average the classes that have images and do not have all of them (NaN if none).
"""

from typing import TYPE_CHECKING, Any

from fersearch import Evaluation, Metric, hookimpl

if TYPE_CHECKING:
    import numpy as np

preload = ("sklearn.metrics",)


class Accuracy(Metric):
    """The share of images that are called right."""

    name = "accuracy"
    summary = "share of images called right"

    def compute(self, evaluation: Evaluation) -> float:
        from sklearn.metrics import accuracy_score

        return float(accuracy_score(evaluation.labels, predicted(evaluation)))


class BalancedAccuracy(Metric):
    """The mean recall of the classes that have images."""

    name = "balanced_accuracy"
    summary = "mean recall of the classes that have images"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np
        from sklearn.metrics import recall_score

        classes = np.unique(evaluation.labels)
        called = predicted(evaluation)
        return float(recall_score(evaluation.labels, called, labels=classes, average="macro", zero_division=0))


class Averaged(Metric):
    """A score of each class, averaged."""

    score = "f1_score"
    average = "macro"

    def compute(self, evaluation: Evaluation) -> float:
        from sklearn import metrics

        score = getattr(metrics, self.score)
        classes = range(len(evaluation.class_names))
        given = {"labels": list(classes), "average": self.average, "zero_division": 0}
        return float(score(evaluation.labels, predicted(evaluation), **given))


class F1Macro(Averaged):
    """The mean F1 of all classes."""

    name = "f1_macro"
    summary = "mean F1 of all classes"


class F1Weighted(Averaged):
    """The mean F1 of all classes, weighted by their images."""

    name = "f1_weighted"
    summary = "mean F1 of all classes, weighted by their images"
    average = "weighted"


class F1Micro(Averaged):
    """F1 over all decisions together."""

    name = "f1_micro"
    summary = "F1 over all decisions together"
    average = "micro"


class PrecisionMacro(Averaged):
    """The mean precision of all classes; 0 for one that is never called."""

    name = "precision_macro"
    summary = "mean precision of all classes"
    score = "precision_score"


class RecallMacro(Averaged):
    """The mean recall of all classes; 0 for one without images."""

    name = "recall_macro"
    summary = "mean recall of all classes"
    score = "recall_score"


class AucMacro(Metric):
    """The mean area under the ROC curve of each class against the rest."""

    name = "auc_macro"
    summary = "mean one-vs-rest ROC area of the classes that have images"

    def compute(self, evaluation: Evaluation) -> float:
        return area(evaluation, "macro")


class AucMicro(Metric):
    """The area under the ROC curve of all (image, class) decisions together."""

    name = "auc_micro"
    summary = "ROC area of all (image, class) decisions together"

    def compute(self, evaluation: Evaluation) -> float:
        return area(evaluation, "micro")


class LogLoss(Metric):
    """The mean negative log probability of the right class."""

    name = "log_loss"
    summary = "mean negative log probability of the right class"
    direction = "min"
    unit = "nats"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np
        from sklearn.metrics import log_loss

        shares = np.asarray(evaluation.probabilities, dtype=np.float64)
        shares = shares / shares.sum(1, keepdims=True)
        return float(log_loss(evaluation.labels, shares, labels=list(range(shares.shape[1]))))


def predicted(evaluation: Evaluation) -> "np.ndarray[Any, Any]":
    """The class index (int64, n) that each image is called."""
    return evaluation.probabilities.argmax(1)


def area(evaluation: Evaluation, average: str) -> float:
    """The one-vs-rest ROC area over the classes for which it is defined."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    truth = evaluation.labels[:, None] == np.arange(evaluation.probabilities.shape[1])
    defined = truth.any(0) & ~truth.all(0)
    if not defined.any():
        return float("nan")
    return float(roc_auc_score(truth[:, defined], evaluation.probabilities[:, defined], average=average))


QUALITY = (
    Accuracy,
    BalancedAccuracy,
    F1Macro,
    F1Weighted,
    F1Micro,
    PrecisionMacro,
    RecallMacro,
    AucMacro,
    AucMicro,
    LogLoss,
)


@hookimpl
def register_metrics(register):
    """Bring the metrics that read predictions."""
    for metric in QUALITY:
        register(metric())
