import math

import pytest

from fersearch import formatting
from tests.cli.fakes import OBJECTIVES, trial


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.000"),
        (0.61234, "0.612"),
        (0.00004, "4.0e-05"),
        (4.128, "4.13"),
        (51.26, "51.3"),
        (123.4, "123"),
        (1234.5, "1,234"),
        (169270.0, "169,270"),
        (-2.5, "-2.50"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_a_number_has_about_three_digits_that_mean_something(value, text):
    assert formatting.number(value) == text


def test_settings_are_one_line_in_the_language_of_set():
    params = {"optimizer": "sgd", "learning_rate": 0.0123456, "nesterov": True, "epochs": 12}
    assert formatting.settings(params) == "optimizer=sgd learning_rate=0.0123 nesterov=true epochs=12"
    assert formatting.settings(params, ["epochs"]) == "epochs=12"


def test_parameters_that_differ_or_are_missing_somewhere_vary():
    plain = trial(0, 0.5, 1, 1, params={"a": 1, "b": 2})
    other = trial(1, 0.5, 1, 1, params={"a": 1, "b": 3, "c": 4})
    assert formatting.varying([plain, other]) == ["b", "c"]
    assert formatting.varying([plain]) == ["a", "b"]
    assert formatting.varying([]) == []


def test_an_architectures_own_parameter_varies_among_the_trials_that_have_it():
    first = trial(0, 0.5, 1, 1, params={"architecture": "a.b", "a.b.width": 1, "a.b.freeze": "none"})
    second = trial(1, 0.5, 1, 1, params={"architecture": "a.b", "a.b.width": 2, "a.b.freeze": "none"})
    other = trial(2, 0.5, 1, 1, params={"architecture": "c", "c.depth": 1})
    assert formatting.varying([first, second, other]) == ["architecture", "a.b.width"]
    assert formatting.varying([first, second]) == ["architecture", "a.b.width"]
    deeper = trial(3, 0.5, 1, 1, params={"architecture": "c", "c.depth": 1, "c.skip": True})
    assert formatting.varying([first, other, deeper]) == ["architecture", "c.skip"]


def test_true_and_one_are_not_the_same_setting():
    assert formatting.varying([trial(0, 0, 1, 1, params={"a": True}), trial(1, 0, 1, 1, params={"a": 1})]) == ["a"]


def test_times_and_memories_within_five_percent_of_a_neighbour_are_ties():
    trials = [trial(0, 0.50, 10.0, 100.0), trial(1, 0.51, 10.4, 200.0), trial(2, 0.52, 11.2, 300.0)]
    assert formatting.ties(trials, OBJECTIVES) == {(0, "train_seconds"), (1, "train_seconds")}


def test_quality_and_exact_sizes_never_tie():
    from fersearch.study import Objective

    trials = [trial(n, 0.5, 1, 1, values={"f1_macro": 0.5, "parameters": 10.0, "model_mb": 1.0}) for n in range(2)]
    assert formatting.ties(trials, [Objective(m, "min") for m in ("f1_macro", "parameters", "model_mb")]) == set()


def test_the_best_is_the_earliest_of_equals_and_never_nan():
    trials = [trial(0, math.nan, 3, 1), trial(1, 0.5, 2, 1), trial(2, 0.5, 1, 1), trial(3, 0.9, 9, 1, values={})]
    assert formatting.best(trials, OBJECTIVES[0]).number == 1
    assert formatting.best(trials, OBJECTIVES[1]).number == 2
    assert formatting.best([], OBJECTIVES[0]) is None


def test_counts_and_plurals():
    assert formatting.counts({"complete": 12, "failed": 0, "pruned": 5}) == "12 complete, 5 pruned"
    assert formatting.counts({}) == "none"
    assert [formatting.plural(n, "trial") for n in (0, 1, 2000)] == ["0 trials", "1 trial", "2,000 trials"]
    assert formatting.plural(3, "class") == "3 classes"
    assert formatting.heading(OBJECTIVES[0]) == "f1_macro ↑"
