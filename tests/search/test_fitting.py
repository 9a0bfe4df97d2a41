"""Trials of a space that a study was extended from: the sampler learns from those that lie in the new one."""

import pytest

from fersearch.search.fitting import covering, fits
from fersearch.search.optuna_sampler import to_optuna
from fersearch.space import Choice, Float, Int, Space
from fersearch.trial import Reason
from tests.search.fakes import SPACE, Rows, make_search, make_spec, run_trial
from tests.search.test_sampler_resume import one_by_one

ADAM = {"epochs": 8, "optimizer": "adam", "learning_rate": 0.01, "width": 8, "batch_size": 32}
NARROW = Space({**SPACE.dimensions, "optimizer": Choice("adam"), "learning_rate": Float(1e-3, 1e-2, log=True)})
WIDE = Space({**SPACE.dimensions, "learning_rate": Float(1e-5, 1.0, log=True), "batch_size": Choice(16, 32, 64, 128)})
MORE = Space({**SPACE.dimensions, "dropout": Float(0.0, 0.5)})


def test_parameters_fit_where_each_is_offered_and_applies() -> None:
    assert fits(SPACE, ADAM)
    assert not fits(SPACE, {**ADAM, "learning_rate": 0.5})
    assert not fits(SPACE, {**ADAM, "dropout": 0.1})
    assert not fits(SPACE, {**ADAM, "momentum": 0.9}, partly=True)
    assert not fits(MORE, ADAM)
    assert fits(MORE, ADAM, partly=True)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random", "qmc", "gp"])
@pytest.mark.parametrize("space", [NARROW, WIDE, MORE])
def test_an_extended_search_goes_on_in_its_new_space_the_same_after_a_restart(sampler: str, space: Space) -> None:
    count = 18 if sampler == "nsga2" else 4 if sampler == "gp" else 11
    rows = Rows()
    one_by_one(make_search(make_spec(sampler), rows), count)
    left = make_search(make_spec(sampler), rows).ask()  # stays under way while the study is extended
    spec = make_spec(sampler, space)
    copy = Rows(*(dict(part) for part in (rows.trials, rows.attempts, rows.epochs)))
    whole, stopped = make_search(spec, rows), make_search(spec, copy)
    for search in (whole, stopped):
        assert run_trial(search, search.ask(), Reason.DONE).number == left.number
    expected = one_by_one(whole, 6)
    got = one_by_one(stopped, 3) + one_by_one(make_search(spec, copy), 3)
    assert [trial.params for trial in got] == [trial.params for trial in expected]
    for trial in got:
        space.check(trial.params)


def test_tpe_learns_from_trials_that_fit_and_from_no_others() -> None:
    def proposed(space: Space, known: Space) -> dict:
        rows = Rows()
        one_by_one(make_search(make_spec("tpe", known), rows), 12)
        return make_search(make_spec("tpe", space), rows).ask().params

    outside = Space({**SPACE.dimensions, "learning_rate": Float(0.5, 1.0, log=True)})
    fresh = make_search(make_spec("random", outside))
    for _ in range(12):
        run_trial(fresh, fresh.ask())
    assert proposed(outside, SPACE) == fresh.ask().params  # a TPE that knows nothing draws by chance
    assert proposed(WIDE, SPACE) != proposed(WIDE, outside)


def test_an_extended_study_goes_to_optuna_with_one_distribution_for_each_parameter() -> None:
    rows = Rows()
    one_by_one(make_search(make_spec("random"), rows), 2)
    one_by_one(make_search(make_spec("random", WIDE), rows), 2)
    listed = Space({**WIDE.dimensions, "learning_rate": Choice(0.01, 0.1)})
    one_by_one(make_search(make_spec("random", listed), rows), 2)
    study = to_optuna(make_spec("random", listed), rows.read_trials())
    for name in ("learning_rate", "batch_size", "width"):
        assert len({repr(trial.distributions[name]) for trial in study.trials}) == 1


def test_a_covering_dimension_holds_all_that_was_offered_and_had() -> None:
    assert covering([Int(1, 4), Int(3, 9)], []) == Int(1, 9)
    assert covering([Choice("a", "b"), Choice("b", "c")], ["a"]) == Choice("a", "b", "c")
    assert covering([Float(0.1, 0.2), Choice(0.5, 0.6)], [0.15, 0.5]) == Choice(0.5, 0.6, 0.15)
    assert covering([Float(0.1, 0.2, log=True)] * 2, [0.15]) == Float(0.1, 0.2, log=True)
