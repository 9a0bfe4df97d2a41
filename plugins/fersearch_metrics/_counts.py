"""The counts from which scores of classes are computed: one confusion matrix, with numpy."""

from typing import TYPE_CHECKING, Any, NamedTuple

from fersearch import Evaluation

if TYPE_CHECKING:
    import numpy as np

    Reals = np.ndarray[Any, np.dtype[np.float64]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]


class Scores(NamedTuple):
    """The scores of each class (float64, one per class), 0 where the denominator is 0, and its number of images."""

    precision: "Reals"
    recall: "Reals"
    f1: "Reals"
    support: "Ints"


def predicted(evaluation: Evaluation) -> "Ints":
    """Return the predicted class index of each image, int64 (n)."""
    return evaluation.probabilities.argmax(1)


def confusion(evaluation: Evaluation) -> "Ints":
    """Return the confusion matrix, int64 (classes x classes): `matrix[i, j]` images of class i are predicted as j."""
    import numpy as np

    classes = evaluation.probabilities.shape[1]
    cells = np.bincount(evaluation.labels * classes + predicted(evaluation), minlength=classes * classes)
    return cells.reshape(classes, classes)


def tallies(evaluation: Evaluation) -> tuple["Ints", "Ints", "Ints"]:
    """Return true positives, predicted images and actual images, each int64, one per class that is averaged."""
    matrix = confusion(evaluation)
    tally = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    if evaluation.averaged is None:
        return tally
    right, called, support = (counts[list(evaluation.averaged)] for counts in tally)
    return right, called, support


def scores(evaluation: Evaluation) -> Scores:
    """Return precision, recall and F1 of each class, by scikit-learn's definitions with `zero_division=0`."""
    return _scores(*tallies(evaluation))


def scores_of(matrices: "Ints") -> Scores:
    """Return the scores of each class in confusion matrices (n x classes x classes): arrays n x classes."""
    return _scores(matrices.diagonal(axis1=-2, axis2=-1), matrices.sum(-2), matrices.sum(-1))


def _scores(right: "Ints", called: "Ints", support: "Ints") -> Scores:
    return Scores(share(right, called), share(right, support), share(2 * right, called + support), support)


def accuracies(matrices: "Ints") -> "Reals":
    """Return the accuracy of each confusion matrix (n x classes x classes)."""
    shares: Reals = matrices.diagonal(axis1=-2, axis2=-1).sum(-1) / matrices.sum((-2, -1))
    return shares


def share(part: "Ints", whole: "Ints") -> "Reals":
    """Return `part / whole`, 0 where `whole` is 0."""
    import numpy as np

    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
