"""Who is on the front."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch.search.front import front, losses
from fersearch.study import Constraint, Objective
from fersearch.trial import Trial, TrialState
from tests.dominance import dominates

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"))


def trial(number: int, f1: float, seconds: float, state: TrialState = TrialState.COMPLETE) -> Trial:
    return Trial(number, {}, state, values={"f1_macro": f1, "train_seconds": seconds})


def numbers(trials: list[Trial]) -> list[int]:
    return [trial.number for trial in trials]


TRIALS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12).map(
    lambda pairs: [trial(n, f1 / 10, float(s)) for n, (f1, s) in enumerate(pairs)]
)


@given(TRIALS, st.randoms(use_true_random=False))
def test_members_are_mutually_non_dominated_all_others_dominated_and_the_order_fixed(trials, chance):
    standing = front(trials, OBJECTIVES, {})
    points = {each.number: losses(each, OBJECTIVES) for each in trials}
    inside, outside = set(numbers(standing)), set(points) - set(numbers(standing))
    assert not any(dominates(points[a], points[b]) for a in inside for b in inside)
    assert all(any(dominates(points[a], points[b]) for a in inside) for b in outside)
    mixed = trials[:]
    chance.shuffle(mixed)
    assert numbers(front(mixed, OBJECTIVES, {})) == numbers(standing)


def test_the_best_by_the_first_objective_comes_first_and_equals_by_number():
    trials = [trial(3, 0.5, 1.0), trial(1, 0.9, 9.0), trial(2, 0.5, 1.0)]
    assert numbers(front(trials, OBJECTIVES, {})) == [1, 2, 3]


@pytest.mark.parametrize("state", [state for state in TrialState if state is not TrialState.COMPLETE])
def test_only_complete_trials_stand(state: TrialState):
    assert front([trial(0, 0.9, 1.0, state)], OBJECTIVES, {}) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_trial_without_finite_objectives_does_not_stand(bad: float):
    missing = Trial(2, {}, TrialState.COMPLETE, values={"f1_macro": 0.9})
    assert numbers(front([trial(0, 0.9, bad), trial(1, 0.2, 1.0), missing], OBJECTIVES, {})) == [1]


def test_a_trial_no_better_than_the_majority_class_does_not_stand_however_cheap():
    trials = [trial(0, 0.1, 0.1), trial(1, 0.05, 0.01), trial(2, 0.4, 9.0)]
    assert numbers(front(trials, OBJECTIVES, {"f1_macro": 0.1})) == [2]


def test_the_baseline_counts_in_the_direction_of_the_objective():
    trials = [
        Trial(n, {}, TrialState.COMPLETE, values={"log_loss": loss, "train_seconds": 1.0})
        for n, loss in enumerate((2.5, 2.0, 0.7))
    ]
    objectives = (Objective("train_seconds", "min"), Objective("log_loss", "min"))
    assert numbers(front(trials[:2], objectives, {"log_loss": 2.0})) == []
    assert numbers(front(trials, objectives, {"log_loss": 2.0, "f1_macro": 0.1})) == [2]


def test_without_a_predictive_objective_there_is_no_bar():
    assert numbers(front([trial(0, 0.0, 1.0)], OBJECTIVES[1:], {"f1_macro": 0.1})) == [0]


def test_constraints_hold_for_all_members():
    trials = [trial(0, 0.9, 100.0), trial(1, 0.5, 5.0)]
    assert numbers(front(trials, OBJECTIVES, {}, [Constraint("train_seconds", "<=", 50)])) == [1]
