"""Scores of a split: as a whole, class by class, and with outputs that can never be right."""

import numpy as np
import pytest
from fersearch_metrics.averages import AucMacro, F1Macro, PrecisionMacro, RecallMacro
from fersearch_metrics.measured import TrainSeconds
from fersearch_metrics.quality import Accuracy

from fersearch.training.evaluate import score_predictions

METRICS = {m.name: m for m in (Accuracy(), PrecisionMacro(), RecallMacro(), F1Macro(), AucMacro(), TrainSeconds())}


def shares(called: list[int], classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[called] * 0.8 + 0.2 / classes


def test_every_class_has_its_values_and_its_images() -> None:
    result = score_predictions(shares([0, 0, 1, 2], 3), np.array([0, 0, 2, 2]), ("a", "b", "c"), METRICS)
    assert set(result.metrics) == {"accuracy", "precision_macro", "recall_macro", "f1_macro", "auc_macro"}
    assert list(result.per_class) == ["a", "b", "c"]
    assert result.per_class["c"] == pytest.approx(
        {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "auc": 0.75, "support": 2}
    )
    assert result.per_class["b"]["support"] == 0
    assert np.isnan(result.per_class["b"]["auc"])
    assert result.confusion == [[2, 0, 0], [0, 0, 0], [0, 1, 1]]


def test_an_output_that_can_never_be_right_makes_errors_and_no_class() -> None:
    result = score_predictions(
        shares([0, 1, 2, 2], 3), np.array([0, 0, 2, 2]), ("a", "b", "c"), METRICS, averaged=(0, 2)
    )
    assert result.classes == ("a", "c")
    assert result.outputs == ("a", "b", "c")
    assert result.metrics["accuracy"] == 0.75
    assert result.metrics["recall_macro"] == 0.75
    assert list(result.per_class) == ["a", "c"]
    assert result.confusion == [[1, 1, 0], [0, 0, 2]]
