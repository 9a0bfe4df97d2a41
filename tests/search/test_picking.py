"""Which trial of a front to take."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch.search.front import front
from fersearch.search.picking import (
    RelativeBound,
    bounds_of,
    cheapest,
    floor_of,
    knee,
    picks,
    standard_error,
    tradeoff,
)
from fersearch.study import Constraint, Objective
from fersearch.trial import Trial, TrialState

F1, SECONDS, MEMORY = (
    Objective("f1_macro", "max"),
    Objective("train_seconds", "min"),
    Objective("peak_memory_mb", "min"),
)
TWO = (F1, SECONDS)


def trial(number: int, f1: float, seconds: float, memory: float = 1.0, **more: float) -> Trial:
    values = {"f1_macro": f1, "train_seconds": seconds, "peak_memory_mb": memory, **more}
    return Trial(number, {}, TrialState.COMPLETE, values)


MEMBERS = [trial(7, 0.60, 31.0, f1_macro_se=0.02), trial(3, 0.588, 10.0), trial(5, 0.5, 2.0), trial(1, 0.264, 1.0)]


def test_the_cheapest_within_one_standard_error_of_the_best_is_taken():
    assert cheapest(MEMBERS, TWO).number == 3
    wide = [trial(7, 0.60, 31.0, f1_macro_se=0.11), *MEMBERS[1:]]
    assert cheapest(wide, TWO).number == 5


def test_the_best_is_taken_without_a_standard_error_or_a_second_objective():
    assert cheapest([trial(7, 0.60, 31.0), *MEMBERS[1:]], TWO).number == 7
    assert cheapest(MEMBERS, (F1,)).number == 7


def test_the_deviation_over_rounds_serves_as_well():
    assert standard_error(trial(0, 0.6, 1.0, f1_macro_std=0.03), "f1_macro") == 0.03
    assert cheapest([trial(7, 0.60, 31.0, f1_macro_std=0.02), *MEMBERS[1:]], TWO).number == 3


def test_a_first_objective_that_is_minimised_is_read_the_other_way():
    members = [
        Trial(0, {}, values={"log_loss": 1.0, "train_seconds": 9.0, "log_loss_se": 0.1}),
        Trial(1, {}, values={"log_loss": 1.09, "train_seconds": 4.0}),
        Trial(2, {}, values={"log_loss": 1.2, "train_seconds": 1.0}),
    ]
    assert cheapest(members, (Objective("log_loss", "min"), SECONDS)).number == 1


VALUES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12
)


@given(VALUES)
def test_the_cheapest_of_all_trials_stands_on_the_front(rows):
    trials = [trial(n, f1 / 8, s, m, f1_macro_se=e / 8) for n, (f1, s, m, e) in enumerate(rows)]
    objectives = (F1, SECONDS, MEMORY)
    members = front(trials, objectives, {})
    result = cheapest(members, objectives, tolerance=0.0)
    bar = members[0].values["f1_macro"] - members[0].values["f1_macro_se"]
    near = [one for one in trials if one.values["f1_macro"] >= bar]
    assert result in near
    assert result.values["train_seconds"] == min(one.values["train_seconds"] for one in near)


def test_the_knee_is_looked_for_above_nine_tenths_of_the_best():
    assert floor_of(MEMBERS, F1) == Constraint("f1_macro", ">=", pytest.approx(0.54))
    assert knee(MEMBERS, TWO).number == 7
    assert knee(MEMBERS, TWO, [Constraint("f1_macro", ">=", 0.1)]).number == 5
    assert knee(MEMBERS, TWO, [Constraint("peak_memory_mb", "<=", 500)]).number == 7


@pytest.mark.parametrize(
    ("direction", "best", "op", "bound"),
    [("max", 0.5, ">=", 0.45), ("max", -0.9, ">=", -1.0), ("min", 0.9, "<=", 1.0), ("min", -1.0, "<=", -0.9)],
)
def test_the_floor_is_a_tenth_worse_in_either_direction(direction, best, op, bound):
    result = floor_of([Trial(0, {}, values={"own": best})], Objective("own", direction))
    assert (result.op, result.bound) == (op, pytest.approx(bound))


def test_every_rule_takes_a_member_and_an_empty_front_has_none():
    assert picks(MEMBERS, TWO) == {"best": 7, "cheapest": 3, "knee": 7}
    assert picks(MEMBERS[:1], TWO) == {"best": 7, "cheapest": 7, "knee": 7}
    assert picks([], TWO) == {}


def test_what_the_best_trial_has_in_exchange_is_reported_in_one_line():
    assert tradeoff(MEMBERS[0], MEMBERS[1], TWO) == "best is trial 7: +0.012 f1_macro, 3.1x time; --prefer best"
    assert tradeoff(MEMBERS[0], MEMBERS[0], TWO) == ""
    by_memory = tradeoff(trial(7, 0.6, 1, 4000.0), trial(3, 0.5, 1, 10.0), (F1, MEMORY))
    assert by_memory == "best is trial 7: +0.100 f1_macro, 400x peak_memory_mb; --prefer best"
    free = tradeoff(trial(7, 0.6, 2.0), trial(3, 0.5, 0.0), TWO)
    assert free == "best is trial 7: +0.100 f1_macro, +2.00 train_seconds; --prefer best"


def test_a_bound_by_the_best_is_read_and_resolved():
    bound = RelativeBound.parse(" f1_macro >= 0.9 * best")
    assert bound == RelativeBound("f1_macro", ">=", 0.9)
    assert bound.resolved(MEMBERS).bound == pytest.approx(0.54)
    assert RelativeBound.parse("train_seconds<=2*best").resolved(MEMBERS) == Constraint("train_seconds", "<=", 2.0)
    assert bounds_of(["train_seconds<=9", "train_seconds<=2*best"], MEMBERS) == (
        Constraint("train_seconds", "<=", 9.0),
        Constraint("train_seconds", "<=", 2.0),
    )


@pytest.mark.parametrize("text", ["f1_macro>=0.9", "f1_macro>0.9*best", "f1_macro>=best", "f1_macro>=-1*best", ""])
def test_what_is_no_bound_by_the_best_is_not_read_as_one(text):
    assert RelativeBound.parse(text) is None


def test_infinite_costs_can_be_compared():
    members = [trial(0, 0.6, math.inf, f1_macro_se=0.2), trial(1, 0.5, 1.0)]
    assert picks(members, TWO)["cheapest"] == 1
