"""What every metric must do: a suite to inherit.

class TestMine(MetricSuite):
    metric = Mine()
"""

import copy
import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fersearch.components import Evaluation, Metric

CLASSES = ("anger", "disgust", "fear", "happiness", "neutral")
FIGURES = (
    "train_seconds",
    "cpu_seconds",
    "eval_seconds",
    "peak_memory_bytes",
    "mean_memory_bytes",
    "parameters",
    "model_bytes",
    "flops",
    "latency_seconds",
)
SURE = 0.9


class MetricSuite:
    """The contract of a metric; `of_labels_alone` for a property of the split that no prediction changes."""

    metric: Metric
    of_labels_alone: bool = False

    def test_it_says_what_it_is(self) -> None:
        assert self.metric.name
        assert not any(c.isspace() for c in self.metric.name)
        assert self.metric.direction in ("max", "min")
        assert isinstance(self.metric.unit, str)
        assert self.metric.summary, "summary is what `plugin list` shows"

    def test_a_cumulative_metric_counts_the_whole_trial(self) -> None:
        assert self.metric.whole_trial or not self.metric.cumulative

    def test_it_gives_a_plain_finite_number(self) -> None:
        value = self.metric.compute(example())
        assert isinstance(value, float), f"compute must return a float, not {type(value).__name__}"
        assert math.isfinite(value)

    def test_it_gives_the_same_twice_and_changes_nothing(self) -> None:
        sample = example()
        before = copy.deepcopy(sample)
        assert self.metric.compute(sample) == self.metric.compute(sample)
        assert np.array_equal(sample.probabilities, before.probabilities)
        assert np.array_equal(sample.labels, before.labels)

    def test_it_reads_arrays_that_must_not_be_written(self) -> None:
        sample = example()
        sample.probabilities.flags.writeable = False
        sample.labels.flags.writeable = False
        self.metric.compute(sample)

    def test_right_answers_are_better_than_shuffled_ones(self) -> None:
        if self.metric.measured or self.of_labels_alone:
            return
        right, shuffled = (self.metric.compute(example(sure)) for sure in (1.0, 0.0))
        better = right > shuffled if self.metric.direction == "max" else right < shuffled
        assert better, f"{self.metric.name} is {right} for correct predictions and {shuffled} for shuffled ones"

    def test_a_fact_of_the_split_is_changed_by_no_prediction(self) -> None:
        if not self.of_labels_alone:
            return
        sample, few = example(), evaluation(np.array([0, 0, 0, 1], np.int64), SURE)
        other = dataclasses.replace(sample, probabilities=example(0.0).probabilities)
        assert self.metric.compute(other) == self.metric.compute(sample), "it depends on the predictions"
        assert self.metric.compute(few) != self.metric.compute(sample), "it does not depend on the labels"

    def test_the_values_of_single_classes_are_numbers_too(self) -> None:
        sample = evaluation(np.array([0, 0, 2, 2], np.int64), SURE)
        values = self.metric.by_class(sample)
        if values is not None:
            assert len(values) == len(sample.class_names)
            assert all(isinstance(value, float) for value in values)
            assert not any(math.isinf(value) for value in values), "undefined is NaN, never infinite"

    def test_confusion_matrices_give_what_the_answers_give(self) -> None:
        answers = [example(sure) for sure in (1.0, SURE, 0.0)]
        values = self.metric.of_confusions(np.stack([_confusion(one) for one in answers]))
        if values is not None:
            assert values.shape == (3,)
            assert np.allclose(values, [self.metric.compute(one) for one in answers], atol=1e-9)

    def test_a_measured_metric_reads_figures_alone_and_more_is_never_better(self) -> None:
        if not self.metric.measured:
            return
        sample = example()
        more = dataclasses.replace(sample, **{name: 2 * getattr(sample, name) for name in FIGURES})
        value, doubled = self.metric.compute(sample), self.metric.compute(more)
        assert doubled >= value if self.metric.direction == "min" else doubled <= value
        assert doubled != value, "it reads none of the measured figures"
        other = dataclasses.replace(sample, probabilities=example(0.0).probabilities)
        assert self.metric.compute(other) == value, "it depends on the predictions"

    def test_classes_without_images_do_no_harm(self) -> None:
        for labels in ([0, 0, 2, 2], [3], [4, 4, 4]):
            value = self.metric.compute(evaluation(np.array(labels, np.int64), SURE))
            assert isinstance(value, float)
            assert math.isfinite(value) or math.isnan(value), "undefined is NaN, never infinite"

    def test_classes_that_are_never_called_do_no_harm(self) -> None:
        sample = example()
        one = np.zeros_like(sample.probabilities)
        one[:, 1] = 1.0
        value = self.metric.compute(dataclasses.replace(sample, probabilities=one))
        assert math.isfinite(value) or math.isnan(value)


def _confusion(sample: Evaluation) -> npt.NDArray[np.int64]:
    classes = len(CLASSES)
    cells = sample.labels * classes + sample.probabilities.argmax(1)
    return np.bincount(cells, minlength=classes**2).reshape(classes, classes)


def example(sure: float = SURE) -> Evaluation:
    """Return sixty images of all classes; a share `sure` of them is classified correctly."""
    return evaluation(np.arange(60, dtype=np.int64) % len(CLASSES), sure)


def evaluation(labels: npt.NDArray[np.int64], sure: float) -> Evaluation:
    """Return an evaluation in which a share `sure` of the images is classified correctly, the others at random."""
    random = np.random.default_rng(0)
    wrong = random.random(len(labels)) >= sure
    called = np.where(wrong, random.permutation(labels), labels)
    probabilities = np.full((len(labels), len(CLASSES)), 0.05, np.float32)
    probabilities[np.arange(len(labels)), called] = 0.8
    figures: Sequence[float] = (12.5, 20.0, 0.5, 3 * 2**20, 2 * 2**20, 169_100, 2**20, 2_500_000, 0.002)
    return Evaluation(probabilities, labels, CLASSES, **dict(zip(FIGURES, figures, strict=True)))  # type: ignore[arg-type]
