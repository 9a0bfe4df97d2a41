"""The counts that scores of classes are made of: one confusion matrix, with numpy."""

from typing import TYPE_CHECKING, Any, NamedTuple

from fersearch import Evaluation

if TYPE_CHECKING:
    import numpy as np

    Reals = np.ndarray[Any, np.dtype[np.float64]]
    Ints = np.ndarray[Any, np.dtype[np.int64]]


class Scores(NamedTuple):
    """The scores of each class (float64, one per class), 0 where their denominator is, and its images."""

    precision: "Reals"
    recall: "Reals"
    f1: "Reals"
    support: "Ints"


def predicted(evaluation: Evaluation) -> "Ints":
    """Return the class index (int64, n) that each image is called."""
    return evaluation.probabilities.argmax(1)


def confusion(evaluation: Evaluation) -> "Ints":
    """`matrix[i, j]` images of class i that are called class j (int64, classes x classes)."""
    import numpy as np

    classes = evaluation.probabilities.shape[1]
    cells = np.bincount(evaluation.labels * classes + predicted(evaluation), minlength=classes * classes)
    return cells.reshape(classes, classes)


def tallies(evaluation: Evaluation) -> tuple["Ints", "Ints", "Ints"]:
    """Return images called right, images called so and images there are (int64, one per class that averages are
    about)."""
    matrix = confusion(evaluation)
    found = matrix.diagonal(), matrix.sum(0), matrix.sum(1)
    if evaluation.averaged is None:
        return found
    right, called, support = (counts[list(evaluation.averaged)] for counts in found)
    return right, called, support


def scores(evaluation: Evaluation) -> Scores:
    """Precision, recall and F1 of each class, by scikit-learn's definitions with `zero_division=0`."""
    return _scores(*tallies(evaluation))


def scores_of(matrices: "Ints") -> Scores:
    """Return the scores of each class in confusion matrices (n x classes x classes): arrays n x classes."""
    return _scores(matrices.diagonal(axis1=-2, axis2=-1), matrices.sum(-2), matrices.sum(-1))


def _scores(right: "Ints", called: "Ints", support: "Ints") -> Scores:
    return Scores(share(right, called), share(right, support), share(2 * right, called + support), support)


def accuracies(matrices: "Ints") -> "Reals":
    """Return the share of images that are called right in each confusion matrix (n x classes x classes)."""
    found: Reals = matrices.diagonal(axis1=-2, axis2=-1).sum(-1) / matrices.sum((-2, -1))
    return found


def share(part: "Ints", whole: "Ints") -> "Reals":
    """`part / whole`, 0 where `whole` is."""
    import numpy as np

    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
