import numpy as np
import pytest

from fersearch.report import derive
from fersearch.report.inputs import Predictions

IMAGES = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
JUDGED = Predictions(
    np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]], np.float32),
    np.array([0, 0, 1, 1]),
    IMAGES,
    np.array([5, 4, 3, 2]),
)


def test_areas_equal_scikit_learns():
    from sklearn.metrics import roc_auc_score

    curves = derive.roc_curves(JUDGED, ["joy", "fear"])
    assert [curve.name for curve in curves] == ["joy", "fear", "all decisions (micro)"]
    assert curves[1].area == pytest.approx(roc_auc_score(JUDGED.labels, JUDGED.probabilities[:, 1]))
    for curve in curves:
        assert (curve.false_positive[0], curve.true_positive[0]) == (0, 0)
        assert (curve.false_positive[-1], curve.true_positive[-1]) == (1, 1)


def test_a_class_without_images_has_no_curve():
    alone = Predictions(JUDGED.probabilities, np.array([0, 0, 0, 0]), IMAGES, JUDGED.rows)
    assert [curve.name for curve in derive.roc_curves(alone, ["joy", "fear"])] == ["all decisions (micro)"]


def test_mistakes_are_the_surest_first_with_their_own_images():
    result = derive.mistakes(JUDGED, ["joy", "fear"])
    assert [(m.true, m.called, round(m.share, 2), int(m.image.item())) for m in result] == [
        ("joy", "fear", 0.8, 4),
        ("fear", "joy", 0.7, 3),
    ]
    assert len(derive.mistakes(JUDGED, ["joy", "fear"], most=1)) == 1
    assert derive.right(JUDGED) == 0.5
