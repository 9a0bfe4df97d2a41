"""Costs that are as good as equal."""

import pytest

from fersearch.formatting import TIE
from fersearch.search.front import front
from fersearch.search.picking import cheapest
from fersearch.search.ties import comparable, deviation_of, spread
from fersearch.study import Objective
from fersearch.trial import Attempt, Reason, Trial, TrialState

F1, SECONDS = Objective("f1_macro", "max"), Objective("train_seconds", "min")
CPU = {"device": "cpu", "threads": 2}


def trial(number: int, f1: float, seconds: float, **values: float) -> Trial:
    own = {"f1_macro": f1, "train_seconds": seconds, **values}
    return Trial(number, {}, TrialState.COMPLETE, own, attempts=(Attempt(1, Reason.DONE, facts=CPU),))


def test_the_spread_of_a_cost_is_what_repeats_refits_and_finishes_showed() -> None:
    assert spread([trial(0, 0.5, 10.0)], "train_seconds", {}) == TIE
    repeated = trial(1, 0.5, 10.0, train_seconds_std=0.2)
    finished = trial(2, 0.5, 10.0, train_seconds_spread=0.04)
    assert spread([trial(0, 0.5, 10.0), repeated], "train_seconds", {}) == pytest.approx(0.02)
    assert spread([repeated, finished], "train_seconds", {}) == pytest.approx(0.03)
    assert spread([repeated, finished], "peak_memory_mb", {}) == TIE
    assert spread([repeated, finished], "parameters", {}) == 0.0


def test_a_study_without_repeats_takes_what_earlier_ones_showed() -> None:
    earlier = {"train_seconds": 0.08, "parameters": 0.5}
    repeated = trial(1, 0.5, 10.0, train_seconds_std=0.2)
    assert spread([trial(0, 0.5, 10.0)], "train_seconds", earlier) == 0.08
    assert spread([repeated], "train_seconds", earlier) == pytest.approx(0.02)
    assert spread([repeated], "peak_memory_mb", earlier) == TIE
    assert spread([repeated], "parameters", earlier) == 0.0


def test_trials_of_one_configuration_or_its_rounds_give_a_deviation() -> None:
    assert deviation_of([trial(0, 0.5, 9.0), trial(1, 0.5, 11.0)], "train_seconds") == pytest.approx(0.1414, abs=1e-4)
    assert deviation_of([trial(0, 0.5, 10.0, train_seconds_std=1.0)], "train_seconds") == 0.1
    assert deviation_of([trial(0, 0.5, 10.0)], "train_seconds") is None
    assert deviation_of([], "train_seconds") is None
    assert deviation_of([trial(0, 0.5, 0.0), trial(1, 0.5, 0.0)], "train_seconds") is None


def test_of_costs_that_are_equal_within_their_spread_the_better_is_taken() -> None:
    members = [trial(0, 0.60, 30.0, f1_macro_se=0.05), trial(1, 0.59, 10.4), trial(2, 0.56, 10.0)]
    assert cheapest(members, (F1, SECONDS)).number == 1
    assert cheapest(members, (F1, SECONDS), tolerance=0.01).number == 2


def test_wall_seconds_that_other_work_stretched_break_no_tie() -> None:
    stretched = trial(0, 0.5, 30.0, cpu_seconds=16.0)
    alone = trial(1, 0.5, 10.0, cpu_seconds=18.0)
    assert (stretched.disturbed, alone.disturbed) == (True, False)
    assert comparable(stretched, (F1, SECONDS)) == [-0.5, 8.0]
    assert comparable(alone, (F1, SECONDS)) == [-0.5, 10.0]
    members = [trial(2, 0.51, 40.0, f1_macro_se=0.05, cpu_seconds=80.0), stretched, alone]
    assert cheapest(members, (F1, SECONDS)).number == 0
    assert [one.number for one in front([alone, stretched], (F1,), {})] == [0, 1]
