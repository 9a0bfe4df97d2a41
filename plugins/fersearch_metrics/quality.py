"""How well a model separates the classes, all classes taken together."""

from typing import TYPE_CHECKING, Any

from fersearch import Evaluation, Metric, hookimpl
from fersearch_metrics._counts import accuracies, confusion, predicted, share

if TYPE_CHECKING:
    import numpy as np


class Accuracy(Metric):
    """The share of images that are classified correctly."""

    name = "accuracy"
    summary = "share of images classified correctly"

    def compute(self, evaluation: Evaluation) -> float:
        return float((predicted(evaluation) == evaluation.labels).mean())

    def of_confusions(self, matrices: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        return accuracies(matrices)


class ErrorRate(Metric):
    """The share of images that are misclassified: 1 - accuracy."""

    name = "error_rate"
    summary = "share of images misclassified"
    direction = "min"

    def compute(self, evaluation: Evaluation) -> float:
        return float((predicted(evaluation) != evaluation.labels).mean())

    def of_confusions(self, matrices: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        return 1 - accuracies(matrices)


class BalancedAccuracy(Metric):
    """The mean recall of the classes that have images."""

    name = "balanced_accuracy"
    summary = "mean recall of the classes that have images"

    def compute(self, evaluation: Evaluation) -> float:
        matrix = confusion(evaluation)
        support = matrix.sum(1)
        return float(share(matrix.diagonal(), support)[support > 0].mean())

    def of_confusions(self, matrices: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
        support = matrices.sum(-1)
        recalls = share(matrices.diagonal(axis1=-2, axis2=-1), support)
        values: np.ndarray[Any, Any] = recalls.sum(-1) / (support > 0).sum(-1)
        return values


class DetectionRate(Metric):
    """The emotion detection rate of the ensemble study (document 002, section 5.1).

    The share of the classes with images that are mostly predicted correctly: more of their images are
    predicted as their class than as any other.
    """

    name = "detection_rate"
    summary = "share of classes whose images are mostly classified correctly (detection rate of document 002)"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np

        matrix = confusion(evaluation)
        others = np.where(np.eye(len(matrix), dtype=bool), -1, matrix).max(1)
        return float((matrix.diagonal() > others)[matrix.sum(1) > 0].mean())


class BinaryAccuracy(Metric):
    """The element-wise accuracy of the outputs against one-hot labels at threshold 0.5 (document 001).

    Every (image, class) pair is one decision, so a model without a probability above 0.5 has 1 - 1/classes:
    85.71 % with seven classes.
    """

    name = "binary_accuracy"
    summary = "share of right yes/no outputs at 0.5; not multi-class accuracy: all-negative outputs give 1 - 1/classes"

    def compute(self, evaluation: Evaluation) -> float:
        return float(((evaluation.probabilities > 0.5) == one_hot(evaluation)).mean())


class MajorityBaseline(Metric):
    """The accuracy of always answering the commonest class of the split: a floor for every model."""

    name = "majority_baseline"
    summary = "accuracy of always answering the split's commonest class; no model changes it"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np

        return float(np.bincount(evaluation.labels).max() / len(evaluation.labels))


class LogLoss(Metric):
    """The mean negative log probability of the right class, as scikit-learn clips it."""

    name = "log_loss"
    summary = "mean negative log probability of the right class"
    direction = "min"
    unit = "nats"

    def compute(self, evaluation: Evaluation) -> float:
        import numpy as np

        shares = np.asarray(evaluation.probabilities, dtype=np.float64)
        right = shares[np.arange(len(shares)), evaluation.labels] / shares.sum(1)
        least = np.finfo(np.float64).eps
        return float(-np.log(right.clip(least, 1 - least)).mean())


def one_hot(evaluation: Evaluation) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    """Return the class of each image as a one-hot matrix, bool (n x classes)."""
    import numpy as np

    return evaluation.labels[:, None] == np.arange(evaluation.probabilities.shape[1])


QUALITY = (
    Accuracy,
    ErrorRate,
    BalancedAccuracy,
    DetectionRate,
    BinaryAccuracy,
    MajorityBaseline,
    LogLoss,
)


@hookimpl
def register_metrics(register):
    """Register the metrics of all classes together."""
    for metric in QUALITY:
        register(metric())
