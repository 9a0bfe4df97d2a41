"""What the class shares of a model show: ROC curves, and its most confident mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fersearch.report.records import Judged

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Roc:
    """One curve: false and true positive rates, from (0, 0) to (1, 1), and the area below.

    `pooled` tells the one of all (image, class) decisions together.
    """

    name: str
    false_positive: Sequence[float]
    true_positive: Sequence[float]
    area: float
    pooled: bool = False


@dataclass(frozen=True)
class Mistake:
    """A validation image called wrong: the image (uint8, channels x size x size), both labels and the share given."""

    image: "np.ndarray[Any, Any]"
    true: str
    called: str
    share: float


def roc_curves(judged: Judged, classes: Sequence[str]) -> list[Roc]:
    """The curve of each class against the rest, where it has images and others have too, and of all decisions."""
    import numpy as np

    truth = judged.labels[:, None] == np.arange(len(classes))
    curves = [
        _roc(name, truth[:, i], judged.probabilities[:, i])
        for i, name in enumerate(classes)
        if truth[:, i].any() and not truth[:, i].all()
    ]
    return [*curves, _roc("all decisions (micro)", truth.ravel(), judged.probabilities.ravel(), True)]


def mistakes(judged: Judged, classes: Sequence[str], most: int = 24) -> list[Mistake]:
    """The images called wrong with the largest shares, the surest first."""
    import numpy as np

    called = judged.probabilities.argmax(1)
    share = judged.probabilities[np.arange(len(called)), called]
    wrong = np.flatnonzero(called != judged.labels)
    order = wrong[np.argsort(-share[wrong], kind="stable")][:most]
    return [
        Mistake(
            np.asarray(judged.images[judged.rows[i]]),
            classes[int(judged.labels[i])],
            classes[int(called[i])],
            float(share[i]),
        )
        for i in order
    ]


def right(judged: Judged) -> float:
    """The share of images called right."""
    return float((judged.probabilities.argmax(1) == judged.labels).mean())


def _roc(name: str, truth: "np.ndarray[Any, Any]", scores: "np.ndarray[Any, Any]", pooled: bool = False) -> Roc:
    from sklearn.metrics import auc, roc_curve

    false_positive, true_positive, _ = roc_curve(truth, scores)
    area = float(auc(false_positive, true_positive))
    return Roc(name, false_positive.tolist(), true_positive.tolist(), area, pooled)
