"""A search that was started from another study knows its trials, and is otherwise a search of its own."""

import pytest

from fersearch.trial import Trial, TrialState
from tests.search.fakes import OBJECTIVES, SPACE, Rows, epoch_of, make_search, make_spec
from tests.search.test_sampler_resume import LENGTHS, one_by_one


def trials_of_another(count: int) -> list[Trial]:
    """Trials of a study of another seed, as they are stored: what is searched, and the values."""
    search = make_search(make_spec("random", seed=11))
    result = []
    for number in range(count):
        trial = search.ask()
        values = epoch_of(trial, 8).values
        params = {name: value for name, value in trial.params.items() if name != "epochs"}
        result.append(Trial(number, params, TrialState.COMPLETE, values))
    return result


@pytest.mark.parametrize("sampler", [name for name in LENGTHS if name not in ("grid", "ofat")])
def test_a_restart_proposes_the_same(sampler: str) -> None:
    prior, rows, spec = trials_of_another(12), Rows(), make_spec(sampler)
    expected = one_by_one(make_search(spec, prior=prior), 8)
    got = one_by_one(make_search(spec, rows, prior=prior), 4) + one_by_one(make_search(spec, rows, prior=prior), 4)
    assert [trial.params for trial in got] == [trial.params for trial in expected]
    assert [trial.number for trial in got] == list(range(8))


def test_tpe_draws_by_them_and_their_configurations_may_be_tried_here() -> None:
    prior, spec = trials_of_another(12), make_spec("tpe")
    warm, cold = make_search(spec, prior=prior), make_search(spec)
    assert warm.ask().params != cold.ask().params
    before = len(warm.trials)
    warm.begin_with([{"epochs": 8, **prior[0].params}])
    assert len(warm.trials) == before + 1


def test_they_are_no_trials_of_the_study_and_have_no_vote() -> None:
    prior = [
        Trial(number, one.params, one.state, {**one.values, "f1_macro": 0.99})
        for number, one in enumerate(trials_of_another(12))
    ]
    spec = make_spec("tpe", trials=3, pruner="pareto", objectives=OBJECTIVES[:1])
    search = make_search(spec, prior=prior)
    trials = one_by_one(search, 3)
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
    assert {trial.number for trial in search.front()} <= {0, 1, 2}
    assert (len(search.trials), search.done) == (3, True)


def test_trials_outside_an_extended_space_are_left_out() -> None:
    inside = SPACE.pinned({"optimizer": "adam"})
    prior = trials_of_another(12)
    fitting = [trial for trial in prior if trial.params["optimizer"] == "adam"]
    assert 0 < len(fitting) < 12
    spec = make_spec("tpe", inside)
    assert make_search(spec, prior=prior).ask().params == make_search(spec, prior=fitting).ask().params
