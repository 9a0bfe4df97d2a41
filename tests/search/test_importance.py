"""Importances of trials whose objectives are equal, undefined, or too few."""

import random
from dataclasses import replace
from typing import Any

import pytest

from fersearch.search.importance import FEWEST, importances
from fersearch.study import StudySpec
from fersearch.trial import Trial, TrialState
from tests.search.fakes import SPACE, make_spec

COSTS = {"train_seconds": 2.0, "peak_memory_mb": 3.0}


@pytest.fixture(scope="module")
def spec() -> StudySpec:
    return make_spec()


def trials(count: int, **values: Any) -> list[Trial]:
    """Complete trials whose F1 follows from their width alone, and whose costs are equal."""
    chance = random.Random(1)
    made = []
    for number in range(count):
        params = {"epochs": 8, "optimizer": "adam", "learning_rate": chance.uniform(1e-4, 1e-1)}
        params |= {"width": 4 + 3 * (number % 4), "batch_size": 64}
        own = {"f1_macro": params["width"] / 64, **COSTS, **values}
        made.append(Trial(number, params, TrialState.COMPLETE, own, epochs=8, space=SPACE.to_json()))
    return made


def test_what_decides_has_all_of_it_and_equal_objectives_have_no_shares(spec: StudySpec) -> None:
    weighed = importances(spec, trials(FEWEST))
    assert weighed is not None
    method, (f1, seconds, memory) = weighed
    assert method == "fANOVA"
    assert f1["width"] > 0.7
    assert seconds == memory == {"learning_rate": 0.0, "width": 0.0}


def test_one_trial_or_equal_ones_have_none(spec: StudySpec) -> None:
    assert importances(spec, trials(1)) is None
    assert importances(spec, trials(FEWEST - 1)) is None
    same = [replace(trial, params=trials(1)[0].params) for trial in trials(FEWEST)]
    assert importances(spec, same) is None


def test_trials_without_a_value_are_left_out(spec: StudySpec) -> None:
    some = trials(FEWEST + 1)
    undefined = [replace(some[0], values=COSTS), *some[1:]]
    assert importances(spec, undefined) == importances(spec, some[1:])
    assert importances(spec, [replace(some[0], values=COSTS), *some[2:]]) is None
