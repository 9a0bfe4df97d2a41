"""Trials that saw other data are counted, and otherwise out of everything that compares."""

from dataclasses import replace
from typing import Any

import pytest

from fersearch.search import Search
from fersearch.study import Keep
from fersearch.trial import Epoch, Outcome, Reason, Trial, TrialState
from tests.search.fakes import Rows, make_search, make_spec

VALUES = {"f1_macro": 0.6, "train_seconds": 1.0, "peak_memory_mb": 1.0}


def after(rows: Rows, data: str, sampler: str = "random", **options: Any) -> Search:
    return make_search(make_spec(sampler, **options), rows, data_digest=data)


def finish(search: Search, f1: float, checkpoint: str | None = None) -> Trial:
    trial = search.ask()
    assert trial is not None
    search.record(trial.number, Epoch(1, {**VALUES, "f1_macro": f1}, 1.0))
    return search.finish(trial.number, Outcome(Reason.DONE, kept_epoch=1, checkpoint=checkpoint), 1.0)


def test_a_new_trial_carries_the_digest_of_its_data() -> None:
    rows = Rows()
    trial = after(rows, "now").ask()
    assert trial is not None
    assert (trial.data_digest, rows.trials[0].data_digest) == ("now", "now")


def test_the_front_is_that_of_the_newest_data_and_the_budget_that_of_all() -> None:
    rows = Rows()
    before = after(rows, "then", trials=3)
    finish(before, 0.9)
    finish(before, 0.8)
    search = after(rows, "now", trials=3)
    assert (search.ended, search.front()) == (2, [])
    assert finish(search, 0.5).data_digest == "now"
    assert [trial.number for trial in search.front()] == [2]
    assert search.ask() is None
    assert search.done


def test_the_pruner_ranks_trials_of_one_data_alone() -> None:
    rows = Rows()
    before = after(rows, "then", pruner="pareto")
    for f1 in (0.9, 0.91, 0.92, 0.93, 0.94):
        finish(before, f1)
    search = after(rows, "now", pruner="pareto")
    trial = search.ask()
    assert trial is not None
    search.record(trial.number, Epoch(1, {**VALUES, "f1_macro": 0.5}, 1.0))
    assert "1 trial has reached it so far" in search.trials[-1].verdict["reason"]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "qmc"])
def test_the_sampler_hears_only_of_the_newest_data(sampler: str) -> None:
    rows = Rows()
    before = after(rows, "then", sampler)
    for _ in range(18):
        finish(before, 0.9)
    search = after(rows, "now", sampler)
    states = {state.name for state in (trial.state for trial in search._sampler._study.trials)}  # type: ignore[attr-defined]
    assert states == {"FAIL"}
    assert [finish(search, 0.5).number for _ in range(18)] == list(range(18, 36))


def test_a_grid_is_walked_again_on_other_data() -> None:
    from fersearch.space import Choice, Space

    space, rows = Space({"epochs": Choice(1), "width": Choice(1, 2)}), Rows()
    before = after(rows, "then", "grid", space=space)
    finish(before, 0.9)
    finish(before, 0.8)
    assert before.ask() is None
    search = after(rows, "now", "grid", space=space)
    again = [search.ask(), search.ask(), search.ask()]
    assert [trial and trial.params["width"] for trial in again] == [1, 2, None]


def test_a_trial_that_waits_begins_again_without_what_it_did_before() -> None:
    rows = Rows()
    before = after(rows, "then")
    trial = before.ask()
    assert trial is not None
    before.record(0, Epoch(1, {**VALUES, "f1_macro": 0.9}, 1.0))
    before.finish(0, Outcome(Reason.INTERRUPTED), 1.0)
    search = after(rows, "now")
    again = search.ask()
    assert again is not None
    assert (again.number, again.params, again.epochs, again.data_digest) == (0, trial.params, 0, "now")
    assert (len(again.attempts), again.verdict) == (2, {})
    assert rows.read_history() == {}
    search.record(0, Epoch(1, {**VALUES, "f1_macro": 0.5}, 1.0))
    done = search.finish(0, Outcome(Reason.DONE), 1.0)
    assert (done.state, done.values["f1_macro"]) == (TrialState.COMPLETE, 0.5)


def test_a_trial_that_goes_on_with_the_same_data_keeps_what_it_did() -> None:
    rows = Rows()
    before = after(rows, "now")
    before.ask()
    before.record(0, Epoch(1, VALUES, 1.0))
    before.finish(0, Outcome(Reason.INTERRUPTED), 1.0)
    again = after(rows, "now").ask()
    assert again is not None
    assert again.epochs == 1
    assert list(rows.read_history()) == [0]


def test_checkpoints_of_earlier_data_stay_as_they_were() -> None:
    rows = Rows()
    before = after(rows, "then", keep=Keep("best", 1))
    finish(before, 0.9, "a" * 64)
    search = after(rows, "now", keep=Keep("best", 1))
    finish(search, 0.5, "b" * 64)
    finish(search, 0.4, "c" * 64)
    assert [trial.checkpoint for trial in search.trials] == ["a" * 64, "b" * 64, None]


def test_a_trial_whose_data_was_not_recorded_is_compared() -> None:
    rows = Rows()
    finish(after(rows, ""), 0.9)
    assert rows.trials[0].data_digest == ""
    assert [trial.number for trial in after(rows, "now").front()] == [0]
    assert replace(rows.trials[0], data_digest="then").saw("")
