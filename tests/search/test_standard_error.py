"""The standard error of a value, by resampling the confusion matrix of its best epoch."""

import math

import numpy as np
import pytest
from fersearch_metrics.averages import AucMacro, F1Macro
from fersearch_metrics.quality import Accuracy

from fersearch.components import Evaluation, Metric
from fersearch.search.standard_error import standard_error, standard_errors
from fersearch.study import Objective
from fersearch.trial import Outcome, Reason
from tests.search.fakes import METRICS, OBJECTIVES, Rows, make_search, make_spec, run_trial

COUNTS = [[80, 15, 5], [10, 60, 30], [0, 20, 80]]


class Failing(Metric):
    name = "failing"

    def compute(self, evaluation: Evaluation) -> float:
        return 0.0

    def of_confusions(self, matrices: "np.ndarray") -> "np.ndarray":
        raise ZeroDivisionError


class Counted(Failing):
    name = "f1_macro"

    def of_confusions(self, matrices: "np.ndarray") -> "np.ndarray":
        return matrices[:, 0, 0] / matrices.sum((1, 2))


def test_the_standard_error_of_accuracy_is_that_of_a_share():
    right, images = 220, 300
    expected = math.sqrt(right / images * (1 - right / images) / images)
    assert standard_error(Accuracy(), COUNTS, (0,)) == pytest.approx(expected, rel=0.15)


def test_the_standard_error_of_f1_is_what_resampled_images_have():
    chance, metric = np.random.default_rng(1), F1Macro()
    pairs = np.array([(i, j) for i, row in enumerate(COUNTS) for j, count in enumerate(row) for _ in range(count)])
    values = []
    for _ in range(400):
        labels, called = pairs[chance.integers(len(pairs), size=len(pairs))].T
        shares = np.eye(3, dtype=np.float32)[called]
        values.append(metric.compute(Evaluation(shares, labels, ("a", "b", "c"))))
    assert standard_error(metric, COUNTS, (0,)) == pytest.approx(np.std(values), rel=0.2)


def test_the_interval_of_accuracy_is_that_of_a_share():
    right, images = 220, 300
    reach = 1.96 * math.sqrt(right / images * (1 - right / images) / images)
    errors = standard_errors((Objective("accuracy", "max"),), {"accuracy": Accuracy()}, COUNTS, (0,))
    ends = errors["accuracy_ci_low"], errors["accuracy_ci_high"]
    assert ends == pytest.approx((right / images - reach, right / images + reach), abs=0.15 * reach)


def test_the_first_objective_has_an_interval_and_the_others_an_error_alone():
    objectives = (Objective("f1_macro", "max"), Objective("accuracy", "max"))
    errors = standard_errors(objectives, {"f1_macro": F1Macro(), "accuracy": Accuracy()}, COUNTS, (0,))
    assert list(errors) == ["f1_macro_se", "f1_macro_ci_low", "f1_macro_ci_high", "accuracy_se"]
    assert errors["f1_macro_ci_low"] < errors["f1_macro_ci_high"]


def test_four_times_the_images_halve_it():
    more = [[4 * count for count in row] for row in COUNTS]
    ratio = standard_error(F1Macro(), COUNTS, (0,)) / standard_error(F1Macro(), more, (0,))
    assert ratio == pytest.approx(2, rel=0.2)


def test_the_same_seed_gives_the_same_and_another_does_not():
    assert standard_error(F1Macro(), COUNTS, (1, 2)) == standard_error(F1Macro(), COUNTS, (1, 2))
    assert standard_error(F1Macro(), COUNTS, (1, 2)) != standard_error(F1Macro(), COUNTS, (1, 3))


def test_many_classes_have_one_from_fewer_draws():
    many = np.random.default_rng(0).multinomial(4000, np.full(3600, 1 / 3600)).reshape(60, 60)
    many[np.arange(60), np.arange(60)] += 60
    share = many.diagonal().sum() / many.sum()
    expected = math.sqrt(share * (1 - share) / many.sum())
    assert standard_error(Accuracy(), many.tolist(), (0,)) == pytest.approx(expected, rel=0.3)


def test_there_is_none_of_no_images_of_a_metric_of_shares_or_of_one_that_fails():
    assert standard_error(F1Macro(), [[0, 0], [0, 0]], (0,)) is None
    assert standard_error(AucMacro(), COUNTS, (0,)) is None
    assert standard_error(Failing(), COUNTS, (0,)) is None


def test_only_objectives_have_one_and_only_with_a_matrix():
    metrics = {**METRICS, "f1_macro": F1Macro(), "accuracy": Accuracy()}
    errors = standard_errors(OBJECTIVES, metrics, COUNTS, (0,))
    assert list(errors) == ["f1_macro_se", "f1_macro_ci_low", "f1_macro_ci_high"]
    assert standard_errors(OBJECTIVES, metrics, None, (0,)) == {}


def searched(monkeypatch: pytest.MonkeyPatch, **options):
    monkeypatch.setitem(METRICS, "f1_macro", Counted())
    search = make_search(make_spec(), **options)
    return search, search.ask()


def test_a_complete_trial_has_the_standard_error_of_its_best_epoch(monkeypatch):
    search, trial = searched(monkeypatch)
    ended = run_trial(search, trial)
    errors = standard_errors(OBJECTIVES[:1], {"f1_macro": Counted()}, [[1, 0], [0, 1]], (3, 0))
    assert len(errors) == 3
    assert errors.items() <= ended.values.items()
    assert ended.intervals == {"f1_macro": (errors["f1_macro_ci_low"], errors["f1_macro_ci_high"])}


def test_a_trial_that_did_not_complete_has_none(monkeypatch):
    search, trial = searched(monkeypatch)
    assert "f1_macro_se" not in run_trial(search, trial, Reason.ERROR).values


def test_a_trial_of_several_rounds_has_its_deviation_instead(monkeypatch):
    search, trial = searched(monkeypatch, rounds=2)
    assert "f1_macro_se" not in run_trial(search, trial).values


def test_a_trial_that_goes_on_in_another_process_has_it_too(monkeypatch):
    rows = Rows()
    search, trial = searched(monkeypatch, rows=rows)
    run_trial(search, trial, Reason.INTERRUPTED, epochs=8)
    search, again = searched(monkeypatch, rows=rows)
    assert (again.number, again.epochs) == (trial.number, 8)
    assert "f1_macro_se" in search.finish(again.number, Outcome(Reason.DONE, kept_epoch=8), 1.0).values
