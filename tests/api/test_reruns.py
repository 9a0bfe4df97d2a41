"""A trial trained again comes out the same; differences are reported, and the study is unchanged."""

import math
from dataclasses import replace

import pytest

from fersearch import accelerators, api
from fersearch.engines import devices
from fersearch.engines.rerun import Changed, Compared, Rerun, _changed, _last, _slot
from fersearch.errors import UnknownName, UsageError
from fersearch.trial import Trial, TrialState
from tests.api.conftest import SETTINGS


@pytest.fixture(scope="module")
def done(study):
    """Trial 1 of the small study, trained again."""
    before = api.show_trial(study, 1)
    done = api.rerun_trial(study, 1)
    assert api.show_trial(study, 1) == before
    return done


def test_a_rerun_is_equal_in_all_that_does_not_read_clocks_or_memory(done, study):
    assert done.equal
    assert done.max_difference == 0
    assert done.changed == ()
    stored = api.list_trials(study)[1].values
    sure = {name: value for name, value in stored.items() if name.endswith(("_se", "_ci_low", "_ci_high"))}
    assert len(sure) == 3
    assert {each.name: each.stored for each in done.metrics} | sure == stored
    unchecked = {each.name for each in done.metrics if not each.checked}
    assert {"train_seconds", "cpu_seconds", "eval_seconds", "latency_ms", "peak_memory_mb"} <= unchecked
    assert {"accuracy", "train_loss", "parameters", "model_mb"} <= {each.name for each in done.metrics if each.checked}


def test_another_seed_comes_out_otherwise(study):
    numbers = []
    other = api.rerun_trial(study, 1, seed=77, device="cpu", report=lambda epoch: numbers.append(epoch.number))
    assert numbers == [1, 2]
    assert other.seed == 77
    assert not other.equal
    assert other.max_difference > 0


def test_a_trial_under_repeats_is_repeated_whole_and_in_its_memory_format(home):
    api.create_study(
        "cnn",
        "faces",
        name="twice",
        trials=1,
        epochs="1",
        dataset_options={"train": "80", "valid": "40", "test": "40"},
        settings=SETTINGS,
        repeats=2,
        memory_format="channels_last",
    )
    api.run_study("twice", slots=1)
    assert api.show_trial("twice", 0).trial.attempts[0].facts["memory_format"] == "channels_last"
    done = api.rerun_trial("twice", 0)
    assert done.equal
    assert done.changed == ()
    assert done.epochs == 2
    assert {each.name: each.checked for each in done.metrics}["accuracy_std"]
    assert not {each.name: each.checked for each in done.metrics}["train_seconds_std"]


def test_what_never_ended_or_never_was_is_refused(study, home):
    with pytest.raises(UnknownName):
        api.rerun_trial(study, 99)
    with pytest.raises(UsageError, match="unknown device 'gpu'"):
        api.rerun_trial(study, 0, device="gpu")


def test_the_largest_difference_counts_only_what_is_checked():
    metrics = (Compared("f1", 0.5, 0.25, True), Compared("train_seconds", 3.0, 9.0, False))
    run = Rerun("s", 0, 1, 4, (3, 3), metrics, ())
    assert run.max_difference == 0.25
    assert not run.equal
    assert replace(run, metrics=metrics[1:]).equal
    assert not replace(run, metrics=metrics[1:], kept_epoch=(3, 4)).equal
    assert replace(run, metrics=(Compared("f1", 0.5, None, True),)).max_difference == math.inf


def test_the_environment_is_compared_by_what_was_recorded():
    stored = {"device": "cpu", "threads": 2, "torch": "1.0", "data": "aa"}
    again = {"device": "cpu", "threads": 1, "torch": "2.0", "data": "bb", "precision": "float32"}
    threads, torch, data = Changed("threads", "2", "1"), Changed("torch", "1.0", "2.0"), Changed("data", "aa", "bb")
    *known, numpy = _changed(stored, again, [{"numpy": "0.1"}, {"numpy": "0.2"}])
    assert known == [torch, threads, data]
    assert (numpy.name, numpy.stored) == ("numpy", "0.1, 0.2")


def test_a_place_like_the_trials_own(monkeypatch):
    monkeypatch.setattr(accelerators, "gpus", lambda: ["GPU-a"])
    gpu = devices.slots(1)[0]
    assert _slot("cuda:0", 3, gpu) == devices.Slot(0, "cuda:0", (("CUDA_VISIBLE_DEVICES", "GPU-a"),), 3)
    assert _slot("cpu", 2, gpu) == devices.Slot(0, "cpu", (("CUDA_VISIBLE_DEVICES", ""),), 2)
    assert _slot("cuda:1", 2, gpu).env == ()
    monkeypatch.setattr(accelerators, "gpus", list)
    usual = devices.slots(2)[1]
    assert _slot(None, None, usual) == usual


def test_a_trial_that_was_stopped_is_stopped_after_as_many_epochs():
    assert _last(Trial(0, {}, TrialState.PRUNED, epochs=2)) == 2
    assert _last(Trial(0, {}, TrialState.COMPLETE, epochs=4)) is None
    assert _last(Trial(0, {}, TrialState.FAILED)) is None
