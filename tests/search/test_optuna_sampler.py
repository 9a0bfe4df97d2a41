"""What the samplers propose, remember and hand over to Optuna."""

import logging
import subprocess
import sys
import warnings

import optuna
import pytest

from fersearch.search import SAMPLERS, Search
from fersearch.search.aggregation import sampler_values
from fersearch.search.optuna_sampler import OptunaSampler, seed_of, to_optuna
from fersearch.space import Choice, Float, Int, Space
from fersearch.trial import Attempt, Epoch, Outcome, Reason, Trial, TrialState
from tests.search.fakes import METRICS, OBJECTIVES, SPACE, Rows, make_search, make_spec, run_trial

SMALL = Space({"a": Choice("x", "y", "z"), "b": Int(1, 5), "c": Choice(True, False, when={"a": ("x",)})})
BY_OPTUNA = sorted(set(SAMPLERS) - {"grid", "ofat", "gp"})


def recorded_values(trial: Trial) -> list[float] | None:
    return sampler_values(trial, OBJECTIVES, METRICS)


@pytest.mark.parametrize("name", BY_OPTUNA)
def test_each_proposal_lies_in_the_space_and_holds_plain_values(name: str) -> None:
    search = make_search(make_spec(name))
    for _ in range(25):
        trial = search.ask()
        SPACE.check(trial.params)
        assert {type(value) for value in trial.params.values()} <= {str, bool, int, float}
        run_trial(search, trial)


def run_up_to(search: Search, trials: int) -> list[tuple[object, ...]]:
    """Run trials until the search hands out no more; returns their configurations."""
    ran = []
    while len(ran) < trials and (trial := search.ask()) is not None:
        ran.append(tuple(trial.params.items()))
        run_trial(search, trial)
    return ran


@pytest.mark.parametrize("name", BY_OPTUNA)
def test_no_configuration_is_proposed_twice_and_a_finite_space_is_exhausted(name: str) -> None:
    rows = Rows()
    spec = make_spec(name, SMALL)
    before = run_up_to(make_search(spec, rows), 10)
    resumed = make_search(spec, rows)
    after = run_up_to(resumed, 100)
    assert (len(before), len(after), len({*before, *after})) == (10, 10, 20)
    assert (resumed.exhausted, resumed.done) == (True, True)


def test_a_space_of_one_configuration_is_proposed_once() -> None:
    sampler = OptunaSampler(make_spec("tpe", Space({"epochs": Choice(3)})), [], recorded_values)
    assert sampler.ask(0) == ({"epochs": 3}, {})
    assert sampler.ask(1) is None
    assert sampler.exhausted


def test_a_draw_depends_on_seed_trial_and_try() -> None:
    seeds = {seed_of(a, b, c) for a in range(5) for b in range(5) for c in range(5)}
    assert len(seeds) == 125
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert seed_of(1, 2, 3) == seed_of(1, 2, 3)


def test_optuna_is_quiet_and_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    optuna.logging.set_verbosity(logging.INFO)
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        for name in BY_OPTUNA:
            search = make_search(make_spec(name))
            for _ in range(12):
                run_trial(search, search.ask())
    assert optuna.logging.get_verbosity() == logging.INFO
    assert list(warnings.filters) == filters
    assert [str(warning.message) for warning in caught_warnings] == []
    assert capfd.readouterr() == ("", "")


def test_the_room_loads_no_optuna_before_a_sampler_needs_it() -> None:
    code = "import sys, fersearch.search; assert 'optuna' not in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def ended(number: int, state: TrialState, epochs: int = 8, **values: float) -> Trial:
    base = {"f1_macro": 0.5, "train_seconds": 10.0, "peak_memory_mb": 99.0}
    return Trial(number, {"epochs": 8, "width": number}, state, values={**base, **values}, epochs=epochs)


def test_a_complete_trial_is_reported_as_it_is() -> None:
    assert recorded_values(ended(0, TrialState.COMPLETE, epochs=6)) == [0.5, 10.0, 99.0]


def test_a_pruned_trial_is_reported_with_its_growing_costs_projected() -> None:
    assert recorded_values(ended(0, TrialState.PRUNED, epochs=2)) == [0.5, 40.0, 99.0]


@pytest.mark.parametrize("state", [TrialState.FAILED, TrialState.INFEASIBLE])
def test_failures_are_reported_as_such(state: TrialState) -> None:
    assert recorded_values(ended(0, state)) is None


def test_a_pruned_trial_without_an_objective_is_reported_as_a_failure() -> None:
    assert recorded_values(ended(0, TrialState.PRUNED, epochs=1, f1_macro=float("nan"))) is None


def test_whole_numbers_as_values_do_not_disturb_tpe() -> None:
    search = make_search(make_spec("tpe"))
    for number in range(15):
        trial = search.ask()
        values = {"f1_macro": number % 3, "train_seconds": 1 + number % 5, "peak_memory_mb": 7}
        search.record(trial.number, Epoch(1, values, 1.0))
        search.finish(trial.number, Outcome(Reason.DONE, kept_epoch=1), 1.0)
    assert search.ended == 15


def test_the_export_keeps_numbers_states_values_and_parameters() -> None:
    space = Space({"epochs": Choice(8), "width": Int(0, 9)})
    trials = [ended(n, state) for n, state in enumerate(TrialState)]
    trials[2] = Trial(**{**vars(trials[2]), "attempts": (Attempt(1, Reason.DONE),), "checkpoint": "abc"})
    study = to_optuna(make_spec(space=space), trials)
    states = ["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAIL", "FAIL"]
    assert [trial.state.name for trial in study.trials] == states
    assert [trial.params for trial in study.trials] == [trial.params for trial in trials]
    complete = study.trials[2]
    assert complete.values == [0.5, 10.0, 99.0]
    assert complete.user_attrs["state"] == "complete"
    assert complete.user_attrs["reason"] == "done"
    assert complete.user_attrs["checkpoint"] == "abc"
    assert complete.user_attrs["value:peak_memory_mb"] == 99.0
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    assert study.metric_names == ["f1_macro", "train_seconds", "peak_memory_mb"]
    assert [trial.number for trial in study.best_trials] == [2]


@pytest.mark.filterwarnings("ignore:PedAnova")
def test_the_export_of_a_searched_study_answers_optunas_questions() -> None:
    search = make_search(make_spec("tpe"))
    for _ in range(12):
        run_trial(search, search.ask())
    study = to_optuna(search.spec, search.trials)
    assert {trial.number for trial in study.best_trials} == {trial.number for trial in search.front()}
    importance = optuna.importance.get_param_importances(study, target=lambda trial: trial.values[0])
    assert "learning_rate" in importance


def test_trials_of_another_space_still_teach() -> None:
    """A study whose space was narrowed later keeps what its earlier trials taught."""
    rows = Rows()
    wide = make_search(make_spec("tpe", Space({"epochs": Choice(8), "x": Float(0, 10), "k": Choice("a", "b")})), rows)
    for _ in range(12):
        run_trial(wide, wide.ask())
    narrow = make_spec("tpe", Space({"epochs": Choice(8), "x": Float(2, 3), "k": Choice("a", "b")}))
    assert 2 <= make_search(narrow, rows).ask().params["x"] <= 3
