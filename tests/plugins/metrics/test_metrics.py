import math

import numpy as np
import pytest
from fersearch_metrics.measured import MEASURED
from fersearch_metrics.quality import QUALITY

from fersearch import Evaluation, Metric
from fersearch.testing import MetricSuite

BY_NAME = {kind.name: kind() for kind in (*QUALITY, *MEASURED)}


@pytest.mark.parametrize("metric", BY_NAME.values(), ids=BY_NAME.keys())
class TestMetrics(MetricSuite):
    @pytest.fixture(autouse=True)
    def _each(self, metric: Metric) -> None:
        self.metric = metric


def evaluation(called: list[int], labels: list[int], classes: int = 3, **figures: float) -> Evaluation:
    probabilities = np.full((len(called), classes), 0.1, np.float32)
    probabilities[np.arange(len(called)), called] = 1 - 0.1 * (classes - 1)
    names = tuple(f"c{k}" for k in range(classes))
    return Evaluation(probabilities, np.array(labels), names, **figures)  # type: ignore[arg-type]


def value(name: str, given: Evaluation) -> float:
    return BY_NAME[name].compute(given)


GIVEN = evaluation([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 4 / 6),
        ("balanced_accuracy", (2 / 3 + 1 / 2 + 1) / 3),
        ("f1_macro", (0.8 + 0.5 + 2 / 3) / 3),
        ("f1_weighted", (3 * 0.8 + 2 * 0.5 + 2 / 3) / 6),
        ("f1_micro", 4 / 6),
        ("precision_macro", (1 + 0.5 + 0.5) / 3),
        ("recall_macro", (2 / 3 + 1 / 2 + 1) / 3),
        ("log_loss", -(4 * math.log(0.8) + 2 * math.log(0.1)) / 6),
    ],
)
def test_metrics_worked_out_by_hand(name: str, expected: float) -> None:
    assert value(name, GIVEN) == pytest.approx(expected, rel=1e-6)


def test_a_class_without_images_counts_in_f1_but_not_in_balanced_accuracy_or_auc() -> None:
    given = evaluation([0, 1], [0, 1])
    assert value("f1_macro", given) == pytest.approx(2 / 3)
    assert value("balanced_accuracy", given) == value("auc_macro", given) == 1.0


def test_areas_are_the_share_of_pairs_in_order() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4], [0.2, 0.8]], np.float32)
    given = Evaluation(probabilities, np.array([0, 0, 1, 1]), ("a", "b"))
    assert value("auc_macro", given) == pytest.approx(0.75)


def test_areas_of_one_class_alone_are_undefined() -> None:
    given = evaluation([1, 1], [1, 1])
    assert math.isnan(value("auc_macro", given))
    assert math.isnan(value("auc_micro", given))


def test_measured_metrics_come_in_their_units() -> None:
    given = evaluation(
        [0],
        [0],
        train_seconds=3.5,
        cpu_seconds=7.0,
        eval_seconds=0.5,
        peak_memory_bytes=5 * 2**20,
        parameters=169_100,
        model_bytes=3 * 2**19,
        latency_seconds=0.002,
    )
    expected = {
        "train_seconds": 3.5,
        "cpu_seconds": 7.0,
        "eval_seconds": 0.5,
        "peak_memory_mb": 5.0,
        "parameters": 169_100.0,
        "model_mb": 1.5,
        "latency_ms": 2.0,
    }
    assert {name: value(name, given) for name in expected} == expected


def test_what_a_trial_is_projected_and_reported_by() -> None:
    def having(flag: str) -> set[str]:
        return {name for name, metric in BY_NAME.items() if getattr(metric, flag)}

    assert having("cumulative") == {"train_seconds", "cpu_seconds"}
    assert having("whole_trial") == {"train_seconds", "cpu_seconds", "peak_memory_mb"}
    assert having("measured") == having("log_scale")
    assert {name for name, metric in BY_NAME.items() if metric.direction == "min"} == having("measured") | {"log_loss"}
