import math

import pytest

from fersearch.report import derive
from fersearch.study import Objective
from fersearch.trial import Epoch, TrialState
from tests.report import fakes

F1 = Objective("f1_macro", "max")


def test_the_best_complete_trial_comes_first_and_others_are_left_out():
    trials = [
        fakes.trial(0, values={"f1_macro": 0.5}),
        fakes.trial(1, values={"f1_macro": 0.9}, state=TrialState.PRUNED),
        fakes.trial(2, values={"f1_macro": 0.7}),
        fakes.trial(3, values={"f1_macro": math.nan}),
        fakes.trial(4, values={"f1_macro": 0.7}),
    ]
    assert [trial.number for trial in derive.best_first(trials, F1)] == [2, 4, 0]


def test_varying_parameters_include_the_ones_that_only_some_trials_have():
    first = fakes.trial(0, params={"a": 1, "b": 2})
    assert derive.varying([first, fakes.trial(1, params={"a": 1, "b": 3, "c": True})]) == ["b", "c"]


def test_rounds_restart_the_count_of_epochs():
    one, two = derive.rounds(fakes.history(rounds=2))
    assert [epoch.number for epoch in two] == [4, 5, 6]
    assert derive.curve(two, "train_loss")[0] == (1, pytest.approx(0.5))
    assert [
        place for place, _ in derive.mean_curve([derive.curve(one, "f1_macro"), derive.curve(two, "f1_macro")])
    ] == [
        1,
        2,
        3,
    ]


def test_a_mean_curve_ends_where_the_shortest_does():
    assert derive.mean_curve([[(1, 0.2), (2, 0.4)], [(1, 0.4)]]) == [(1, pytest.approx(0.3))]
    assert derive.mean_curve([[(1, 0.2)], []]) == []


def test_confusion_is_that_of_the_best_epoch():
    matrices = ([[1, 0], [0, 1]], [[9, 1], [0, 9]], [[2, 0], [0, 2]])
    history = [
        Epoch(n, {"f1_macro": f1}, 1.0, confusion=m)
        for n, f1, m in zip((1, 2, 3), (0.1, 0.9, 0.9), matrices, strict=True)
    ]
    assert derive.confusion(history, F1) == [[9, 1], [0, 9]]


def test_confusion_over_rounds_is_the_sum_of_their_best_epochs():
    history = [
        Epoch(1, {"f1_macro": 0.9}, 1.0, confusion=[[5, 0], [1, 4]], round=1),
        Epoch(2, {"f1_macro": 0.1}, 1.0, confusion=[[0, 5], [5, 0]], round=1),
        Epoch(3, {"f1_macro": 0.2}, 1.0, confusion=[[3, 2], [0, 5]], round=2),
    ]
    assert derive.confusion(history, F1) == [[8, 2], [1, 9]]
    assert derive.confusion([Epoch(1, {"f1_macro": 0.5}, 1.0)], F1) is None


def test_class_scores_by_hand():
    anger, joy, fear = derive.class_scores([[3, 1, 0], [2, 4, 0], [0, 0, 0]], ["anger", "joy", "fear"])
    assert (anger.precision, anger.recall, anger.support) == (pytest.approx(0.6), pytest.approx(0.75), 4)
    assert joy.f1 == pytest.approx(2 * 0.8 * (4 / 6) / (0.8 + 4 / 6))
    assert math.isnan(fear.precision)
    assert math.isnan(fear.recall)


def test_averages_agree_with_scikit_learn():
    from sklearn.metrics import precision_recall_fscore_support

    matrix = [[3, 1, 0], [2, 4, 0], [1, 1, 0]]
    truth = [i for i, row in enumerate(matrix) for count in row for _ in range(count)]
    called = [j for row in matrix for j, count in enumerate(row) for _ in range(count)]
    result = derive.averages(derive.class_scores(matrix, "abc"))
    for kind in ("macro", "weighted"):
        expected = precision_recall_fscore_support(truth, called, average=kind, zero_division=0)[:3]
        score = result[f"{kind} average"]
        assert (score.precision, score.recall, score.f1) == pytest.approx(expected)


def test_row_shares_leave_an_empty_row_undefined():
    shares = derive.row_shares([[1, 3], [0, 0]])
    assert shares[0] == [0.25, 0.75]
    assert all(math.isnan(share) for share in shares[1])


def test_spread_is_that_of_a_sample():
    assert derive.spread([1.0, 3.0, math.nan]) == (2.0, pytest.approx(2**0.5))
    assert math.isnan(derive.spread([1.0])[1])
