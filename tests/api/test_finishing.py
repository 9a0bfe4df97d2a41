"""The finish of a study on drawn faces: it goes on where it was, and opens test once."""

from statistics import mean

import pytest

from fersearch import api
from fersearch.context import open_store
from fersearch.errors import FersearchError, UnknownName, UsageError
from fersearch.observer import Observer
from tests.studies import create


class Stopping(Observer):
    """Collects the messages for users, and stops the retraining after its first trial."""

    def __init__(self, stop: bool = False) -> None:
        self.notes: list[str] = []
        self.stop = stop

    def note(self, text: str) -> None:
        self.notes.append(text)

    def ended(self, trial, *_) -> None:
        if self.stop:
            assert api.stop_study("finish/small")


@pytest.fixture(scope="module", autouse=True)
def several_on_the_front(study: str) -> None:
    """Give the more accurate trials more memory, for what they really took differs by chance alone."""
    with open_store(None) as store:
        row = store.study(study)
        by_accuracy = sorted(store.trials(row.id), key=lambda trial: trial.values["accuracy"])
        for place, trial in enumerate(by_accuracy, 1):
            store.set_value(row.id, trial.number, "peak_memory_mb", 100.0 * place)


def finish(name: str = "small", stop: bool = False, **options):
    observer = Stopping(stop)
    return api.finish_study(name, slots=1, observer=observer, **{"finalists": 2, "seeds": 2, **options}), observer.notes


def test_a_finish_that_was_stopped_leaves_test_closed(study, monkeypatch):
    monkeypatch.setattr("fersearch.store.control.POLL_SECONDS", 0.02)  # sooner than the trials that are left end
    with pytest.raises(
        FersearchError, match="some trials of study 'finish/small' have not ended, so test stays closed"
    ) as caught:
        finish(stop=True)
    assert caught.value.hint == "continue with: fersearch study finish small"
    assert api.show_study(study).looks == []
    assert api.show_study(study).finish is None
    trials = api.list_trials("finish/small")
    assert len(trials) == 4
    assert 1 <= sum(trial.state.ended for trial in trials) < 4


def test_it_goes_on_where_it_was_and_picks_on_validation(study):
    before = {trial.number for trial in api.list_trials("finish/small") if trial.state.ended}
    result, messages = finish(finalists=1)
    trials = api.list_trials("finish/small")
    assert all(len(trials[number].attempts) == 1 for number in before)
    assert {trial.data_digest for trial in trials} == {api.show_study(study).data["seen"]["digest"]}
    members = api.front(study).trials[:2]
    searched = [{name: v for name, v in trial.params.items() if name != "seed"} for trial in trials]
    assert searched == [trial.params for trial in members for _ in range(2)]
    means = {
        member.number: mean(trial.values["accuracy"] for trial in trials[2 * k : 2 * k + 2])
        for k, member in enumerate(members)
    }
    assert {one.trial: one.mean for one in result.finalists} == means
    assert result.trial == max(means, key=lambda number: means[number])
    assert any(f"trial {result.trial}: accuracy" in line and line.endswith("the pick") for line in messages)
    assert api.show_study(study).finish == result
    assert (result.n, result.looks, len(result.seeds)) == (120, 1, 2)
    assert 3 not in result.seeds


def test_the_seeds_of_the_pick_are_one_look_with_the_values_of_each(study, tmp_path):
    (look,) = api.show_study(study).looks
    result = api.show_study(study).finish
    own = [trial for trial in api.list_trials("finish/small") if trial.params["seed"] in result.seeds]
    pick = api.list_trials(study)[result.trial].params
    own = [trial for trial in own if all(trial.params[name] == value for name, value in pick.items())]
    judged = []
    for trial in own:
        folder = api.pull_checkpoint("finish/small", trial=trial.number, out=tmp_path / str(trial.number)).path
        judged.append(api.evaluate(folder, split="test").metrics)
    assert result.values["accuracy"] == tuple(one["accuracy"] for one in judged)
    assert look.metrics["f1_macro"] == pytest.approx(mean(one["f1_macro"] for one in judged))
    assert look.checkpoint in {trial.checkpoint for trial in own}
    assert len(api.show_study(study).looks) == 1
    low, high = result.interval
    assert low <= result.mean <= high


def test_a_second_finish_tells_what_is_stored_and_opens_nothing(study):
    first = api.show_study(study).finish
    again, messages = finish(seeds=3)
    assert again == first
    assert len(messages) == 1
    assert messages[0].endswith("nothing is trained, and test not opened again")
    assert len(api.show_study(study).looks) == 1


def test_what_trained_the_finalists_is_listed_only_with_all(study):
    assert "finish/small" not in [one.name for one in api.list_studies()]
    assert "finish/small" in [one.name for one in api.list_studies(all=True)]
    assert "finish/small" not in api.matching_studies(["*"])
    assert api.matching_studies(["finish/*"]) == ["finish/small"]


def test_a_trial_of_it_is_trained_again_with_its_own_seed(study):
    trial = api.list_trials("finish/small")[1]
    done = api.rerun_trial("finish/small", 1)
    assert (done.seed, done.equal) == (trial.params["seed"], True)


def test_trials_after_the_look_are_warned_of(study):
    assert api.show_study(study).warnings == []
    api.run_study(study, trials=5, slots=1)
    (warning,) = api.show_study(study).warnings
    assert "before the last 1 trial: what is chosen now has seen it" in warning


def test_a_study_without_complete_trials_cannot_be_finished(home):
    create("bare")
    with pytest.raises(UsageError, match="study 'bare' has no complete trial, so there is nothing to finish") as caught:
        finish("bare")
    assert caught.value.hint == "run it first: fersearch study run bare --trials N"
    with pytest.raises(UnknownName):
        finish("nobody")
    with pytest.raises(UsageError, match="seeds 0 is out of range"):
        finish("bare", seeds=0)
    with pytest.raises(UsageError, match="finalists 0 is out of range"):
        finish("bare", finalists=0)
    with pytest.raises(UsageError, match="--exclusive-timing times the front of a search") as caught:
        finish("bare", exclusive_timing=True)
    assert caught.value.hint.endswith("fersearch study run bare --exclusive-timing")
    with pytest.raises(UnknownName, match="unknown dataset 'jafe'"):
        finish("bare", unseen=["jafe"])
    with open_store(None) as store:
        assert "finish/bare" not in store.study_names()
