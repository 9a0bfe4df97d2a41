"""What is enqueued is tried next, its open values drawn; a search that is stopped goes on as if it had not been."""

import pytest

from fersearch.space import Choice, Int, Space
from fersearch.trial import Enqueued, TrialState
from tests.search.fakes import SPACE, Rows, make_search, make_spec, run_trial
from tests.search.test_sampler_resume import FINITE, LENGTHS, one_by_one

PAIR = Space({"optimizer": Choice("sgd", "adam"), "width": Int(4, 5)})


def configuration(uid: str = "a", **values: object) -> Enqueued:
    return Enqueued(uid, values)


def test_enqueued_values_stay_and_the_others_are_drawn() -> None:
    search = make_search(make_spec("tpe"))
    search.enqueue(configuration("a", learning_rate=0.05, optimizer="sgd"))
    search.enqueue(configuration("b", learning_rate=0.05, optimizer="sgd"))
    first, second, third = search.ask(), search.ask(), search.ask()
    for trial in (first, second):
        SPACE.check(trial.params)
        assert (trial.params["learning_rate"], trial.params["optimizer"]) == (0.05, "sgd")
    assert first.params["momentum"] != second.params["momentum"]
    assert (first.number, first.enqueued) == (0, configuration("a", learning_rate=0.05, optimizer="sgd"))
    assert third.enqueued is None


@pytest.mark.parametrize("sampler", LENGTHS)
def test_a_resumed_search_proposes_the_same_after_what_was_enqueued(sampler: str) -> None:
    half, space = LENGTHS[sampler], FINITE if sampler in ("grid", "ofat") else SPACE
    spec, rows = make_spec(sampler, space), Rows()
    whole, stopped = make_search(spec), make_search(spec, rows)
    ran = []
    for search in (whole, stopped):
        trials = one_by_one(search, half)
        for uid, values in (("a", {"batch_size": 64}), ("b", {"optimizer": "sgd", "nesterov": True})):
            search.enqueue(configuration(uid, **values))
        ran.append([*trials, run_trial(search, search.ask())])
    again = make_search(spec, rows)
    assert [t.params for t in again.trials] == [t.params for t in whole.trials]
    went_on, restarted = one_by_one(whole, half), one_by_one(again, half)
    assert [t.params for t in restarted] == [t.params for t in went_on]
    assert restarted[0].enqueued == configuration("b", optimizer="sgd", nesterov=True)
    assert len({str(t.params) for t in again.trials}) == len(again.trials)


def test_it_counts_as_a_trial_and_waits_for_room() -> None:
    spec, rows = make_spec(trials=2), Rows()
    search = make_search(spec, rows)
    one_by_one(search, 2)
    search.enqueue(configuration(optimizer="sgd"))
    assert (search.ask(), len(search.trials), rows.withdrawn) == (None, 2, [])
    assert search.done
    more = make_search(make_spec(trials=3), rows)
    more.enqueue(configuration(optimizer="sgd"))
    assert (more.ask().params["optimizer"], rows.withdrawn) == ("sgd", ["a"])
    assert more.ask() is None


def test_it_is_taken_in_once_though_it_is_reported_again() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    search.enqueue(configuration(optimizer="sgd"))
    search.enqueue(configuration(optimizer="sgd"))
    rows.withdrawn.clear()
    again = make_search(make_spec(), rows)
    again.enqueue(configuration(optimizer="sgd"))
    assert [trial.state for trial in again.trials] == [TrialState.WAITING]
    assert rows.withdrawn == ["a"]


@pytest.mark.parametrize("sampler", ["tpe", "qmc", "grid"])
def test_what_was_tried_in_every_way_is_reported_and_leaves_no_trace(sampler: str) -> None:
    notes: list[str] = []
    search, plain = make_search(make_spec(sampler, PAIR), note=notes.append), make_search(make_spec(sampler, PAIR))
    for uid in ("a", "b", "c"):
        search.enqueue(configuration(uid, optimizer="adam"))
        plain.enqueue(configuration(uid, optimizer="adam")) if uid != "c" else None
    assert notes[-1] == "the enqueued configuration (optimizer=adam) is not tried again: earlier trials cover it"
    assert [t.params for t in one_by_one(search, 4)] == [t.params for t in one_by_one(plain, 4)]
    assert not search.exhausted
    assert search.ask() is None
    assert search.exhausted


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "nsga2"])
def test_what_a_search_begins_with_runs_first_and_is_not_proposed_again(sampler: str) -> None:
    rows, spec = Rows(), make_spec(sampler)
    search = make_search(spec, rows)
    first, configuration = search.ask(), {**make_search(make_spec("random", seed=9)).ask().params}
    search.begin_with([configuration, configuration])
    (added,) = search.trials[1:]
    assert (added.number, added.state) == (1, TrialState.WAITING)
    for resumed in (search, make_search(spec, rows)):
        assert configuration in [trial.params for trial in resumed.trials]
    assert search.ask().params == configuration
    run_trial(search, first)
    straight = [search.ask().params for _ in range(15)]
    assert configuration not in straight
